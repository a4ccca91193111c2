//! `check`: everything that is wrong with configuration and store, before it bites.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::arguments::{Asked, Findings, OfStore};
use super::exit::{Exit, Failure, Outcome};
use super::output::{self, Output};
use super::premises::Premises;
use super::{open, perform};
use crate::callflow;
use crate::config::{Config, ConfigError};
use crate::console::{Desk, Here};
use crate::documents::DocumentType;
use crate::store::{Store, StoreError};

pub fn check(file: Option<&Path>, asked: &OfStore) -> Outcome {
    let mut findings = Findings {
        of: asked.clone(),
        ..Findings::default()
    };
    let settings = match Config::load(file) {
        Ok(config) => {
            advise(&config, &mut findings.advice);
            Some(config.store)
        }
        Err(ConfigError::Invalid(problems)) => {
            let texts = problems.iter().map(ToString::to_string);
            findings.configuration.extend(texts);
            None
        }
        Err(error) => {
            findings.configuration.push(error.to_string());
            None
        }
    };
    let settings = match &asked.store {
        Some(path) => Some(open::named(path)),
        None => settings,
    };
    let width = output::terminal();
    let Some(settings) = settings else {
        return tell(&mut Here { width }, &findings);
    };
    if !settings.path.exists() {
        let path = settings.path.display();
        let advice = format!("there is no store at {path} yet; `linefinder import` makes one");
        findings.advice.push(advice);
        return tell(&mut Here { width }, &findings);
    }
    let config = Config {
        store: settings,
        ..Config::default()
    };
    perform::perform_with(config, &Asked::Check(findings))
}

/// The store is so damaged that it can't be opened.
pub fn damaged(findings: &Findings, error: &StoreError) -> Outcome {
    let mut findings = findings.clone();
    findings.store.push(error.to_string());
    let width = output::terminal();
    tell(&mut Here { width }, &findings)
}

/// The part that wants the store.
pub fn store(on: &Premises, desk: &mut dyn Desk, findings: &Findings) -> Outcome {
    let mut findings = findings.clone();
    let looked = unknown_actions(&on.store).and_then(|unknown| {
        findings.advice.extend(unknown);
        on.store.verify()
    });
    match looked {
        Ok(found) => findings.store.extend(found),
        Err(error @ StoreError::Damaged { .. }) => findings.store.push(error.to_string()),
        Err(other) => return Err(other.into()),
    }
    tell(desk, &findings)
}

fn tell(desk: &mut dyn Desk, findings: &Findings) -> Outcome {
    print(desk, findings)?;
    if !findings.configuration.is_empty() {
        return Err(Failure::said(Exit::Config));
    }
    if !findings.store.is_empty() {
        return Err(Failure::said(Exit::Data));
    }
    Ok(())
}

/// Modules in callflows that no action runs: such a node is passed over.
fn unknown_actions(store: &Store) -> Result<Vec<String>, StoreError> {
    let mut unknown: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for document in store.scan(DocumentType::Callflow, None) {
        let document = document?;
        let Some(flow) = document.body.get("flow") else {
            continue;
        };
        let mut nodes = vec![flow];
        while let Some(node) = nodes.pop() {
            let children = node.get("children").and_then(Value::as_object);
            nodes.extend(children.into_iter().flat_map(|children| children.values()));
            let Some(module) = node.get("module").and_then(Value::as_str) else {
                continue;
            };
            if !callflow::modules().any(|known| known == module) {
                let example = || (0, document.key.to_string());
                unknown.entry(module.to_owned()).or_insert_with(example).0 += 1;
            }
        }
    }
    let told = unknown.into_iter().map(|(module, (nodes, example))| {
        format!("no action is called {module:?}: {nodes} callflow nodes are passed over, one of them in {example}")
    });
    Ok(told.collect())
}

fn advise(config: &Config, advice: &mut Vec<String>) {
    if config.nodes.is_empty() {
        advice.push(
            "no [nodes.NAME]: registrations are not seen, so only devices with a static address can be rung"
                .into(),
        );
    }
    if !config.handoff.socket && (!config.handoff.park || config.nodes.is_empty()) {
        advice.push("neither [handoff] socket nor park: no call comes in".into());
    }
    if config.handoff.socket && !config.handoff.listen.ip().is_loopback() {
        advice.push(format!(
            "[handoff] listen = {}: the protocol has neither passwords nor TLS; keep it on a private network",
            config.handoff.listen
        ));
    }
    for (name, node) in &config.nodes {
        let host = node.address.host().trim_matches(['[', ']']);
        let local = host == "localhost"
            || host
                .parse()
                .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        if !local {
            advice.push(format!(
                "[nodes.{name}] address = {}: the password crosses the network in clear; use a tunnel",
                node.address
            ));
        }
    }
}

fn print(desk: &mut dyn Desk, findings: &Findings) -> Outcome {
    let mut out = Output::at(desk);
    if findings.of.json {
        let value = serde_json::json!({
            "configuration": findings.configuration,
            "store": findings.store,
            "advice": findings.advice,
        });
        out.line(format_args!("{value:#}"))?;
        return Ok(out.finish()?);
    }
    for finding in &findings.configuration {
        out.line(format_args!("configuration: {finding}"))?;
    }
    for finding in &findings.store {
        out.line(format_args!("store: {finding}"))?;
    }
    for advice in &findings.advice {
        out.line(format_args!("note: {advice}"))?;
    }
    if findings.configuration.is_empty() && findings.store.is_empty() {
        out.line("nothing wrong was found")?;
    }
    Ok(out.finish()?)
}
