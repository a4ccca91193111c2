//! Backups by themselves: on a schedule, when something changed, and when the store is closed.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::super::core::Core;
use super::super::error::StoreError;
use super::super::settings::StoreSettings;
use super::files;
use super::write::{Pace, create};

/// After a backup that failed: a full disk may have room again.
const AGAIN: Duration = Duration::from_secs(60);

/// The longest breath between two steps.
const BREATH_MAX: Duration = Duration::from_millis(50);

struct Plan {
    core: Arc<Core>,
    store_id: String,
    folder: PathBuf,
    every: Duration,
    keep: usize,
    stop: Mutex<bool>,
    changed: Condvar,
}

/// The thread that makes the backups.
pub(in super::super) struct Schedule {
    plan: Arc<Plan>,
    thread: Option<JoinHandle<()>>,
}

/// A backup takes as long again as it would: calls come first, on one core too.
impl Pace for Plan {
    fn breathe(&self, took: Duration) {
        let stop = self.stopping();
        if *stop {
            return;
        }
        let breath = took.min(BREATH_MAX);
        let _ = self.changed.wait_timeout_while(stop, breath, |stop| !*stop);
    }
}

impl Plan {
    fn stopping(&self) -> MutexGuard<'_, bool> {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let known = files::of_store(&self.folder, &self.store_id);
        let mut saved = known.iter().map(|file| file.footer.sequence).max();
        let age = known.first().and_then(|file| {
            let time: jiff::Timestamp = file.header.time.parse().ok()?;
            Duration::try_from(jiff::Timestamp::now().duration_since(time)).ok()
        });
        let mut wait = self.every.saturating_sub(age.unwrap_or(Duration::MAX));
        loop {
            let stop = self.stopping();
            let (stop, _) = self
                .changed
                .wait_timeout_while(stop, wait, |stop| !*stop)
                .unwrap_or_else(PoisonError::into_inner);
            let last = *stop;
            drop(stop);
            wait = self.every;
            let sequence = self.core.door().sequence;
            // an empty store is no loss
            if saved.unwrap_or(0) != sequence {
                match self.make() {
                    Ok(sequence) => saved = Some(sequence),
                    Err(error) => {
                        let folder = self.folder.display();
                        tracing::error!(%error, %folder, "no backup was made");
                        wait = AGAIN.min(self.every);
                    }
                }
            }
            if last {
                return;
            }
        }
    }

    fn make(&self) -> Result<u64, StoreError> {
        let since = Instant::now();
        let made = create(&self.core, &self.store_id, &self.folder, self.keep, self)?;
        tracing::info!(
            backup = %made.path.display(),
            documents = made.footer.documents,
            sequence = made.footer.sequence,
            elapsed_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
            "backup made"
        );
        Ok(made.footer.sequence)
    }
}

impl Schedule {
    /// # Errors
    /// No thread.
    pub(in super::super) fn start(
        core: Arc<Core>,
        store_id: String,
        settings: &StoreSettings,
    ) -> Result<Self, StoreError> {
        let plan = Arc::new(Plan {
            core,
            store_id,
            folder: files::folder_of(settings),
            every: Duration::from_secs(settings.backup_every_s),
            keep: settings.backup_keep,
            stop: Mutex::new(false),
            changed: Condvar::new(),
        });
        let runs = Arc::clone(&plan);
        let thread = std::thread::Builder::new()
            .name("store-backup".to_owned())
            .spawn(move || runs.run())?;
        Ok(Self {
            plan,
            thread: Some(thread),
        })
    }
}

/// Makes the last backup, if something changed since the one before.
impl Drop for Schedule {
    fn drop(&mut self) {
        *self.plan.stopping() = true;
        self.plan.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
