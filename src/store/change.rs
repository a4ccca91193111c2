//! What goes through the one door, and what comes back.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::documents::{Document, DocumentKey};
use crate::types::{AccountId, DocumentId};

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
    /// Checked in the same step as the write, against what was there before the change.
    pub expect: Vec<(DocumentKey, Expect)>,
    /// Remembered with each write, for [`super::Store::history`].
    pub author: Option<Author>,
    pub rules: Rules,
}

impl From<Vec<Write>> for Change {
    fn from(writes: Vec<Write>) -> Self {
        Self {
            writes,
            ..Self::default()
        }
    }
}

impl From<Write> for Change {
    fn from(write: Write) -> Self {
        vec![write].into()
    }
}

impl Change {
    /// A change under the looser rules of an import.
    #[must_use]
    pub fn imported(writes: Vec<Write>) -> Self {
        Self {
            writes,
            rules: Rules::Import,
            ..Self::default()
        }
    }

    #[must_use]
    pub fn by(mut self, author: Author) -> Self {
        self.author = Some(author);
        self
    }

    #[must_use]
    pub fn expecting(mut self, key: DocumentKey, expect: Expect) -> Self {
        self.expect.push((key, expect));
        self
    }
}

/// What a change relies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// There is no such document.
    Absent,
    /// There is one.
    Present,
    /// There is one, and the write that made it had this [`Revision::sequence`].
    Revision(u64),
}

/// Which values may have one owner only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rules {
    /// Everything that the API promises to be unique (api spec 3.3).
    #[default]
    Api,
    /// Only what calls could not be told apart by: realms, the addresses of devices, numbers. Documents from elsewhere may
    /// share the rest, as account names (api spec 1.6).
    Import,
}

/// Who made a change, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The account that the token or key belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<DocumentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    pub via: Via,
}

impl Author {
    /// Somebody of whom only the way is known.
    #[must_use]
    pub fn via(via: Via) -> Self {
        Self {
            account: None,
            user: None,
            from: None,
            request_id: None,
            via,
        }
    }
}

/// The way that a change came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    Api,
    Cli,
    Daemon,
    Import,
}

/// Which state of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision {
    /// Number of the write that made it: grows with every write of the store, and names one state of one document.
    pub sequence: u64,
    /// Writes of this document so far: 1, 2, 3 and so on.
    pub count: u64,
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (write {})", self.count, self.sequence)
    }
}

/// A document as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub document: Document,
    pub revision: Revision,
}

/// A change that has reached the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Number of the change's last write in the change log.
    pub sequence: u64,
    /// Each document that was written or deleted, in key order. A delete of nothing is none.
    pub stored: Vec<(DocumentKey, Revision)>,
}

/// A write of one document as its history tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    pub revision: Revision,
    /// Unix seconds.
    pub at: i64,
    pub author: Option<Author>,
    pub deleted: bool,
    /// The document before this write, secrets included; none if there was none.
    pub before: Option<Map<String, Value>>,
}

/// Which accounts below one are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tree {
    Children,
    /// Children, their children, and so on.
    Descendants,
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
