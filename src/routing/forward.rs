//! Call forwarding: whether, where to, and what the forwarded leg carries (devices specification 4).

use std::borrow::Cow;

use super::caller_id::{self, Shown};
use super::clean;
use super::leg::{LegContext, identity};
use super::merge::{Forward, Merged};
use super::plan::{DialRequest, Explain, LegError, Network, Source};
use super::privacy;
use super::{DialLeg, Endpoint, Variables};
use crate::types::DocumentId;

/// When a device is forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// `enabled`: every call; `failover` then has no effect.
    Now,
    /// `failover`: only if the device can't be reached.
    Unreachable,
}

/// Variables that the far side of the loopback needs; mod_loopback copies those named in
/// `loopback_export`.
const EXPORTED: &str = "lf_account_id,lf_forwarded_by,lf_forward_chain,lf_forward_keep,\
                        lf_forward_confirm,lf_forward_network";

/// Whether this call is forwarded, by what the endpoint says and by who asks.
#[must_use]
pub fn when(forward: &Forward<'_>, request: &DialRequest<'_>) -> Option<When> {
    let direct = !matches!(request.source, Source::RingGroup | Source::Queue);
    if request.options.ignore_forward || (forward.direct_calls_only && !direct) {
        return None;
    }
    match (forward.enabled, forward.failover) {
        (true, _) => Some(When::Now),
        (false, true) => Some(When::Unreachable),
        (false, false) => None,
    }
}

/// The number to dial, if the call may be forwarded at all.
///
/// # Errors
/// `forward_loop`: the number is the device's own; `forward_hop_limit`; `invalid_forward_number`.
pub fn target(context: &LegContext<'_>, forward: &Forward<'_>) -> Result<String, LegError> {
    let request = context.request;
    let number = target_number(forward.number);
    if number.as_deref().is_some_and(|n| is_own(context, n)) {
        return Err(LegError::ForwardLoop);
    }
    if request.forward_chain.len() >= request.settings.forward_hop_limit {
        return Err(LegError::ForwardHopLimit);
    }
    number.ok_or(LegError::InvalidForwardNumber)
}

/// A forward target as it is dialled. Marks that people put into numbers are taken out; what could
/// be an address is refused rather than cleaned into some other number.
#[must_use]
pub fn target_number(written: &str) -> Option<String> {
    let written = written.trim();
    let mark = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '-' | '.');
    let digit = |c: char| c.is_ascii_digit() || c == '+';
    if written.contains(['/', '@', ':']) {
        return None;
    }
    let blank_in_word =
        written.contains(char::is_whitespace) && written.contains(char::is_alphabetic);
    if blank_in_word {
        return None;
    }
    let number = if written.chars().all(|c| mark(c) || digit(c)) {
        let digits: String = written.chars().filter(|c| digit(*c)).collect();
        clean::number(&digits)
    } else {
        clean::number(written)
    };
    let says_something = |c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | '#');
    number.contains(says_something).then_some(number)
}

/// The device's own To-DID, username or internal number: the call would only come back.
fn is_own(context: &LegContext<'_>, number: &str) -> bool {
    use crate::documents::CallerIdKind::Internal;
    let did = context.device.sip.number();
    let did = did.unwrap_or(context.request.dialed);
    let internal = context.endpoint.caller_number(Internal);
    let e164 = |number: &str| context.normalizer.e164(number);
    let same = |own: &str| number.eq_ignore_ascii_case(own) || e164(number) == e164(own);
    let own = [Some(did), context.device.sip.username()];
    let internal = internal.map(|(number, _)| number);
    own.into_iter()
        .chain([internal])
        .flatten()
        .any(|own| !own.is_empty() && same(own))
}

/// The leg that leads the call back into the dialplan, as a call of the account authorised as the
/// forwarding device.
///
/// # Errors
/// The number or the context can't be dialled.
pub fn leg(
    context: &LegContext<'_>,
    forward: &Forward<'_>,
    number: &str,
    reason: When,
    explain: &mut dyn Explain,
) -> Result<DialLeg, LegError> {
    let request = context.request;
    let settings = request.settings;
    let endpoint = Endpoint::loopback(number, &settings.forward_context)
        .map_err(|_| LegError::InvalidForwardNumber)?;
    let mut variables = Variables::default();
    let (shown, from) = shown(context, forward, number);
    explain.note(
        "forward",
        format_args!(
            "to {number} ({}), caller id {from}",
            match reason {
                When::Now => "enabled",
                When::Unreachable => "failover, the device is not reachable",
            }
        ),
    );
    if !request.options.suppress_clid {
        identity(&mut variables, context, shown);
    }
    context.callee(&mut variables);
    context.presence(&mut variables, explain);
    context.timing(&mut variables);
    variables.set_bool("loopback_bowout", true);
    variables.set_bool("loopback_bowout_on_execute", false);
    if forward.keep_caller_id {
        carry_identity(context, reason, &mut variables);
    }
    if forward.require_keypress {
        confirm(context, &mut variables);
    }
    context.track(&mut variables);
    carry_on(context, forward, &mut variables);
    Ok(DialLeg {
        variables,
        endpoint,
    })
}

