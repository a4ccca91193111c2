//! What can go wrong with the store, and what the operator should do about it.

use std::path::PathBuf;

use super::change::Revision;
use crate::documents::DocumentKey;
use crate::types::AccountId;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "the store {path} is in use by another process{holder}; stop that linefinder or choose another [store] path"
    )]
    Locked {
        path: PathBuf,
        /// ` (pid 17, linefinder)`, if it can be known.
        holder: String,
    },
    #[error("the store {path} can't be opened: {why}")]
    Open { path: PathBuf, why: String },
    #[error(
        "the store is damaged at {at}: {why}; `linefinder serve` moves it aside and builds it anew, `linefinder backup restore FILE` does so by hand"
    )]
    Damaged { at: String, why: String },
    #[error("{key}: {field}: {expected}")]
    Invalid {
        key: String,
        field: String,
        expected: String,
    },
    #[error(
        "{key}: {field} {value:?} already belongs to {owner}{}",
        also_text(also)
    )]
    Duplicate {
        key: String,
        /// Dotted path of the field that clashes.
        field: String,
        value: String,
        owner: String,
        /// The document that has the value; none when the index that says so names no document.
        holder: Option<Box<DocumentKey>>,
        /// Further values of the document that clash.
        also: Box<[Clash]>,
    },
    #[error("account {account} has accounts below it; delete or move those first")]
    Descendants { account: AccountId },
    #[error("{key} was changed by somebody else meanwhile: {}", found_text(*found))]
    Conflict {
        key: DocumentKey,
        /// None: there is no such document.
        found: Option<Revision>,
    },
    #[error("the disk is full or failing: {0}")]
    Disk(String),
    /// Calls and reads go on; so do writes, by themselves, as soon as there is room.
    #[error("the disk is full: {0}; make room, and writes go on")]
    DiskFull(String),
    #[error("the backup {path}: {why}")]
    Backup { path: PathBuf, why: String },
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A value that already belongs to another document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// Dotted path of the field.
    pub field: String,
    pub value: String,
    pub owner: String,
    pub holder: Option<Box<DocumentKey>>,
}

fn also_text(also: &[Clash]) -> String {
    let texts = also.iter().map(|clash| {
        let Clash {
            field,
            value,
            owner,
            ..
        } = clash;
        format!("; {field} {value:?} already belongs to {owner}")
    });
    texts.collect()
}

fn found_text(found: Option<Revision>) -> String {
    match found {
        Some(revision) => format!("it is at revision {revision}"),
        None => "there is no such document".to_owned(),
    }
}

impl StoreError {
    pub(super) fn damaged(at: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Damaged {
            at: at.into(),
            why: why.into(),
        }
    }

    pub(super) fn duplicate(
        key: &DocumentKey,
        field: impl Into<String>,
        value: String,
        holder: Option<DocumentKey>,
    ) -> Self {
        Self::Duplicate {
            key: key.to_string(),
            field: field.into(),
            value,
            owner: match &holder {
                Some(holder) => holder.to_string(),
                None => "a damaged index entry".to_owned(),
            },
            holder: holder.map(Box::new),
            also: Box::default(),
        }
    }
}
