//! `/about` and `/status`: the daemon itself.

use serde_json::{Map, Value, json};

use crate::api::reply::{Outcome, Reply, unreadable};
use crate::api::request::{Asked, Request};
use crate::api::routes::{Access, On, Routes};
use crate::store::Health;

pub(super) fn routes(routes: &mut Routes) {
    routes
        .at("/accounts/{account}/about")
        .get(On::new("About the daemon", about));
    routes
        .at("/about")
        .get(On::new("About the daemon", about).access(Access::Superduper));
    routes
        .at("/status")
        .get(On::new("Whether the daemon serves", status).access(Access::Open));
}

async fn about(asked: Asked) -> Outcome {
    let mut told = Map::new();
    told.insert("version".to_owned(), env!("CARGO_PKG_VERSION").into());
    told.insert("used_memory".to_owned(), memory().into());
    told.insert("processes".to_owned(), tasks().into());
    told.insert("ports".to_owned(), asked.context.nodes.len().into());
    let up = asked.context.started.elapsed().as_secs();
    told.insert("uptime_s".to_owned(), up.into());
    told.extend(unready(&asked)?);
    told.insert("store".to_owned(), store(&asked));
    if !asked.context.notices.is_empty() {
        told.insert("notices".to_owned(), json!(asked.context.notices));
    }
    Ok(Reply::ok(told))
}

async fn status(asked: Asked) -> Outcome {
    let mut told = Map::new();
    told.insert("status".to_owned(), "ok".into());
    told.extend(unready(&asked)?);
    let health = asked.context.store.health();
    if health != Health::Healthy {
        told.insert("store".to_owned(), health.name().into());
    }
    Ok(Reply::ok(told))
}

/// How the store is. What it names of documents and folders is for those who run the installation.
fn store(asked: &Request) -> Value {
    let health = asked.context.store.health();
    let superduper = asked
        .caller
        .as_ref()
        .is_some_and(|caller| caller.superduper());
    match superduper {
        true => json!(health),
        false => json!({"state": health.name()}),
    }
}

/// What an operator has still to do.
fn unready(asked: &Request) -> Result<Option<(String, Value)>, crate::api::reply::Refusal> {
    let any = asked.context.store.any_account().map_err(unreadable)?;
    let advice = "there is no account yet; run: linefinder account create NAME --realm REALM";
    Ok((!any).then(|| ("message".to_owned(), json!(advice))))
}

/// Bytes of memory in use, as the kernel counts them; 0 where it doesn't tell.
fn memory() -> u64 {
    const PAGE: u64 = 4096;
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = text
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    resident.unwrap_or_default().saturating_mul(PAGE)
}

fn tasks() -> u64 {
    let metrics =
        tokio::runtime::Handle::try_current().map(|handle| handle.metrics().num_alive_tasks());
    metrics.map_or(0, |tasks| tasks as u64)
}
