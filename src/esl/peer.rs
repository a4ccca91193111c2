//! Telling early that a peer is no event socket, instead of waiting for a blank line that never comes.

use super::DecodeError;
use super::span::lossy;

/// No header that FreeSWITCH begins a frame with has a longer name.
const LONGEST_NAME: usize = 64;

/// Looks at the beginning of a frame. `Ok(true)`: it begins like a header; `Ok(false)`: too few bytes yet.
pub(super) fn begins_like_a_header(bytes: &[u8]) -> Result<bool, DecodeError> {
    if bytes.starts_with(b"Content-") {
        return Ok(true);
    }
    let name = bytes.get(..LONGEST_NAME).unwrap_or(bytes);
    let end = name.iter().position(|byte| !is_name_byte(*byte));
    match end {
        Some(at) if at > 0 && name.get(at) == Some(&b':') => Ok(true),
        Some(at) => Err(refusal(name.get(..=at).unwrap_or(name))),
        None if name.len() == LONGEST_NAME => Err(refusal(name)),
        None => Ok(false),
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// `seen` reaches as far as the first byte that does not fit.
fn refusal(seen: &[u8]) -> DecodeError {
    const SIP: [&[u8]; 7] = [
        b"SIP/",
        b"INVITE ",
        b"REGISTER ",
        b"ACK ",
        b"BYE ",
        b"SUBSCRIBE ",
        b"NOTIFY ",
    ];
    const HTTP: [&[u8]; 7] = [
        b"HTTP/",
        b"GET ",
        b"POST ",
        b"PUT ",
        b"HEAD ",
        b"DELETE ",
        b"CONNECT ",
    ];
    let begins = |with: &[&[u8]]| with.iter().any(|prefix| seen.starts_with(prefix));
    let what = match seen {
        [0x14..=0x17, ..] => "the peer speaks TLS; the event socket has none".to_owned(),
        [b'S', b'S', b'H', b'-', ..] => "the peer is an SSH server".to_owned(),
        [b'<', ..] => "the peer sends XML or HTML".to_owned(),
        _ if begins(&HTTP) => "the peer speaks HTTP".to_owned(),
        _ if begins(&SIP) => "the peer speaks SIP; this is no event socket port".to_owned(),
        _ if seen.starts_with(b"OPTIONS ") => "the peer speaks SIP or HTTP".to_owned(),
        [.., last] if !last.is_ascii_graphic() && !last.is_ascii_whitespace() => {
            format!("the peer sends binary data, beginning {:?}", lossy(seen))
        }
        _ => format!("a frame begins {:?}, expected a header", lossy(seen)),
    };
    DecodeError::NotEventSocket(what)
}
