//! How the store is, for the API, the log and whoever asks.

use std::path::PathBuf;

use serde::Serialize;

/// What a rebuild found and did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Rebuilt {
    /// Seconds since 1970.
    pub at: i64,
    /// What was wrong.
    pub why: String,
    /// Where the damaged store is now.
    pub aside: PathBuf,
    /// Documents that the damaged store still had, whole.
    pub saved: usize,
    /// Documents that came from the backup.
    pub from_backup: usize,
    pub backup: Option<PathBuf>,
    /// Documents that could be had from neither, and edits newer than the backup that were lost, as far as it is known which.
    pub lost: Vec<String>,
    /// All documents of the damaged store are in the new one, each in its latest version.
    pub complete: bool,
}

/// Reads go on in every one of these states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Health {
    Healthy,
    /// It was damaged at the start and has been built anew.
    Rebuilt(Rebuilt),
    /// These records were found damaged since the start; a restart mends what can be mended.
    Damaged {
        records: Vec<String>,
    },
    /// Writes are refused until there is room again.
    DiskFull {
        why: String,
    },
    /// Writes are refused until a restart.
    ReadOnly {
        why: String,
    },
}

impl Health {
    /// As it is told to clients.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Rebuilt(_) => "rebuilt",
            Self::Damaged { .. } => "damaged",
            Self::DiskFull { .. } => "disk_full",
            Self::ReadOnly { .. } => "read_only",
        }
    }

    #[must_use]
    pub fn takes_writes(&self) -> bool {
        !matches!(self, Self::DiskFull { .. } | Self::ReadOnly { .. })
    }
}
