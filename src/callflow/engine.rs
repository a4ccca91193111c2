//! Walks a call through its flow: one action at a time, until the flow or the call is over.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::Next;
use super::action::{ActionError, Outcome, is_skipped};
use super::report::Step;
use super::stage::Stage;
use super::walk::{Exhausted, Turn};
use crate::types::HangupCause;

/// What an action gets once its caller's leg has ended. A bridge's completion comes around the end
/// of the leg (ESL specification 4.6), and whether it was answered is worth knowing; whatever else
/// an action does with a leg that is gone has no effect.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Why no further action runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The flow is over; the caller's leg is to be hung up with this.
    HangUp(HangupCause),
    /// One of the call's counters ran out.
    Exhausted(Exhausted),
    /// The caller's leg is gone.
    Gone,
    /// The channel belongs to something else now.
    Transferred,
    /// The daemon stops; FreeSWITCH keeps the call.
    LetGo,
}

/// Runs the flow from the stage's present node to its end.
pub async fn perform(stage: &mut Stage, shutdown: &CancellationToken) -> End {
    let leg = stage.leg.clone();
    let gone = leg.gone();
    let over = async {
        gone.cancelled().await;
        leg.ended().await;
    };
    tokio::pin!(over);
    let mut turn = stage.walk.begin();
    loop {
        match turn {
            Turn::Act => {}
            Turn::Finished(cause) => return End::HangUp(final_cause(stage, cause)),
            Turn::Transferred => return End::Transferred,
            Turn::Exhausted(limit) => return End::Exhausted(limit),
        }
        let began_at = stage.elapsed_ms();
        let step = stage.path.len();
        stage.path.push(Step {
            module: stage.node().module.clone().unwrap_or_default(),
            key: stage.walk.key().map(str::to_owned),
            at_ms: began_at,
            took_ms: 0,
            error: None,
        });
        let outcome = {
            let action = act(stage);
            tokio::pin!(action);
            tokio::select! {
                biased;
                outcome = &mut action => Some(outcome),
                () = &mut over => tokio::time::timeout(LAST_WORDS, &mut action).await.ok(),
                () = shutdown.cancelled() => return End::LetGo,
            }
        };
        let Some(outcome) = outcome else {
            return End::Gone;
        };
        let took_ms = stage.elapsed_ms().saturating_sub(began_at);
        if let Some(step) = stage.path.get_mut(step) {
            step.took_ms = took_ms;
            step.error = outcome.as_ref().err().map(ToString::to_string);
        }
        if gone.is_cancelled() {
            return End::Gone;
        }
        let next = outcome.unwrap_or_else(|error| {
            report_error(stage, &error);
            // A caller who gets no further is told that it was our failure, and may try again.
            if error.is_fault() && !stage.leg.is_answered() {
                stage.failure = Some(HangupCause::NormalTemporaryFailure);
            }
            Next::Continue
        });
        turn = stage.walk.follow(next);
    }
}

/// Runs the action at the present node; what can't be run continues to `_`.
async fn act(stage: &mut Stage) -> Outcome {
    let node = stage.node();
    if is_skipped(node) {
        return Ok(Next::Continue);
    }
    let module = node.module.as_deref().unwrap_or_default();
    let Some(entry) = stage.context.action(module) else {
        unknown(stage);
        return Ok(Next::Continue);
    };
    tracing::debug!(
        call_id = %stage.call.id,
        account_id = %stage.call.account_id,
        action = module,
        key = stage.walk.key(),
        "action"
    );
    let failure_before = stage.failure;
    let attempts_before = stage.attempts.len();
    // A fault in one action must cost the caller no more than that action.
    let outcome = AssertUnwindSafe(entry.run(stage)).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|panic| Err(ActionError::Panicked(told(&*panic))));
    if failure_before.is_some() && stage.attempts.len() == attempts_before {
        // The caller was talked to after the failed attempt: that is no failed call any more.
        if stage.leg.is_answered() {
            stage.failure = None;
        }
    }
    outcome
}

/// What a call ends with that nobody gave a cause.
fn final_cause(stage: &Stage, cause: Option<HangupCause>) -> HangupCause {
    cause
        .or(stage.failure)
        .unwrap_or(HangupCause::NormalClearing)
}

fn unknown(stage: &Stage) {
    let module = stage.node().module.as_deref().unwrap_or_default();
    let seen = stage.path.iter().filter(|s| s.module == module).count();
    // (The running step is in the path already.)
    if seen > 1 {
        return;
    }
    tracing::warn!(
        call_id = %stage.call.id,
        account_id = %stage.call.account_id,
        action = module,
        "the flow names no action that linefinder knows; it goes on at _"
    );
}

fn report_error(stage: &Stage, error: &ActionError) {
    let action = stage.node().module.as_deref().unwrap_or_default();
    let (call_id, account_id) = (&stage.call.id, &stage.call.account_id);
    if matches!(error, ActionError::Panicked(_)) {
        tracing::error!(%call_id, %account_id, action, %error, "the action failed; the flow goes on at _");
    } else {
        tracing::warn!(%call_id, %account_id, action, %error, "the action failed; the flow goes on at _");
    }
}

/// A panic's message.
pub(super) fn told(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
