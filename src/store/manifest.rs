//! The manifest beside the database: it tells a damaged store from a new one.
//!
//! sled makes an empty database of a folder whose files are gone, and after a crash drops what it can't read at the end of its log. Both
//! would look like a store without documents. The manifest remembers that there was a store, which one, and how far it had come.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::StoreError;

const FILE: &str = "manifest.json";
const FORMAT: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Layout of keys and records.
    pub format: u32,
    /// The same id stands in the database.
    pub store_id: String,
    /// Number of a write that was on the disk when this was written.
    pub sequence: u64,
}

impl Manifest {
    pub(super) fn new(store_id: String, sequence: u64) -> Self {
        Self {
            format: FORMAT,
            store_id,
            sequence,
        }
    }

    /// # Errors
    /// There is one and it is not readable, or of a newer linefinder.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, StoreError> {
        let path = folder.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(StoreError::Open {
                    path,
                    why: error.to_string(),
                });
            }
        };
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| {
            let why = format!(
                "the manifest is not readable ({error}); if the database is sound, remove the manifest and start again"
            );
            StoreError::damaged(path.display().to_string(), why)
        })?;
        if manifest.format != FORMAT {
            return Err(StoreError::Open {
                path,
                why: format!(
                    "it was written by another version of linefinder (format {}, this one reads {FORMAT}); export with that version, import with this one",
                    manifest.format
                ),
            });
        }
        Ok(Some(manifest))
    }

    /// Replaces the manifest as a whole.
    ///
    /// # Errors
    /// The disk.
    pub(super) fn write(&self, folder: &Path) -> Result<(), StoreError> {
        let mut text = serde_json::to_vec_pretty(self).map_err(std::io::Error::from)?;
        text.push(b'\n');
        let fresh = folder.join(format!("{FILE}.new"));
        let mut file = File::create(&fresh)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&fresh, folder.join(FILE))?;
        // the rename is on the disk when the folder is
        File::open(folder)?.sync_all()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::read(folder.path()).unwrap(), None);
        let manifest = Manifest::new("x".into(), 7);
        manifest.write(folder.path()).unwrap();
        assert_eq!(Manifest::read(folder.path()).unwrap(), Some(manifest));
    }

    #[test]
    fn another_format_and_rubbish_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = Manifest::new("x".into(), 7);
        manifest.format = 99;
        manifest.write(folder.path()).unwrap();
        let error = Manifest::read(folder.path()).unwrap_err();
        assert!(matches!(error, StoreError::Open { .. }), "{error}");
        fs::write(folder.path().join(FILE), "{").unwrap();
        let error = Manifest::read(folder.path()).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    }
}
