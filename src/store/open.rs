//! Opening a store: lock, manifest, database, whether they belong together, and whether all is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::attached;
use super::backup::{self, Schedule};
use super::committer::Committer;
use super::compact::{self, Compacted};
use super::core::Core;
use super::digest::{self, Digest};
use super::disk::{Batch, Disk};
use super::doubt::{self, Files};
use super::error::StoreError;
use super::examine::{self, Depth, Examined};
use super::fresh::{self, DATABASE};
use super::health::Rebuilt;
use super::identity;
use super::lock::{self, Lock};
use super::manifest::{Found, Manifest};
use super::settings::StoreSettings;
use super::sums;
use super::watch::Watch;
use super::{keys, read_only, rebuild, space, upgrade, verify};

/// Who opens a store, and so what is done about damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// The daemon: every record is looked at, damage is mended, and backups are made.
    Service,
    /// A command: damage is an error. A store that was closed in good order and has not changed since is taken as it is.
    Command,
    /// Demos and tests: nothing waits for the disk, nothing is kept.
    Nothing,
}

/// What the last clone of a store takes down.
pub(super) struct Inner {
    pub(super) core: Arc<Core>,
    /// Behind an option only to be dropped in order.
    pub(super) committer: Option<Committer>,
    write_behind: Option<std::thread::JoinHandle<()>>,
    watch: Option<Watch>,
    schedule: Option<Schedule>,
    pub(super) store_id: String,
    /// The store's folder; the database is elsewhere if it is a copy.
    pub(super) home: PathBuf,
    pub(super) rebuilt: Option<Rebuilt>,
    // The last two, and in this order: dropped when the database is closed.
    folder: Option<RemovedOnDrop>,
    _lock: Lock,
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
pub(super) fn create_folder(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|e| can_not_open(path, e))
}

pub(super) fn number(disk: &Disk, key: &[u8]) -> Result<u64, StoreError> {
    let Some(value) = disk.read(key)? else {
        return Ok(0);
    };
    let bytes = value.payload().first_chunk::<8>();
    bytes
        .map(|b| u64::from_le_bytes(*b))
        .ok_or_else(|| StoreError::damaged(keys::describe(key), "the number is cut short"))
}

/// A database that has been found to be what it should be.
struct Opened {
    disk: Disk,
    store_id: String,
    sequence: u64,
    indexes_agree: bool,
}

/// Opens the database and looks at as much of it as its state asks for.
fn attempt(
    settings: &StoreSettings,
    purpose: For,
    known_id: Option<&str>,
) -> Result<Opened, StoreError> {
    let path = settings.path.as_path();
    if purpose == For::Nothing {
        let disk = Disk::open(&path.join(DATABASE), settings.cache_bytes, false)?;
        disk.set_digest(Digest::default());
        let store_id = identity::create(&disk)?;
        return Ok(Opened {
            disk,
            store_id,
            sequence: 0,
            indexes_agree: true,
        });
    }
    let manifest = Manifest::read(path)?;
    let files = doubt::look(
        path,
        match &manifest {
            Found::Whole(manifest) => Some(manifest),
            Found::Nothing | Found::Damaged(_) => None,
        },
    )?;
    if let Found::Whole(manifest) = &manifest
        && files == Files::AsClosed
    {
        in_use(path, manifest)?;
    }
    let mut disk = Disk::open(&path.join(DATABASE), settings.cache_bytes, true)?;
    let sequence = number(&disk, keys::SEQUENCE)?;
    let store_id = identity::settle(settings, &disk, manifest, files, sequence, known_id)?;
    let mut indexes_agree = true;
    let known = disk.known_digest().is_some() && files == Files::AsClosed;
    if purpose == For::Service || !known {
        let depth = match known {
            true => Depth::Records,
            false => Depth::Everything,
        };
        let examined = examine::examine(&disk, depth)?;
        indexes_agree = examined.indexes_agree;
        keep_digest(&disk, &examined)?;
        if purpose == For::Service && compact::worth_it(disk.file_size(), examined.live) {
            let manifest = Manifest::new(store_id.clone(), sequence);
            disk = compacted(settings, disk, &manifest)?;
        }
    }
    Ok(Opened {
        disk,
        store_id,
        sequence,
        indexes_agree,
    })
}

