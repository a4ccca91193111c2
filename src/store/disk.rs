//! The only file that knows sled: one tree, framed values, errors translated, and a flush that really reaches the disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Bound;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::error::StoreError;
use super::{keys, record};

/// How often sled looks for garbage and writes what nobody waits for (registrations), in milliseconds. Each round costs an fsync, so that
/// sled's half second would keep an idle disk awake for nothing.
const BACKGROUND_FLUSH_MS: u64 = 2_000;

pub(super) type Range = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// Payloads by key; `None` removes.
pub(super) type Batch = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

pub(super) struct Disk {
    tree: sled::Db,
    /// sled's file, to sync it; `None` in a store that may be lost (demos, tests).
    file: Option<File>,
    /// Set when a flush failed: what memory says is then no longer what the disk will say after a restart, so nothing more is accepted.
    failed: OnceLock<String>,
    #[cfg(test)]
    pub(super) before_flush: FlushHook,
}

#[cfg(test)]
pub(super) type FlushHook = std::sync::Mutex<Option<Box<dyn FnMut() -> Result<(), String> + Send>>>;

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
        sled::Error::Io(error) => StoreError::Disk(format!("{at}: {error}")),
        other => StoreError::damaged(at, other.to_string()),
    }
}

impl Disk {
    /// Opens or creates the database in `folder`.
    ///
    /// # Errors
    /// In use, not accessible, damaged. sled panics on some kinds of damage; that is an error here too.
    pub(super) fn open(folder: &Path, cache_bytes: u64, durable: bool) -> Result<Self, StoreError> {
        let path = || PathBuf::from(folder);
        let config = sled::Config::new()
            .path(folder)
            .cache_capacity(cache_bytes)
            .flush_every_ms(Some(BACKGROUND_FLUSH_MS));
        let opened = std::panic::catch_unwind(AssertUnwindSafe(|| config.open()));
        let tree = match opened {
            Ok(Ok(tree)) => tree,
            // sled has no variant of its own for this
            Ok(Err(sled::Error::Io(error))) if error.to_string().contains("acquire lock") => {
                return Err(StoreError::Locked { path: path() });
            }
            Ok(Err(sled::Error::Io(error))) => {
                return Err(StoreError::Open {
                    path: path(),
                    why: error.to_string(),
                });
            }
            Ok(Err(error)) => {
                return Err(StoreError::damaged(
                    folder.display().to_string(),
                    error.to_string(),
                ));
            }
            Err(_) => {
                return Err(StoreError::damaged(
                    folder.display().to_string(),
                    "the database can't be read",
                ));
            }
        };
        let file = durable.then(|| File::open(folder.join("db"))).transpose()?;
        Ok(Self {
            tree,
            file,
            failed: OnceLock::new(),
            #[cfg(test)]
            before_flush: FlushHook::default(),
        })
    }

    /// # Errors
    /// The disk, or a damaged record.
    pub(super) fn read(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        let found = self
            .tree
            .get(key)
            .map_err(|e| translated(&keys::describe(key), e))?;
        found.map(|framed| Value::checked(key, framed)).transpose()
    }

    pub(super) fn holds(&self, key: &[u8]) -> Result<bool, StoreError> {
        self.tree
            .contains_key(key)
            .map_err(|e| translated(&keys::describe(key), e))
    }

    /// Key and value of everything that begins with `prefix`, in key order. The first error is the last item: what sled says
    /// behind a damaged page can't be trusted.
    pub(super) fn prefix(&self, prefix: &[u8]) -> Scan {
        Scan {
            inner: Some(self.tree.scan_prefix(prefix)),
            ascending: true,
        }
    }

    /// The same for a range of keys, from either end.
    pub(super) fn range(&self, range: Range, ascending: bool) -> Scan {
        Scan {
            inner: Some(self.tree.range(range)),
            ascending,
        }
    }

    /// The same for verification: a value whose frame is wrong is an item, not the end.
    pub(super) fn raw(&self, prefix: &[u8]) -> RawScan {
        RawScan {
            inner: Some(self.tree.scan_prefix(prefix)),
        }
    }

    /// All of the batch or none of it, for readers and on disk. Not yet on the disk afterwards: [`Disk::flush`].
    ///
    /// # Errors
    /// The disk, now or in an earlier flush.
    pub(super) fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        self.usable()?;
        let mut writes = sled::Batch::default();
        for (key, payload) in batch {
            match payload {
                Some(payload) => writes.insert(key.as_slice(), record::frame(key, payload)),
                None => writes.remove(key.as_slice()),
            }
        }
        self.tree
            .apply_batch(writes)
            .map_err(|e| self.broken(format!("a write: {e}")))
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
            hook().map_err(|why| self.broken(why))?;
        }
        let Some(file) = &self.file else {
            return Ok(());
        };
        self.tree
            .flush()
            .map_err(|e| self.broken(format!("a flush: {e}")))?;
        // On Linux sled only calls sync_file_range, which leaves the file's length and the disk's own cache to chance.
        file.sync_data()
            .map_err(|e| self.broken(format!("a sync: {e}")))
    }

    fn usable(&self) -> Result<(), StoreError> {
        match self.failed.get() {
            None => Ok(()),
            Some(why) => Err(StoreError::Disk(format!(
                "{why}; restart linefinder when the disk is well"
            ))),
        }
    }

    fn broken(&self, why: String) -> StoreError {
        tracing::error!(error = %why, "the store takes no more writes");
        let _ = self.failed.set(why.clone());
        StoreError::Disk(why)
    }
}

/// See [`Disk::prefix`].
pub(super) struct Scan {
    inner: Option<sled::Iter>,
    ascending: bool,
}

impl Iterator for Scan {
    type Item = Result<(sled::IVec, Value), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let inner = self.inner.as_mut()?;
        let item = match self.ascending {
            true => inner.next(),
            false => inner.next_back(),
        };
        let checked = match item {
            None => None,
            Some(Err(error)) => Some(Err(translated("a scan", error))),
            Some(Ok((key, framed))) => Some(Value::checked(&key, framed).map(|value| (key, value))),
        };
        if !matches!(checked, Some(Ok(_))) {
            self.inner = None;
        }
        checked
    }
}

/// See [`Disk::raw`].
pub(super) struct RawScan {
    inner: Option<sled::Iter>,
}

impl Iterator for RawScan {
    type Item = Result<(sled::IVec, sled::IVec), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.inner.as_mut()?.next() {
            Some(Ok(item)) => Some(Ok(item)),
            Some(Err(error)) => {
                self.inner = None;
                Some(Err(translated("a scan", error)))
            }
            None => None,
        }
    }
}
