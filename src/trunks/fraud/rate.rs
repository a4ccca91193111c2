//! How many of something happened within the last while, in constant memory.

use std::time::Duration;

use tokio::time::Instant;

/// Counts of the present and the last window; the last one's share fades as the present one fills.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rate {
    window: u64,
    present: u32,
    last: u32,
}

impl Rate {
    /// Turns to the window of this moment; returns how many milliseconds of it are left.
    fn turn(&mut self, since: Duration, length_ms: u64) -> u64 {
        let ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let window = ms / length_ms;
        if window != self.window {
            self.last = if window == self.window + 1 {
                self.present
            } else {
                0
            };
            self.present = 0;
            self.window = window;
        }
        length_ms - ms % length_ms
    }

    /// How many there were within `length` before `now`, about. `origin` fixes where windows begin.
    pub(super) fn count(&mut self, origin: Instant, now: Instant, length: Duration) -> u32 {
        let length_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX).max(1);
        let left = self.turn(now.saturating_duration_since(origin), length_ms);
        let faded = u64::from(self.last).saturating_mul(left) / length_ms;
        let faded = u32::try_from(faded).unwrap_or(self.last);
        self.present.saturating_add(faded)
    }

    pub(super) fn add(&mut self) {
        self.present = self.present.saturating_add(1);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.present == 0 && self.last == 0
    }
}
