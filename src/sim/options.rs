//! What a simulated node is like.

use std::net::SocketAddr;
use std::time::Duration;

use super::PhoneScript;

/// Settings of a simulated node. The default is a node as the recordings show one, on a free port.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// `FreeSWITCH-Switchname`.
    pub name: String,
    /// Where it listens for event-socket clients; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Password of the event socket.
    pub password: String,
    /// Every client fails the address list: `text/rude-rejection`, then the end (capture fact 49).
    pub refuse_addresses: bool,
    /// How many times faster than life phones, callers, prompts and ring timers run. The timers that
    /// protect a handoff and the event socket's own stay as they are: the daemon lives in real time.
    pub speed: f64,
    /// Interval of HEARTBEAT; FreeSWITCH's default is 20 s.
    pub heartbeat: Duration,
    /// How long a handoff may stay unclaimed before the fallback takes the call.
    pub fallback_after: Duration,
    /// Between a queued command and its execution: a parked leg looks at its queue every 20 ms (capture fact 30).
    pub tick: Duration,
    /// `Max-Sessions`; a call beyond it is refused with SWITCH_CONGESTION, as FreeSWITCH does.
    pub max_sessions: usize,
    /// Keep several registrations of one user; off, a second phone replaces the first in silence (capture fact 28).
    pub multiple_registrations: bool,
    /// How a dialled address behaves for which no phone was made. None: USER_NOT_REGISTERED.
    pub any_phone: Option<PhoneScript>,
    /// How long the node waits for a client's first command: 25 s (capture facts 5 and 42).
    pub first_command: Duration,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self {
            name: "fs1".to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            password: "ClueCon".to_owned(),
            refuse_addresses: false,
            speed: 1.0,
            heartbeat: Duration::from_secs(20),
            fallback_after: Duration::from_secs(3),
            tick: Duration::from_millis(20),
            max_sessions: 100_000,
            multiple_registrations: true,
            any_phone: None,
            first_command: Duration::from_secs(25),
        }
    }
}

impl NodeOptions {
    /// A simulated duration in this node's time.
    pub(super) fn scaled(&self, duration: Duration) -> Duration {
        if self.speed > 0.0 && self.speed.is_finite() {
            duration.div_f64(self.speed)
        } else {
            duration
        }
    }
}
