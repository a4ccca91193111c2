//! The history of a document as people read it, and going back in it.

use serde_json::{Map, Value};

use super::change::{Applied, Author, Change, Expect, HistoryEntry, Revision, Write};
use super::error::StoreError;
use super::handle::Store;
use super::redact::{FieldChange, field_changes};
use crate::documents::{Document, DocumentKey};

/// A write of a document, told without secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentChange {
    pub revision: Revision,
    /// Unix seconds.
    pub at: i64,
    pub author: Option<Author>,
    pub created: bool,
    pub deleted: bool,
    /// Of a delete everything that was there.
    pub fields: Vec<FieldChange>,
}

/// The document is as it was; or it was not there.
type Body = Option<Map<String, Value>>;

impl Store {
    /// Writes of a document, newest first, as far back as they are kept. An import that made the document is not among them.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn history(
        &self,
        key: &DocumentKey,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        self.core().history(key, limit)
    }

    /// The same without secrets, and with what each write changed.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn document_changes(
        &self,
        key: &DocumentKey,
        limit: usize,
    ) -> Result<Vec<DocumentChange>, StoreError> {
        let mut after = self.document(key)?.map(|document| document.body);
        let mut found = Vec::new();
        for entry in self.history(key, limit)? {
            let fields = match (&entry.before, &after) {
                (None, None) => Vec::new(),
                (Some(before), None) => field_changes(before, &Map::new()),
                (None, Some(after)) => field_changes(&Map::new(), after),
                (Some(before), Some(after)) => field_changes(before, after),
            };
            found.push(DocumentChange {
                revision: entry.revision,
                at: entry.at,
                author: entry.author,
                created: entry.before.is_none() && !entry.deleted,
                deleted: entry.deleted,
                fields,
            });
            after = entry.before;
        }
        Ok(found)
    }

    /// Makes a document what it was after the write of this [`Revision::sequence`]: one more write, under the rules of the API, refused if
    /// somebody else writes in between. To go back to a state that did not exist is a delete.
    /// # Errors
    /// The history does not reach back that far; what was then is not allowed now; the disk.
    pub async fn revert(
        &self,
        key: &DocumentKey,
        sequence: u64,
        author: Author,
    ) -> Result<Applied, StoreError> {
        let change = self.going_back(key, author, |revision| revision.sequence == sequence)?;
        self.apply(change).await
    }

    /// The same by [`Revision::count`], for callers without a runtime.
    /// # Errors
    /// As [`Store::revert`].
    pub fn revert_blocking(
        &self,
        key: &DocumentKey,
        count: u64,
        author: Author,
    ) -> Result<Applied, StoreError> {
        let change = self.going_back(key, author, |revision| revision.count == count)?;
        self.apply_blocking(change)
    }

    fn going_back(
        &self,
        key: &DocumentKey,
        author: Author,
        wanted: impl Fn(Revision) -> bool,
    ) -> Result<Change, StoreError> {
        let current = self.stored(key)?;
        let found = current.as_ref().map(|stored| stored.revision);
        if found.is_some_and(&wanted) {
            return Ok(Change::default());
        }
        let entries = self.history(key, usize::MAX)?;
        let Some(body) = body_at(&entries, wanted) else {
            return Err(StoreError::Invalid {
                key: key.to_string(),
                field: "revision".to_owned(),
                expected: "a revision that the history still has".to_owned(),
            });
        };
        let expect = match found {
            Some(revision) => Expect::Revision(revision.sequence),
            None => Expect::Absent,
        };
        let key = key.clone();
        let write = match body {
            Some(body) => Write::Put(Document {
                key: key.clone(),
                body,
            }),
            None => Write::Delete(key.clone()),
        };
        Ok(Change::from(write).by(author).expecting(key, expect))
    }
}

/// What the document was at a revision: what the write that came next found. `entries` are newest first.
fn body_at(entries: &[HistoryEntry], wanted: impl Fn(Revision) -> bool) -> Option<Body> {
    for (newer, older) in entries.iter().zip(entries.iter().skip(1)) {
        if wanted(older.revision) {
            return Some(newer.before.clone());
        }
    }
    match entries {
        // the newest write of a document that is gone
        [newest, ..] if wanted(newest.revision) && newest.deleted => Some(None),
        // the state that the oldest write found, of which only the count is known
        [.., oldest] if oldest.before.is_some() => {
            let revision = Revision {
                sequence: 0,
                count: oldest.revision.count.saturating_sub(1),
            };
            wanted(revision).then(|| oldest.before.clone())
        }
        _ => None,
    }
}
