//! One call, from its arrival to its end.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::admission::{Admitted, Route, admit, admit_elsewhere};
use super::context::unix_now;
use super::engine::{self, End};
use super::live::Party;
use super::report::{AttemptOutcome, CallReport, EndedBy, Ending, Verdict};
use super::stage::{Clock, Stage, Told};
use super::trunk::{self, Driven, Finish};
use super::{Context, Refusal, figures};
use crate::routing::{Network, Silent};
use crate::switch::{Application, Arrival, CallError, Ended, IncomingCall, Leg};
use crate::types::{CallId, HangupCause, NodeName};

/// How long a leg that was told to hang up may take to report that it has.
const HANGUP_PATIENCE: Duration = Duration::from_secs(10);

/// How long a caller who is turned away may be told why.
const PROMPT_PATIENCE: Duration = Duration::from_secs(15);

/// Drives a call to its end. One task per call runs this; whatever happens in it, the caller's
/// leg is hung up, or left to FreeSWITCH knowingly, and the log says which.
///
/// `shutdown` makes it let go of the call at once: a bridge goes on without us, anything else
/// falls to the dialplan's fallback.
pub async fn run(
    incoming: IncomingCall,
    context: &Context,
    shutdown: &CancellationToken,
) -> CallReport {
    let clock = Clock::start(unix_now());
    let _live = context.live.enter();
    let IncomingCall { mut arrival, leg } = incoming;
    tracing::info!(
        call_id = %arrival.call,
        sip_call_id = arrival.sip_call_id,
        node = %arrival.node,
        handoff = ?arrival.handoff,
        caller = arrival.caller_number,
        dialed = arrival.destination,
        "call arrived"
    );
    let mut report = blank(&arrival);
    let driven = drive(&mut arrival, &leg, context, shutdown, clock, &mut report);
    let ending = AssertUnwindSafe(driven).catch_unwind().await;
    report.ending = match ending {
        Ok(ending) => ending,
        Err(panic) => {
            let error = engine::told(&*panic);
            tracing::error!(call_id = %arrival.call, node = %arrival.node, error,
                "the call's task panicked, which is a fault of linefinder; the call is hung up");
            let cause = HangupCause::NormalTemporaryFailure;
            hang_up(&*leg, named(&arrival), cause, "a fault of linefinder").await
        }
    };
    // Units are free as soon as the leg is known to have ended. Of a leg that nobody can tell about
    // they are kept, until its node or the reaper does.
    let known = report
        .ending
        .cause
        .is_some_and(|cause| cause != HangupCause::None);
    if known && leg.gone().is_cancelled() {
        let ended = leg.ended().now_or_never();
        let partner = ended.and_then(|ended| CallId::new(&ended.goes_on_as?).ok());
        match partner {
            Some(partner) => context.ledger.passed_on(&arrival.call, &partner),
            None => context.ledger.ended(&arrival.call),
        }
    }
    report.elapsed_ms = clock.elapsed_ms();
    figures::ended(&report);
    tracing::info!(
        call_id = %report.call_id,
        sip_call_id = report.sip_call_id,
        node = %report.node,
        account_id = report.account_id.as_ref().map(AsRef::<str>::as_ref),
        device_id = report.device_id.as_ref().map(AsRef::<str>::as_ref),
        ended_by = report.ending.by.as_str(),
        cause = report.ending.cause.map(HangupCause::as_str),
        why = report.ending.why,
        attempts = report.attempts.len(),
        elapsed_ms = report.elapsed_ms,
        "call ended"
    );
    report
}

fn blank(arrival: &Arrival) -> CallReport {
    CallReport {
        call_id: arrival.call.clone(),
        sip_call_id: arrival.sip_call_id.clone(),
        node: arrival.node.clone(),
        caller: arrival.caller_number.clone().unwrap_or_default(),
        dialed: arrival.destination.clone(),
        account_id: None,
        device_id: None,
        decision: Verdict::None,
        path: Vec::new(),
        attempts: Vec::new(),
        ending: Ending {
            by: EndedBy::Nobody,
            cause: None,
            why: String::new(),
            billed_s: None,
        },
        decided_us: None,
        elapsed_ms: 0,
    }
}

