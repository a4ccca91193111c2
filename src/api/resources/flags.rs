//! Summaries that list the marks of other programs.

use serde_json::{Value, json};

use crate::api::listing::Row;
use crate::api::resource::pick;

/// The fields of a row, and its `flags`, which are there even where the document has none.
pub(super) fn with(row: &Row<'_>, fields: &[&str]) -> Value {
    let flags = row.body.get("flags").cloned().unwrap_or(json!([]));
    and(pick(row, fields), [("flags", flags)])
}

/// A row with more members.
pub(super) fn and<const N: usize>(mut row: Value, more: [(&str, Value); N]) -> Value {
    if let Value::Object(members) = &mut row {
        members.extend(more.map(|(name, value)| (name.to_owned(), value)));
    }
    row
}