/// sled writes as soon as it is open, so that its files are no longer what was closed: who is killed from here on has crashed, and that is all.
fn in_use(path: &Path, manifest: &Manifest) -> Result<(), StoreError> {
    let open = Manifest {
        closed: None,
        ..manifest.clone()
    };
    match open.write(path) {
        // a kill before there is room leaves files that look damaged, and are mended as such
        Err(StoreError::Io(error)) if space::is_full(&error) => Ok(()),
        other => other,
    }
}

/// For a database from before there was a sum, and for a new one.
fn keep_digest(disk: &Disk, examined: &Examined) -> Result<(), StoreError> {
    if disk.known_digest().is_some() {
        return Ok(());
    }
    disk.set_digest(examined.digest);
    let mut batch = Batch::new();
    batch.insert(digest::KEY.to_vec(), Some(examined.digest.payload()));
    match disk.write(&batch) {
        // made with the first write that there is room for
        Err(StoreError::DiskFull(_)) => Ok(()),
        other => other,
    }
}

/// A compaction that does not succeed is no reason not to start.
fn compacted(
    settings: &StoreSettings,
    disk: Disk,
    manifest: &Manifest,
) -> Result<Disk, StoreError> {
    let path = settings.path.as_path();
    match compact::compact(path, &disk, manifest) {
        Ok(done) => tracing::info!(
            before_mib = done.before >> 20,
            after_mib = done.after >> 20,
            "the store has been compacted"
        ),
        Err(error) => tracing::warn!(%error, "the store was not compacted"),
    }
    drop(disk);
    fresh::finish(path)?;
    Disk::open(&path.join(DATABASE), settings.cache_bytes, true)
}

/// Registrations lapse by the wall clock, in which FreeSWITCH reports them.
pub(super) fn now_s() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

/// Compacts a store that nobody has open.
///
/// # Errors
/// In use; damaged; no room for the copy.
pub(super) fn compact(settings: &StoreSettings) -> Result<Compacted, StoreError> {
    let path = settings.path.as_path();
    let lock = lock::take(path)?;
    fresh::finish(path)?;
    let opened = attempt(settings, For::Command, lock.known.as_deref())?;
    let manifest = Manifest::new(opened.store_id, opened.sequence);
    compact::compact(path, &opened.disk, &manifest)
}

impl Inner {
    pub(super) fn open(settings: &StoreSettings, purpose: For) -> Result<Self, StoreError> {
        let error =
            match Self::open_in_place(settings, purpose) {
                Err(
                    error @ (StoreError::Open { .. } | StoreError::Io(_) | StoreError::Disk(_)),
                ) if purpose == For::Service => error,
                other => return other,
            };
        match read_only::why(&settings.path) {
            Some(why) => Self::open_copy(settings, why),
            None => Err(error),
        }
    }

    /// Phones go on with what the store has, though it can't be written.
    fn open_copy(settings: &StoreSettings, why: String) -> Result<Self, StoreError> {
        let path = settings.path.as_path();
        let copy = read_only::copied(path).map_err(|e| can_not_open(path, e))?;
        tracing::error!(
            why,
            copy = %copy.store.display(),
            "the store is served from a copy, and nothing can be changed: mend the disk or the folder's rights, then restart linefinder"
        );
        let around = RemovedOnDrop(copy.around);
        let at_copy = StoreSettings {
            path: copy.store,
            files: Some(attached::folder_of(settings)),
            backups: Some(backup::folder_of(settings)),
            backup_every_s: 0,
            ..settings.clone()
        };
        let mut inner = Self::open_in_place(&at_copy, For::Service)?;
        inner.core.disk.refuse_writes(why);
        inner.home = PathBuf::from(path);
        inner.folder = Some(around);
        Ok(inner)
    }

