//! How a device wants to be addressed: words of the device document that routing acts on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A word that is none of those a field knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no {what}; expected one of {expected}")]
pub struct UnknownWord {
    pub found: String,
    pub what: &'static str,
    pub expected: &'static str,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal, $expected:literal: $($(#[$attr:meta])* $variant:ident $text:literal)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$attr])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                let text = text.trim();
                $(if text.eq_ignore_ascii_case($text) { return Ok($name::$variant); })*
                Err(UnknownWord { found: text.to_owned(), what: $what, expected: $expected })
            }
        }
    };
}

words! {
    /// `sip.invite_format`: which user part the request URI gets.
    InviteFormat, "invite format", "username, npan, 1npan, e164, strip_plus, route, contact":
    #[default] Username "username"
    Npan "npan"
    OneNpan "1npan"
    E164 "e164"
    StripPlus "strip_plus"
    Route "route"
    Contact "contact"
}

words! {
    /// `sip.transport`: what carries the INVITE.
    Transport, "transport", "udp, tcp, tls, sctp, ws, wss":
    #[default] Udp "udp"
    Tcp "tcp"
    Tls "tls"
    Sctp "sctp"
    Ws "ws"
    Wss "wss"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_in_any_case() {
        for text in [
            "username",
            "npan",
            "1npan",
            "e164",
            "strip_plus",
            "route",
            "contact",
        ] {
            let format: InviteFormat = text.to_uppercase().parse().unwrap();
            assert_eq!(format.to_string(), text);
            assert_eq!(serde_json::to_value(format).unwrap(), text);
        }
        assert_eq!("tls".parse(), Ok(Transport::Tls));
        let error = "endpoint".parse::<InviteFormat>().unwrap_err();
        assert!(error.to_string().contains("strip_plus"), "{error}");
    }
}
