//! Sounds on their way in and out: what was uploaded, and the part of it that a client wants.

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::StatusCode;
use hyper::header::{ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_RANGE, IF_RANGE, RANGE};
use serde_json::json;

use super::files::Attachment;
use super::reply::{Outcome, Refusal, Reply};
use super::request::{Asked, Request, Upload};
use crate::store::Stored;

/// The one file of a request.
///
/// # Errors
/// There is none, or several.
pub fn only_file(request: &Request) -> Result<&Upload, Refusal> {
    match request.uploads.as_slice() {
        [upload] if !upload.bytes.is_empty() => Ok(upload),
        [] | [_] => {
            let body = json!({"message": "Please provide an media file"});
            Err(Refusal::fault("file", "required", body))
        }
        several => {
            let body = json!({
                "message": "The list is more than 1 items",
                "target": 1,
                "value": several.len(),
            });
            Err(Refusal::fault("file", "maxItems", body))
        }
    }
}

/// The one file of a request, and what sound it is.
///
/// # Errors
/// As [`only_file`]; it is neither audio nor video.
pub fn uploaded(request: &Request) -> Result<(String, Bytes), Refusal> {
    let upload = only_file(request)?;
    let stated = upload
        .content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/.+-_".contains(c);
    let sound = stated.starts_with("audio/") || stated.starts_with("video/");
    let kind = if sound && stated.chars().all(plain) {
        stated
    } else {
        let unstated = [
            "application/octet-stream",
            "application/base64",
            "application/x-base64",
        ];
        let unknown = unstated
            .contains(&stated)
            .then_some("application/octet-stream");
        sniffed(&upload.bytes)
            .or(unknown)
            .ok_or_else(|| Refusal::unsupported_media_type(stated))?
    };
    Ok((kind.to_owned(), upload.bytes.clone()))
}

/// What the first bytes say, for uploads that don't: base64 without a type, a form's file without one.
fn sniffed(bytes: &[u8]) -> Option<&'static str> {
    let starts = |with: &[u8]| bytes.starts_with(with);
    match bytes {
        _ if starts(b"RIFF") => Some("audio/x-wav"),
        _ if starts(b"ID3") => Some("audio/mpeg"),
        _ if starts(b"OggS") => Some("audio/ogg"),
        _ if starts(b"fLaC") => Some("audio/flac"),
        // the sync word of an MPEG audio frame
        [0xFF, second, ..] if second & 0xE0 == 0xE0 => Some("audio/mpeg"),
        _ => None,
    }
}

/// The ending that a file of this type has.
fn ending(content_type: &str) -> &'static str {
    match content_type {
        "audio/x-wav" | "audio/wav" | "audio/wave" | "audio/vnd.wave" => "wav",
        "audio/mpeg" | "audio/mp3" | "audio/mpeg3" => "mp3",
        "audio/ogg" => "ogg",
        "audio/flac" => "flac",
        "video/mp4" | "audio/mp4" => "mp4",
        "image/png" => "png",
        "image/jpeg" => "jpg",
        "image/gif" => "gif",
        _ => "bin",
    }
}

/// What of a file is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    /// From here up to there, the latter not included.
    Bytes(usize, usize),
    /// Nothing of it is there.
    Beyond,
}

/// A range that makes no sense is as none; several are answered with the whole (RFC 9110, 14.2).
fn part(headers: &HeaderMap, length: usize) -> Part {
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok());
    let range = range.filter(|_| !headers.contains_key(IF_RANGE));
    let Some((first, last)) = range
        .and_then(|range| range.trim().strip_prefix("bytes="))
        .filter(|range| !range.contains(','))
        .and_then(|range| range.trim().split_once('-'))
    else {
        return Part::Whole;
    };
    match (first, last) {
        ("", last) => match last.parse::<usize>() {
            Ok(0) => Part::Beyond,
            Ok(_) if length == 0 => Part::Beyond,
            Ok(last) => Part::Bytes(length.saturating_sub(last), length),
            Err(_) => Part::Whole,
        },
        (first, last) => {
            let end = match last {
                "" => Some(length),
                last => last
                    .parse::<usize>()
                    .ok()
                    .map(|last| last.saturating_add(1)),
            };
            match (first.parse::<usize>(), end) {
                (Ok(first), Some(end)) if end > first || first >= length => {
                    if first >= length {
                        Part::Beyond
                    } else {
                        Part::Bytes(first, end.min(length))
                    }
                }
                _ => Part::Whole,
            }
        }
    }
}

