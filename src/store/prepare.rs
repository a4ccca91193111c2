//! From what a caller wants written to what may be written: validation that needs no look at the store, done in the
//! caller's thread.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::change::{Author, Change, Expect, Rules, Write};
use super::error::StoreError;
use super::indexes::{self, IndexEntry};
use super::open::now_s;
use crate::documents::schema::{self, Violation};
use crate::documents::{
    Account, Callflow, Connectivity, Device, Document, DocumentKey, DocumentType, Limits,
    NumberRecord, Registration, Resource, User, json,
};

/// Largest document as JSON, in bytes: a flow of the largest size (1 MiB) and as much again around it.
pub(super) const DOCUMENT_MAX: usize = 2 << 20;

/// Members of an exchanged line that are the document's key, and so can't be members of the document itself.
pub(super) const KEY_FIELDS: [&str; 3] = ["type", "account_id", "id"];

pub(super) struct PreparedDocument {
    pub json: Vec<u8>,
    pub entries: Vec<IndexEntry>,
    pub realm: Option<String>,
}

/// A change whose documents are valid by themselves.
#[derive(Default)]
pub(super) struct Prepared {
    pub writes: BTreeMap<DocumentKey, Option<PreparedDocument>>,
    pub registrations: Vec<Registration>,
    pub expect: Vec<(DocumentKey, Expect)>,
    pub rules: Rules,
    pub author: Option<Author>,
    /// Unix seconds.
    pub at: i64,
}

fn violation(field: impl Into<String>, expected: impl Into<String>) -> Violation {
    Violation {
        field: field.into(),
        expected: expected.into(),
    }
}

/// Whether the typed document can be read back; the schema should have said so already.
fn decodes(kind: DocumentType, text: &[u8]) -> Result<(), json::JsonError> {
    match kind {
        DocumentType::Account => json::from_slice::<Account>(text).map(drop),
        DocumentType::User => json::from_slice::<User>(text).map(drop),
        DocumentType::Device => json::from_slice::<Device>(text).map(drop),
        DocumentType::Callflow => json::from_slice::<Callflow>(text).map(drop),
        DocumentType::Registration => json::from_slice::<Registration>(text).map(drop),
        DocumentType::Connectivity => json::from_slice::<Connectivity>(text).map(drop),
        DocumentType::Number => json::from_slice::<NumberRecord>(text).map(drop),
        DocumentType::Limits => json::from_slice::<Limits>(text).map(drop),
        DocumentType::Resource => json::from_slice::<Resource>(text).map(drop),
        // read leniently where they are used
        _ => Ok(()),
    }
}

/// Everything that is wrong with a document by itself; the document ready to be written if nothing is.
pub(super) fn check(
    key: &DocumentKey,
    body: Map<String, Value>,
) -> Result<PreparedDocument, Vec<Violation>> {
    if let Some(field) = KEY_FIELDS.iter().find(|f| body.contains_key(**f)) {
        let expected = "no such field inside a document; it is part of the document's key";
        return Err(vec![violation(*field, expected)]);
    }
    if key.kind == DocumentType::Account && key.account.as_str() != key.id.as_str() {
        let expected = "an account's account_id is its own id";
        return Err(vec![violation("account_id", expected)]);
    }
    let value = Value::Object(body);
    let violations = schema::validate_value(key.kind, &value);
    if !violations.is_empty() {
        return Err(violations);
    }
    let text = serde_json::to_vec(&value).map_err(|e| vec![violation("", e.to_string())])?;
    if text.len() > DOCUMENT_MAX {
        let expected = format!("a document of at most {DOCUMENT_MAX} bytes");
        return Err(vec![violation("", expected)]);
    }
    decodes(key.kind, &text).map_err(|e| vec![violation("", e.to_string())])?;
    let Value::Object(body) = value else {
        return Err(vec![violation("", "an object")]);
    };
    Ok(PreparedDocument {
        json: text,
        entries: indexes::entries_of(key, &body),
        realm: indexes::realm_of(key.kind, &body),
    })
}

fn invalid(key: &DocumentKey, mut violations: Vec<Violation>) -> StoreError {
    let first = match violations.is_empty() {
        true => violation("", "a valid document"),
        false => violations.swap_remove(0),
    };
    StoreError::Invalid {
        key: key.to_string(),
        field: first.field,
        expected: first.expected,
    }
}

fn registration(document: Document) -> Result<Registration, StoreError> {
    let value = Value::Object(document.body);
    let violations = schema::validate_value(DocumentType::Registration, &value);
    if !violations.is_empty() {
        return Err(invalid(&document.key, violations));
    }
    serde_json::from_value(value)
        .map_err(|e| invalid(&document.key, vec![violation("", e.to_string())]))
}

/// # Errors
/// [`StoreError::Invalid`] with the first thing that is wrong.
pub(super) fn prepare(change: Change) -> Result<Prepared, StoreError> {
    let mut prepared = Prepared {
        expect: change.expect,
        rules: change.rules,
        author: change.author,
        at: now_s(),
        ..Prepared::default()
    };
    for write in change.writes {
        match write {
            Write::Put(document) if document.key.kind == DocumentType::Registration => {
                prepared.registrations.push(registration(document)?);
            }
            Write::Put(Document { key, body }) => {
                let ready = check(&key, body).map_err(|v| invalid(&key, v))?;
                prepared.writes.insert(key, Some(ready));
            }
            Write::Delete(key) if key.kind == DocumentType::Registration => {
                let expected = "registrations end by unregister, not by a delete";
                return Err(invalid(&key, vec![violation("type", expected)]));
            }
            Write::Delete(key) => {
                prepared.writes.insert(key, None);
            }
        }
    }
    Ok(prepared)
}
