//! One line about the daemon, for `systemctl status` and the log.

use crate::store::Health;
use crate::switch::{NodeState, Switch};

/// What an operator should know of the store; nothing while it is well.
fn of_store(health: &Health) -> Option<&'static str> {
    match health {
        Health::Healthy => None,
        Health::Rebuilt(_) => Some("the store was damaged and has been built anew (see the log)"),
        Health::Damaged { .. } => {
            Some("the store has damaged records (see the log; restart to mend)")
        }
        Health::DiskFull { .. } => Some("the disk is full: nothing can be changed"),
        Health::ReadOnly { .. } => Some("the disk fails: nothing can be changed"),
    }
}

/// Where it listens, how many calls there are, how each node is, and what is wrong with the store.
pub(super) fn line(switch: &Switch, store: &Health) -> String {
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
    parts.extend(of_store(store).map(str::to_owned));
    parts.join(", ")
}
