//! The only file that works with an open sled: one tree, framed values, errors translated, panics caught, and a flush that really
//! reaches the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::Bound;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use super::digest::{self, Digest};
use super::error::StoreError;
use super::{keys, record, sled_open, space};

pub(super) type Range = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// Payloads by key; `None` removes.
pub(super) type Batch = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Damaged records that are remembered by name.
const DAMAGE_MAX: usize = 1_000;

/// How long sled's threads may take to let go of the file.
const LET_GO: Duration = Duration::from_secs(10);

struct Open {
    tree: sled::Db,
    /// sled's file, to sync it; `None` in a store that may be lost (demos, tests).
    file: Option<File>,
}

/// Why nothing more is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Looked at again with every write, and every second.
    NoRoom(String),
    /// sled met a full disk before we did; it has to be opened anew.
    Stuck(String),
    /// A flush failed: what memory says is then no longer what the disk will say after a restart.
    Broken(String),
}

pub(super) struct Disk {
    folder: PathBuf,
    cache_bytes: u64,
    durable: bool,
    /// `None` while it is opened anew, and when it is closed.
    open: RwLock<Option<Open>>,
    failed: Mutex<Option<Failure>>,
    digest: Mutex<Option<Digest>>,
    damage: Arc<Damage>,
    /// The room that is set aside for opening the store is in use.
    pub(super) ballast_spent: AtomicBool,
    #[cfg(test)]
    pub(super) before_flush: FlushHook,
}

#[cfg(test)]
pub(super) type FlushHook = std::sync::Mutex<Option<Box<dyn FnMut() -> Result<(), String> + Send>>>;

/// Records that turned out to be damaged.
#[derive(Default)]
pub(super) struct Damage(Mutex<BTreeSet<String>>);

impl Damage {
    fn note<T>(&self, found: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Damaged { at, why }) = &found {
            let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if noted.len() < DAMAGE_MAX && noted.insert(at.clone()) {
                tracing::error!(
                    record = at,
                    error = why,
                    "a damaged record: it can't be used until a restart mends the store"
                );
            }
        }
        found
    }

    pub(super) fn records(&self) -> Vec<String> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.iter().cloned().collect()
    }
}

/// A value whose frame has been checked.
pub(super) struct Value {
    framed: sled::IVec,
}

impl Value {
    fn checked(key: &[u8], framed: sled::IVec) -> Result<Self, StoreError> {
        record::unframe(key, &framed)?;
        Ok(Self { framed })
    }

    pub(super) fn payload(&self) -> &[u8] {
        self.framed.get(record::FRAME..).unwrap_or_default()
    }
}

fn translated(at: &str, error: sled::Error) -> StoreError {
    match error {
        // the file ends before what should be in it
        sled::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            StoreError::damaged(at, error.to_string())
        }
        sled::Error::Io(error) => StoreError::Disk(format!("{at}: {error}")),
        other => StoreError::damaged(at, other.to_string()),
    }
}

/// What sled does; that it panics on a page it does not understand is damage, not the end of the thread.
fn guarded<T>(at: impl Fn() -> String, work: impl FnOnce() -> T) -> Result<T, StoreError> {
    std::panic::catch_unwind(AssertUnwindSafe(work))
        .map_err(|_| StoreError::damaged(at(), "the database can't be read there"))
}

fn closed() -> StoreError {
    StoreError::Disk("the database is closed, or being opened anew".to_owned())
}

impl Disk {
    /// Opens or creates the database in `folder`.
    ///
    /// # Errors
    /// In use, not accessible, damaged. sled panics on some kinds of damage; that is an error here too.
    pub(super) fn open(folder: &Path, cache_bytes: u64, durable: bool) -> Result<Self, StoreError> {
        let disk = Self {
            folder: PathBuf::from(folder),
            cache_bytes,
            durable,
            open: RwLock::new(None),
            failed: Mutex::new(None),
            digest: Mutex::new(None),
            damage: Arc::default(),
            ballast_spent: AtomicBool::new(false),
            #[cfg(test)]
            before_flush: FlushHook::default(),
        };
        disk.open_sled()?;
        let sum = disk.read(digest::KEY)?;
        *disk.digest() = sum.and_then(|sum| Digest::read(sum.payload()));
        Ok(disk)
    }

    fn open_sled(&self) -> Result<(), StoreError> {
        let tree = sled_open::open(&self.folder, self.cache_bytes)?;
        let file = match self.durable {
            true => Some(File::open(self.folder.join("db"))?),
            false => None,
        };
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        *open = Some(Open { tree, file });
        Ok(())
    }