async fn drive(
    arrival: &mut Arrival,
    leg: &std::sync::Arc<dyn Leg>,
    context: &Context,
    shutdown: &CancellationToken,
    clock: Clock,
    report: &mut CallReport,
) -> Ending {
    let driven = trunk::drive(arrival, leg, context, shutdown, clock, report).await;
    let (elsewhere, _held) = match driven {
        Driven::Callflows(elsewhere, held) => (elsewhere, held),
        Driven::Finished(finish) => return finish_trunk(arrival, &**leg, finish).await,
    };
    let office = context.office(clock.now(), 0);
    let admitted = match elsewhere {
        Some(elsewhere) => admit_elsewhere(&office, arrival, elsewhere, &mut Silent),
        None => admit(&office, arrival, &mut Silent),
    };
    let admitted = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => {
            let prompt = refusal.prompt().map(|name| office.routing.prompt(name));
            return refuse(arrival, &**leg, &refusal, prompt, clock, report).await;
        }
    };
    // What the peer wrote was needed for the decision only; a call is up for minutes.
    let private = trunk::private(arrival);
    let told = Told::of(arrival);
    arrival.variables = HashMap::new();
    let walk = admitted.walk(&context.settings);
    let Admitted { call, route, .. } = admitted;
    tracing::info!(
        call_id = %call.id,
        account_id = %call.account_id,
        device_id = call.caller.device_id.as_ref().map(AsRef::<str>::as_ref),
        callflow = route.callflow().map(AsRef::<str>::as_ref),
        by = route.by(),
        "decision: admitted"
    );
    report.account_id = Some(call.account_id.clone());
    report.device_id = call.caller.device_id.clone();
    let by = route.by();
    report.decision = match route {
        Route::Callflow(found) => Verdict::Callflow { id: found.id, by },
        Route::HandedOver(device) => Verdict::HandedOver { device },
    };
    let caller = &call.caller;
    let _seat = caller.device_id.as_ref().map(|device| {
        let party = Party::of(device, caller.owner_id.as_ref());
        context.live.seat(&call.account_id, party, &call.id)
    });
    let outside = caller.network == Network::Offnet && call.second_hop.is_none();
    if outside && context.settings.ring_ready_offnet && !leg.is_answered() {
        // Only what the caller hears meanwhile; a leg that is gone shows at the next step.
        let _ = leg.execute(Application::RingReady).await;
    }
    let mut stage = Stage::new(call, walk, leg.clone(), context, clock);
    stage.private = private;
    stage.told = told;
    let end = engine::perform(&mut stage, shutdown).await;
    let talked = was_answered_last(&stage);
    stage.close_open_steps();
    report.path = std::mem::take(&mut stage.path);
    report.attempts = std::mem::take(&mut stage.attempts);
    report.decided_us = stage.decided_us;
    finish(&*stage.leg, named(arrival), end, talked).await
}

async fn refuse(
    arrival: &Arrival,
    leg: &dyn Leg,
    refusal: &Refusal,
    prompt: Option<String>,
    clock: Clock,
    report: &mut CallReport,
) -> Ending {
    let cause = refusal.cause();
    report.decided_us = Some(clock.elapsed_us());
    report.decision = Verdict::Refused {
        refusal: refusal.as_str(),
        why: refusal.to_string(),
        cause,
    };
    let (call_id, node) = (&arrival.call, &arrival.node);
    let source = arrival.source.map(tracing::field::display);
    if refusal.is_fault() {
        tracing::warn!(%call_id, %node, source, %cause, why = %refusal, "decision: refused");
    } else {
        tracing::info!(%call_id, %node, source, %cause, why = %refusal, "decision: refused");
    }
    if let Some(media) = prompt {
        // As early media: a call that was not allowed is not answered, and costs nothing.
        let told = leg.execute_all(vec![
            Application::PreAnswer,
            Application::Playback { media },
        ]);
        match tokio::time::timeout(PROMPT_PATIENCE, told).await {
            Ok(Ok(_) | Err(CallError::Hungup)) => {}
            Ok(Err(error)) => {
                tracing::debug!(%call_id, %error, "the caller could not be told why");
            }
            Err(_) => tracing::debug!(%call_id, "the prompt did not end in time"),
        }
    }
    hang_up(leg, named(arrival), cause, refusal.as_str()).await
}

/// What a log line about a call's end names it by.
type Named<'a> = (&'a CallId, &'a NodeName);

const fn named(arrival: &Arrival) -> Named<'_> {
    (&arrival.call, &arrival.node)
}

