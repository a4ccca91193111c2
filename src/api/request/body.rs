//! From the bytes of a body, by its content type, to an envelope or an upload.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use percent_encoding::percent_decode;
use serde_json::{Map, Value, json};

use super::envelope::Envelope;
use super::{json, multipart};
use crate::api::reply::Refusal;

/// A file that came along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Media type, lower-cased, without parameters.
    pub content_type: String,
    pub name: Option<String>,
    pub bytes: Bytes,
}

/// What a body turned out to be.
#[derive(Debug, Clone, Default)]
pub struct Content {
    pub envelope: Envelope,
    pub uploads: Vec<Upload>,
}

/// Reads a body; `upload`: the path takes files.
///
/// # Errors
/// 400 for what is no JSON, 415 for a type that means nothing here.
pub fn read(content_type: Option<&str>, body: &Bytes, upload: bool) -> Result<Content, Refusal> {
    if body.is_empty() {
        return Ok(Content::default());
    }
    let header = content_type.unwrap_or_default();
    let kind = header
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match kind.as_str() {
        "" | "application/json" | "application/x-json" => enveloped(body),
        "application/x-www-form-urlencoded" => form(body),
        "multipart/form-data" => several(header, body),
        _ if upload && is_media(&kind) => Ok(uploaded(kind, body.clone())),
        _ if upload && is_base64(&kind) => Ok(uploaded(kind, plain(body)?)),
        _ => Err(Refusal::unsupported_media_type(&kind)),
    }
}

fn is_media(kind: &str) -> bool {
    ["audio/", "video/", "image/"]
        .iter()
        .any(|start| kind.starts_with(start))
        || kind == "application/octet-stream"
}

fn is_base64(kind: &str) -> bool {
    matches!(kind, "application/base64" | "application/x-base64")
}

fn enveloped(body: &[u8]) -> Result<Content, Refusal> {
    let value = json::parse(body).map_err(broken)?;
    Ok(Content {
        envelope: Envelope::of(value)?,
        uploads: Vec::new(),
    })
}

fn broken(why: String) -> Refusal {
    let fault = json!({"message": why, "target": "body"});
    Refusal::fault("json", "invalid", fault)
}

/// curl's `-d` says "form" whatever it sends: a body that is JSON is JSON.
fn form(body: &[u8]) -> Result<Content, Refusal> {
    let why = match json::parse(body) {
        Ok(value) => {
            return Ok(Content {
                envelope: Envelope::of(value)?,
                uploads: Vec::new(),
            });
        }
        Err(why) => why,
    };
    if body
        .first()
        .is_some_and(|first| b"{[ \r\n\t".contains(first))
        || !body.contains(&b'=')
    {
        return Err(broken(why));
    }
    let mut members = Map::new();
    for pair in body.split(|byte| *byte == b'&') {
        let at = pair
            .iter()
            .position(|byte| *byte == b'=')
            .unwrap_or(pair.len());
        let (name, value) = pair.split_at(at);
        let (name, value) = (text(name)?, text(value.get(1..).unwrap_or_default())?);
        let value = json::parse(value.as_bytes()).unwrap_or(Value::String(value));
        members.insert(name, value);
    }
    Ok(Content {
        envelope: Envelope::of(Value::Object(members))?,
        uploads: Vec::new(),
    })
}

fn text(encoded: &[u8]) -> Result<String, Refusal> {
    let blanks: Vec<u8> = encoded
        .iter()
        .map(|b| if *b == b'+' { b' ' } else { *b })
        .collect();
    let decoded = percent_decode(&blanks).decode_utf8();
    let decoded = decoded.map_err(|error| broken(error.to_string()))?;
    Ok(decoded.into_owned())
}

