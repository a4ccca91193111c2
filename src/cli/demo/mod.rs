//! `demo`: daemon, store and simulated FreeSWITCH nodes together. Calls are placed between the documents of
//! `conf/demo`, and each has to end as its scenario says.

pub mod documents;
mod scenarios;
mod verdict;

use std::time::Instant;

use super::arguments::Demo;
use super::exit::{Exit, Failure, Outcome};
use super::output::{Output, width};
use super::simulation::{Simulation, Wanted, fault, perform};
use super::table::Table;
use crate::callflow::{AttemptOutcome, CallReport, Verdict};
use crate::config::{Config, LogFormat, LogSettings};
use crate::documents::Registration;
use crate::sim::CallResult;
use crate::store::Store;
use crate::telemetry;
use crate::types::{HangupCause, NodeName};

use scenarios::Scenario;
pub use verdict::brief;
use verdict::complaints;

/// From this many columns on the table says what each call shows.
const WIDE: usize = 150;

/// With fewer columns it does not say how a call is handed over: the two ways look alike, and room is short.
const NARROW: usize = 100;

/// Columns that give way when room is short, in this order: dial string, decision, outcome.
const FLEXIBLE: [&str; 3] = ["dial string", "decision", "outcome"];

/// A call that was placed, from both sides.
struct Placed {
    scenario: &'static Scenario,
    result: CallResult,
    report: Option<CallReport>,
}

pub fn demo(asked: &Demo) -> Outcome {
    if asked.log {
        let settings = LogSettings {
            format: LogFormat::Text,
            ..LogSettings::default()
        };
        telemetry::start(&settings).map_err(fault)?;
    }
    let began = Instant::now();
    let placed = perform(play())?;
    print(&placed, asked, began)
}

/// Two nodes, a daemon, both accounts.
pub async fn simulation() -> Result<Simulation, Failure> {
    let store = tokio::task::spawn_blocking(documents::store);
    let store = store.await.map_err(fault)??;
    let wanted = scenarios::NODES.map(|(name, sip)| Wanted {
        name: name.to_owned(),
        sip: Some(sip.to_owned()),
        others: None,
    });
    let simulation = Simulation::start(Config::default(), store, wanted.into()).await?;
    simulation.connect(&scenarios::phones()).await?;
    Ok(simulation)
}

/// The settings of the simulated nodes, for a decision without them.
pub fn settings() -> Result<Config, Failure> {
    let mut config = Config::default();
    for (name, sip) in scenarios::NODES {
        let name = NodeName::new(name).map_err(fault)?;
        config.routing.nodes.insert(name, sip.to_owned());
    }
    Ok(config)
}

/// Registers the demo's phones in a store without any node, as the nodes would.
pub fn register(store: &Store) -> Result<(), Failure> {
    let now = jiff::Timestamp::now();
    let [(first, _), _] = scenarios::NODES;
    for phone in scenarios::phones()
        .into_iter()
        .filter(|phone| phone.registers)
    {
        let node = if phone.node.is_empty() {
            first
        } else {
            &phone.node
        };
        store.register(Registration {
            node: NodeName::new(node).map_err(fault)?,
            profile: phone.profile,
            user: phone.user,
            realm: phone.realm,
            contact: phone.contact,
            call_id: phone.address,
            network_ip: None,
            network_port: None,
            user_agent: None,
            expires_at: now.as_second() + 3_600,
            updated_ms: now.as_millisecond(),
        });
    }
    Ok(())
}

async fn play() -> Result<Vec<Placed>, Failure> {
    let mut simulation = simulation().await?;
    let mut placed = Vec::new();
    for scenario in scenarios::ALL {
        let spec = scenario.spec(simulation.listening());
        let call = simulation.place("fs1", spec)?;
        let (result, report) = simulation.outcome(&call).await?;
        placed.push(Placed {
            scenario,
            result,
            report,
        });
    }
    simulation.stop().await?;
    Ok(placed)
}

fn print(placed: &[Placed], asked: &Demo, began: Instant) -> Outcome {
    let mut out = Output::new();
    let nodes = scenarios::NODES.map(|(name, _)| name).join(" and ");
    out.line(format_args!(
        "Simulated nodes {nodes}, a temporary store with the documents of conf/demo, and the daemon; \
         life passes {} times faster.\n",
        super::simulation::SPEED
    ))?;
    let columns = (!asked.full).then(width);
    let wide = columns.is_none_or(|columns| columns >= WIDE);
    let narrow = columns.is_some_and(|columns| columns < NARROW);
    let headers = [
        "caller",
        "dialled",
        "by",
        "decision",
        "dial string",
        "outcome",
        "took",
        "shows",
    ];
    let mut table = Table::new(&headers, &FLEXIBLE);
    if narrow {
        table.leave_out("by");
    }
    if !wide {
        table.leave_out("shows");
    }
    let mut wrong = Vec::new();
    for call in placed {
        rows(call, asked.full, &mut table);
        wrong.extend(complaints(call));
    }
    for line in table.lines(columns) {
        out.line(line)?;
    }
    let took = began.elapsed().as_secs_f64();
    let (good, all) = (placed.len() - wrong_calls(placed), placed.len());
    out.line(format_args!(
        "\n{good} of {all} calls ended as they should, in {took:.1} s. From a call's arrival to its dial string or \
         refusal Linefinder took {} µs at the median.",
        median_us(placed)
    ))?;
    if !wrong.is_empty() {
        for complaint in &wrong {
            out.line(format_args!("  wrong: {complaint}"))?;
        }
        out.finish()?;
        return Err(Failure::new(
            Exit::Software,
            "the demo did not go as it should",
        ));
    }
    next_steps(&mut out, width() < WIDE)?;
    Ok(out.finish()?)
}

