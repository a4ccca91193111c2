//! The address in a SIP contact.

/// SIP's own port.
const PORT: u16 = 5060;

/// Host and port of `"Bob" <sip:bob@10.0.0.9:5070;transport=udp>` or of the bare URI; None: it has none.
#[must_use]
pub(super) fn address(contact: &str) -> Option<(&str, u16)> {
    let uri = match contact.rsplit_once('<') {
        Some((_, rest)) => rest.split('>').next()?,
        None => contact,
    };
    let (scheme, rest) = uri.trim().split_once(':')?;
    if !matches!(scheme.to_ascii_lowercase().as_str(), "sip" | "sips") {
        return None;
    }
    let place = rest.split([';', '?']).next()?;
    // A user may hold an @ that is written out.
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let (host, port) = match place.strip_prefix('[') {
        Some(six) => {
            let (host, rest) = six.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().ok()?,
        None => PORT,
    };
    (!host.is_empty()).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_contact_is() {
        for (contact, expected) in [
            (
                "\"2001\" <sip:2001@10.0.0.9:5070;fs_nat=yes>",
                Some(("10.0.0.9", 5070)),
            ),
            ("sip:2001@10.0.0.9", Some(("10.0.0.9", 5060))),
            ("<sips:a@[2001:db8::1]:5061>", Some(("2001:db8::1", 5061))),
            ("<sip:pbx.test;transport=tcp>", Some(("pbx.test", 5060))),
            ("sip:a@b@10.0.0.9", Some(("10.0.0.9", 5060))),
            ("tel:+12125551234", None),
            ("sip:a@10.0.0.9:99999", None),
            ("sip:a@", None),
            ("", None),
            ("<", None),
        ] {
            assert_eq!(address(contact), expected, "{contact}");
        }
    }
}
