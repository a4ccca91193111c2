//! `/resources/{resource}/gateways`: how the gateways of a carrier are, and an operator's word about them.

use serde_json::{Map, Value, json};

use crate::api::reply::{Outcome, Refusal, Reply};
use crate::api::request::{Asked, Request};
use crate::api::routes::{Access, Gives, On, Routes, Takes};
use crate::documents::DocumentType;
use crate::trunks::Health;
use crate::trunks::health::{Forced, GatewayHealth, GatewayKey, State};

pub(super) fn routes(routes: &mut Routes) {
    for (path, read, write) in [
        (
            "/accounts/{account}/resources/{resource}/gateways",
            Access::Token,
            Access::Admin,
        ),
        (
            "/resources/{resource}/gateways",
            Access::Superduper,
            Access::Superduper,
        ),
    ] {
        routes
            .at(path)
            .get(
                On::new("How the carrier's gateways are", list)
                    .access(read)
                    .gives(Gives::Rows),
            )
            .post(
                On::new("Take a gateway out by hand, or into use", force)
                    .access(write)
                    .takes(Takes::Anything),
            );
    }
}

/// The gateways of the carrier in the path, which must exist.
fn gateways(asked: &Request) -> Result<(&Health, Vec<GatewayHealth>), Refusal> {
    let carrier = asked.document(DocumentType::Resource, "resource")?;
    let health = asked.context.health.as_ref();
    let health = health.ok_or_else(Refusal::not_implemented)?;
    let (owner, id) = (asked.owner(), carrier.document.key.id);
    let mut all = health.snapshot();
    all.retain(|gateway| gateway.key.account_id == owner && gateway.key.resource_id == id);
    Ok((health, all))
}

/// A circuit is closed while its gateway is in use.
fn row(gateway: &GatewayHealth) -> Value {
    let mut row = Map::new();
    row.insert("gateway".to_owned(), gateway.key.gateway.into());
    row.insert("server".to_owned(), (&*gateway.server).into());
    row.insert("state".to_owned(), json!(gateway.state));
    let forced = match gateway.forced {
        None => "auto",
        Some(Forced::InUse) => "closed",
        Some(Forced::Out) => "open",
    };
    row.insert("forced".to_owned(), forced.into());
    let used = match gateway.forced {
        None => gateway.state == State::Closed,
        Some(forced) => forced == Forced::InUse,
    };
    row.insert("in_use".to_owned(), used.into());
    row.insert("misses".to_owned(), gateway.misses.into());
    row.insert("answers".to_owned(), gateway.answers.into());
    row.insert("options".to_owned(), json!(gateway.options));
    if let Some(cause) = &gateway.last_cause {
        row.insert("last_cause".to_owned(), (&**cause).into());
    }
    row.insert("for_s".to_owned(), gateway.for_s.into());
    Value::Object(row)
}

async fn list(asked: Asked) -> Outcome {
    let (_, all) = gateways(&asked)?;
    Ok(Reply::rows(all.iter().map(row).collect()))
}

/// `{"action": "force", "data": {"gateway": 0, "state": "open" | "closed" | "auto"}}`; the gateway by its place in the
/// carrier's document.
async fn force(asked: Asked) -> Outcome {
    let (health, _) = gateways(&asked)?;
    match asked.option("action").as_deref() {
        Some("force") => {}
        None => return Err(Refusal::bad_request("action required")),
        Some(_) => return Err(Refusal::bad_request("invalid action")),
    }
    let data = asked.data()?;
    let place = match data.get("gateway") {
        None | Some(Value::Null) => return Err(Refusal::required("gateway")),
        Some(place) => place.as_u64().and_then(|place| usize::try_from(place).ok()),
    };
    let forced = match data.get("state").and_then(Value::as_str) {
        Some("open") => Some(Forced::Out),
        Some("closed") => Some(Forced::InUse),
        Some("auto") => None,
        None if data.get("state").is_none_or(Value::is_null) => {
            return Err(Refusal::required("state"));
        }
        _ => {
            let message = "Value not found in enumerated list of values";
            let target = ["open", "closed", "auto"];
            let body = json!({"message": message, "target": target, "value": data.get("state")});
            return Err(Refusal::fault("state", "enum", body));
        }
    };
    let (owner, all) = (asked.owner(), gateways(&asked)?.1);
    let known = all
        .iter()
        .find(|gateway| Some(gateway.key.gateway) == place);
    let done = known.is_some_and(|gateway| {
        let key = GatewayKey::new(&owner, &gateway.key.resource_id, gateway.key.gateway);
        health.force(&key, forced)
    });
    if !done {
        let message = "expected the place of a gateway that is enabled: 0 is the first";
        let body = json!({"message": message, "cause": data.get("gateway")});
        return Err(Refusal::fault("gateway", "not_found", body));
    }
    let (_, all) = gateways(&asked)?;
    let now = all
        .iter()
        .find(|gateway| Some(gateway.key.gateway) == place);
    Ok(Reply::ok(now.map_or(Value::Null, row)))
}
