//! One attempt: a leg is placed, and what comes of it is told in the terms of the hunt.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::routing::trunk::{Attempt, AttemptTo, Ended};
use crate::switch::{BridgeOutcome, CallError, Leg, Unanswered};
use crate::types::HangupCause;

/// FreeSWITCH's own timers come up to a second late; until then they may do the work.
const LATE: Duration = Duration::from_secs(2);
/// Between two looks at a leg that may be silent or may have sent early media.
const LOOK: Duration = Duration::from_millis(250);
/// The caller's CANCEL and the end of the caller's leg are told one after the other.
const LEAVING: Duration = Duration::from_millis(300);

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placed {
    Ended(Ended),
    /// The daemon stops, or the leg can't be driven any more: FreeSWITCH keeps the call.
    LetGo,
}

/// The clocks of one attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    /// When the leg must have answered.
    answer: Option<Instant>,
    /// When all of routing must have come to an answer.
    guard: Instant,
}

impl Clocks {
    pub(super) fn new(attempt: &Attempt, guard: Instant) -> Self {
        let after = |seconds: u32| Duration::from_secs(u64::from(seconds));
        let delay = after(attempt.delay_s);
        let answer = attempt
            .answer_timeout_s
            .filter(|seconds| *seconds > 0)
            .map(|seconds| Instant::now() + delay + after(seconds));
        Self { answer, guard }
    }
}

/// Bridges, and keeps the time as long as nobody has answered.
pub(super) async fn place(
    leg: &dyn Leg,
    dial_string: String,
    clocks: Clocks,
    shutdown: &CancellationToken,
) -> Placed {
    let was_answered = leg.is_answered();
    let bridge = leg.bridge(dial_string);
    tokio::pin!(bridge);
    let mut answer = clocks.answer;
    let mut guard = Some(clocks.guard);
    // Whether we ended the far leg ourselves: FreeSWITCH then reports a bridge that was joined.
    let mut timed_out = false;
    loop {
        let talks = || !was_answered && leg.is_answered();
        tokio::select! {
            biased;
            outcome = &mut bridge => return ended(leg, outcome, timed_out).await,
            () = shutdown.cancelled() => return Placed::LetGo,
            () = until(answer) => {
                answer = None;
                if talks() {
                    guard = None;
                    continue;
                }
                match leg.end_unanswered(HangupCause::AllottedTimeout).await {
                    Ok(Unanswered::Ended) => timed_out = true,
                    Ok(Unanswered::Talks) => guard = None,
                    // It rings yet: FreeSWITCH's timer comes, or early media does before it.
                    Ok(Unanswered::Alone) => {
                        let again = Instant::now() + LOOK;
                        let last = clocks.answer.map(|at| at + LATE);
                        answer = last.filter(|last| again <= *last).map(|_| again);
                    }
                    Err(error) => tracing::debug!(%error, "the leg can't be ended"),
                }
            }
            () = until(guard) => {
                guard = None;
                let talks = talks() || (was_answered && talks_now(leg).await);
                if !talks {
                    return Placed::Ended(Ended::GuardExpired);
                }
            }
        }
    }
}

async fn talks_now(leg: &dyn Leg) -> bool {
    let cause = HangupCause::NormalTemporaryFailure;
    matches!(leg.end_unanswered(cause).await, Ok(Unanswered::Talks))
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn ended(
    leg: &dyn Leg,
    outcome: Result<BridgeOutcome, CallError>,
    timed_out: bool,
) -> Placed {
    let ended = match outcome {
        Ok(_) if timed_out => Ended::Failed {
            cause: HangupCause::AllottedTimeout,
            sip_status: None,
        },
        Ok(BridgeOutcome::Answered) => Ended::Answered,
        Ok(BridgeOutcome::Failed { cause, sip_status }) => {
            // A carrier's 487 is a failure like any other; the caller's leg tells whether the
            // caller has gone (trunkstore specification 4.8).
            let gone = leg.gone();
            if cause == HangupCause::OriginatorCancel {
                let _ = tokio::time::timeout(LEAVING, gone.cancelled()).await;
            }
            if gone.is_cancelled() {
                Ended::CallerGone
            } else {
                Ended::Failed { cause, sip_status }
            }
        }
        Err(CallError::Hungup) => Ended::CallerGone,
        Err(error @ (CallError::Refused { .. } | CallError::TimedOut { .. })) => {
            tracing::warn!(%error, "an attempt could not be made");
            Ended::Failed {
                cause: HangupCause::NormalTemporaryFailure,
                sip_status: None,
            }
        }
        Err(CallError::Unwritable(error)) => {
            tracing::error!(%error, "an attempt could not be written");
            Ended::Failed {
                cause: HangupCause::InvalidNumberFormat,
                sip_status: None,
            }
        }
        Err(CallError::NodeLost(_) | CallError::Overflow) => return Placed::LetGo,
    };
    Placed::Ended(ended)
}

/// An attempt's far end, for logs and reports.
pub(super) fn name(to: &AttemptTo) -> String {
    match to {
        AttemptTo::Server { place, name } => {
            format!("server {} ({}/{})", name, place.connectivity, place.server)
        }
        AttemptTo::Gateway {
            carrier, gateway, ..
        } => format!("carrier {carrier}, gateway {gateway}"),
        AttemptTo::Uri(uri) => format!("uri {uri}"),
        AttemptTo::Callflows(account) => format!("callflows of account {account}"),
        AttemptTo::Nobody => "nobody".to_owned(),
    }
}
