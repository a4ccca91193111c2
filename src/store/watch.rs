//! Waits for room while the disk is full, and then lets writes go on.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::core::Core;
use super::disk::Failure;
use super::error::StoreError;
use super::fresh::DATABASE;
use super::open::number;
use super::{keys, space};

/// How often there is a look.
const EVERY: Duration = Duration::from_secs(1);

/// Looks between two looks at the ballast.
const BALLAST_EVERY: u32 = 60;

#[derive(Default)]
struct Stop {
    asked: Mutex<bool>,
    changed: Condvar,
}

/// The thread. It ends when this is dropped.
pub(super) struct Watch {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// `keeps_ballast`: for a store that is opened again and again.
    pub(super) fn start(core: Arc<Core>, keeps_ballast: bool) -> Result<Self, StoreError> {
        let stop = Arc::new(Stop::default());
        let asked = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("store-watch".to_owned())
            .spawn(move || {
                let mut looks = 0_u32;
                let ballast = || space::lay_ballast(&core.path, &core.path.join(DATABASE));
                loop {
                    let spent = &core.disk.ballast_spent;
                    let due = spent.load(Ordering::Relaxed) || looks.is_multiple_of(BALLAST_EVERY);
                    if keeps_ballast && due && ballast() {
                        spent.store(false, Ordering::Relaxed);
                    }
                    looks = looks.wrapping_add(1);
                    let guard = asked.asked.lock().unwrap_or_else(PoisonError::into_inner);
                    let (guard, _) = asked
                        .changed
                        .wait_timeout_while(guard, EVERY, |stop| !*stop)
                        .unwrap_or_else(PoisonError::into_inner);
                    if *guard {
                        return;
                    }
                    drop(guard);
                    look(&core);
                }
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        *self
            .stop
            .asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn look(core: &Core) {
    match core.disk.failure() {
        Some(Failure::NoRoom(_)) if core.disk.room_for(0).is_ok() => core.registrations.note_all(),
        Some(Failure::Stuck(_)) if space::room_for(&core.path, 0, 0).is_ok() => {
            match open_anew(core) {
                Ok(()) => {
                    core.registrations.note_all();
                    tracing::info!("there is room on the disk again: the store takes writes");
                }
                Err(error) => {
                    tracing::error!(%error, "there is room again, but the store can't go on yet");
                }
            }
        }
        _ => {}
    }
}

fn open_anew(core: &Core) -> Result<(), StoreError> {
    let mut door = core.door();
    core.disk.open_anew()?;
    // What was not acknowledged is gone.
    door.sequence = number(&core.disk, keys::SEQUENCE)?;
    core.reached(door.sequence);
    core.generations.raise_all();
    Ok(())
}
