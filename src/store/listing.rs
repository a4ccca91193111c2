//! Lists in pages: rows in the order in which the API shows them, read one by one, so that a page costs what it holds.

use std::ops::Bound;

use super::change::{Stored, Tree};
use super::core::Core;
use super::error::StoreError;
use super::index_keys::{self, ORDER, TREE};
use super::reads::until_error;
use super::{indexes, keys};
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
        match indexes::is_listed(kind) {
            true => {
                let list = indexes::list_of(kind, account.as_str());
                let prefix = index_keys::under(ORDER, &[&list]);
                self.listed(prefix, from, ascending)
            }
            false => self.page_by_id(kind, account, from, ascending),
        }
    }

    pub(super) fn below(
        &self,
        tree: Tree,
        of: &AccountId,
        from: Option<&[u8]>,
        ascending: bool,
    ) -> Rows<'_> {
        let prefix = index_keys::under(TREE, &[of.as_str(), tree.depth()]);
        self.listed(prefix, from, ascending)
    }

    pub(super) fn messages(
        &self,
        account: &AccountId,
        vmbox: &str,
        deleted: bool,
        from: Option<&[u8]>,
        ascending: bool,
    ) -> Rows<'_> {
        let prefix = indexes::lies_in(account.as_str(), vmbox, deleted);
        self.listed(prefix, from, ascending)
    }

    /// Messages of a box that are not deleted; reads their keys only.
    pub(super) fn message_count(
        &self,
        account: &AccountId,
        vmbox: &str,
    ) -> Result<usize, StoreError> {
        let mut count = 0;
        for item in self
            .disk
            .raw(&indexes::lies_in(account.as_str(), vmbox, false))
        {
            item?;
            count += 1;
        }
        Ok(count)
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

    /// The documents that the entries under `prefix` name. The sort key is what an entry has behind the prefix.
    fn listed(&self, prefix: Vec<u8>, from: Option<&[u8]>, ascending: bool) -> Rows<'_> {
        let found = self.disk.range(bounds(&prefix, from, ascending), ascending);
        Box::new(until_error(found.filter_map(move |item| {
            let row = item.and_then(|(key, _)| {
                let Some(document) = index_keys::document_of(&key, &[]) else {
                    let why = "the index entry names no document";
                    return Err(StoreError::damaged(keys::describe(&key), why));
                };
                let sort = key.get(prefix.len()..).unwrap_or_default().to_vec();
                // none: deleted since the entry was read
                let stored = self.stored(&document)?;
                Ok(stored.map(|stored| (sort, stored)))
            });
            row.transpose()
        })))
    }
}
