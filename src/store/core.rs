//! What all clones of a store, and its threads, share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::cache::{Cache, Generations};
use super::disk::{Batch, Disk};
use super::error::StoreError;
use super::lookups::Lookup;
use super::reads::Decoded;
use super::registrations::Registrations;
use super::settings::StoreSettings;
use super::{attached, backup, keys};

/// Look-ups held for each document held: an address, a number or an owner list is asked for as often as a document.
const LOOKUPS_PER_DOCUMENT: usize = 2;

/// Whoever holds it is the only writer.
pub(super) struct Door {
    /// Of the last write.
    pub sequence: u64,
}

pub(super) struct Core {
    pub(super) disk: Disk,
    pub(super) generations: Arc<Generations>,
    pub(super) documents: Cache<Decoded>,
    pub(super) lookups: Cache<Lookup>,
    pub(super) registrations: Registrations,
    pub(super) path: PathBuf,
    /// Folder of the files that documents name.
    pub(super) files: PathBuf,
    pub(super) backups: PathBuf,
    /// Writes of each document that its history keeps.
    pub(super) history_kept: u64,
    door: Mutex<Door>,
    /// Whoever holds it makes a backup: two at once would write the same files.
    backup: Mutex<()>,
    /// Number of the last write that readers can see.
    last: AtomicU64,
    /// Number of the last write, told when it is on the disk.
    changes: watch::Sender<u64>,
}

impl Core {
    pub(super) fn new(disk: Disk, settings: &StoreSettings, sequence: u64) -> Self {
        let cache_documents = settings.cache_documents;
        let generations = Arc::new(Generations::new());
        let lookups = cache_documents.saturating_mul(LOOKUPS_PER_DOCUMENT);
        Self {
            disk,
            documents: Cache::new(cache_documents, Arc::clone(&generations)),
            lookups: Cache::new(lookups, Arc::clone(&generations)),
            generations,
            registrations: Registrations::default(),
            path: settings.path.clone(),
            files: attached::folder_of(settings),
            backups: backup::folder_of(settings),
            history_kept: settings.history,
            door: Mutex::new(Door { sequence }),
            backup: Mutex::default(),
            last: AtomicU64::new(sequence),
            changes: watch::Sender::new(sequence),
        }
    }

    /// Waits until no other writer is inside. A writer that panicked left nothing half done: a batch is written as a whole.
    pub(super) fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no other backup is being made.
    pub(super) fn alone_in_backups(&self) -> MutexGuard<'_, ()> {
        self.backup.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of the last write; waits for nobody.
    pub(super) fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// Takes note that readers see the writes up to `sequence`.
    pub(super) fn reached(&self, sequence: u64) {
        self.last.store(sequence, Ordering::Release);
    }

    /// Tells followers that all writes so far are on the disk.
    pub(super) fn announce(&self) {
        let last = self.last();
        self.changes.send_if_modified(|known| {
            let news = *known < last;
            *known = (*known).max(last);
            news
        });
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Writes a batch and voids what was cached about its keys. On the disk only after a flush.
    ///
    /// # Errors
    /// The disk.
    pub(super) fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        let written = self.disk.write(batch);
        for key in batch.keys() {
            if matches!(
                key.first(),
                Some(b'l' | b'm' | b'c' | b'r' | b'h' | b'x' | b'k')
            ) {
                continue;
            }
            self.generations.raise(key);
            let asked = keys::asked_by(key);
            if asked.len() < key.len() {
                self.generations.raise(asked);
            }
        }
        written
    }
}
