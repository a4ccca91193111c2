//! Summaries that list the marks of other programs.

use serde_json::{Value, json};

use crate::api::listing::Row;
use crate::api::resource::pick;

/// The fields of a row, and its `flags`, which are there even where the document has none.
pub(super) fn with(row: &Row<'_>, fields: &[&str]) -> Value {
    let mut shown = pick(row, fields);
    shown["flags"] = row.body.get("flags").cloned().unwrap_or(json!([]));
    shown
}
