//! Lists in pages: rows in the order in which the API shows them, read one by one, so that a page costs what it holds.

use std::ops::Bound;

use serde_json::{Map, Value};

use super::change::{Stored, Tree};
use super::core::Core;
use super::error::StoreError;
use super::keys;
use super::reads::until_error;
use crate::documents::DocumentType;
use crate::types::AccountId;

/// Rows of a list with their sort keys. An error is the last item.
pub type Rows<'a> = Box<dyn Iterator<Item = Result<(Vec<u8>, Stored), StoreError>> + Send + 'a>;

/// Everything under `prefix` from `from` on, which is what a key has behind the prefix.
fn bounds(prefix: &[u8], from: Option<&[u8]>, ascending: bool) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let from = from.map(|from| [prefix, from].concat());
    let begin = prefix.to_vec();
    let end = Bound::Excluded(keys::end_of(prefix));
    match (from, ascending) {
        (None, _) => (Bound::Included(begin), end),
        (Some(from), true) => (Bound::Included(from), end),
        (Some(from), false) => (Bound::Included(begin), Bound::Included(from)),
    }
}

impl Core {
    pub(super) fn page(
        &self,
        kind: DocumentType,
        account: &AccountId,
        from: Option<&[u8]>,
        ascending: bool,
    ) -> Rows<'_> {
        match sorted(kind) {
            true => self.sorted_page(kind, account, from, ascending),
            false => self.page_by_id(kind, account, from, ascending),
        }
    }

    fn page_by_id(
        &self,
        kind: DocumentType,
        account: &AccountId,
        from: Option<&[u8]>,
        ascending: bool,
    ) -> Rows<'_> {
        let prefix = keys::documents_of(kind, Some(account));
        let found = self.disk.range(bounds(&prefix, from, ascending), ascending);
        Box::new(until_error(found.filter_map(move |item| {
            let row = item.and_then(|(key, value)| {
                let stored = self.scanned(&key, value.payload())?;
                let sort = key.get(prefix.len()..).unwrap_or_default().to_vec();
                Ok(stored.map(|stored| (sort, stored)))
            });
            row.transpose()
        })))
    }
}

/// Kinds that are listed by a text of theirs and not by id.
fn sorted(kind: DocumentType) -> bool {
    matches!(
        kind,
        DocumentType::User | DocumentType::Vmbox | DocumentType::Account | DocumentType::Recording
    )
}

/// What a document is listed by, as far as its kind has such a thing.
fn sort_text(kind: DocumentType, body: &Map<String, Value>) -> String {
    let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default();
    let number = |field: &str| body.get(field).and_then(Value::as_u64);
    let sort = match kind {
        DocumentType::User => format!("{} {}", text("last_name"), text("first_name")),
        DocumentType::Recording => {
            let time = number("start").or_else(|| number("pvt_created"));
            format!("{:020}", time.unwrap_or_default())
        }
        _ => text("name").to_owned(),
    };
    sort.to_lowercase().replace('\0', " ")
}

impl Core {
    fn sorted_page(
        &self,
        kind: DocumentType,
        account: &AccountId,
        from: Option<&[u8]>,
        ascending: bool,
    ) -> Rows<'_> {
        let rows = self.scan_stored(kind, Some(account));
        in_order(kind, rows, from, ascending)
    }

    pub(super) fn below(
        &self,
        tree: Tree,
        of: &AccountId,
        from: Option<&[u8]>,
        ascending: bool,
    ) -> Rows<'_> {
        let of = of.clone();
        let rows = self.scan_stored(DocumentType::Account, None);
        let rows = rows.filter(move |row| match row {
            Ok(stored) => is_below(tree, &of, &stored.document.body),
            Err(_) => true,
        });
        in_order(DocumentType::Account, Box::new(rows), from, ascending)
    }
}

fn is_below(tree: Tree, of: &AccountId, body: &Map<String, Value>) -> bool {
    let ancestors = body.get("pvt_tree").and_then(Value::as_array);
    let mut ancestors = ancestors.into_iter().flatten().filter_map(Value::as_str);
    match tree {
        Tree::Children => ancestors.next_back() == Some(of.as_str()),
        Tree::Descendants => ancestors.any(|a| a == of.as_str()),
    }
}

fn in_order<'a>(
    kind: DocumentType,
    rows: Box<dyn Iterator<Item = Result<Stored, StoreError>> + Send + 'a>,
    from: Option<&[u8]>,
    ascending: bool,
) -> Rows<'a> {
    let mut found = Vec::new();
    for row in rows {
        match row {
            Ok(stored) => {
                let document = &stored.document;
                let id = document.key.id.as_str();
                let sort = format!("{}\0{id}", sort_text(kind, &document.body)).into_bytes();
                let wanted = from.is_none_or(|from| match ascending {
                    true => sort.as_slice() >= from,
                    false => sort.as_slice() <= from,
                });
                if wanted {
                    found.push((sort, stored));
                }
            }
            Err(error) => return Box::new(std::iter::once(Err(error))),
        }
    }
    found.sort_by(|a, b| match ascending {
        true => a.0.cmp(&b.0),
        false => b.0.cmp(&a.0),
    });
    Box::new(found.into_iter().map(Ok))
}
