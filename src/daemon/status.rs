//! One line about the daemon, for `systemctl status` and the log.

use crate::switch::{NodeState, Switch};

/// Where it listens, how many calls there are, and how each node is.
pub(super) fn line(switch: &Switch) -> String {
    let mut parts = Vec::new();
    match switch.listening() {
        Some(address) => parts.push(format!("serving on {address}")),
        None => parts.push("serving parked calls only".to_owned()),
    }
    parts.push(match switch.capacity().live() {
        1 => "1 call".to_owned(),
        calls => format!("{calls} calls"),
    });
    for node in switch.nodes() {
        let state = match &*node.state().borrow() {
            NodeState::Connecting => "connecting".to_owned(),
            NodeState::Live { .. } => "live".to_owned(),
            NodeState::Down { reason, .. } => format!("down: {reason}"),
            NodeState::Stopped => "stopped".to_owned(),
        };
        parts.push(format!("{} {state}", node.name()));
    }
    parts.join(", ")
}
