//! `gateways`: how the carriers' gateways are now, and an operator's word about them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::arguments::{Force, Gateways};
use super::exit::{Exit, Failure, Outcome};
use super::output::Output;
use super::premises::{Live, Premises};
use super::table::Table;
use crate::console::Desk;
use crate::switch::{GatewayRow, NodeState};
use crate::trunks::Health;
use crate::trunks::gateways::Wanted;
use crate::trunks::health::{Forced, GatewayHealth, GatewayKey, State};
use crate::types::AccountId;

/// For a node to tell its table of gateways.
const NODE_WITHIN: Duration = Duration::from_secs(3);

/// One gateway, with what the nodes say of it.
#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    health: GatewayHealth,
    /// Ordinary calls are sent there.
    in_use: bool,
    /// Its state in each node's own table: `REGED`, `NOREG` and so on. Only gateways that register, or are pinged, are there.
    nodes: BTreeMap<String, String>,
}

pub fn gateways(on: &Premises, desk: &mut dyn Desk, asked: &Gateways) -> Outcome {
    let (Some(live), Some(health)) = (&on.live, &on.context.health) else {
        let message =
            "how gateways are is known by a running daemon alone, and none has this store open";
        return Err(Failure::new(Exit::Unavailable, message));
    };
    let meant = meant(health, asked)?;
    if let Some(force) = asked.force {
        let forced = match force {
            Force::Out => Some(Forced::Out),
            Force::InUse => Some(Forced::InUse),
            Force::Auto => None,
        };
        for gateway in &meant {
            health.force(&gateway.key, forced);
        }
    }
    let keys: Vec<GatewayKey> = meant.into_iter().map(|gateway| gateway.key).collect();
    let tables = tables(live);
    let wanted = match &on.context.carriers {
        Some(carriers) => {
            let settings = on
                .config
                .trunks
                .gateways(&on.config.routing.trunk.carrier_profile);
            Wanted::new(carriers.clone(), &settings).gateways(None)
        }
        None => Vec::new(),
    };
    let shown = health.snapshot().into_iter();
    let rows: Vec<Row> = shown
        .filter(|gateway| keys.contains(&gateway.key))
        .map(|health| {
            let known = wanted.iter().find(|wanted| wanted.key == health.key);
            let states = tables.iter().filter_map(|(node, table)| {
                let name = &known?.name;
                let row = table.iter().find(|row| row.name == *name)?;
                Some((node.clone(), row.state.clone()))
            });
            Row {
                in_use: match health.forced {
                    None => health.state == State::Closed,
                    Some(forced) => forced == Forced::InUse,
                },
                nodes: states.collect(),
                health,
            }
        })
        .collect();
    print(desk, &rows, asked.of.json)
}

/// The gateways that are asked about, of which there is one at least if a carrier is named.
fn meant(health: &Health, asked: &Gateways) -> Result<Vec<GatewayHealth>, Failure> {
    let named = asked.carrier.as_deref();
    let (carrier, place) = match named.and_then(|name| name.rsplit_once('/')) {
        Some((carrier, place)) => (Some(carrier), place.parse().ok()),
        None => (named, None),
    };
    if let (Some(name), None) = (named, place)
        && name.contains('/')
    {
        let message = format!("{name:?}: expected ID or ID/PLACE, as c1/0");
        return Err(Failure::new(Exit::Usage, message));
    }
    let mut found = health.snapshot();
    found.retain(|gateway| {
        let key = &gateway.key;
        carrier.is_none_or(|carrier| key.resource_id.as_str() == carrier)
            && place.is_none_or(|place: usize| key.gateway == place)
            && asked
                .account
                .as_ref()
                .is_none_or(|account| key.account_id == *account)
    });
    let mut owners: Vec<&AccountId> = found.iter().map(|found| &found.key.account_id).collect();
    owners.dedup();
    match (carrier, owners.as_slice()) {
        (Some(_), []) => {
            let name = named.unwrap_or_default();
            let message = format!("no enabled carrier has the gateway {name:?}");
            Err(Failure::new(Exit::Data, message))
        }
        (Some(name), [_, _, ..]) if asked.force.is_some() => {
            let message = format!("several accounts have a carrier {name}: name one by --account");
            Err(Failure::new(Exit::Usage, message))
        }
        _ => Ok(found),
    }
}

/// What each node that is connected has in its table; nothing of one that does not answer.
fn tables(live: &Live) -> Vec<(String, Vec<GatewayRow>)> {
    let connected = live.switch.nodes().iter().filter(|node| {
        let state = node.state();
        matches!(&*state.borrow(), NodeState::Live { .. })
    });
    let asked = connected.map(|node| async move {
        let table = tokio::time::timeout(NODE_WITHIN, node.gateways()).await;
        (
            node.name().to_string(),
            table.ok().and_then(Result::ok).unwrap_or_default(),
        )
    });
    let asked = futures_util::future::join_all(asked);
    live.runtime.block_on(asked)
}

fn print(desk: &mut dyn Desk, rows: &[Row], json: bool) -> Outcome {
    let width = desk.width();
    let mut out = Output::at(desk);
    if json {
        let text = serde_json::to_string_pretty(rows)
            .map_err(|error| Failure::new(Exit::Software, error))?;
        out.line(text)?;
        return Ok(out.finish()?);
    }
    if rows.is_empty() {
        out.line("there are no carriers")?;
    } else {
        table(rows)
            .lines(width)
            .iter()
            .try_for_each(|line| out.line(line))?;
    }
    Ok(out.finish()?)
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(
        &[
            "carrier",
            "gateway",
            "server",
            "state",
            "nodes",
            "last call",
        ],
        &["nodes", "server"],
    );
    for row in rows {
        let key = &row.health.key;
        let carrier = match key.account_id.is_installation() {
            true => key.resource_id.to_string(),
            false => format!("{} of {}", key.resource_id, key.account_id),
        };
        table.row(vec![
            carrier,
            key.gateway.to_string(),
            row.health.server.to_string(),
            state(row),
            nodes(row),
            row.health
                .last_cause
                .as_deref()
                .unwrap_or_default()
                .to_owned(),
        ]);
    }
    table
}

fn state(row: &Row) -> String {
    let health = &row.health;
    match (health.forced, health.state) {
        (Some(Forced::Out), _) => "out, by hand".to_owned(),
        (Some(Forced::InUse), _) => "in use, by hand".to_owned(),
        (None, State::Open) => format!("out for {} s", health.for_s),
        (None, State::Closed) if health.misses > 0 => format!("in use, {} misses", health.misses),
        (None, State::Closed) => "in use".to_owned(),
    }
}

/// `fs1 REGED up`: the node's table, and what SIP OPTIONS or the registration said last.
fn nodes(row: &Row) -> String {
    let mut all: BTreeMap<&str, String> = BTreeMap::new();
    for (node, state) in &row.nodes {
        all.insert(node, state.clone());
    }
    for (node, up) in &row.health.options {
        let told = all.entry(node).or_default();
        if !told.is_empty() {
            told.push(' ');
        }
        told.push_str(if *up { "up" } else { "down" });
    }
    let all = all.iter().map(|(node, state)| format!("{node} {state}"));
    all.collect::<Vec<_>>().join(", ")
}
