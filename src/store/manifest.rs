//! The manifest beside the database: it tells a damaged store from a new one.
//!
//! sled makes an empty database of a folder whose files are gone, and after a crash drops what it can't read at the end of its log. Both
//! would look like a store without documents. The manifest remembers that there was a store, which one, and how far it had come.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::sums::FileSum;

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
    /// sled has a snapshot file from its first start on; without it, it reads its log from the beginning.
    #[serde(default)]
    pub snapshot: bool,
    /// The database's files as they were when the store was closed in good order; none while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Vec<FileSum>>,
    /// Over the other fields.
    #[serde(default)]
    pub check: u32,
}

/// What a folder's manifest says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Whole(Manifest),
    Nothing,
    /// There is one, and this is what is wrong with it.
    Damaged(String),
}

impl Manifest {
    pub(super) fn new(store_id: String, sequence: u64) -> Self {
        Self {
            format: FORMAT,
            store_id,
            sequence,
            snapshot: false,
            closed: None,
            check: 0,
        }
    }

    fn sum(&self) -> Result<u32, serde_json::Error> {
        let unchecked = Self {
            check: 0,
            ..self.clone()
        };
        Ok(crc32fast::hash(&serde_json::to_vec(&unchecked)?))
    }

    /// # Errors
    /// It can't be read, or it is of a newer linefinder.
    pub(super) fn read(folder: &Path) -> Result<Found, StoreError> {
        let path = folder.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Found::Nothing);
            }
            Err(error) => {
                return Err(StoreError::Open {
                    path,
                    why: error.to_string(),
                });
            }
        };
        let manifest: Self = match serde_json::from_slice(&text) {
            Ok(manifest) => manifest,
            Err(error) => return Ok(Found::Damaged(format!("it is not readable ({error})"))),
        };
        // the first linefinders wrote none
        if manifest.check != 0 && manifest.sum().ok() != Some(manifest.check) {
            return Ok(Found::Damaged("its checksum is wrong".to_owned()));
        }
        if manifest.format != FORMAT {
            return Err(StoreError::Open {
                path,
                why: format!(
                    "it was written by another version of linefinder (format {}, this one reads {FORMAT}); export with that version, import with this one",
                    manifest.format
                ),
            });
        }
        Ok(Found::Whole(manifest))
    }

    /// Where the manifest of `folder` is.
    pub(super) fn path(folder: &Path) -> PathBuf {
        folder.join(FILE)
    }

    /// Replaces the manifest as a whole.
    ///
    /// # Errors
    /// The disk.
    pub(super) fn write(&self, folder: &Path) -> Result<(), StoreError> {
        let checked = Self {
            check: self.sum().map_err(std::io::Error::from)?,
            ..self.clone()
        };
        let mut text = serde_json::to_vec_pretty(&checked).map_err(std::io::Error::from)?;
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
        assert_eq!(Manifest::read(folder.path()).unwrap(), Found::Nothing);
        let manifest = Manifest::new("x".into(), 7);
        manifest.write(folder.path()).unwrap();
        let Found::Whole(read) = Manifest::read(folder.path()).unwrap() else {
            panic!("whole");
        };
        assert_eq!(Manifest { check: 0, ..read }, manifest);
    }

    #[test]
    fn another_format_is_refused_and_damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = Manifest::new("x".into(), 7);
        manifest.format = 99;
        manifest.write(folder.path()).unwrap();
        let error = Manifest::read(folder.path()).unwrap_err();
        assert!(matches!(error, StoreError::Open { .. }), "{error}");
        manifest.format = FORMAT;
        manifest.write(folder.path()).unwrap();
        let path = Manifest::path(folder.path());
        let text = fs::read_to_string(&path).unwrap();
        for bad in ["{".to_owned(), text.replace(": 7", ": 8")] {
            fs::write(&path, bad).unwrap();
            let found = Manifest::read(folder.path()).unwrap();
            assert!(matches!(found, Found::Damaged(_)), "{found:?}");
        }
    }

    #[test]
    fn a_manifest_without_a_checksum_is_of_an_earlier_version() {
        let folder = tempfile::tempdir().unwrap();
        let text = r#"{"format": 1, "store_id": "x", "sequence": 7}"#;
        fs::write(Manifest::path(folder.path()), text).unwrap();
        let found = Manifest::read(folder.path()).unwrap();
        assert_eq!(found, Found::Whole(Manifest::new("x".into(), 7)));
    }
}
