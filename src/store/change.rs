//! What goes through the one door, and what comes back.

use crate::documents::{Document, DocumentKey};

/// One change of one document.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    Put(Document),
    Delete(DocumentKey),
}

/// What goes through the one door: all of it or none. Of several writes of one key the last counts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Change {
    pub writes: Vec<Write>,
}

/// A change that has reached the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// Number of the change's last write in the change log.
    pub sequence: u64,
}

/// A write as the change log tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedWrite {
    /// Counts every write of this store, without gaps.
    pub sequence: u64,
    pub key: DocumentKey,
    /// The document's revision after the write; a later one is larger.
    pub revision: u64,
    pub deleted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportProblem {
    pub line: usize,
    /// Dotted path of the value; empty when the whole line is meant.
    pub field: String,
    pub expected: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    pub imported: usize,
    pub problems: Vec<ImportProblem>,
}
