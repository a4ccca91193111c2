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
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            path: PathBuf::from("/var/lib/linefinder/store"),
            cache_documents: 100_000,
            cache_bytes: 64 << 20,
        }
    }
}