fn wrong_calls(placed: &[Placed]) -> usize {
    let wrong = placed.iter().filter(|call| !complaints(call).is_empty());
    wrong.count()
}

fn median_us(placed: &[Placed]) -> u64 {
    let reports = placed.iter().filter_map(|call| call.report.as_ref());
    let mut decided: Vec<u64> = reports.filter_map(|report| report.decided_us).collect();
    decided.sort_unstable();
    decided.get(decided.len() / 2).copied().unwrap_or(0)
}

/// A row an attempt; the first bears the call, the last its end.
fn rows(call: &Placed, full: bool, table: &mut Table) {
    let scenario = call.scenario;
    let report = call.report.as_ref();
    let attempts = report.map_or(&[][..], |report| &report.attempts);
    let mut head = vec![
        scenario.from.label(),
        scenario.to.to_owned(),
        scenario.by.as_str().to_owned(),
        decision(report),
    ];
    let took = format!("{} ms", call.result.lasted.as_millis());
    let mut shows = scenario.shows;
    let end = ending(&call.result);
    let mut left = attempts.len();
    for attempt in attempts {
        left -= 1;
        let dial = match (&attempt.dial_string, &attempt.outcome) {
            (Some(dial), _) if full => dial.clone(),
            (Some(dial), _) => brief(dial),
            (None, AttemptOutcome::NoLeg { error, .. }) => format!("nobody: {error}"),
            (None, _) => "nobody".to_owned(),
        };
        let mut row = std::mem::replace(&mut head, vec![String::new(); 4]);
        row.push(dial);
        row.push(match (&attempt.outcome, left) {
            (_, 0) => end.clone(),
            (AttemptOutcome::Failed { cause, sip_status }, _) => told(*cause, *sip_status),
            (other, _) => other.to_string(),
        });
        row.push(if left == 0 {
            took.clone()
        } else {
            String::new()
        });
        row.push(std::mem::take(&mut shows).to_owned());
        table.row(row);
    }
    if attempts.is_empty() {
        head.extend(["nobody".to_owned(), end, took, shows.to_owned()]);
        table.row(head);
    }
}

fn decision(report: Option<&CallReport>) -> String {
    match report.map(|report| &report.decision) {
        Some(Verdict::Callflow { id, by: "number" }) => id.to_string(),
        Some(Verdict::Callflow { id, by }) => format!("{id} ({by})"),
        Some(Verdict::Refused { refusal, .. }) => (*refusal).to_owned(),
        Some(Verdict::HandedOver { .. }) => "from a sister node".to_owned(),
        Some(Verdict::Trunk { route, .. }) => (*route).to_owned(),
        Some(Verdict::None) | None => "none".to_owned(),
    }
}

/// What the caller got.
fn ending(result: &CallResult) -> String {
    if result.answered {
        return "answered".to_owned();
    }
    told(result.cause, result.sip_status)
}

fn told(cause: HangupCause, sip_status: Option<u16>) -> String {
    match sip_status {
        Some(status) => format!("{status} {cause}"),
        None => cause.to_string(),
    }
}

/// Lines that work when they are typed.
fn next_steps(out: &mut Output<'_>, narrow: bool) -> std::io::Result<()> {
    let program = super::output::program();
    out.line("\nWhat to try next:")?;
    for (arguments, what) in [
        ("demo --full", "the same with whole dial strings"),
        (
            "call --demo --from 1001@acme.example --to 1004",
            "one call, event by event",
        ),
        (
            "route --demo --from 1001@acme.example --to 1004",
            "why, rule by rule, without a call",
        ),
        ("config", "what can be set"),
        (
            "help",
            "everything else; README.md connects a real FreeSWITCH",
        ),
    ] {
        let typed = format!("{program} {arguments}");
        match narrow {
            true => out.line(format_args!("  # {what}\n  {typed}"))?,
            false => out.line(format_args!("  {typed:<72} # {what}"))?,
        }
    }
    Ok(())
}
