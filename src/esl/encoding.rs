//! FreeSWITCH's percent-encoding of event values.
//!
//! It is not reversible: a `%` that two upper-case hex digits follow is taken as encoded already
//! and left alone, so `50%25` and `50%` look the same once decoded (capture fact 16).

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};

/// Decodes `%XX`; a `%` without two hex digits is literal. Any bytes may come out.
#[must_use]
pub fn percent_decode(bytes: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'%', bytes) else {
        return Cow::Borrowed(bytes);
    };
    let mut out = Vec::with_capacity(bytes.len());
    let (clean, mut rest) = bytes.split_at(first);
    out.extend_from_slice(clean);
    loop {
        rest = match rest {
            [b'%', high, low, tail @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    tail
                }
                _ => literal_percent(rest, &mut out),
            },
            [b'%', ..] => literal_percent(rest, &mut out),
            _ => return Cow::Owned(out),
        };
        let next = memchr::memchr(b'%', rest).unwrap_or(rest.len());
        let (clean, tail) = rest.split_at(next);
        out.extend_from_slice(clean);
        rest = tail;
    }
}

fn literal_percent<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    out.push(b'%');
    rest.get(1..).unwrap_or_default()
}

/// Encodes as FreeSWITCH does for events: text that is already `%XX` stays as it is.
pub fn percent_encode(bytes: &[u8], out: &mut BytesMut) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    let mut rest = bytes;
    while let [byte, tail @ ..] = rest {
        let already = *byte == b'%'
            && matches!(tail, [high, low, ..] if is_upper_hex(*high) && is_upper_hex(*low));
        if already || is_plain(*byte) {
            out.put_u8(*byte);
        } else {
            out.put_slice(&[b'%', digit(byte >> 4), digit(byte & 0xF)]);
        }
        rest = tail;
    }
}

fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn is_upper_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'A'..=b'F')
}

/// What FreeSWITCH leaves as it is.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'/' | b'(' | b')' | b',' | b'\'' | b'*' | b'!' | b'~' | b'$' | b'-' | b'.' | b'_'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(bytes: &[u8]) -> String {
        let mut out = BytesMut::new();
        percent_encode(bytes, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn decoding_is_permissive() {
        let cases: &[(&[u8], &[u8])] = &[
            (b"plain", b"plain"),
            (b"%2BOK%0A", b"+OK\n"),
            (b"100%", b"100%"),
            (b"100%2", b"100%2"),
            (b"%zz%20", b"%zz "),
            (b"%00", b"\0"),
            (b"caf%E9", b"caf\xe9"),
            (b"%%41", b"%A"),
            (b"a+b", b"a+b"),
            (b"%e2%82%AC", "€".as_bytes()),
        ];
        for (encoded, plain) in cases {
            assert_eq!(percent_decode(encoded).as_ref(), *plain);
        }
    }

    #[test]
    fn encoding_follows_freeswitch() {
        assert_eq!(
            encoded(b"a b,c/d'(*)!~$-._"),
            "a%20b,c/d'(*)!~$-._",
            "comma, slash and the rest stay"
        );
        assert_eq!(
            encoded("Zoë €".as_bytes()),
            "Zo%C3%AB%20%E2%82%AC",
            "capture 18"
        );
        assert_eq!(encoded(b"a\x01b\x1b\x7f"), "a%01b%1B%7F");
        assert_eq!(
            encoded(b"#%&+:;<=>?@[\\]^`{|}\""),
            "%23%25%26%2B%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E%60%7B%7C%7D%22"
        );
        assert_eq!(
            encoded(b"50%25 50% %2b"),
            "50%25%2050%25%20%252b",
            "only upper-case hex counts as encoded"
        );
    }

    proptest! {
        #[test]
        fn what_was_not_encoded_before_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let plain: Vec<u8> = bytes.into_iter().filter(|b| *b != b'%').collect();
            let text = encoded(&plain);
            prop_assert_eq!(percent_decode(text.as_bytes()).into_owned(), plain);
            prop_assert!(text.bytes().all(|b| (0x21..0x7f).contains(&b)));
            prop_assert_eq!(encoded(text.as_bytes()), text.clone());
        }

        #[test]
        fn decoding_never_grows(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(percent_decode(&bytes).len() <= bytes.len());
        }
    }
}
