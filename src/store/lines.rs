//! Lines of exchanged documents: reading them whatever they are, and saying what is wrong with them.

use std::io::{self, BufRead};

use serde_json::{Map, Value};

use super::change::ImportProblem;
use super::prepare::DOCUMENT_MAX;
use crate::documents::{DocumentKey, DocumentType, json};
use crate::types::{AccountId, DocumentId};

/// Longest line, in bytes: the largest document, its key and some room.
const LINE_MAX: usize = DOCUMENT_MAX + 4096;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads lines without ever holding more than [`LINE_MAX`] bytes of one.
pub(super) struct Lines<'a> {
    input: &'a mut dyn BufRead,
    number: usize,
    line: Vec<u8>,
}

/// A line as it was read.
pub(super) enum Read<'a> {
    Text(&'a str),
    Blank,
    /// What was expected instead.
    Unreadable(String),
}

impl<'a> Lines<'a> {
    pub(super) fn new(input: &'a mut dyn BufRead) -> Self {
        Self {
            input,
            number: 0,
            line: Vec::new(),
        }
    }

    /// The next line and its number, counted from 1.
    ///
    /// # Errors
    /// The input's.
    pub(super) fn next(&mut self) -> io::Result<Option<(usize, Read<'_>)>> {
        self.line.clear();
        let mut too_long = false;
        let mut any = false;
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                break;
            }
            any = true;
            let end = memchr::memchr(b'\n', available);
            let part = available.get(..end.unwrap_or(available.len()));
            let part = part.unwrap_or_default();
            too_long |= self.line.len() + part.len() > LINE_MAX;
            if !too_long {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.number += 1;
        let mut line = self.line.as_slice();
        if self.number == 1 {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        let read = match std::str::from_utf8(line.trim_ascii()) {
            _ if too_long => Read::Unreadable(format!("a line of at most {LINE_MAX} bytes")),
            Ok("") => Read::Blank,
            Ok(text) => Read::Text(text),
            Err(error) => Read::Unreadable(format!(
                "UTF-8; byte {} of the line is none",
                error.valid_up_to() + 1
            )),
        };
        Ok(Some((self.number, read)))
    }
}

/// A line's document, its key taken apart from it.
pub(super) struct Parsed {
    pub key: DocumentKey,
    pub body: Map<String, Value>,
}

fn problem(line: usize, field: &str, expected: impl Into<String>) -> ImportProblem {
    ImportProblem {
        line,
        field: field.to_owned(),
        expected: expected.into(),
    }
}

fn kinds() -> String {
    let names: Vec<&str> = DocumentType::ALL.iter().map(|k| k.as_str()).collect();
    names.join(", ")
}

/// Takes the key out of a line's object. A registration needs none, its binding is its key; an account's `account_id` is its id.
///
/// # Errors
/// All that is wrong with the key.
pub(super) fn parse(line: usize, text: &str) -> Result<Parsed, Vec<ImportProblem>> {
    let value = json::from_str(text).map_err(|error| {
        let error = error
            .to_string()
            .replace(" at line 1 column ", " at column ");
        vec![problem(line, "", format!("a JSON object ({error})"))]
    })?;
    let Value::Object(mut body) = value else {
        return Err(vec![problem(line, "", "a JSON object")]);
    };
    let kind = match body.shift_remove("type") {
        Some(Value::String(text)) => text.parse::<DocumentType>().ok(),
        _ => None,
    };
    let Some(kind) = kind else {
        let expected = format!("one of {}", kinds());
        return Err(vec![problem(line, "type", expected)]);
    };
    // of a backup: a document that is imported gets a revision of its own
    body.shift_remove("_revision");
    let id = body.shift_remove("id");
    let account = match (kind, body.shift_remove("account_id")) {
        (DocumentType::Account, None) => id.clone(),
        (_, account) => account,
    };
    let optional = (kind == DocumentType::Registration).then_some("-");
    let mut problems = Vec::new();
    let mut named = |field: &str, value: Option<Value>| -> Option<String> {
        match (value, optional) {
            (Some(Value::String(text)), _) => match DocumentId::new(&text) {
                Ok(_) => return Some(text),
                Err(error) => problems.push(problem(line, field, format!("an id: {error}"))),
            },
            (None, Some(default)) => return Some(default.to_owned()),
            _ => problems.push(problem(line, field, "an id, as a string")),
        }
        None
    };
    let id = named("id", id);
    let account = named("account_id", account);
    let ids = account
        .zip(id)
        .and_then(|(a, i)| AccountId::new(&a).ok().zip(DocumentId::new(&i).ok()));
    match ids {
        Some((account, id)) if problems.is_empty() => Ok(Parsed {
            key: DocumentKey { kind, account, id },
            body,
        }),
        _ => Err(problems),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<(usize, Result<String, String>)> {
        // a small buffer, so that lines span several reads
        let mut input = io::BufReader::with_capacity(7, bytes);
        let mut lines = Lines::new(&mut input);
        let mut found = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            match line {
                Read::Text(text) => found.push((number, Ok(text.to_owned()))),
                Read::Blank => {}
                Read::Unreadable(why) => found.push((number, Err(why))),
            }
        }
        found
    }

    #[test]
    fn byte_order_mark_windows_ends_and_blank_lines() {
        let found = read(b"\xef\xbb\xbf{\"a\":1}\r\n\r\n  \n{\"b\":2}");
        let texts = [
            (1, Ok("{\"a\":1}".to_owned())),
            (4, Ok("{\"b\":2}".to_owned())),
        ];
        assert_eq!(found, texts);
    }

    #[test]
    fn bytes_that_are_no_text_are_one_bad_line() {
        let found = read(b"{\"a\":\"\xff\"}\nok\n");
        assert_eq!(
            found[0],
            (1, Err("UTF-8; byte 7 of the line is none".into()))
        );
        assert_eq!(found[1], (2, Ok("ok".into())));
    }

    #[test]
    fn an_endless_line_is_skipped_not_stored() {
        let mut bytes = vec![b'x'; LINE_MAX * 3];
        bytes.extend_from_slice(b"\nok");
        let mut input = io::BufReader::new(bytes.as_slice());
        let mut lines = Lines::new(&mut input);
        assert!(matches!(
            lines.next().unwrap(),
            Some((1, Read::Unreadable(_)))
        ));
        assert!(lines.line.capacity() <= LINE_MAX * 2);
        assert!(matches!(lines.next().unwrap(), Some((2, Read::Text("ok")))));
    }

    fn fields(text: &str) -> Vec<(String, String)> {
        match parse(1, text) {
            Ok(_) => Vec::new(),
            Err(problems) => problems
                .into_iter()
                .map(|p| (p.field, p.expected))
                .collect(),
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(fields("{\"a\":")[0].0, "");
        assert!(fields("{\"a\":")[0].1.contains("at column 5"));
        assert_eq!(fields("[]")[0].1, "a JSON object");
        assert_eq!(fields("{}")[0].0, "type");
        assert_eq!(fields("{\"type\":\"phone\"}")[0].0, "type");
        let missing = fields("{\"type\":\"device\"}");
        assert_eq!(missing[0].0, "id");
        assert_eq!(missing[1].0, "account_id");
        let bad = fields("{\"type\":\"device\",\"account_id\":\"a/b\",\"id\":7}");
        assert_eq!(bad.len(), 2);
        assert!(fields("{\"type\":\"account\",\"id\":\"a\"}").is_empty());
        assert!(fields("{\"type\":\"registration\"}").is_empty());
    }
}
