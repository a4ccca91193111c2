//! The lines of a backup.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::change::Revision;
use crate::documents::{DocumentKey, json};
use crate::types::{AccountId, DocumentId};

pub(super) const FORMAT: u32 = 1;
pub(super) const HEADER: &str = "backup";
pub(super) const FOOTER: &str = "backup_end";
const RECORD: &str = "backup_record";
const REVISION: &str = "_revision";
const DELETED: &str = "_deleted";

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub format: u32,
    /// Of the linefinder that wrote it.
    pub version: String,
    pub store_id: String,
    /// Every write up to this one is in it.
    pub sequence: u64,
    /// RFC 3339.
    pub time: String,
}

/// What the footer says of the files that documents name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesFooter {
    pub count: u64,
    pub bytes: u64,
    /// Of the list beside the backup.
    pub sha256: String,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// The write up to which the backup goes.
    pub sequence: u64,
    /// Lines between header and footer.
    pub documents: u64,
    /// None: documents named no files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<FilesFooter>,
    pub sha256: String,
}

/// A line in between.
pub(in super::super) enum Line {
    Document {
        key: DocumentKey,
        revision: Revision,
        json: Vec<u8>,
    },
    Deleted {
        key: DocumentKey,
        revision: Revision,
    },
    Record {
        key: Vec<u8>,
        payload: Vec<u8>,
    },
}

fn key_of(body: &mut Map<String, Value>) -> Option<DocumentKey> {
    let mut text = |field: &str| match body.shift_remove(field) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    Some(DocumentKey {
        kind: text("type")?.parse().ok()?,
        account: AccountId::new(&text("account_id")?).ok()?,
        id: DocumentId::new(&text("id")?).ok()?,
    })
}

impl Line {
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let mut body = json::object(text).map_err(|error| error.to_string())?;
        if body.get("type").and_then(Value::as_str) == Some(RECORD) {
            let bytes = |field: &str| {
                let text = body.get(field).and_then(Value::as_str);
                text.and_then(|text| BASE64.decode(text).ok())
            };
            let (key, payload) = bytes("key").zip(bytes("payload")).ok_or("no record")?;
            return Ok(Self::Record { key, payload });
        }
        let key = key_of(&mut body).ok_or("the line names no document")?;
        let (sequence, count) = body
            .shift_remove(REVISION)
            .and_then(|revision| serde_json::from_value(revision).ok())
            .ok_or("the line has no _revision")?;
        let revision = Revision { sequence, count };
        if body.contains_key(DELETED) {
            return Ok(Self::Deleted { key, revision });
        }
        Ok(Self::Document {
            key,
            revision,
            json: serde_json::to_vec(&body).map_err(|error| error.to_string())?,
        })
    }

    /// The line, with its end. A document's JSON is taken over as it is stored.
    pub(super) fn text(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = match self {
            Self::Record { key, payload } => serde_json::to_vec(&serde_json::json!({
                "type": RECORD, "key": BASE64.encode(key), "payload": BASE64.encode(payload),
            }))?,
            Self::Deleted { key, revision } => {
                let mut line = head(key, *revision)?;
                line.extend_from_slice(b",\"_deleted\":true}");
                line
            }
            Self::Document {
                key,
                revision,
                json,
            } => {
                let mut line = head(key, *revision)?;
                let members = json.strip_prefix(b"{").unwrap_or(json);
                if members.trim_ascii_start().first() != Some(&b'}') {
                    line.push(b',');
                }
                line.extend_from_slice(members);
                line
            }
        };
        line.push(b'\n');
        Ok(line)
    }
}

/// The line's beginning, without the end of the object.
fn head(key: &DocumentKey, revision: Revision) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(&serde_json::json!({
        "type": key.kind.as_str(),
        "account_id": key.account.as_str(),
        "id": key.id.as_str(),
        REVISION: [revision.sequence, revision.count],
    }))?;
    line.pop();
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::DocumentType;

    #[test]
    fn lines_are_read_back() {
        let key = DocumentKey {
            kind: DocumentType::Device,
            account: AccountId::new("acc").unwrap(),
            id: DocumentId::new("d1").unwrap(),
        };
        let revision = Revision {
            sequence: 7,
            count: 2,
        };
        for json in ["{}", r#"{"b":1,"a":{"x":"\n"}}"#] {
            let line = Line::Document {
                key: key.clone(),
                revision,
                json: json.into(),
            };
            match Line::parse(&line.text().unwrap()).unwrap() {
                Line::Document {
                    key: k,
                    revision: r,
                    json: j,
                } => assert_eq!((k, r, j), (key.clone(), revision, json.into())),
                _ => panic!("a document"),
            }
        }
        let line = Line::Deleted {
            key: key.clone(),
            revision,
        };
        let read = Line::parse(&line.text().unwrap()).unwrap();
        assert!(matches!(read, Line::Deleted { key: k, .. } if k == key));
        let line = Line::Record {
            key: vec![0, 255],
            payload: vec![1],
        };
        let read = Line::parse(&line.text().unwrap()).unwrap();
        assert!(matches!(read, Line::Record { key, payload } if key == [0, 255] && payload == [1]));
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"type":"device","account_id":"a","id":"b"}"#,
        ] {
            assert!(Line::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
