//! Opening a store: lock, manifest, database, and whether they belong together.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::committer::Committer;
use super::core::Core;
use super::disk::{Batch, Disk};
use super::error::StoreError;
use super::keys;
use super::manifest::Manifest;
use super::settings::StoreSettings;

const LOCK: &str = "lock";
const DATABASE: &str = "db";

/// What the last clone of a store takes down.
pub(super) struct Inner {
    pub(super) core: Arc<Core>,
    /// Behind an option only to be dropped in order.
    pub(super) committer: Option<Committer>,
    write_behind: Option<std::thread::JoinHandle<()>>,
    pub(super) store_id: String,
    // The last two, and in this order: dropped when the database is closed.
    folder: Option<RemovedOnDrop>,
    _lock: File,
}

/// The folder of a temporary store.
struct RemovedOnDrop(PathBuf);

impl Drop for RemovedOnDrop {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn can_not_open(path: &Path, why: impl ToString) -> StoreError {
    StoreError::Open {
        path: PathBuf::from(path),
        why: why.to_string(),
    }
}

/// Documents hold passwords: the folder is for the daemon's user alone.
fn create_folder(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|e| can_not_open(path, e))
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path.join(LOCK))
        .map_err(|e| can_not_open(path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked {
            path: PathBuf::from(path),
        }),
        Err(TryLockError::Error(error)) => Err(can_not_open(path, error)),
    }
}

fn number(disk: &Disk, key: &[u8]) -> Result<u64, StoreError> {
    let Some(value) = disk.read(key)? else {
        return Ok(0);
    };
    let bytes = value.payload().first_chunk::<8>();
    bytes
        .map(|b| u64::from_le_bytes(*b))
        .ok_or_else(|| StoreError::damaged(keys::describe(key), "the number is cut short"))
}

/// The store's id after manifest and database were compared; a new store gets one.
fn identity(path: &Path, disk: &Disk, sequence: u64) -> Result<String, StoreError> {
    let known = disk.read(keys::STORE_ID)?;
    let known = known.map(|id| String::from_utf8_lossy(id.payload()).into_owned());
    let at = || path.display().to_string();
    let id = match (Manifest::read(path)?, known) {
        (Some(manifest), Some(id)) if manifest.store_id != id => {
            let why = "the manifest belongs to another store than the database";
            return Err(StoreError::damaged(at(), why));
        }
        (Some(manifest), Some(_)) if manifest.sequence > sequence => {
            let why = format!(
                "the database ends at write {sequence}, but write {} had reached the disk",
                manifest.sequence
            );
            return Err(StoreError::damaged(at(), why));
        }
        (Some(_), Some(id)) => id,
        (Some(_), None) => {
            let why = "there is a manifest, but the database is empty or gone";
            return Err(StoreError::damaged(at(), why));
        }
        (None, Some(id)) => {
            tracing::warn!(path = %path.display(), "the store had no manifest; it gets a new one");
            id
        }
        (None, None) => create(disk)?,
    };
    Manifest::new(id.clone(), sequence).write(path)?;
    Ok(id)
}

/// The id reaches the disk before the manifest does: a crash in between leaves a database without manifest, which is accepted.
fn create(disk: &Disk) -> Result<String, StoreError> {
    if disk.prefix(keys::DOCUMENTS).next().is_some() {
        let why = "the database holds documents but not its own id";
        return Err(StoreError::damaged("the database", why));
    }
    let id = uuid::Uuid::new_v4().to_string();
    let mut batch = Batch::new();
    batch.insert(keys::STORE_ID.to_vec(), Some(id.clone().into_bytes()));
    disk.write(&batch)?;
    disk.flush()?;
    Ok(id)
}

/// Registrations lapse by the wall clock, in which FreeSWITCH reports them.
fn now_s() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

impl Inner {
    pub(super) fn open(settings: &StoreSettings, temporary: bool) -> Result<Self, StoreError> {
        let path = settings.path.as_path();
        create_folder(path)?;
        let lock = lock(path)?;
        let disk = Disk::open(&path.join(DATABASE), settings.cache_bytes, !temporary)?;
        let sequence = number(&disk, keys::SEQUENCE)?;
        let store_id = identity(path, &disk, sequence)?;
        let core = Core::new(disk, path.to_path_buf(), settings.cache_documents, sequence);
        core.registrations.load(&core.disk)?;
        core.registrations.sweep(now_s());
        let core = Arc::new(core);
        let behind = Arc::clone(&core);
        let write_behind = std::thread::Builder::new()
            .name("store-behind".to_owned())
            .spawn(move || behind.registrations.write_behind(&behind, now_s))?;
        let committer = Committer::start(Arc::clone(&core))?;
        Ok(Self {
            core,
            committer: Some(committer),
            write_behind: Some(write_behind),
            store_id,
            folder: temporary.then(|| RemovedOnDrop(path.to_path_buf())),
            _lock: lock,
        })
    }

    /// A store that is removed when its last clone is dropped; nothing waits for the disk.
    pub(super) fn temporary() -> Result<Self, StoreError> {
        let name = format!("linefinder-{}", uuid::Uuid::new_v4());
        let settings = StoreSettings {
            path: std::env::temp_dir().join(name),
            ..StoreSettings::default()
        };
        Self::open(&settings, true)
    }

    /// Notes in the manifest how far the store has come.
    pub(super) fn note_progress(&self) -> Result<(), StoreError> {
        let sequence = {
            let door = self.core.door();
            self.core.disk.flush()?;
            door.sequence
        };
        Manifest::new(self.store_id.clone(), sequence).write(&self.core.path)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.committer = None;
        self.core.registrations.stop();
        if let Some(thread) = self.write_behind.take() {
            let _ = thread.join();
        }
        if self.folder.is_none()
            && let Err(error) = self.note_progress()
        {
            tracing::error!(%error, "the store was not closed cleanly");
        }
    }
}
