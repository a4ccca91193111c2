//! A contact as FreeSWITCH tells it.

use crate::routing::dial_string::{InvalidUri, uri};

/// The URI out of `"2001" <sip:2001@192.0.2.1:5060;fs_path=...>`, or out of a bare URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact<'a>(&'a str);

impl<'a> Contact<'a> {
    /// Finds the URI. It ends at the last `>`: in plain events the encoding inside the contact is
    /// gone, and a `fs_path` reads `;fs_path=<sip:edge.example.net;lr>>` (device specification
    /// 3.6). A quoted display name may hold brackets of its own.
    ///
    /// # Errors
    /// There is no SIP URI in it.
    pub fn parse(contact: &'a str) -> Result<Self, InvalidUri> {
        let contact = contact.trim();
        let found = if uri::without_scheme(contact).is_some() {
            Some(contact)
        } else {
            let rest = after_quoted_name(contact);
            let inside = rest
                .split_once('<')
                .and_then(|(_, uri)| uri.rsplit_once('>'));
            inside.map(|(uri, _)| uri.trim())
        };
        match found {
            Some(uri) if uri::without_scheme(uri).is_some() => Ok(Self(uri)),
            _ => Err(InvalidUri::Missing("SIP URI of the contact")),
        }
    }

    /// The URI with all its parameters, as encoded as it came.
    #[must_use]
    pub const fn uri(self) -> &'a str {
        self.0
    }
}

/// What follows a quoted string at the start; the text itself if there is none that ends.
fn after_quoted_name(contact: &str) -> &str {
    let Some(quoted) = contact.strip_prefix('"') else {
        return contact;
    };
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return quoted.get(at + 1..).unwrap_or_default(),
            _ => {}
        }
    }
    contact
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uri_is_found_behind_any_name() {
        for (contact, uri) in [
            ("\"2001\" <sip:2001@a:5060>", "sip:2001@a:5060"),
            ("\"\" <sip:2001@a>", "sip:2001@a"),
            ("\"A <b> \\\" <c>\" <sip:2001@a>", "sip:2001@a"),
            ("Bob <sips:2001@a>;expires=60", "sips:2001@a"),
            (
                "<sip:a@b;fs_path=<sip:edge;lr>>",
                "sip:a@b;fs_path=<sip:edge;lr>",
            ),
            (
                "sip:a@b;fs_path=<sip:edge;lr>",
                "sip:a@b;fs_path=<sip:edge;lr>",
            ),
            (" SIP:a@b ", "SIP:a@b"),
            ("\"unfinished <sip:a@b>", "sip:a@b"),
        ] {
            assert_eq!(
                Contact::parse(contact).map(Contact::uri),
                Ok(uri),
                "{contact}"
            );
        }
        for contact in [
            "",
            "*",
            "<sip:a@b",
            "\"x\"",
            "<tel:1>",
            "a@b",
            "\"sip:a@b\"",
            "><",
        ] {
            assert!(Contact::parse(contact).is_err(), "{contact}");
        }
    }
}
