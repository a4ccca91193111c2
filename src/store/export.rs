//! Export as JSON lines, in an order that depends on nothing but the documents.

use std::io::Write;

use serde_json::{Map, Value};

use super::core::Core;
use super::error::StoreError;
use crate::documents::{DocumentKey, DocumentType};

/// Accounts first, then kind by kind in key order, registrations last.
///
/// # Errors
/// The store's or the writer's. What was written by then is a good beginning.
pub(super) fn export(core: &Core, out: &mut dyn Write) -> Result<u64, StoreError> {
    let mut count = 0;
    for kind in DocumentType::ALL {
        for document in core.scan(*kind, None) {
            let document = document?;
            let line = line_of(&document.key, document.body).map_err(std::io::Error::from)?;
            out.write_all(&line)?;
            count += 1;
        }
    }
    out.flush()?;
    Ok(count)
}

/// The line that stands for a document; the counterpart of what an import reads.
fn line_of(key: &DocumentKey, body: Map<String, Value>) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = Map::with_capacity(body.len() + 3);
    line.insert("type".to_owned(), key.kind.as_str().into());
    line.insert("account_id".to_owned(), key.account.as_str().into());
    line.insert("id".to_owned(), key.id.as_str().into());
    line.extend(body);
    let mut text = serde_json::to_vec(&line)?;
    text.push(b'\n');
    Ok(text)
}
