//! What a call adds to the figures. Labels are words of ours, so that their number is bounded whatever callers send.

use super::report::{AttemptOutcome, CallReport, Verdict};
use crate::routing::trunk::AttemptTo;

/// A call has ended.
pub(super) fn ended(report: &CallReport) {
    let route = match &report.decision {
        Verdict::Callflow { .. } => "callflow",
        Verdict::HandedOver { .. } => "handed_over",
        Verdict::Refused { .. } => "refused",
        Verdict::Trunk { route, .. } => route,
        Verdict::None => "none",
    };
    let answered = match report.ending.billed_s {
        Some(_) => "true",
        None => "false",
    };
    metrics::counter!("linefinder_calls_total", "route" => route, "answered" => answered)
        .increment(1);
}

/// An attempt at a carrier, a PBX or what stands in for one is over.
pub(super) fn attempted(to: &AttemptTo, outcome: &AttemptOutcome) {
    let to = match to {
        AttemptTo::Server { .. } => "server",
        AttemptTo::Gateway { .. } => "gateway",
        AttemptTo::Uri(_) => "uri",
        AttemptTo::Callflows(_) => "callflows",
        AttemptTo::Nobody => "nobody",
    };
    let outcome = match outcome {
        AttemptOutcome::Answered => "answered",
        AttemptOutcome::Failed { .. } => "failed",
        AttemptOutcome::NoLeg { .. } => "no_leg",
        AttemptOutcome::Unfinished => "unfinished",
    };
    metrics::counter!("linefinder_trunk_attempts_total", "to" => to, "outcome" => outcome)
        .increment(1);
}
