//! A call in words: its events, its path, its end.

use std::io;
use std::time::Duration;

use super::super::demo::brief;
use super::super::output::{Output, width};
use super::super::table::shortened;
use crate::callflow::{CallReport, Verdict};
use crate::sim::{CallResult, Seen};

/// The events of the caller's leg, as FreeSWITCH sends them.
pub fn events(out: &mut Output, events: &[Seen], full: bool) -> io::Result<()> {
    out.line("\nEvents of the caller's leg")?;
    for event in events {
        let what = match &event.application {
            Some((application, argument)) => {
                let argument = match application.as_str() {
                    "bridge" if !full => brief(argument),
                    _ => argument.clone(),
                };
                format!("{:<26} {application} {argument}", event.name)
            }
            None => event.name.to_owned(),
        };
        fitting(out, &format!("{} {what}", at(event.at)), full)?;
    }
    Ok(())
}

/// What was decided, the actions that ran, and whom they rang.
pub fn path(out: &mut Output, report: &CallReport, full: bool) -> io::Result<()> {
    out.line("\nThe path it took")?;
    match &report.decision {
        Verdict::Callflow { id, by } => {
            out.line(format_args!("  callflow {id}, found by {by}"))?;
        }
        Verdict::Refused { refusal, why, .. } => {
            out.line(format_args!("  refused, {refusal}: {why}"))?;
        }
        Verdict::None => out.line("  nothing was decided")?,
    }
    for step in &report.path {
        let key = step
            .key
            .as_ref()
            .map_or_else(String::new, |key| format!("{key}: "));
        let error = step
            .error
            .as_ref()
            .map_or_else(String::new, |error| format!("; {error}"));
        let line = format!(
            "{} action {key}{} ({} ms{error})",
            at(Duration::from_millis(step.at_ms)),
            step.module,
            step.took_ms
        );
        fitting(out, &line, full)?;
    }
    for attempt in &report.attempts {
        let dial = match &attempt.dial_string {
            Some(dial) if full => dial.clone(),
            Some(dial) => brief(dial),
            None => "nobody".to_owned(),
        };
        for (device, reason) in &attempt.skipped {
            out.line(format_args!("             {device} is left out: {reason}"))?;
        }
        let line = format!(
            "{} rings {dial}: {}",
            at(Duration::from_millis(attempt.at_ms)),
            attempt.outcome
        );
        fitting(out, &line, full)?;
    }
    Ok(())
}

/// How it ended, for the caller and for the log.
pub fn end(out: &mut Output, result: &CallResult, report: Option<&CallReport>) -> io::Result<()> {
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

fn fitting(out: &mut Output, line: &str, full: bool) -> io::Result<()> {
    if full {
        out.line(line)
    } else {
        out.line(shortened(line, width()))
    }
}