    fn open_in_place(settings: &StoreSettings, purpose: For) -> Result<Self, StoreError> {
        let path = settings.path.as_path();
        create_folder(path)?;
        let mut lock = lock::take(path)?;
        fresh::finish(path).map_err(|e| can_not_open(path, e))?;
        let known_id = lock.known.as_deref();
        let (opened, rebuilt) = match attempt(settings, purpose, known_id) {
            Err(StoreError::Damaged { at, why }) if purpose == For::Service => {
                let rebuilt = rebuild::rebuild(settings, &format!("{at}: {why}"), known_id)?;
                (attempt(settings, purpose, known_id)?, Some(rebuilt))
            }
            Err(StoreError::DiskFull(why)) if space::drop_ballast(path) => {
                tracing::error!(
                    error = why,
                    "the disk is full: the store is opened with the room that was set aside for that"
                );
                let opened = attempt(settings, purpose, known_id)?;
                opened.disk.ballast_spent.store(true, Ordering::Relaxed);
                (opened, None)
            }
            other => (other?, None),
        };
        lock.remember(&opened.store_id);
        let core = Core::new(opened.disk, settings, opened.sequence);
        if !upgrade::upgrade(&core)? && !opened.indexes_agree {
            tracing::error!("indexes and documents do not agree: the indexes are made anew");
            verify::rebuild(&core)?;
        }
        core.registrations.load(&core.disk)?;
        core.registrations.sweep(now_s());
        let inner = Self::start(
            Arc::new(core),
            opened.store_id,
            rebuilt,
            settings,
            purpose,
            lock,
        )?;
        match inner.note_progress() {
            Err(StoreError::Io(error)) if space::is_full(&error) => {
                tracing::error!(%error, "the disk is full: the manifest is that of the last start");
            }
            Err(StoreError::DiskFull(_)) => {}
            other => other?,
        }
        Ok(inner)
    }

    fn start(
        core: Arc<Core>,
        store_id: String,
        rebuilt: Option<Rebuilt>,
        settings: &StoreSettings,
        purpose: For,
        lock: Lock,
    ) -> Result<Self, StoreError> {
        let behind = Arc::clone(&core);
        let write_behind = std::thread::Builder::new()
            .name("store-behind".to_owned())
            .spawn(move || behind.registrations.write_behind(&behind, now_s))?;
        let committer = Committer::start(Arc::clone(&core))?;
        let watch = (purpose != For::Nothing)
            .then(|| Watch::start(Arc::clone(&core), purpose == For::Service))
            .transpose()?;
        let backups = purpose == For::Service && settings.backup_every_s > 0;
        let schedule = backups
            .then(|| Schedule::start(Arc::clone(&core), store_id.clone(), settings))
            .transpose()?;
        Ok(Self {
            folder: (purpose == For::Nothing).then(|| RemovedOnDrop(core.path.clone())),
            home: core.path.clone(),
            core,
            committer: Some(committer),
            write_behind: Some(write_behind),
            watch,
            schedule,
            store_id,
            rebuilt,
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
        Self::open(&settings, For::Nothing)
    }

    fn manifest(&self, sequence: u64) -> Manifest {
        let mut manifest = Manifest::new(self.store_id.clone(), sequence);
        manifest.snapshot = doubt::has_snapshot(&self.core.path);
        manifest
    }

    /// Notes in the manifest how far the store has come.
    pub(super) fn note_progress(&self) -> Result<(), StoreError> {
        let sequence = {
            let door = self.core.door();
            self.core.disk.flush()?;
            door.sequence
        };
        self.manifest(sequence).write(&self.core.path)
    }

    /// Closes the database, and notes what it is then.
    fn close(&self) -> Result<(), StoreError> {
        let disk = &self.core.disk;
        let sequence = self.core.door().sequence;
        disk.flush()?;
        let sound = disk.damaged_records().is_empty();
        let closed = disk.close();
        let mut manifest = self.manifest(sequence);
        // Damage that was met must not pass for the good state of the files.
        if sound && closed {
            manifest.closed = Some(sums::of(&self.core.path.join(DATABASE))?);
        }
        manifest.write(&self.core.path)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.committer = None;
        self.watch = None;
        self.core.registrations.stop();
        if let Some(thread) = self.write_behind.take() {
            let _ = thread.join();
        }
        // makes the last backup
        self.schedule = None;
        if self.folder.is_none()
            && let Err(error) = self.close()
        {
            tracing::error!(%error, "the store was not closed cleanly");
        }
    }
}
