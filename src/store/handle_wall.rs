//! What keeps a store's documents safe, as others see it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::attached;
use super::backup::{self, BackupFile, BroughtBack, Footer, Header};
use super::compact::Compacted;
use super::disk::Failure;
use super::error::StoreError;
use super::handle::Store;
use super::health::Health;
use super::lock;
use super::open::{self, For, Inner};
use super::rebuild;
use super::settings::StoreSettings;

/// What came of restoring a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    pub documents: usize,
    pub files: BroughtBack,
    /// Beside the backup: the secret that its passwords need, if it was kept there.
    pub secret: PathBuf,
    /// Where the store is now that was there before.
    pub replaced: Option<PathBuf>,
}

impl Store {
    /// Opens or creates the store for the daemon: looks at every record, builds a damaged store anew (the damaged one is moved aside), makes
    /// backups on a schedule and when the last clone is dropped. Blocking.
    /// # Errors
    /// Locked by another process; the disk; written by a newer linefinder.
    pub fn open_for_service(settings: &StoreSettings) -> Result<Store, StoreError> {
        Ok(Store::of(Arc::new(Inner::open(settings, For::Service)?)))
    }

    /// Reads go on whatever this says. Cheap enough to ask with every request.
    #[must_use]
    pub fn health(&self) -> Health {
        let inner = self.inner();
        match inner.core.disk.failure() {
            Some(Failure::Broken(why)) => return Health::ReadOnly { why },
            Some(Failure::NoRoom(why) | Failure::Stuck(why)) => return Health::DiskFull { why },
            None => {}
        }
        let records = inner.core.disk.damaged_records();
        match (&inner.rebuilt, records.is_empty()) {
            (_, false) => Health::Damaged { records },
            (Some(rebuilt), true) => Health::Rebuilt(rebuilt.clone()),
            (None, true) => Health::Healthy,
        }
    }

    /// Makes a backup now, at full speed. Blocking; writes go on meanwhile.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn backup(&self, settings: &StoreSettings) -> Result<BackupFile, StoreError> {
        let folder = backup::folder_of(settings);
        let keep = settings.backup_keep;
        backup::create(self.core(), self.id(), &folder, keep, &())
    }

    /// The backups in a store's folder of backups, the newest first.
    /// # Errors
    /// The folder can't be read.
    pub fn backups(settings: &StoreSettings) -> Result<Vec<BackupFile>, StoreError> {
        Ok(backup::list(&backup::folder_of(settings))?)
    }

    /// Reads a backup from its first line to its last, and the files that belong to it, and checks all of it.
    /// # Errors
    /// What is wrong with it.
    pub fn verify_backup(file: &Path) -> Result<(Header, Footer), StoreError> {
        backup::verify_all(file)
    }

    /// Builds a store from a backup. A store that is there already is moved aside; files of documents that are missing are brought back.
    /// # Errors
    /// In use; the backup is not whole; the disk.
    pub fn restore(settings: &StoreSettings, file: &Path) -> Result<Restored, StoreError> {
        // before anything is made
        let (header, footer) = backup::verify(file)?;
        let store = settings.path.as_path();
        open::create_folder(store)?;
        let _lock = lock::take(store)?;
        super::fresh::finish(store)?;
        let (built, replaced) = rebuild::restore(store, file)?;
        let live = attached::folder_of(settings);
        Ok(Restored {
            documents: built.from_backup,
            secret: backup::secret_of(file.parent().unwrap_or(Path::new("")), &header.store_id),
            files: backup::bring_back(&live, file, &header.store_id, &footer),
            replaced,
        })
    }

    /// Copies a store into a file as small as its documents allow. Nobody else may have it open.
    /// # Errors
    /// In use; damaged; no room for the copy.
    pub fn compact(settings: &StoreSettings) -> Result<Compacted, StoreError> {
        open::compact(settings)
    }
}