/// Whose identity the forwarded leg shows.
fn shown<'a>(
    context: &LegContext<'a>,
    forward: &Forward<'_>,
    number: &str,
) -> (Shown<'a>, &'static str) {
    let caller = context.caller.caller;
    let settings = context.request.settings;
    let valid = |endpoint: &Merged<'a>| {
        caller_id::external_valid(endpoint, caller, settings, context.normalizer).0
    };
    if forward.keep_caller_id {
        return match (caller.network, &context.caller.endpoint) {
            (Network::Onnet, Some(endpoint)) => (valid(endpoint), "of the caller, external"),
            _ => (caller_id::received(caller), "as received"),
        };
    }
    let class = context.classify(number);
    if class == "unknown" {
        let shown = caller_id::internal(context.endpoint, caller).0;
        return (shown, "of the forwarding device, internal");
    }
    let shown = valid(context.endpoint);
    (shown, "of the forwarding device, external")
}

/// What goes along with the caller's identity: what it hides, and who diverted the call.
fn carry_identity(context: &LegContext<'_>, reason: When, variables: &mut Variables) {
    let request = context.request;
    let endpoint = context.caller.endpoint.as_ref();
    let hidden = match context.caller.caller.network {
        Network::Onnet => privacy::of_caller(context.caller.caller.privacy, endpoint),
        Network::Offnet => context.caller.caller.privacy,
    };
    if hidden.hides_something() {
        variables.set("origination_privacy", hidden.tokens());
    }
    let Some(realm) = request
        .account
        .realm
        .as_deref()
        .or(context.endpoint.realm())
    else {
        return;
    };
    if !request.settings.diversion_on_forward {
        return;
    }
    let reason = match reason {
        When::Now => "unconditional",
        When::Unreachable => "unavailable",
    };
    let user = clean::user_part(request.dialed);
    let ours = format!("<sip:{user}@{realm}>;reason={reason}");
    let Some(ours) = context.format("diversion", Cow::Owned(ours)) else {
        return;
    };
    let before = context.caller.caller.diversion.as_deref().map(str::trim);
    match before.filter(|before| !before.is_empty()) {
        Some(before) => variables.set_header("Diversion", &format!("{ours}, {before}")),
        None => variables.set_header("Diversion", &ours),
    };
}

/// The callee must press 1. In the leg's own block: mod_loopback moves these to its far side, so
/// that the prompt plays once; global ones would play it on both.
fn confirm(context: &LegContext<'_>, variables: &mut Variables) {
    variables.set("group_confirm_key", "1");
    variables.set(
        "group_confirm_file",
        &context.request.settings.confirm_prompt,
    );
    variables.set_raw_number("group_confirm_read_timeout", 7000);
    variables.set_bool("group_confirm_cancel_timeout", true);
    if let Some((language, _)) = context.endpoint.language() {
        variables.set("default_language", language.to_lowercase());
    }
}

/// What the far side must know to go on: who forwarded, and who did so before. Variables of a
/// channel are ours alone; no SIP message of a device or carrier sets them.
fn carry_on(context: &LegContext<'_>, forward: &Forward<'_>, variables: &mut Variables) {
    let chain = context.request.forward_chain.iter();
    let own = std::iter::once(&context.member.device_id);
    variables.set("lf_forward_chain", joined(chain.chain(own)));
    variables.set("lf_forwarded_by", context.member.device_id.as_str());
    variables.set_bool("lf_forward_keep", forward.keep_caller_id);
    variables.set_bool("lf_forward_confirm", forward.require_keypress);
    let network = match context.caller.caller.network {
        Network::Onnet => "onnet",
        Network::Offnet => "offnet",
    };
    variables.set("lf_forward_network", network);
    variables.set("loopback_export", EXPORTED);
}

/// Ids in one value. `:` stands in no id.
#[must_use]
pub fn joined<'a>(ids: impl Iterator<Item = &'a DocumentId>) -> String {
    let mut text = String::new();
    for id in ids {
        if !text.is_empty() {
            text.push(':');
        }
        text.push_str(id.as_str());
    }
    text
}

/// The chain that [`joined`] wrote; what is no id is left out.
#[must_use]
pub fn chain(text: &str) -> Vec<DocumentId> {
    text.split(':')
        .filter_map(|id| DocumentId::new(id).ok())
        .collect()
}

/// A forwarded leg asks for `ignore_early_media` unless all three of its settings allow the
/// target's early media through.
#[must_use]
pub const fn ignores_early_media(forward: &Forward<'_>) -> bool {
    forward.require_keypress || !forward.substitute || forward.ignore_early_media
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_lose_the_marks_that_people_write() {
        for (written, dialed) in [
            ("+1 (415) 555-0177", Some("+14155550177")),
            ("415.555.0177", Some("4155550177")),
            (" 2001 ", Some("2001")),
            ("*72", Some("*72")),
            ("*72 55", Some("*7255")),
            ("bob.smith-1", Some("bob.smith-1")),
            ("bob smith", None),
            ("sip:bob@example.net", None),
            ("bob@example.net", None),
            ("loopback/1", None),
            ("1/2", None),
            ("()", None),
            ("+", None),
            ("", None),
            ("12']34", Some("1234")),
        ] {
            assert_eq!(target_number(written).as_deref(), dialed, "{written:?}");
        }
    }

    #[test]
    fn chains_survive_the_way_through_a_variable() {
        let ids = ["a", "b-1", "c.2@x"].map(|id| DocumentId::new(id).unwrap());
        assert_eq!(joined(ids.iter()), "a:b-1:c.2@x");
        assert_eq!(chain(&joined(ids.iter())), ids);
        assert!(chain("").is_empty());
    }
}
