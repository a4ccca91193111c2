//! Hidden identities (devices specification 5.3) and asserted ones (5.4).

use std::borrow::Cow;

use super::Variables;
use super::caller_id::Shown;
use super::clean;
use super::merge::Merged;
use super::plan::{Caller, Network, Privacy};
use super::settings::{PrivacyMethod, Settings};
use crate::documents::OutboundPrivacy;

impl Privacy {
    #[must_use]
    pub const fn hides_something(self) -> bool {
        self.hide_name || self.hide_number
    }

    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self {
            hide_name: self.hide_name || other.hide_name,
            hide_number: self.hide_number || other.hide_number,
        }
    }

    /// Value of `origination_privacy`. Without `screen` mod_sofia would write
    /// `P-Preferred-Identity`, which a carrier need not honour.
    #[must_use]
    pub const fn tokens(self) -> &'static str {
        match (self.hide_name, self.hide_number) {
            (true, true) => "screen:hide_name:hide_number",
            (true, false) => "screen:hide_name",
            (false, true) => "screen:hide_number",
            (false, false) => "screen",
        }
    }
}

/// What a caller of the account wants hidden from carriers: its own setting or the call's.
#[must_use]
pub fn of_caller(call: Privacy, endpoint: Option<&Merged<'_>>) -> Privacy {
    let configured = endpoint.and_then(Merged::outbound_privacy);
    let (hide_name, hide_number) = match configured.map(|(privacy, _)| privacy) {
        Some(OutboundPrivacy::Full) => (true, true),
        Some(OutboundPrivacy::Name) => (true, false),
        Some(OutboundPrivacy::Number) => (false, true),
        Some(OutboundPrivacy::None) | None => (false, false),
    };
    call.or(Privacy {
        hide_name,
        hide_number,
    })
}

/// Rewrites what a device of the account is shown. A caller of the account is never hidden from
/// it; one from outside who withholds the number is shown as anonymous.
#[must_use]
pub fn to_device<'a>(shown: Shown<'a>, caller: &Caller, settings: &'a Settings) -> Shown<'a> {
    if caller.network == Network::Onnet || !caller.privacy.hides_something() {
        return shown;
    }
    let name = Cow::Borrowed(&*settings.anonymous_name);
    let number = match caller.privacy.hide_number {
        true => Cow::Borrowed(&*settings.anonymous_number),
        false => shown.number,
    };
    Shown { name, number }
}

/// A leg on which nothing is to be signalled: it would inherit the A-leg's hide flags and identity
/// type and send `Privacy: id` with the real number.
pub fn signal_nothing(variables: &mut Variables, call: Privacy) {
    if call.hides_something() {
        variables.set("sip_cid_type", "none");
    }
}

/// Hides an identity from a carrier: rewrites what is shown and says what to signal.
pub fn to_carrier<'a>(
    shown: Shown<'a>,
    hidden: Privacy,
    method: PrivacyMethod,
    settings: &'a Settings,
    variables: &mut Variables,
) -> Shown<'a> {
    if !hidden.hides_something() || method == PrivacyMethod::None {
        return shown;
    }
    let Shown {
        mut name,
        mut number,
    } = shown;
    let anonymous_name = || Cow::Borrowed(&*settings.anonymous_name);
    variables.set("origination_privacy", hidden.tokens());
    if method == PrivacyMethod::Kazoo {
        if hidden.hide_name {
            name = anonymous_name();
        }
        if hidden.hide_number {
            number = Cow::Borrowed(&*settings.anonymous_number);
        }
        variables.set("sip_cid_type", "none");
        variables.set_header("Privacy", "id");
    } else {
        // A hidden name alone has no signal of its own in P-Asserted-Identity.
        if hidden.hide_name && !hidden.hide_number {
            name = anonymous_name();
        }
        variables.set("sip_cid_type", "pid");
    }
    Shown { name, number }
}

/// The identity that the trusted network is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertedIdentity {
    pub name: String,
    pub number: String,
    pub realm: String,
}

/// The asserted identity of a call to a carrier. `emergency`: the identity that an emergency call
/// shows, which replaces a complete asserted one.
#[must_use]
pub fn asserted(
    endpoint: &Merged<'_>,
    settings: &Settings,
    emergency: Option<&Shown<'_>>,
) -> Option<AssertedIdentity> {
    use crate::documents::CallerIdKind::External;
    let name = endpoint.asserted(|asserted| &asserted.name);
    let number = endpoint.asserted(|asserted| &asserted.number);
    let realm = endpoint.asserted(|asserted| &asserted.realm);
    let realm = realm
        .map(|(realm, _)| realm)
        .or(endpoint.account.realm.as_deref())?;
    let identity = |name: &str, number: &str| AssertedIdentity {
        name: name.to_owned(),
        number: number.to_owned(),
        realm: realm.to_owned(),
    };
    if let Some(shown) = emergency {
        return (name.is_some() && number.is_some()).then(|| identity(&shown.name, &shown.number));
    }
    if let Some((number, _)) = number {
        return Some(identity(name.map_or("", |(name, _)| name), number));
    }
    if !settings.default_asserted_identity {
        return None;
    }
    let (number, _) = endpoint.caller_number(External)?;
    let configured = name.map(|(name, _)| Cow::Borrowed(name));
    let external = || endpoint.caller_name(External).map(|(name, _)| name);
    let name = configured
        .or_else(external)
        .or_else(|| endpoint.account.name.as_deref().map(Cow::Borrowed));
    Some(identity(&name.unwrap_or_default(), number))
}

impl AssertedIdentity {
    /// Writes the header. Another identity header must not go out beside it, and the header stays
    /// under privacy because the trusted network needs it.
    pub fn write(&self, variables: &mut Variables, hidden: Privacy) {
        let number = clean::number(&self.number);
        let realm = clean::free_text(&self.realm);
        if number.is_empty() || realm.is_empty() || realm.contains(['<', '>', '"', ' ']) {
            return;
        }
        let name = clean::display_name(&self.name).filter(|name| name != clean::NO_NAME);
        let uri = format!("<sip:{number}@{realm}>");
        let value = match name {
            Some(name) => format!("\"{name}\" {uri}"),
            None => uri,
        };
        variables.set("sip_cid_type", "none");
        variables.set_header("P-Asserted-Identity", &value);
        if hidden.hides_something() {
            variables.set_header("Privacy", "id");
        }
    }
}
