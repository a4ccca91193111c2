//! Tasks that the daemon needs for the rest of its life: one that panics is begun anew.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

/// Before a task is begun anew.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// Runs what `begin` makes until it ends by itself, and once more whenever it panics, until `shutdown`. A fault in our
/// code must not leave carriers, gateways or units unattended until somebody restarts the daemon.
pub(super) async fn supervised<F>(
    what: &'static str,
    shutdown: CancellationToken,
    mut begin: impl FnMut() -> F,
) where
    F: Future<Output = ()>,
{
    loop {
        // (What begins it may be at fault as well.)
        let task = AssertUnwindSafe(async { begin().await }).catch_unwind();
        let Err(panic) = task.await else {
            return;
        };
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let error = text.or_else(|| panic.downcast_ref::<String>().cloned());
        tracing::error!(
            task = what,
            error = error.as_deref().unwrap_or("no message"),
            "a task panicked, which is a fault of linefinder; it is begun anew"
        );
        metrics::counter!("linefinder_panics_total", "task" => what).increment(1);
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(AFTER_PANIC) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_begun_anew() {
        let begun = Cell::new(0);
        supervised("test", CancellationToken::new(), || {
            begun.set(begun.get() + 1);
            let turn = begun.get();
            async move {
                tokio::task::yield_now().await;
                assert!(turn > 2, "not yet");
            }
        })
        .await;
        assert_eq!(begun.get(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_daemon_that_stops_begins_nothing() {
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        let begun = Cell::new(0);
        supervised("test", shutdown, || {
            begun.set(begun.get() + 1);
            async { panic!("at once") }
        })
        .await;
        assert_eq!(begun.get(), 1);
    }
}
