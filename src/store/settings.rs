//! Where the store is and what it may hold in memory.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    pub path: PathBuf,
    /// Documents held decoded.
    pub cache_documents: usize,
    /// Bytes of sled's page cache.
    pub cache_bytes: u64,
    /// Earlier states of each document that are kept, for [`crate::store::Store::history`] and for going back; 0 keeps none.
    pub history: u64,
    /// Folder of the files that documents name (uploads, recordings, messages); without it the store's name and `.media` beside the store.
    pub files: Option<PathBuf>,
    /// Folder of the backups; without it `backups` beside the store.
    pub backups: Option<PathBuf>,
    /// Seconds between two backups, when something changed.
    pub backup_every_s: u64,
    /// How many are kept, the newest; beside them the newest of each of the last 14 days.
    pub backup_keep: usize,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            path: PathBuf::from("/var/lib/linefinder/store"),
            cache_documents: 100_000,
            cache_bytes: 64 << 20,
            history: 50,
            files: None,
            backups: None,
            backup_every_s: 3_600,
            backup_keep: 48,
        }
    }
}
