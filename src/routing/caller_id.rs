//! Which identity a leg shows (devices specification 5.1, 5.2).

use std::borrow::Cow;

use super::merge::{Level, Merged};
use super::numbers::Normalizer;
use super::plan::{Caller, Network};
use super::settings::Settings;
use crate::documents::CallerIdKind;

/// A name and a number, before cleaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown<'a> {
    pub name: Cow<'a, str>,
    pub number: Cow<'a, str>,
}

/// Where the parts of a shown identity came from; None: from the call itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Origin {
    pub name: Option<Level>,
    pub number: Option<Level>,
}

impl Origin {
    /// `device`, `owner`, `account` or `call`.
    #[must_use]
    pub const fn word(level: Option<Level>) -> &'static str {
        match level {
            Some(Level::Account) => "account",
            Some(Level::Owner) => "owner",
            Some(Level::Device) => "device",
            None => "call",
        }
    }
}

/// The caller as received.
#[must_use]
pub fn received(caller: &Caller) -> Shown<'_> {
    Shown {
        name: Cow::Borrowed(&caller.name),
        number: Cow::Borrowed(&caller.number),
    }
}

/// What a called device of the account is shown, before privacy: a caller from outside as
/// received, a caller of the account by its internal identity.
#[must_use]
pub fn to_device<'a>(caller: &'a Caller, endpoint: Option<&Merged<'a>>) -> (Shown<'a>, Origin) {
    match (caller.network, endpoint) {
        (Network::Onnet, Some(endpoint)) => internal(endpoint, caller),
        _ => (received(caller), Origin::default()),
    }
}

/// An endpoint's internal identity. Its number may come from an explicit presence id, but not from
/// the SIP username that stands in for one.
#[must_use]
pub fn internal<'a>(endpoint: &Merged<'a>, caller: &'a Caller) -> (Shown<'a>, Origin) {
    let presence = || {
        let (id, level) = endpoint.presence_id()?;
        let user = id.split('@').next().unwrap_or_default();
        (level != Level::Account && !user.is_empty()).then_some((user, level))
    };
    let number = endpoint
        .caller_number(CallerIdKind::Internal)
        .or_else(presence);
    let name = endpoint.caller_name(CallerIdKind::Internal);
    completed(name, number, caller)
}

/// An endpoint's external identity, missing parts from the call.
#[must_use]
pub fn external<'a>(endpoint: &Merged<'a>, caller: &'a Caller) -> (Shown<'a>, Origin) {
    let kind = CallerIdKind::External;
    completed(
        endpoint.caller_name(kind),
        endpoint.caller_number(kind),
        caller,
    )
}

/// An endpoint's emergency identity, part by part falling back to the external one.
#[must_use]
pub fn emergency<'a>(endpoint: &Merged<'a>, caller: &'a Caller) -> (Shown<'a>, Origin) {
    use CallerIdKind::{Emergency, External};
    let name = endpoint.caller_name(Emergency);
    let number = endpoint.caller_number(Emergency);
    completed(
        name.or_else(|| endpoint.caller_name(External)),
        number.or_else(|| endpoint.caller_number(External)),
        caller,
    )
}

fn completed<'a>(
    name: Option<(Cow<'a, str>, Level)>,
    number: Option<(&'a str, Level)>,
    caller: &'a Caller,
) -> (Shown<'a>, Origin) {
    let origin = Origin {
        name: name.as_ref().map(|(_, level)| *level),
        number: number.map(|(_, level)| level),
    };
    let shown = Shown {
        name: name.map_or(Cow::Borrowed(&*caller.name), |(name, _)| name),
        number: Cow::Borrowed(number.map_or(&*caller.number, |(number, _)| number)),
    };
    (shown, origin)
}

/// The external identity as others may see it: with `ensure_valid_caller_id` its number is one of
/// the account's, else the next best. Numbers are compared in E.164.
#[must_use]
pub fn external_valid<'a>(
    endpoint: &Merged<'a>,
    caller: &'a Caller,
    settings: &'a Settings,
    normalizer: &Normalizer,
) -> (Shown<'a>, Origin) {
    let (mut shown, origin) = external(endpoint, caller);
    let account = endpoint.account;
    let wanted = normalizer.e164(&shown.number);
    let own = |number: &str| normalizer.e164(number) == wanted;
    if settings.ensure_valid_caller_id && !account.numbers.iter().any(|number| own(number)) {
        let ids = account.attributes.caller_id.as_deref();
        let external = ids.and_then(|ids| ids.external.number.as_deref());
        let default = || ids?.default.as_ref()?.number.as_deref();
        let first = || account.numbers.first().map(|number| &**number);
        let instead = external.or_else(default).or_else(first);
        shown.number = Cow::Borrowed(instead.unwrap_or(&settings.anonymous_number));
    }
    (shown, origin)
}

/// What the caller is shown as the called side: the internal identity (a caller from outside sees
/// the external one), else the dialled user and the merged name.
#[must_use]
pub fn callee<'a>(endpoint: &Merged<'a>, network: Network, dialed: &'a str) -> Shown<'a> {
    let kind = match network {
        Network::Onnet => CallerIdKind::Internal,
        Network::Offnet => CallerIdKind::External,
    };
    let number = endpoint.caller_number(kind);
    let name = endpoint.caller_name(kind).or_else(|| endpoint.name());
    Shown {
        number: Cow::Borrowed(number.map_or(dialed, |(number, _)| number)),
        name: name.map(|(name, _)| name).unwrap_or_default(),
    }
}