/// The last thing that happened was a conversation.
fn was_answered_last(stage: &Stage) -> bool {
    let began = stage.path.last().map_or(0, |step| step.at_ms);
    let last = stage.attempts.last();
    last.is_some_and(|a| a.outcome == AttemptOutcome::Answered && a.at_ms >= began)
}

/// Ends a call that was a trunk's.
async fn finish_trunk(arrival: &Arrival, leg: &dyn Leg, end: Finish) -> Ending {
    let call = named(arrival);
    match end {
        Finish::Talked => {
            let cause = HangupCause::NormalClearing;
            finish(leg, call, End::HangUp(cause), true).await
        }
        Finish::Gone => finish(leg, call, End::Gone, false).await,
        Finish::LetGo => finish(leg, call, End::LetGo, false).await,
        Finish::Rejected(reject) => {
            if let Some(status) = reject.respond()
                && !leg.is_answered()
            {
                let reason = reject.reason.to_owned();
                let told = leg.execute(Application::Respond { status, reason }).await;
                if let Err(error) = told {
                    tracing::debug!(call_id = %call.0, %error, "the status could not be sent");
                }
            }
            hang_up(leg, call, reject.cause, reject.reason).await
        }
    }
}

async fn finish(leg: &dyn Leg, call: Named<'_>, end: End, talked: bool) -> Ending {
    match end {
        // (A leg with hangup_after_bridge is hung up by FreeSWITCH already; being told again
        // does it no harm.)
        End::HangUp(cause) if talked => {
            let mut ending = hang_up(leg, call, cause, "the conversation is over").await;
            if ending.by == EndedBy::Linefinder {
                ending.by = EndedBy::Callee;
            }
            ending
        }
        End::HangUp(cause) => hang_up(leg, call, cause, "the flow is over").await,
        End::Exhausted(limit) => {
            tracing::warn!(
                call_id = %call.0,
                limit = %limit,
                "over a limit of the callflow engine; the call is hung up"
            );
            let cause = HangupCause::NormalTemporaryFailure;
            hang_up(leg, call, cause, &limit.to_string()).await
        }
        End::Gone => {
            let ended = leg.ended().await;
            let by = match by_disposition(&ended) {
                Some(EndedBy::Caller) => EndedBy::Caller,
                _ if talked => EndedBy::Callee,
                _ => EndedBy::Switch,
            };
            told_ending(&ended, by, "the caller's leg ended")
        }
        End::Transferred => let_go("the channel belongs to another application now"),
        End::LetGo => let_go("linefinder is stopping; FreeSWITCH keeps the call"),
    }
}

fn let_go(why: &str) -> Ending {
    Ending {
        by: EndedBy::Nobody,
        cause: None,
        why: why.to_owned(),
        billed_s: None,
    }
}

fn told_ending(ended: &Ended, by: EndedBy, why: &str) -> Ending {
    Ending {
        by,
        cause: Some(ended.cause),
        why: why.to_owned(),
        billed_s: ended.billed_s,
    }
}

/// Whose SIP message ended the leg, if it was the far end's.
fn by_disposition(ended: &Ended) -> Option<EndedBy> {
    match ended.disposition.as_deref() {
        Some("recv_bye" | "recv_cancel" | "recv_refuse") => Some(EndedBy::Caller),
        _ => None,
    }
}

/// Hangs the leg up and waits until it is down.
async fn hang_up(
    leg: &dyn Leg,
    (call_id, node): Named<'_>,
    cause: HangupCause,
    why: &str,
) -> Ending {
    match leg.hangup(cause).await {
        Ok(()) | Err(CallError::Hungup) => {}
        Err(error) => {
            tracing::warn!(%call_id, %node, %cause, %error, "the hangup was not accepted; trying through the leg's own queue");
            if let Err(error) = leg.execute(Application::Hangup { cause }).await {
                tracing::error!(%call_id, %node, %cause, %error, "the leg can't be hung up; FreeSWITCH may still hold it");
            }
        }
    }
    match tokio::time::timeout(HANGUP_PATIENCE, leg.ended()).await {
        Ok(ended) => {
            let by = by_disposition(&ended).unwrap_or(EndedBy::Linefinder);
            told_ending(&ended, by, why)
        }
        Err(_) => Ending {
            by: EndedBy::Linefinder,
            cause: Some(cause),
            why: format!("{why} (FreeSWITCH did not report the end)"),
            billed_s: None,
        },
    }
}
