//! The envelope around every answer that is JSON (API specification 1.7).

use serde::Serialize;
use serde_json::Value;

use super::{Paging, Warning};

/// What stands around the data.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Closing<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_token: Option<&'a str>,
    /// Of errors: what is wrong, and the status as a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
    pub status: &'static str,
    pub request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_start_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'static str>,
    pub node: &'a str,
    pub timestamp: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
    #[serde(skip_serializing_if = "<[Warning]>::is_empty")]
    pub warnings: &'a [Warning],
}

/// The rate bucket.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Tokens {
    pub consumed: u32,
    pub remaining: u32,
}

impl<'a> Closing<'a> {
    pub fn page(&mut self, paging: &'a Paging) {
        self.page_size = Some(paging.rows);
        self.start_key = paging.start_key.as_deref();
        self.next_start_key = paging.next_start_key.as_deref();
    }
}

/// The whole answer: `data` is JSON text already.
#[must_use]
pub fn write(data: &[u8], closing: &Closing<'_>, pretty: bool) -> Vec<u8> {
    let mut text = Vec::with_capacity(data.len() + 512);
    text.extend_from_slice(b"{\"data\":");
    text.extend_from_slice(data);
    text.push(b',');
    let before = text.len();
    // Writing to memory can't fail; what it would leave is cut off below.
    if serde_json::to_writer(&mut text, closing).is_err() {
        text.truncate(before);
        text.extend_from_slice(b"{\"status\":\"fatal\"}");
    }
    // The closing's own bracket becomes part of the whole.
    if text.get(before) == Some(&b'{') {
        text.remove(before);
    }
    if !pretty {
        return text;
    }
    let value: Option<Value> = serde_json::from_slice(&text).ok();
    let indented = value.and_then(|value| serde_json::to_vec_pretty(&value).ok());
    indented.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_and_closing_are_one_object() {
        let closing = Closing {
            status: "success",
            request_id: "r",
            node: "n",
            timestamp: "t",
            page_size: Some(0),
            ..Closing::default()
        };
        let text = write(b"[1]", &closing, false);
        let value: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"data": [1], "status": "success", "request_id": "r", "page_size": 0, "node": "n", "timestamp": "t"})
        );
        assert!(write(b"{}", &closing, true).contains(&b'\n'));
    }
}
