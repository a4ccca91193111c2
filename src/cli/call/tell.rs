//! A call in words: its events, its path, its end.

use std::io;
use std::time::Duration;

use super::super::demo::brief;
use super::super::output::{Output, width};
use super::super::table::shortened;
use crate::callflow::{Attempt, CallReport, Verdict};
use crate::sim::{CallResult, Seen};

/// The events of the caller's leg, as FreeSWITCH sends them. Unless all are asked for, those are left out that tell
/// nothing new: changes of state, and the completion of what is done in a moment.
pub fn events(out: &mut Output<'_>, events: &[Seen], full: bool) -> io::Result<()> {
    out.line("\nEvents of the caller's leg")?;
    for event in events.iter().filter(|event| full || is_telling(event)) {
        let what = match &event.application {
            Some((application, argument)) => {
                let argument = match application.as_str() {
                    "bridge" if !full => brief(argument),
                    _ => argument.clone(),
                };
                format!("{:<24} {application} {argument}", event.name)
            }
            None => event.name.to_owned(),
        };
        fitting(out, &format!("{} {what}", at(event.at)), full)?;
    }
    Ok(())
}

fn is_telling(event: &Seen) -> bool {
    let quick = ["set", "unset", "export", "sched_transfer"];
    let application = event.application.as_ref().map(|(name, _)| name.as_str());
    match event.name {
        "CHANNEL_STATE" | "CHANNEL_CALLSTATE" => false,
        "CHANNEL_EXECUTE_COMPLETE" => application.is_none_or(|name| !quick.contains(&name)),
        _ => true,
    }
}

/// What was decided, the actions that ran, and whom they rang.
pub fn path(out: &mut Output<'_>, report: &CallReport, full: bool) -> io::Result<()> {
    out.line("\nThe path it took")?;
    match &report.decision {
        Verdict::Callflow { id, by } => {
            out.line(format_args!("  callflow {id}, found by {by}"))?;
        }
        Verdict::Refused { refusal, why, .. } => {
            out.line(format_args!("  refused, {refusal}: {why}"))?;
        }
        Verdict::HandedOver { .. } => out.line("  a leg that a sister node handed over")?,
        Verdict::Trunk { route, number } => out.line(format!("  trunk: {number}, {route}"))?,
        Verdict::None => out.line("  nothing was decided")?,
    }
    let mut attempts = report.attempts.iter().peekable();
    for (index, step) in report.path.iter().enumerate() {
        let key = step.key.as_ref();
        let key = key.map_or_else(String::new, |key| format!("{key}: "));
        let error = step.error.as_ref();
        let error = error.map_or_else(String::new, |error| format!("; {error}"));
        let when = at(Duration::from_millis(step.at_ms));
        let line = format!("{when} {key}{}, {} ms{error}", step.module, step.took_ms);
        fitting(out, &line, full)?;
        let next = report.path.get(index + 1);
        let until = next.map_or(u64::MAX, |next| next.at_ms);
        while let Some(attempt) = attempts.next_if(|attempt| attempt.at_ms < until) {
            rings(out, attempt, full)?;
        }
    }
    attempts.try_for_each(|attempt| rings(out, attempt, full))
}

fn rings(out: &mut Output<'_>, attempt: &Attempt, full: bool) -> io::Result<()> {
    let when = at(Duration::from_millis(attempt.at_ms));
    for (device, reason) in &attempt.skipped {
        out.line(format_args!("{when}   {device} is left out: {reason}"))?;
    }
    let outcome = &attempt.outcome;
    match &attempt.dial_string {
        Some(dial) if full => out.line(format_args!("{when}   rings {dial}: {outcome}")),
        Some(dial) => fitting(
            out,
            &format!("{when}   rings {}: {outcome}", brief(dial)),
            full,
        ),
        None => out.line(format_args!("{when}   {outcome}")),
    }
}

/// How it ended, for the caller and for the log.
pub fn end(
    out: &mut Output<'_>,
    result: &CallResult,
    report: Option<&CallReport>,
) -> io::Result<()> {
    let status = result
        .sip_status
        .map_or_else(String::new, |status| format!(", SIP {status}"));
    let answered = match (result.answered, &result.connected_to) {
        (true, Some(leg)) => format!("answered by {leg}"),
        (true, None) => "answered".to_owned(),
        (false, _) => "not answered".to_owned(),
    };
    let ended = report.map_or_else(String::new, |report| {
        let why = &report.ending.why;
        let why = if why.is_empty() {
            String::new()
        } else {
            format!(" ({why})")
        };
        format!("; ended by {}{why}", report.ending.by.as_str())
    });
    out.line(format_args!(
        "\n{answered}{status}; {} after {} ms{ended}",
        result.cause,
        result.lasted.as_millis()
    ))
}

fn at(since: Duration) -> String {
    format!("{:>8.1} ms ", since.as_secs_f64() * 1e3)
}

fn fitting(out: &mut Output<'_>, line: &str, full: bool) -> io::Result<()> {
    if full {
        out.line(line)
    } else {
        out.line(shortened(line, width()))
    }
}
