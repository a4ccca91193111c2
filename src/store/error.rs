//! What can go wrong with the store, and what the operator should do about it.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "the store {path} is in use by another process; stop that linefinder or choose another [store] path"
    )]
    Locked { path: PathBuf },
    #[error("the store {path} can't be opened: {why}")]
    Open { path: PathBuf, why: String },
    #[error("the store is damaged at {at}: {why}; restore from a backup or an export")]
    Damaged { at: String, why: String },
    #[error("{key}: {field}: {expected}")]
    Invalid {
        key: String,
        field: String,
        expected: String,
    },
    #[error("{key}: {field} {value:?} already belongs to {owner}")]
    Duplicate {
        key: String,
        field: String,
        value: String,
        owner: String,
    },
    #[error("the disk is full or failing: {0}")]
    Disk(String),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl StoreError {
    pub(super) fn damaged(at: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Damaged {
            at: at.into(),
            why: why.into(),
        }
    }
}