/// The file of a document, or the part of it that the client wants.
///
/// # Errors
/// 404: it has none; 416: the range is beyond its end.
pub async fn told(asked: &Asked, stored: &Stored) -> Outcome {
    let id = stored.document.key.id.as_str();
    let attachment = Attachment::of(&stored.document.body);
    let attachment = attachment.ok_or_else(|| Refusal::bad_identifier(id))?;
    let account = &stored.document.key.account;
    let read = asked.context.files.read(account, &attachment).await;
    let bytes = read.map_err(|error| {
        tracing::error!(account_id = %account, document = id, %error, "a sound can't be read");
        Refusal::datastore_fault("the sound can't be read just now")
    })?;
    let bytes = bytes.ok_or_else(|| Refusal::bad_identifier(id))?;
    let length = bytes.len();
    let kind = attachment.content_type.as_str();
    let mut reply = match part(&asked.headers, length) {
        Part::Whole => Reply::bytes(kind, bytes),
        Part::Bytes(from, to) => {
            let mut reply = Reply::bytes(kind, bytes.slice(from..to));
            reply.status = StatusCode::PARTIAL_CONTENT;
            let range = format!("bytes {from}-{}/{length}", to.saturating_sub(1));
            reply.with_header(CONTENT_RANGE, &range)
        }
        Part::Beyond => {
            let words = format!("the sound has {length} bytes");
            let refusal = Refusal::range_not_satisfiable(&words);
            return Err(refusal.with(CONTENT_RANGE, &format!("bytes */{length}")));
        }
    };
    let how = match asked.flag("inline") {
        Some(true) => "inline",
        _ => "attachment",
    };
    let name = format!("{how}; filename=\"{id}.{}\"", ending(kind));
    reply = reply.with_header(ACCEPT_RANGES, "bytes");
    Ok(reply.with_header(CONTENT_DISPOSITION, &name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part_of(range: &str, length: usize) -> Part {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, range.parse().unwrap());
        part(&headers, length)
    }

    #[test]
    fn ranges() {
        for (range, expected) in [
            ("bytes=0-3", Part::Bytes(0, 4)),
            ("bytes=4-", Part::Bytes(4, 10)),
            ("bytes=-3", Part::Bytes(7, 10)),
            ("bytes=-30", Part::Bytes(0, 10)),
            ("bytes=8-100", Part::Bytes(8, 10)),
            ("bytes=10-", Part::Beyond),
            ("bytes=99-100", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=5-4", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=-", Part::Whole),
            ("items=0-1", Part::Whole),
            ("bytes=0-18446744073709551615", Part::Bytes(0, 10)),
            ("bytes=99999999999999999999-", Part::Whole),
        ] {
            assert_eq!(part_of(range, 10), expected, "{range}");
        }
        assert_eq!(part_of("bytes=-3", 0), Part::Beyond);
        assert_eq!(part(&HeaderMap::new(), 10), Part::Whole);
    }

    #[test]
    fn sounds_are_known_by_their_first_bytes() {
        assert_eq!(sniffed(b"RIFF\x24"), Some("audio/x-wav"));
        assert_eq!(sniffed(b"\xFF\xFB\x90"), Some("audio/mpeg"));
        assert_eq!(sniffed(b"<html>"), None);
        assert_eq!(sniffed(b""), None);
    }
}
