//! What an outer header block says: the kind of frame and how long its body is.

use bytes::Bytes;

use super::frame::{LogLine, Notice, Reply};
use super::span::{Span, lossy};
use super::{DecodeError, Limits};

/// The kinds of frame, by outer Content-Type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Auth,
    Reply,
    Connected,
    Api,
    Plain,
    Json,
    Xml,
    Notice,
    /// A notice that was written behind the beginning of another frame's headers.
    ForcedNotice,
    Log,
    Rejected,
    /// The rest of a reply's value (see `Frame::Spill`).
    Spill,
    Other,
}

/// The first line of a command's reply, and of nothing else.
pub(super) const REPLY: &[u8] = b"Content-Type: command/reply";
pub(super) const LOG: &[u8] = b"Content-Type: log/data";
/// How the notice begins that another thread may write into the middle of a frame (esl spec 1.5).
pub(super) const NOTICE: &[u8] = b"Content-Type: text/disconnect-notice\n";

/// Where such a notice begins in a broken frame's body, which may end in the middle of its first line.
pub(super) fn find_notice(body: &[u8]) -> Option<usize> {
    memchr::memmem::find(body, NOTICE).or_else(|| {
        let earliest = body.len().saturating_sub(NOTICE.len());
        let begins = |at: &usize| body.get(*at..).is_some_and(|tail| NOTICE.starts_with(tail));
        (earliest..body.len()).find(begins)
    })
}

/// The kind of a whole header block; None if it has no Content-Type.
pub(super) fn kind(block: &[u8], spans: &[Span]) -> Option<Kind> {
    let whole = whole_kind(block, spans);
    if matches!(whole, Some(Kind::Reply | Kind::Connected)) {
        return whole;
    }
    match memchr::memmem::find(block, NOTICE) {
        None | Some(0) => whole,
        Some(_) => Some(Kind::ForcedNotice),
    }
}

fn whole_kind(block: &[u8], spans: &[Span]) -> Option<Kind> {
    let content_type = first(block, spans, "Content-Type")?;
    Some(match content_type {
        // Only the connect reply is an event with the reply's headers at its end (esl spec 1.4);
        // an ordinary reply begins with its Content-Type, so a forged Event-Name can't pass for one.
        b"command/reply" if !block.starts_with(REPLY) && has_event_name(block, spans) => {
            Kind::Connected
        }
        b"command/reply" => Kind::Reply,
        b"auth/request" => Kind::Auth,
        b"api/response" => Kind::Api,
        b"text/event-plain" => Kind::Plain,
        b"text/event-json" => Kind::Json,
        b"text/event-xml" => Kind::Xml,
        b"text/disconnect-notice" => Kind::Notice,
        b"log/data" => Kind::Log,
        b"text/rude-rejection" => Kind::Rejected,
        _ => Kind::Other,
    })
}

fn has_event_name(block: &[u8], spans: &[Span]) -> bool {
    first(block, spans, "Event-Name").is_some()
}

pub(super) fn first<'a>(block: &'a [u8], spans: &[Span], name: &str) -> Option<&'a [u8]> {
    let span = spans.iter().find(|span| span.is_named(name, block))?;
    Some(span.value(block))
}

/// How many bytes follow the block. A reply has none, whatever its headers say: a value read with
/// `getvar` could otherwise name a length and swallow the frames behind it (capture fact 14).
pub(super) fn body_length(
    kind: Kind,
    block: &[u8],
    spans: &[Span],
    limits: &Limits,
) -> Result<usize, DecodeError> {
    let limit = match kind {
        Kind::Auth | Kind::Reply | Kind::Connected | Kind::Spill => return Ok(0),
        Kind::Api => limits.api_body,
        _ => limits.body,
    };
    let last = spans
        .iter()
        .rfind(|span| span.is_named("Content-Length", block));
    let Some(span) = last else { return Ok(0) };
    let digits = span.value(block).trim_ascii_end();
    let bad = || DecodeError::ContentLength(lossy(digits.get(..40).unwrap_or(digits)));
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(bad());
    }
    let length = std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse::<usize>().ok())
        .ok_or_else(bad)?;
    // Offsets into a frame are 32 bits wide.
    if length > limit.min(u32::MAX as usize) {
        return Err(DecodeError::Body { length, limit });
    }
    Ok(length)
}

/// A reply from its block. Lines without a colon continue the text: line feeds in a `getvar` value
/// are sent as they are (capture fact 14).
pub(super) fn reply(block: &[u8], spans: &[Span]) -> Reply {
    let mut text: Option<String> = None;
    let mut headers = Vec::new();
    for span in spans {
        if span.is_named("Reply-Text", block) && text.is_none() {
            text = Some(lossy(span.value(block)));
        } else if span.is_named("Content-Type", block) {
        } else if span.has_colon() {
            headers.push(pair(*span, block));
        } else if let Some(text) = &mut text {
            text.push('\n');
            text.push_str(&lossy(span.line(block)));
        } else {
            text = Some(format!("~{}", lossy(span.line(block))));
        }
    }
    Reply {
        text: text.unwrap_or_default(),
        headers,
    }
}

pub(super) fn notice(block: &[u8], spans: &[Span], text: Bytes) -> Notice {
    let value = |name| first(block, spans, name);
    Notice {
        linger: value("Content-Disposition") == Some(b"linger"),
        linger_s: value("Linger-Time")
            .and_then(|time| std::str::from_utf8(time).ok()?.parse().ok()),
        call: value("Controlled-Session-UUID").map(lossy),
        text,
    }
}

pub(super) fn log_line(block: &[u8], spans: &[Span], text: Bytes) -> LogLine {
    let level = first(block, spans, "Log-Level");
    let framing = |span: &&Span| {
        span.has_colon()
            && !span.is_named("Content-Type", block)
            && !span.is_named("Content-Length", block)
    };
    LogLine {
        level: level.and_then(|level| std::str::from_utf8(level).ok()?.parse().ok()),
        headers: spans
            .iter()
            .filter(framing)
            .map(|span| pair(*span, block))
            .collect(),
        text,
    }
}

fn pair(span: Span, block: &[u8]) -> (String, String) {
    (lossy(span.name(block)), lossy(span.value(block)))
}

/// Where a frame begins inside a line of a reply whose blank line FreeSWITCH left out: after a
/// `getvar` of a value beginning with `~`, and after a `userauth` whose rights fill the 511 bytes
/// (esl spec 2.1). `text_seen`: the reply has had its Reply-Text.
pub(super) fn glued(line: &[u8], text_seen: bool) -> Option<usize> {
    let at = memchr::memmem::find_iter(line, b"Content-")
        .find(|at| line.get(*at..).is_some_and(begins_frame))?;
    let cut = match text_seen {
        false => true,
        // Elsewhere it is part of a value that was asked for.
        true => at > 0 && line.starts_with(b"Allowed-"),
    };
    cut.then_some(at)
}

fn begins_frame(line: &[u8]) -> bool {
    const TYPES: [&[u8]; 6] = [
        b"command/reply",
        b"api/response",
        b"text/event-",
        b"text/disconnect-notice",
        b"log/data",
        b"auth/request",
    ];
    if let Some(kind) = line.strip_prefix(b"Content-Type: ") {
        return TYPES.iter().any(|known| kind.starts_with(known));
    }
    line.strip_prefix(b"Content-Length: ")
        .is_some_and(|length| !length.is_empty() && length.iter().all(u8::is_ascii_digit))
}
