//! The schemas under `schemas/`, and what they say of a document: what is wrong, where, and what was expected.

mod accept;
mod catalogue;
mod fault;
mod flow;
mod misspelt;
mod nearest;
mod shape;

use serde_json::{Map, Value};

use self::catalogue::CATALOGUE;
use self::fault::Fault;
use super::DocumentType;

pub use accept::accept;
pub use catalogue::{names, served, text};
pub use fault::{FieldError, Violation};
pub use flow::{FLOW_BYTES_MAX, FLOW_DEPTH_MAX};
pub use misspelt::{Misspelt, misspelt};

/// Whose rules hold: imports may bring more than the API takes (see `catalogue`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strictness {
    Stored,
    Api,
}

/// What is wrong with a document (without `type`, `account_id` and `id`); nothing if it is valid.
#[must_use]
pub fn validate(kind: DocumentType, body: &Map<String, Value>) -> Vec<Violation> {
    validate_value(kind, &Value::Object(body.clone()))
}

/// The same for a document that is a JSON value already.
#[must_use]
pub fn validate_value(kind: DocumentType, document: &Value) -> Vec<Violation> {
    let Some(name) = CATALOGUE.name_of_file(kind.as_str()) else {
        return vec![uncompiled(kind.as_str(), Vec::new()).violation()];
    };
    plain(whole(name, document, Strictness::Stored))
}

/// What is wrong with a tree of actions: shape of its nodes, depth, size, and each known module's data.
#[must_use]
pub fn validate_flow(flow: &Value) -> Vec<Violation> {
    plain(flow::faults(flow, Vec::new(), Strictness::Stored))
}

/// One value, one complaint: the first says enough.
fn plain(faults: Vec<Fault>) -> Vec<Violation> {
    let mut told: Vec<Violation> = Vec::new();
    for violation in faults.into_iter().map(Fault::violation) {
        if !told.iter().any(|known| known.field == violation.field) {
            told.push(violation);
        }
    }
    told
}

/// A document against its schema, and what a schema can't say of it.
fn whole(name: &str, document: &Value, strictness: Strictness) -> Vec<Fault> {
    let mut faults = against(name, document, Vec::new(), strictness);
    match name {
        "callflows" => {
            if let Some(flow) = document.get("flow").filter(|flow| flow.is_object()) {
                faults.extend(flow::faults(flow, vec!["flow".to_owned()], strictness));
            }
        }
        "devices" => faults.extend(address(document, strictness)),
        _ => {}
    }
    faults
}

fn uncompiled(name: &str, path: Vec<String>) -> Fault {
    Fault::new(
        &path,
        "invalid",
        format!("nothing: the schema {name} does not compile"),
    )
}

/// A pattern can't tell 198.51.100.900 from an address.
fn address(device: &Value, strictness: Strictness) -> Option<Fault> {
    let sip = device.get("sip")?;
    let given = sip.get("ip")?;
    let text = given.as_str()?;
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let sound = text.parse::<std::net::IpAddr>().is_ok()
        || text.parse::<std::net::SocketAddr>().is_ok()
        || inner.is_some_and(|t| t.parse::<std::net::Ipv6Addr>().is_ok());
    let v4 = text.parse::<std::net::Ipv4Addr>().is_ok()
        || text.parse::<std::net::SocketAddrV4>().is_ok();
    // who is recognised by address is recognised by an IPv4 one: api spec 3.3
    let by_address = sip.get("method").and_then(Value::as_str) == Some("ip");
    if sound && (v4 || !by_address || strictness == Strictness::Stored) {
        return None;
    }
    let path = ["sip".to_owned(), "ip".to_owned()];
    let fault = Fault::new(&path, "type", "an IP address, with or without :port")
        .with("message", "Must be a valid IPv4 RFC 791");
    Some(
        fault
            .with("cause", given.clone())
            .with("value", given.clone()),
    )
}

fn against(name: &str, value: &Value, at: Vec<String>, strictness: Strictness) -> Vec<Fault> {
    let Some(entry) = CATALOGUE.entries.get(name) else {
        return vec![uncompiled(name, at)];
    };
    let (validator, source) = match strictness {
        Strictness::Stored => (&entry.stored, &entry.stored_source),
        Strictness::Api => (&entry.api, &entry.source),
    };
    if validator.is_valid(value) {
        return Vec::new();
    }
    let errors = validator.iter_errors(value);
    let strict = strictness == Strictness::Api;
    let mut faults: Vec<Fault> = errors
        .flat_map(|error| fault::faults(&error, source, strict))
        .collect();
    for fault in &mut faults {
        fault.path.splice(0..0, at.iter().cloned());
    }
    faults
}

#[cfg(test)]
mod tests;
