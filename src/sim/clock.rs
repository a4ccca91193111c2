//! The node's time. It follows tokio's clock, so that a test which pauses time pauses the node too.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Wall-clock microseconds counted from one reading of the system clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started: Instant,
    epoch_us: u64,
}

impl Clock {
    pub(super) fn start() -> Clock {
        let epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Clock {
            started: Instant::now(),
            epoch_us: u64::try_from(epoch.as_micros()).unwrap_or_default(),
        }
    }

    /// Microseconds since 1970, as in `Event-Date-Timestamp`.
    pub(super) fn now_us(&self) -> u64 {
        let up = u64::try_from(self.up().as_micros()).unwrap_or(u64::MAX);
        self.epoch_us.saturating_add(up)
    }

    pub(super) fn up(&self) -> Duration {
        self.started.elapsed()
    }
}

/// `2026-11-21 19:24:24` and `Sat, 21 Nov 2026 19:24:24 GMT`, as in `Event-Date-Local` and `Event-Date-GMT`.
/// The simulated node lives in UTC.
pub(super) fn dates(us: u64) -> (String, String) {
    let stamp = i64::try_from(us)
        .ok()
        .and_then(|us| jiff::Timestamp::from_microsecond(us).ok())
        .unwrap_or_default();
    (
        stamp.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        stamp.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
    )
}

/// `2026-11-21 19:24:24`, or an empty text for a moment that has not come.
pub(super) fn stamp(us: u64) -> String {
    if us == 0 { String::new() } else { dates(us).0 }
}

/// `0 years, 0 days, 0 hours, 5 minutes, 39 seconds, 557 milliseconds, 898 microseconds`, as in `status`.
pub(super) fn uptime_text(up: Duration) -> String {
    let seconds = up.as_secs();
    let days = seconds / 86_400;
    format!(
        "{} years, {} days, {} hours, {} minutes, {} seconds, {} milliseconds, {} microseconds",
        days / 365,
        days % 365,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        up.subsec_millis(),
        up.subsec_micros() % 1000,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_recorded() {
        let (local, gmt) = dates(1_795_288_108_462_432);
        assert_eq!(local, "2026-11-21 19:08:28");
        assert_eq!(gmt, "Sat, 21 Nov 2026 19:08:28 GMT");
        assert_eq!(stamp(0), "");
    }

    #[test]
    fn uptime_is_written_as_recorded() {
        let up = Duration::from_micros(339_557_898);
        assert_eq!(
            uptime_text(up),
            "0 years, 0 days, 0 hours, 5 minutes, 39 seconds, 557 milliseconds, 898 microseconds"
        );
    }
}
