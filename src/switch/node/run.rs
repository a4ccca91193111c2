//! A node's life: connect, be in step, lose the connection, wait, connect again.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;

use super::super::call::CallError;
use super::super::context::Context;
use super::handle::Node;
use super::session::{self, End};
use super::state::{Backoff, DownReason, NodeState};

/// Before a node's task is started again that panicked.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// [`keep`], begun anew when it panics: a fault in our code must not cost the node for the rest of the
/// daemon's life. What the connection held is let go as after any lost one.
pub(crate) async fn run(node: Node, context: Arc<Context>, delay: Duration) {
    let mut delay = delay;
    loop {
        let kept = keep(&node, Arc::clone(&context), delay);
        let Err(panic) = AssertUnwindSafe(kept).catch_unwind().await else {
            return;
        };
        let error = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned());
        tracing::error!(
            node = %node.name(),
            error = error.as_deref().unwrap_or("no message"),
            "the node's task panicked, which is a fault of linefinder; it is started again"
        );
        let why = "a fault of linefinder ended the connection";
        give_up(&node, &context, why);
        node.0.state.send_replace(NodeState::Down {
            reason: DownReason::Lost(why.to_owned()),
            retry_in: AFTER_PANIC,
        });
        delay = AFTER_PANIC;
    }
}

/// Keeps the node connected until `context.stop_now`. `delay` staggers nodes that start
/// together: FreeSWITCH listens with a backlog of 5 (esl spec 3.1).
async fn keep(node: &Node, context: Arc<Context>, delay: Duration) {
    let mut backoff = Backoff::new(node.0.settings.pace);
    let mut wait = delay;
    loop {
        tokio::select! {
            biased;
            () = context.stop_now.cancelled() => break,
            () = tokio::time::sleep(wait) => {}
        }
        context.capacity.progressed();
        node.0.state.send_replace(NodeState::Connecting);
        let started = Instant::now();
        let End { reason, was_live } = tokio::select! {
            end = session::run(node, &context) => end,
            end = stopped_early(node, &context) => end,
        };
        give_up(node, &context, &reason.to_string());
        if context.stop_now.is_cancelled() {
            break;
        }
        let up = if was_live {
            started.elapsed()
        } else {
            Duration::ZERO
        };
        wait = backoff.after(&reason, up, fastrand::f64());
        report(node, &reason, was_live, wait);
        node.0.state.send_replace(NodeState::Down {
            reason,
            retry_in: wait,
        });
    }
    node.0.state.send_replace(NodeState::Stopped);
}

/// A connection that is not live yet has nobody to say goodbye to.
async fn stopped_early(node: &Node, context: &Context) -> End {
    context.stop_now.cancelled().await;
    if node.0.state.borrow().is_live() {
        std::future::pending::<()>().await;
    }
    End {
        reason: DownReason::Lost("Linefinder is stopping".to_owned()),
        was_live: false,
    }
}

/// Nothing can be asked over the lost connection any more.
fn give_up(node: &Node, context: &Context, why: &str) {
    node.set_queue(None);
    node.0.jobs.lost(why);
    let_go(node, why);
    if let Some(following) = &context.following {
        following.sink.away(node.name());
    }
}

/// Ends our control of every leg on the lost connection, and remembers them: their claims
/// stand, so nobody else will look after them.
fn let_go(node: &Node, why: &str) {
    for (uuid, leg) in node.0.legs.take_all() {
        if leg.state.gone().is_cancelled() {
            continue;
        }
        tracing::warn!(
            call_id = %uuid,
            node = %node.name(),
            joined = leg.state.is_joined(),
            "the call is no longer controlled: the connection to its node is lost"
        );
        leg.state.lose(CallError::NodeLost(why.to_owned()));
        leg.state.finish();
        if leg.asked.load(Ordering::Relaxed) {
            node.0.adrift.add(uuid);
        }
    }
}

fn report(node: &Node, reason: &DownReason, was_live: bool, wait: Duration) {
    let name = node.name();
    let address = node.0.settings.address.as_str();
    let retry_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    if reason.is_refusal() {
        tracing::error!(node = %name, address, retry_ms, "no connection: {reason}");
    } else if was_live {
        tracing::error!(node = %name, address, retry_ms, "{reason}");
    } else {
        tracing::warn!(node = %name, address, retry_ms, "no connection: {reason}");
    }
}
