//! What may be dialled as a URI. URIs are never cleaned: a changed one would reach somebody else.

use std::net::Ipv6Addr;

/// A URI (or another part of an endpoint) that could leave its place in a dial string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUri {
    #[error("{0:?} can't stand in a dialled URI; percent-encode it or remove it")]
    Character(char),
    #[error("square brackets may only enclose an IPv6 address")]
    Brackets,
    #[error("`:_:` can't stand in a dialled URI, FreeSWITCH takes it for a separator")]
    Enterprise,
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0:?} is no {1}: letters, digits and `. _ -` only")]
    Name(String, &'static str),
    #[error("{0:?} is no endpoint that a document may choose; expected sip:, loopback/ or sofia/")]
    Endpoint(String),
}

/// Rule 5 of device specification 2.2, on the text as it will be dialled (`fs_path` encoded).
///
/// Beside the characters that the rule lists, `:_:` is refused (it turns the whole string into an
/// enterprise originate), and so are `< > "`, which no SIP URI holds and which would end the one
/// that FreeSWITCH writes into To and Contact.
///
/// # Errors
/// Names the first thing that is refused.
pub(crate) fn check(uri: &str) -> Result<(), InvalidUri> {
    if uri.contains(":_:") {
        return Err(InvalidUri::Enterprise);
    }
    let mut rest = uri;
    let mut before = None;
    while let Some(c) = rest.chars().next() {
        if c == '[' {
            rest = after_ipv6(rest, before)?;
            before = Some(']');
            continue;
        }
        if c == ']' {
            return Err(InvalidUri::Brackets);
        }
        if is_refused(c) {
            return Err(InvalidUri::Character(c));
        }
        before = Some(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    Ok(())
}

/// The text behind an IPv6 literal, which stands where a host does.
fn after_ipv6(literal: &str, before: Option<char>) -> Result<&str, InvalidUri> {
    if !matches!(before, Some('@' | ':' | '=')) {
        return Err(InvalidUri::Brackets);
    }
    let (inside, rest) = literal
        .get(1..)
        .and_then(|text| text.split_once(']'))
        .ok_or(InvalidUri::Brackets)?;
    match inside.parse::<Ipv6Addr>() {
        Ok(_) => Ok(rest),
        Err(_) => Err(InvalidUri::Brackets),
    }
}

fn is_refused(c: char) -> bool {
    c.is_control()
        || c.is_whitespace()
        || matches!(
            c,
            '\'' | '\\' | '{' | '}' | '|' | '$' | '^' | ',' | '<' | '>' | '"'
        )
}

/// Names of profiles, contexts and gateways.
pub(crate) fn check_name(name: &str, what: &'static str) -> Result<(), InvalidUri> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if (1..=128).contains(&name.len()) && name.bytes().all(allowed) {
        Ok(())
    } else {
        Err(InvalidUri::Name(name.to_owned(), what))
    }
}

/// The text behind `sip:` or `sips:`.
pub(crate) fn without_scheme(uri: &str) -> Option<&str> {
    ["sip:", "sips:"].into_iter().find_map(|scheme| {
        let (head, rest) = uri.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_uris_pass() {
        for uri in [
            "sip:2001@203.0.113.10:5060;transport=ws;fs_nat=yes;fs_path=sip%3Aa%40b",
            "sip:2001@[2001:db8::9]:5060",
            "sip:[::1]:5060",
            "sip:a@b;maddr=[::1]",
            "sips:+1(415)~a!b*c@example.net;x=\u{e4}?h=v&w",
        ] {
            assert_eq!(check(uri), Ok(()), "{uri}");
        }
    }

    #[test]
    fn what_leaves_its_place_is_refused() {
        for c in "'\\{}|$^, \t\r\n\0\u{7f}\u{85}\u{a0}<>\"".chars() {
            let uri = format!("sip:a{c}b@c");
            assert_eq!(check(&uri), Err(InvalidUri::Character(c)), "{uri:?}");
        }
        for uri in [
            "sip:a]b@c",
            "sip:a[b@c",
            "sip:a@[b]",
            "sip:a@[::1",
            "sip:a@::1]",
            "sip:a@[[::1]]",
            "[::1]",
            "sip:a@b[::1]",
            "sip:a@[::1%25eth0]",
        ] {
            assert_eq!(check(uri), Err(InvalidUri::Brackets), "{uri}");
        }
        assert_eq!(check("sip:_:5060@c"), Err(InvalidUri::Enterprise));
    }

    #[test]
    fn schemes() {
        assert_eq!(without_scheme("SIP:a"), Some("a"));
        assert_eq!(without_scheme("sips:a"), Some("a"));
        assert_eq!(without_scheme("tel:a"), None);
        assert_eq!(without_scheme("ä"), None);
    }
}
