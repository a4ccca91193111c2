//! A call of a callflow for a number that another account's callflows take (trunkstore specification
//! 3.7): it goes there without a carrier, as a call of its own behind a loopback.

use super::decision::{Attempt, AttemptTo, Dial, Outcome, Reject, Route, RouteKind};
use super::hunt::Hunting;
use super::numbers::Owned;
use super::pbx;
use super::place::Placing;
use super::request::Request;
use crate::routing::caller::Lookup;
use crate::routing::{DialLeg, DialString, Endpoint, InvalidUri, Variables};
use crate::types::{AccountId, HangupCause};

/// The far side of the loopback is such a call; how often the call has come to another account.
const HOPS: &str = "lf_onnet_hops";
const ACCOUNT: &str = "lf_onnet_account";

/// Callflows that send a call to and fro end here.
const MOST_HOPS: u32 = 10;

/// Variables that the far side of the loopback needs.
const EXPORTED: &str = "lf_onnet_account,lf_onnet_hops,lf_inception_account_id";

/// The route there.
pub(super) fn through(
    request: &Request<'_>,
    call: &Placing<'_>,
    owned: &Owned,
    number: &str,
) -> Result<Outcome, InvalidUri> {
    let hops = (request.variable)(HOPS).and_then(|hops| hops.parse().ok());
    let hops = hops.unwrap_or(0_u32).saturating_add(1);
    if hops > MOST_HOPS {
        let cause = HangupCause::ExchangeRoutingError;
        let why = "callflows of several accounts send the call to each other";
        return Ok(Outcome::Reject(Reject::hangup(cause, why)));
    }
    let endpoint = Endpoint::loopback(number, &request.settings.forward_context)?;
    let levels = call.behalf.levels();
    let mut attempt = Attempt {
        to: AttemptTo::Callflows(owned.account_id.clone()),
        dial: Dial::Fails(HangupCause::NoRouteDestination, "not yet written"),
        aleg: Variables::default(),
        answer_timeout_s: levels.first(|terms| terms.timeout_s.filter(|s| *s > 0)),
        progress_timeout_s: None,
        delay_s: 0,
    };
    attempt.aleg.set_bool("bypass_media", false);
    let mut variables = call.behalf.identity(false);
    pbx::timers(&attempt, &mut variables);
    variables.set_bool("outbound_redirect_fatal", true);
    variables.set_bool("loopback_bowout", true);
    variables.set_bool("loopback_bowout_on_execute", false);
    variables.set("lf_account_id", call.account_id.as_str());
    variables.set("lf_inception_account_id", call.account_id.as_str());
    variables.set(ACCOUNT, owned.account_id.as_str());
    variables.set(HOPS, hops.to_string());
    variables.set("loopback_export", EXPORTED);
    let mut global = Variables::default();
    if let Some(ignore) = levels.first(|terms| terms.ignore_early_media) {
        global.set_bool("ignore_early_media", ignore);
    }
    pbx::originate_timeout(&attempt, &mut global);
    let leg = DialLeg {
        variables,
        endpoint,
    };
    attempt.dial = Dial::Call(DialString {
        global,
        groups: vec![vec![leg]],
    });
    Ok(Outcome::of(Route {
        kind: RouteKind::Onnet,
        account: call.account_id.clone(),
        number: number.to_owned(),
        attempts: vec![attempt],
        hunting: Hunting::Servers,
        failover: None,
        aleg: call.behalf.aleg(call.account_id),
        privacy: false,
        ring_ready: false,
        emergency: false,
        guard_s: request.trunk().routing_guard_s,
    }))
}

/// Whose callflows a call is for that has come through such a loopback. A SIP channel's variables are
/// not believed. None: it has not.
#[must_use]
pub fn arrived_for(variable: Lookup<'_, '_>) -> Option<AccountId> {
    variable("is_loopback").or_else(|| variable("loopback_leg"))?;
    if variable("sip_call_id").is_some() {
        return None;
    }
    AccountId::new(variable(ACCOUNT)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_loopback_comes_for_another_account() {
        let read = |variables: &[(&str, &str)]| {
            let lookup = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| *value)
            };
            arrived_for(&lookup)
        };
        assert_eq!(read(&[(ACCOUNT, "beta")]), None);
        let loopback = [(ACCOUNT, "beta"), ("is_loopback", "true")];
        assert_eq!(read(&loopback), AccountId::new("beta").ok());
        let sip = [&loopback[..], &[("sip_call_id", "x")]].concat();
        assert_eq!(read(&sip), None);
    }
}