    /// Closes the database. True when sled has let go of its file, so that the file stays as it is.
    pub(super) fn close(&self) -> bool {
        let open = self
            .open
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let closed = std::panic::catch_unwind(AssertUnwindSafe(move || drop(open)));
        let Ok(file) = File::open(self.folder.join("db")) else {
            return false;
        };
        let since = Instant::now();
        while file.try_lock().is_err() {
            if since.elapsed() > LET_GO {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        closed.is_ok()
    }

    /// Opens sled anew after a full disk has left it unusable. Unacknowledged writes are gone then, which is what they were told.
    ///
    /// # Errors
    /// It can't be opened yet.
    pub(super) fn open_anew(&self) -> Result<(), StoreError> {
        if !self.close() {
            return Err(closed());
        }
        self.open_sled()?;
        let sum = self.read(digest::KEY)?;
        *self.digest() = sum.and_then(|sum| Digest::read(sum.payload()));
        self.set_failure(None);
        Ok(())
    }

    fn sled(&self) -> RwLockReadGuard<'_, Option<Open>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn digest(&self) -> MutexGuard<'_, Option<Digest>> {
        self.digest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sum over all documents, if the database has one.
    pub(super) fn known_digest(&self) -> Option<Digest> {
        *self.digest()
    }

    /// For a database from before there was a sum.
    pub(super) fn set_digest(&self, digest: Digest) {
        *self.digest() = Some(digest);
    }

    pub(super) fn damaged_records(&self) -> Vec<String> {
        self.damage.records()
    }

    /// Bytes of the database's file.
    pub(super) fn file_size(&self) -> u64 {
        std::fs::metadata(self.folder.join("db")).map_or(0, |file| file.len())
    }

    fn found(&self, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        let open = self.sled();
        let tree = &open.as_ref().ok_or_else(closed)?.tree;
        guarded(|| keys::describe(key), || tree.get(key))?
            .map_err(|e| translated(&keys::describe(key), e))
    }

    /// # Errors
    /// The disk, or a damaged record.
    pub(super) fn read(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        let found = self.found(key);
        let checked = found.and_then(|f| f.map(|framed| Value::checked(key, framed)).transpose());
        self.damage.note(checked)
    }

    pub(super) fn holds(&self, key: &[u8]) -> Result<bool, StoreError> {
        self.damage.note(self.found(key)).map(|f| f.is_some())
    }

    fn scan(&self, begin: impl FnOnce(&sled::Db) -> sled::Iter) -> RawScan {
        let open = self.sled();
        RawScan {
            inner: open.as_ref().map(|open| begin(&open.tree)),
            ascending: true,
            damage: Arc::clone(&self.damage),
        }
    }

    /// Key and value of everything that begins with `prefix`, in key order. The first error is the last item: what sled says
    /// behind a damaged page can't be trusted.
    pub(super) fn prefix(&self, prefix: &[u8]) -> Scan {
        Scan {
            raw: self.raw(prefix),
        }
    }

    /// The same for a range of keys, from either end.
    pub(super) fn range(&self, range: Range, ascending: bool) -> Scan {
        let mut raw = self.scan(|tree| tree.range(range));
        raw.ascending = ascending;
        Scan { raw }
    }

    /// The same for verification: a value whose frame is wrong is an item, not the end.
    pub(super) fn raw(&self, prefix: &[u8]) -> RawScan {
        self.scan(|tree| tree.scan_prefix(prefix))
    }

    /// All of the batch or none of it, for readers and on disk. Not yet on the disk afterwards: [`Disk::flush`].
    ///
    /// # Errors
    /// No room, or the disk, now or in an earlier flush.
    pub(super) fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        self.usable()?;
        let size = |(key, payload): (&Vec<u8>, &Option<Vec<u8>>)| {
            key.len() + payload.as_ref().map_or(0, Vec::len)
        };
        self.room_for(batch.iter().map(size).sum())?;
        let mut writes = sled::Batch::default();
        let counted = batch.keys().any(|key| digest::covers(key));
        // Held until the batch is through, so that the sum moves as the documents do.
        let mut sum = counted.then(|| self.digest());
        let mut after = sum.as_deref().copied().flatten();
        for (key, payload) in batch {
            if let Some(after) = after.as_mut().filter(|_| digest::covers(key))
                && let Some(before) = self.found(key)?
            {
                after.remove(&before);
            }
            match payload {
                Some(payload) => {
                    let framed = record::frame(key, payload);
                    if let Some(after) = after.as_mut().filter(|_| digest::covers(key)) {
                        after.add(&framed);
                    }
                    writes.insert(key.as_slice(), framed);
                }
                None => writes.remove(key.as_slice()),
            }
        }
        if let Some(after) = after {
            writes.insert(
                digest::KEY,
                record::frame(digest::KEY, &after.payload()).as_slice(),
            );
        }
        let open = self.sled();
        let tree = &open.as_ref().ok_or_else(closed)?.tree;
        let at = || "a write".to_owned();
        match guarded(at, || tree.apply_batch(writes)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(self.broken("a write", error)),
            Err(_) => return Err(self.fail(Failure::Broken("a write: sled gave up".to_owned()))),
        }
        if let Some(sum) = sum.as_deref_mut() {
            *sum = after;
        }
        Ok(())
    }

    /// Returns when everything written before is on the disk.
    ///
    /// # Errors
    /// The disk; nothing is accepted afterwards.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        self.usable()?;
        #[cfg(test)]
        if let Ok(mut hook) = self.before_flush.lock()
            && let Some(hook) = hook.as_mut()
        {
            hook().map_err(|why| self.fail(Failure::Broken(why)))?;
        }
        let open = self.sled();
        let open = open.as_ref().ok_or_else(closed)?;
        let Some(file) = &open.file else {
            return Ok(());
        };
        match guarded(|| "a flush".to_owned(), || open.tree.flush()) {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(self.broken("a flush", error)),
            Err(_) => return Err(self.fail(Failure::Broken("a flush: sled gave up".to_owned()))),
        }
        // On Linux sled only calls sync_file_range, which leaves the file's length and the disk's own cache to chance.
        file.sync_data()
            .map_err(|e| self.broken("a sync", sled::Error::Io(e)))
    }

    /// Takes no writes from now on.
    pub(super) fn refuse_writes(&self, why: String) {
        self.set_failure(Some(Failure::Broken(why)));
    }

    fn set_failure(&self, failure: Option<Failure>) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    /// As a bad disk leaves a record.
    #[cfg(test)]
    pub(super) fn rot(&self, key: &[u8]) {
        let open = self.sled();
        let tree = &open.as_ref().unwrap().tree;
        let mut framed = tree.get(key).unwrap().unwrap().to_vec();
        *framed.last_mut().unwrap() ^= 1;
        tree.insert(key, framed).unwrap();
    }

    /// As sled leaves it when it meets a full disk before we do.
    #[cfg(test)]
    pub(super) fn get_stuck(&self) {
        self.set_failure(Some(Failure::Stuck("no space left".to_owned())));
    }

    /// Why nothing is written at present.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether a write of so many bytes fits; notes when that changes.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`]
    pub(super) fn room_for(&self, bytes: usize) -> Result<(), StoreError> {
        if !self.durable {
            return Ok(());
        }
        let aside = match self.ballast_spent.load(Ordering::Relaxed) {
            true => space::lacking_ballast(&self.folder),
            false => 0,
        };
        let lacking = space::room_for(&self.folder, bytes as u64, aside).err();
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*failed, lacking) {
            (Some(Failure::NoRoom(_)), None) => {
                tracing::info!("there is room on the disk again: the store takes writes");
                *failed = None;
                Ok(())
            }
            (_, None) => Ok(()),
            (known, Some(why)) => {
                if known.is_none() {
                    tracing::error!(error = why, "the disk is full: the store takes no writes");
                    *failed = Some(Failure::NoRoom(why.clone()));
                }
                Err(StoreError::DiskFull(why))
            }
        }
    }

