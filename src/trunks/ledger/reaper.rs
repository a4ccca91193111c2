//! Looks after units that no task looks after: their legs may be gone without a word.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Ledger;
use crate::switch::Switch;

/// Between two rounds; a leg has to be unknown for a minute.
const ROUND: Duration = Duration::from_secs(15);

/// Asks the nodes for the legs of units that nobody looks after, and frees those of legs that are
/// gone, until `shutdown`.
pub async fn reap(ledger: Ledger, switch: Switch, shutdown: CancellationToken) {
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = rounds.tick() => {}
        }
        look(&ledger, &switch).await;
        let freed = ledger.expire(Instant::now());
        if freed > 0 {
            tracing::warn!(
                freed,
                "trunk units were freed whose calls no node has any more"
            );
        }
    }
}

async fn look(ledger: &Ledger, switch: &Switch) {
    for (node, call) in ledger.unattended() {
        let Some(node) = switch.node(&node) else {
            continue;
        };
        // A node that does not answer says nothing about its calls.
        if let Ok(answer) = node.api("uuid_exists", call.as_str()).await {
            match answer.as_str() {
                "true" => ledger.looked(&call, true, Instant::now()),
                "false" => ledger.looked(&call, false, Instant::now()),
                _ => {}
            }
        }
    }
}
