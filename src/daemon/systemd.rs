//! What systemd is told: ready, alive, stopping. Without systemd nobody listens, and nothing happens.

use std::sync::mpsc;
use std::time::Duration;

use sd_notify::NotifyState;

/// How often systemd is asked for more time, and for how much, in microseconds.
const ASK_EVERY: Duration = Duration::from_secs(10);
const PATIENCE_US: u32 = 60_000_000;

/// The service manager's side of a `Type=notify` unit.
pub struct Systemd {
    /// There is somebody to tell.
    listens: bool,
    /// How long it waits for a sign of life; None: it does not watch.
    watchdog: Option<Duration>,
}

impl Systemd {
    /// What the environment says of the service manager.
    #[must_use]
    pub fn from_environment() -> Self {
        Self {
            listens: true,
            watchdog: sd_notify::watchdog_enabled(),
        }
    }

    /// For a daemon that is not a service, such as the demo's: nobody is told.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            listens: false,
            watchdog: None,
        }
    }

    pub fn ready(&self, status: &str) {
        self.tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    pub fn status(&self, status: &str) {
        self.tell(&[NotifyState::Status(status)]);
    }

    pub fn stopping(&self, status: &str) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
    }

    /// There was progress.
    pub fn alive(&self) {
        if self.watchdog.is_some() {
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    /// Does something that may take longer than systemd waits for a start or a stop, and asks it for patience meanwhile.
    pub fn patiently<T>(&self, work: impl FnOnce() -> T) -> T {
        let (done, waiting) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while waiting.recv_timeout(ASK_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
                    self.tell(&[NotifyState::ExtendTimeoutUsec(PATIENCE_US)]);
                }
            });
            let result = work();
            drop(done);
            result
        })
    }

    /// How often to look for progress: thrice within the watchdog's time, so that one late look is no death.
    #[must_use]
    pub fn look_every(&self) -> Duration {
        let third = self.watchdog.map(|limit| limit / 3);
        third
            .unwrap_or(Duration::from_secs(10))
            .clamp(Duration::from_millis(10), Duration::from_secs(10))
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        if !self.listens {
            return;
        }
        // A socket that refuses is worth a line; no socket is the usual case outside systemd and no error.
        if let Err(error) = sd_notify::notify(states) {
            tracing::warn!(%error, "systemd can't be told");
        }
    }
}
