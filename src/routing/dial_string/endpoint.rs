//! What a leg dials.

use std::fmt;
use std::ops::Deref;

use crate::routing::clean;
use crate::types::HangupCause;

use super::uri::{self, InvalidUri};

/// Text that a constructor of [`Endpoint`] has checked; it can't be made elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checked(String);

impl Deref for Checked {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Checked {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Checked {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a leg dials: built by checked constructors only, so that rendering can't fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// `sofia/PROFILE/URI`; the URI is checked (rule 5) when the endpoint is made.
    Sofia { profile: Checked, uri: Checked },
    /// `loopback/NUMBER/CONTEXT`.
    Loopback { number: Checked, context: Checked },
    /// `sofia/gateway/NAME/NUMBER`.
    Gateway { name: Checked, number: Checked },
    /// `error/CAUSE`.
    Error(HangupCause),
}

impl Endpoint {
    /// A SIP URI with its scheme, through a sofia profile. Without `sip:` mod_sofia would look the
    /// address up itself.
    ///
    /// # Errors
    /// The profile is no plain name (or `gateway`, which is a keyword), or rule 5 refuses the URI.
    pub fn sofia(profile: &str, uri: &str) -> Result<Self, InvalidUri> {
        match uri::without_scheme(uri) {
            None => Err(InvalidUri::Endpoint(uri.to_owned())),
            Some("") => Err(InvalidUri::Missing("host")),
            Some(_) => Self::sofia_as_is(profile, uri),
        }
    }

    /// A leg that comes back into the dialplan of a context, with a number that has been cleaned
    /// (rule 2). mod_loopback splits at `/`, and runs an application for `app=`.
    ///
    /// # Errors
    /// The number is empty or holds something that no number does; the context is no plain name.
    pub fn loopback(number: &str, context: &str) -> Result<Self, InvalidUri> {
        if number.is_empty() {
            return Err(InvalidUri::Missing("number"));
        }
        if let Some(c) = number.chars().find(|c| !clean::is_number_character(*c)) {
            return Err(InvalidUri::Character(c));
        }
        uri::check_name(context, "context")?;
        Ok(Self::Loopback {
            number: Checked(number.to_owned()),
            context: Checked(context.to_owned()),
        })
    }

    /// A number at a gateway that FreeSWITCH knows by name; the number is encoded as a user part
    /// (rule 6).
    ///
    /// # Errors
    /// The gateway is no plain name, or there is no number.
    pub fn gateway(name: &str, number: &str) -> Result<Self, InvalidUri> {
        Self::gateway_as_is(name, &clean::user_part(number))
    }

    /// An endpoint that a document spells out, `sofia/PROFILE/ADDRESS` or
    /// `sofia/gateway/NAME/NUMBER`, taken as it is.
    ///
    /// # Errors
    /// It is another kind of endpoint, or part of it is missing or refused.
    pub fn sofia_route(route: &str) -> Result<Self, InvalidUri> {
        let rest = route
            .strip_prefix("sofia/")
            .ok_or_else(|| InvalidUri::Endpoint(route.to_owned()))?;
        let (profile, address) = rest.split_once('/').ok_or(InvalidUri::Missing("address"))?;
        if !profile.eq_ignore_ascii_case("gateway") {
            return Self::sofia_as_is(profile, address);
        }
        let (name, number) = address
            .split_once('/')
            .ok_or(InvalidUri::Missing("number"))?;
        Self::gateway_as_is(name, number)
    }

    fn sofia_as_is(profile: &str, address: &str) -> Result<Self, InvalidUri> {
        uri::check_name(profile, "sofia profile")?;
        if profile.eq_ignore_ascii_case("gateway") {
            return Err(InvalidUri::Name(profile.to_owned(), "sofia profile"));
        }
        if address.is_empty() {
            return Err(InvalidUri::Missing("address"));
        }
        uri::check(address)?;
        Ok(Self::Sofia {
            profile: Checked(profile.to_owned()),
            uri: Checked(address.to_owned()),
        })
    }

    fn gateway_as_is(name: &str, number: &str) -> Result<Self, InvalidUri> {
        uri::check_name(name, "gateway")?;
        if number.is_empty() {
            return Err(InvalidUri::Missing("number"));
        }
        uri::check(number)?;
        Ok(Self::Gateway {
            name: Checked(name.to_owned()),
            number: Checked(number.to_owned()),
        })
    }

    /// The profile of a sofia endpoint that is no gateway.
    #[must_use]
    pub fn profile(&self) -> Option<&str> {
        match self {
            Self::Sofia { profile, .. } => Some(profile),
            _ => None,
        }
    }

    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        matches!(self, Self::Loopback { .. })
    }

    /// The parts whose concatenation is FreeSWITCH's text.
    pub(super) fn parts(&self) -> [&str; 4] {
        match self {
            Self::Sofia { profile, uri } => ["sofia/", profile, "/", uri],
            Self::Loopback { number, context } => ["loopback/", number, "/", context],
            Self::Gateway { name, number } => ["sofia/gateway/", name, "/", number],
            Self::Error(cause) => ["error/", cause.as_str(), "", ""],
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts()
            .into_iter()
            .try_for_each(|part| f.write_str(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_read_as_freeswitch_spells_them() {
        let text = |endpoint: Result<Endpoint, InvalidUri>| endpoint.unwrap().to_string();
        assert_eq!(
            text(Endpoint::sofia("internal", "sip:a@b")),
            "sofia/internal/sip:a@b"
        );
        assert_eq!(
            text(Endpoint::loopback("*98", "default")),
            "loopback/*98/default"
        );
        assert_eq!(
            text(Endpoint::gateway("gw.1", "+1#2")),
            "sofia/gateway/gw.1/+1%232"
        );
        assert_eq!(text(Endpoint::sofia_route("sofia/x/1@b")), "sofia/x/1@b");
        assert_eq!(
            text(Endpoint::sofia_route("sofia/Gateway/gw/1")),
            "sofia/gateway/gw/1"
        );
        assert_eq!(
            Endpoint::Error(HangupCause::UserBusy).to_string(),
            "error/USER_BUSY"
        );
    }

    #[test]
    fn names_that_mean_something_else_are_refused() {
        for endpoint in [
            Endpoint::sofia("gateway", "sip:a@b"),
            Endpoint::sofia("a/b", "sip:a@b"),
            Endpoint::sofia("", "sip:a@b"),
            Endpoint::sofia("internal", "a@b"),
            Endpoint::sofia("internal", "sip:"),
            Endpoint::sofia("internal", "sip:a@b,c"),
            Endpoint::loopback("1/secret", "default"),
            Endpoint::loopback("app=system:id", "default"),
            Endpoint::loopback("", "default"),
            Endpoint::loopback("1", "a/b"),
            Endpoint::gateway("", "1"),
            Endpoint::gateway("gw", ""),
            Endpoint::gateway("a]b", "1"),
            Endpoint::sofia_route("sofia/internal"),
            Endpoint::sofia_route("sofia/internal/"),
            Endpoint::sofia_route("sofia/gateway/gw"),
            Endpoint::sofia_route("sofia//sip:a@b"),
            Endpoint::sofia_route("user/1@b"),
            Endpoint::sofia_route("sofia/internal/sip:a@b|error/USER_BUSY"),
        ] {
            assert!(endpoint.is_err(), "{endpoint:?}");
        }
    }
}
