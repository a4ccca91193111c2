//! How many calls there are, how many there may be, and whether anything still moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Counters that the operator sees and the gate for new calls. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Capacity(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    live: AtomicUsize,
    accepted: AtomicU64,
    refused: AtomicU64,
    overflowed: AtomicU64,
    freed: Notify,
    filled: Notify,
    started: Instant,
    /// Milliseconds after `started`.
    progress: AtomicU64,
}

impl Capacity {
    #[must_use]
    pub fn new(most_calls: usize) -> Capacity {
        Capacity(Arc::new(Shared {
            most: most_calls.max(1),
            live: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            overflowed: AtomicU64::new(0),
            freed: Notify::new(),
            filled: Notify::new(),
            started: Instant::now(),
            progress: AtomicU64::new(0),
        }))
    }

    /// Calls under control now, those in their handshake included.
    #[must_use]
    pub fn live(&self) -> usize {
        self.0.live.load(Ordering::Relaxed)
    }

    /// Calls that were handed to us and claimed, since the start.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.0.accepted.load(Ordering::Relaxed)
    }

    /// Calls that we left to their fallback, since the start.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Calls whose mailbox overflowed, since the start.
    #[must_use]
    pub fn overflowed(&self) -> u64 {
        self.0.overflowed.load(Ordering::Relaxed)
    }

    /// When a connection was last served; for a watchdog that is fed by progress.
    #[must_use]
    pub fn last_progress(&self) -> Instant {
        let after = Duration::from_millis(self.0.progress.load(Ordering::Relaxed));
        self.0.started + after
    }

    pub(crate) fn progressed(&self) {
        let now = u64::try_from(self.0.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.progress.store(now, Ordering::Relaxed);
    }

    pub(crate) fn count_accepted(&self) {
        self.0.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_refused(&self) {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_overflow(&self) {
        self.0.overflowed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.live() >= self.0.most
    }

    /// A place for a call, if there is one.
    pub(crate) fn place(&self) -> Option<CallPlace> {
        let take = |live: usize| (live < self.0.most).then_some(live + 1);
        let taken = self
            .0
            .live
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.ok()?;
        Some(self.taken())
    }

    /// A place for a call that is here already and must be served.
    pub(crate) fn place_beyond(&self) -> CallPlace {
        self.0.live.fetch_add(1, Ordering::Relaxed);
        self.taken()
    }

    fn taken(&self) -> CallPlace {
        if self.is_full() {
            self.0.filled.notify_waiters();
        }
        CallPlace(Arc::clone(&self.0))
    }

    /// Resolves when there is no place left.
    pub(crate) async fn full(&self) {
        loop {
            let filled = self.0.filled.notified();
            if self.is_full() {
                return;
            }
            filled.await;
        }
    }

    /// Resolves when a tenth of the places is free again, so that a daemon at its limit does
    /// not close and open its listener for every call.
    pub(crate) async fn roomy(&self) {
        let enough = self.0.most - (self.0.most / 10).max(1);
        loop {
            let freed = self.0.freed.notified();
            if self.live() <= enough {
                return;
            }
            freed.await;
        }
    }
}

/// One call's place; free again when dropped.
#[derive(Debug)]
pub(crate) struct CallPlace(Arc<Shared>);

impl Drop for CallPlace {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::Relaxed);
        self.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_taken_once_and_comes_back() {
        let capacity = Capacity::new(2);
        let first = capacity.place().unwrap();
        let second = capacity.place().unwrap();
        assert!(capacity.place().is_none());
        assert!(capacity.is_full());
        let waiter = tokio::spawn({
            let capacity = capacity.clone();
            async move { capacity.roomy().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        drop(first);
        waiter.await.unwrap();
        drop(second);
        assert_eq!(capacity.live(), 0);
    }
}
