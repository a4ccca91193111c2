//! How a node's connection is doing, for whoever watches, and when to try again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::settings::Pace;

/// Why there is no connection to the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DownReason {
    /// Nobody answers at its address.
    Unreachable(String),
    /// FreeSWITCH answered `-ERR invalid` to the password.
    WrongPassword,
    /// FreeSWITCH's `apply-inbound-acl` does not list this machine.
    RefusedByAcl,
    /// The peer is something else.
    NotEventSocket(String),
    /// There was one and it broke.
    Lost(String),
    /// The settings can't be used.
    Unusable(String),
}

impl DownReason {
    /// Only an operator can mend it: trying again soon would only fill FreeSWITCH's log.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            DownReason::WrongPassword | DownReason::RefusedByAcl | DownReason::Unusable(_)
        )
    }
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DownReason::Unreachable(why) => {
                write!(f, "{why}; is FreeSWITCH running and mod_event_socket loaded?")
            }
            DownReason::WrongPassword => f.write_str(
                "FreeSWITCH refuses the password; compare it with event_socket.conf.xml",
            ),
            DownReason::RefusedByAcl => f.write_str(
                "FreeSWITCH refuses this machine's address; add it to the list that apply-inbound-acl names in event_socket.conf.xml",
            ),
            DownReason::NotEventSocket(what) => {
                write!(f, "{what}; expected FreeSWITCH's event socket at this address")
            }
            DownReason::Lost(why) => write!(f, "the connection was lost: {why}"),
            DownReason::Unusable(why) => f.write_str(why),
        }
    }
}

/// Where a node's connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeState {
    /// Not tried yet, or being tried.
    Connecting,
    /// Authenticated, subscribed and in step with what the node holds.
    Live { core: Arc<str> },
    /// Down; the next attempt comes after `retry_in`.
    Down {
        reason: DownReason,
        retry_in: Duration,
    },
    /// Stopped by us.
    Stopped,
}

impl NodeState {
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self, NodeState::Live { .. })
    }
}

/// Doubling with full jitter. Goes back to the beginning only after a connection that lasted:
/// starting over at every connect has melted nodes that accept and then reject.
#[derive(Debug)]
pub(super) struct Backoff {
    pace: Pace,
    failures: u32,
}

impl Backoff {
    pub(super) fn new(pace: Pace) -> Backoff {
        Backoff { pace, failures: 0 }
    }

    /// Waiting after a connection that lasted `up`; `jitter` is 0..1.
    pub(super) fn after(&mut self, reason: &DownReason, up: Duration, jitter: f64) -> Duration {
        if reason.is_refusal() {
            return self.pace.refused;
        }
        if up >= self.pace.healthy {
            self.failures = 0;
        }
        let doubled = 2_u32.saturating_pow(self.failures.min(16));
        let most = self
            .pace
            .backoff_first
            .saturating_mul(doubled)
            .min(self.pace.backoff_most);
        self.failures = self.failures.saturating_add(1);
        most.mul_f64(jitter.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> DownReason {
        DownReason::Lost("test".into())
    }

    #[test]
    fn doubles_up_to_its_limit() {
        let mut backoff = Backoff::new(Pace::default());
        let waits: Vec<u128> = (0..9)
            .map(|_| backoff.after(&lost(), Duration::ZERO, 1.0).as_millis())
            .collect();
        assert_eq!(
            waits,
            [250, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]
        );
    }

    #[test]
    fn starts_over_only_after_a_healthy_connection() {
        let mut backoff = Backoff::new(Pace::default());
        for _ in 0..5 {
            backoff.after(&lost(), Duration::ZERO, 1.0);
        }
        let short = backoff.after(&lost(), Duration::from_secs(29), 1.0);
        assert_eq!(short, Duration::from_secs(8));
        let healthy = backoff.after(&lost(), Duration::from_secs(30), 1.0);
        assert_eq!(healthy, Duration::from_millis(250));
    }

    #[test]
    fn refusals_are_not_hammered() {
        let mut backoff = Backoff::new(Pace::default());
        for reason in [DownReason::WrongPassword, DownReason::RefusedByAcl] {
            let wait = backoff.after(&reason, Duration::ZERO, 0.0);
            assert_eq!(wait, Duration::from_secs(60));
        }
    }
}
