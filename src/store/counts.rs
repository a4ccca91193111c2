//! How many documents of a kind an account has, and how many accounts are below it: kept with every write, in the same batch, so that nobody has to
//! go through them. They can be made anew, as indexes can.
//!
//! ```text
//! k kind account    documents of the kind (8, LE); no record stands for none
//! k ~ account       accounts below, all levels
//! ```

use std::collections::BTreeMap;

use super::disk::Disk;
use super::error::StoreError;
use super::index_keys::{self, TREE};
use super::indexes::DESCENDANT;
use super::keys;
use super::view::View;
use crate::documents::DocumentType;

pub(super) const TAG: u8 = b'k';

/// Stands for accounts below in the place of a kind.
const BELOW: u8 = b'~';

/// The record for documents of a kind.
pub(super) fn of_kind(kind: DocumentType, account: &str) -> Vec<u8> {
    key(keys::kind_byte(kind), account.as_bytes())
}

/// The record for accounts below.
pub(super) fn below(account: &str) -> Vec<u8> {
    key(BELOW, account.as_bytes())
}

fn key(kind: u8, account: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(2 + account.len());
    key.push(TAG);
    key.push(kind);
    key.extend_from_slice(account);
    key
}

/// The count that a document or an index entry under this key belongs to.
pub(super) fn counted_by(stored: &[u8]) -> Option<Vec<u8>> {
    match stored {
        [b'd', kind, rest @ ..] => {
            let end = rest.iter().position(|byte| *byte == 0)?;
            Some(key(*kind, rest.get(..end)?))
        }
        [TREE, ..] => {
            let mut parts = index_keys::parts(stored);
            let ancestor = parts.next()?;
            (parts.next()? == DESCENDANT).then(|| below(ancestor))
        }
        _ => None,
    }
}

pub(super) fn payload(count: u64) -> Vec<u8> {
    count.to_le_bytes().to_vec()
}

/// None: it is no count.
pub(super) fn number(payload: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(payload.try_into().ok()?))
}

/// What a change does to the counts.
#[derive(Default)]
pub(super) struct Moves(BTreeMap<Vec<u8>, i64>);

impl Moves {
    /// The record under this key comes.
    pub(super) fn comes(&mut self, stored: &[u8]) {
        self.moved(stored, 1);
    }

    pub(super) fn goes(&mut self, stored: &[u8]) {
        self.moved(stored, -1);
    }

    fn moved(&mut self, stored: &[u8], by: i64) {
        if let Some(key) = counted_by(stored) {
            *self.0.entry(key).or_default() += by;
        }
    }

    /// Adds the new counts to what is written.
    ///
    /// # Errors
    /// The disk. A damaged count is left as it is: the next start makes it anew.
    pub(super) fn write(self, view: &mut View<'_>) -> Result<(), StoreError> {
        for (key, by) in self.0 {
            if by == 0 {
                continue;
            }
            let before = match view.payload(&key) {
                Ok(payload) => payload.and_then(|p| number(&p)).unwrap_or(0),
                Err(StoreError::Damaged { .. }) => continue,
                Err(error) => return Err(error),
            };
            match before.saturating_add_signed(by) {
                0 => view.remove(key),
                count => view.put(key, payload(count)),
            }
        }
        Ok(())
    }
}

/// All counts as they should be, from the documents and the tree of accounts.
///
/// # Errors
/// The disk, or a damaged record.
pub(super) fn recounted(disk: &Disk) -> Result<BTreeMap<Vec<u8>, u64>, StoreError> {
    let mut counts = BTreeMap::new();
    for prefix in [keys::DOCUMENTS, &[TREE]] {
        for item in disk.raw(prefix) {
            let (stored, _) = item?;
            if let Some(key) = counted_by(&stored) {
                *counts.entry(key).or_default() += 1;
            }
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::DocumentKey;
    use crate::types::{AccountId, DocumentId};

    #[test]
    fn a_document_and_a_place_in_the_tree_are_counted_where_they_are_asked_for() {
        let device = DocumentKey {
            kind: DocumentType::Device,
            account: AccountId::new("a").unwrap(),
            id: DocumentId::new("d").unwrap(),
        };
        assert_eq!(
            counted_by(&keys::document(&device)),
            Some(of_kind(DocumentType::Device, "a"))
        );
        let place = |depth| index_keys::entry(TREE, &["a", depth, "name", "b"]);
        assert_eq!(counted_by(&place(DESCENDANT)), Some(below("a")));
        assert_eq!(counted_by(&place("c")), None);
        assert_eq!(counted_by(b"l1"), None);
        assert_eq!(number(&payload(7)), Some(7));
        assert_eq!(number(b"short"), None);
    }
}