    fn usable(&self) -> Result<(), StoreError> {
        match self.failure() {
            // looked at with the write
            None | Some(Failure::NoRoom(_)) => Ok(()),
            Some(Failure::Stuck(why)) => Err(StoreError::DiskFull(why)),
            Some(Failure::Broken(why)) => Err(StoreError::Disk(format!(
                "{why}; restart linefinder when the disk is well"
            ))),
        }
    }

    fn broken(&self, at: &str, error: sled::Error) -> StoreError {
        let why = format!("{at}: {error}");
        match error {
            sled::Error::Io(error) if space::is_full(&error) => self.fail(Failure::Stuck(why)),
            // sled repeats the error of its background threads without its kind
            _ if why.contains("os error 28") || why.contains("os error 122") => {
                self.fail(Failure::Stuck(why))
            }
            _ => self.fail(Failure::Broken(why)),
        }
    }

    fn fail(&self, failure: Failure) -> StoreError {
        let error = match &failure {
            Failure::Broken(why) => StoreError::Disk(why.clone()),
            Failure::NoRoom(why) | Failure::Stuck(why) => StoreError::DiskFull(why.clone()),
        };
        tracing::error!(%error, "the store takes no more writes");
        self.set_failure(Some(failure));
        error
    }
}

/// Whoever opens the folder next must not meet sled's threads.
impl Drop for Disk {
    fn drop(&mut self) {
        if self.sled().is_some() {
            self.close();
        }
    }
}

/// See [`Disk::prefix`].
pub(super) struct Scan {
    raw: RawScan,
}

impl Iterator for Scan {
    type Item = Result<(sled::IVec, Value), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.raw.next()?;
        let checked =
            item.and_then(|(key, framed)| Value::checked(&key, framed).map(|value| (key, value)));
        let checked = self.raw.damage.note(checked);
        if checked.is_err() {
            self.raw.inner = None;
        }
        Some(checked)
    }
}

/// See [`Disk::raw`].
pub(super) struct RawScan {
    inner: Option<sled::Iter>,
    ascending: bool,
    damage: Arc<Damage>,
}

impl Iterator for RawScan {
    type Item = Result<(sled::IVec, sled::IVec), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let inner = self.inner.as_mut()?;
        let next = || match self.ascending {
            true => inner.next(),
            false => inner.next_back(),
        };
        let item = match guarded(|| "a scan".to_owned(), next) {
            Ok(None) => return None,
            Ok(Some(Ok(item))) => return Some(Ok(item)),
            Ok(Some(Err(error))) => Err(translated("a scan", error)),
            Err(error) => Err(error),
        };
        self.inner = None;
        Some(self.damage.note(item))
    }
}