/// A part that says JSON, or is named so and is no file, is the envelope; other parts are files.
fn several(header: &str, body: &Bytes) -> Result<Content, Refusal> {
    let boundary = multipart::parameter(header, "boundary").unwrap_or_default();
    let Some(parts) = multipart::parts(body, &boundary) else {
        return Err(broken("the parts do not match their boundary".to_owned()));
    };
    let mut content = Content::default();
    for part in parts {
        let kind = part.content_type.as_deref().unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let named = matches!(part.name.as_deref(), Some("json" | "data" | "envelope"));
        if kind == "application/json" || (part.file.is_none() && named) {
            let value = json::parse(part.bytes).map_err(broken)?;
            let bare = part.name.as_deref() == Some("data") && value.get("data").is_none();
            let value = if bare { json!({"data": value}) } else { value };
            content.envelope = Envelope::of(value)?;
        } else if part.file.is_some() || !kind.is_empty() {
            let kind = if kind.is_empty() {
                "application/octet-stream"
            } else {
                kind
            };
            content.uploads.push(Upload {
                content_type: kind.to_owned(),
                name: part.file,
                bytes: body.slice_ref(part.bytes),
            });
        }
    }
    Ok(content)
}

fn uploaded(content_type: String, bytes: Bytes) -> Content {
    Content {
        envelope: Envelope::default(),
        uploads: vec![Upload {
            content_type,
            name: None,
            bytes,
        }],
    }
}

/// Base64, alone or as a data URL.
fn plain(body: &[u8]) -> Result<Bytes, Refusal> {
    let text: Vec<u8> = body
        .iter()
        .copied()
        .filter(|b| !b.is_ascii_whitespace())
        .collect();
    let encoded = match memchr::memmem::find(&text, b";base64,") {
        Some(at) => text.get(at + 8..).unwrap_or_default(),
        None => &text,
    };
    let decoded = STANDARD.decode(encoded);
    decoded.map(Bytes::from).map_err(|error| {
        let fault = json!({"message": format!("not base64: {error}"), "target": "body"});
        Refusal::fault("file", "invalid", fault)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

    fn read_text(kind: Option<&str>, body: &str) -> Result<Content, Refusal> {
        read(kind, &Bytes::copy_from_slice(body.as_bytes()), false)
    }

    #[test]
    fn what_curl_sends_is_json_whatever_it_says() {
        let body = r#"{"data":{"name":"a=b&c+d%20e"}}"#;
        for kind in [
            FORM,
            None,
            Some("application/json; charset=utf-8"),
            Some("Application/X-JSON"),
        ] {
            let content = read_text(kind, body).unwrap();
            assert_eq!(content.envelope.object().unwrap()["name"], "a=b&c+d%20e");
        }
    }

    #[test]
    fn a_true_form_has_members() {
        let content = read_text(FORM, "data=%7B%22a%22%3A1%7D&verb=put").unwrap();
        assert_eq!(content.envelope.object().unwrap()["a"], 1);
        assert_eq!(content.envelope.text("verb"), Some("put"));
        for bad in ["{\"data\":", "nothing", "[1"] {
            assert_eq!(read_text(FORM, bad).unwrap_err().status(), 400, "{bad}");
        }
    }

    #[test]
    fn other_types_are_refused_unless_files_are_wanted() {
        assert_eq!(
            read_text(Some("application/xml"), "<x/>")
                .unwrap_err()
                .status(),
            415
        );
        assert_eq!(
            read_text(Some("audio/wav"), "RIFF").unwrap_err().status(),
            415
        );
        let body = Bytes::from_static(b"RIFF");
        let content = read(Some("audio/wav"), &body, true).unwrap();
        assert_eq!(content.uploads[0].bytes, body);
        let encoded = Bytes::from_static(b"data:audio/wav;base64,UklG\nRg==");
        let content = read(Some("application/x-base64"), &encoded, true).unwrap();
        assert_eq!(content.uploads[0].bytes, body);
        assert!(read_text(Some("application/xml"), "").is_ok());
    }

    #[test]
    fn parts_are_sorted() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n{\"name\":\"x\"}\r\n--b\r\n\
                    Content-Disposition: form-data; name=\"f\"; filename=\"x.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n--b--";
        let content = read_text(Some("multipart/form-data; boundary=b"), body).unwrap();
        assert_eq!(content.envelope.object().unwrap()["name"], "x");
        assert_eq!(content.uploads[0].content_type, "audio/wav");
        assert_eq!(content.uploads[0].name.as_deref(), Some("x.wav"));
    }
}
