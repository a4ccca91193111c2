//! What of a document its clients see.

use serde_json::{Map, Value};

use crate::api::listing::Row;
use crate::api::reply::Refusal;
use crate::api::request::Request;
use crate::store::Stored;

use super::StoredResource;

/// Fields of clients' that exchanged lines need for a document's key, and the private names that they are stored under.
const APART: [(&str, &str); 2] = [
    ("type", "pvt_own_type"),
    ("account_id", "pvt_own_account_id"),
];

/// The name of a public field as it is stored.
#[must_use]
pub fn stored_name(name: &str) -> &str {
    let apart = APART.iter().find(|(public, _)| *public == name);
    apart.map_or(name, |(_, stored)| stored)
}

/// The public name of a stored field; None for a private one.
fn public_name(stored: &str) -> Option<&str> {
    let apart = APART.iter().find(|(_, name)| *name == stored);
    match apart {
        Some((public, _)) => Some(public),
        None => (!is_private(stored)).then_some(stored),
    }
}

/// Public fields under the names that they are stored by.
#[must_use]
pub(super) fn storable(body: Map<String, Value>) -> Map<String, Value> {
    let stored = body
        .into_iter()
        .map(|(name, value)| (stored_name(&name).to_owned(), value));
    stored.collect()
}

fn is_private(name: &str) -> bool {
    name.starts_with("pvt_") || name.starts_with('_')
}

/// The public fields.
#[must_use]
pub fn public(body: &Map<String, Value>) -> Map<String, Value> {
    let public = body
        .iter()
        .filter_map(|(name, value)| Some((public_name(name)?, value)));
    public
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect()
}

/// The private ones, which survive whatever a client sends.
#[must_use]
pub fn private(body: &Map<String, Value>) -> Map<String, Value> {
    let private = body.iter().filter(|(name, _)| public_name(name).is_none());
    private
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// A document as it is answered: public fields, id, and what the resource adds.
///
/// # Errors
/// The resource's view can't read what it shows.
pub fn shown(
    resource: &StoredResource,
    request: &Request,
    stored: &Stored,
) -> Result<Map<String, Value>, Refusal> {
    let mut shown = public(&stored.document.body);
    shown.insert("id".to_owned(), stored.document.key.id.as_str().into());
    (resource.view)(request, stored, &mut shown)?;
    Ok(shown)
}

/// The named fields of a row that have a value; a dotted name is found by its path and shown by its last part.
#[must_use]
pub fn pick(row: &Row<'_>, names: &[&str]) -> Value {
    let mut picked = Map::with_capacity(names.len());
    for name in names {
        if *name == "id" {
            picked.insert("id".to_owned(), row.id.into());
            continue;
        }
        let mut parts = name.split('.');
        let first = parts
            .next()
            .and_then(|part| row.body.get(stored_name(part)));
        let found = parts.fold(first, |found, part| found?.get(part));
        let shown = name.rsplit('.').next().unwrap_or(name);
        if let Some(found) = found.filter(|found| !found.is_null()) {
            picked.insert(shown.to_owned(), found.clone());
        }
    }
    Value::Object(picked)
}

/// A patch over a document: objects merge, all else replaces, `null` removes, at any depth.
#[must_use]
pub fn merged(mut into: Map<String, Value>, patch: Map<String, Value>) -> Map<String, Value> {
    for (name, change) in patch {
        match (into.get_mut(&name), change) {
            (_, Value::Null) => {
                into.shift_remove(&name);
            }
            (Some(Value::Object(below)), Value::Object(change)) => {
                *below = merged(std::mem::take(below), change);
            }
            (_, Value::Object(change)) => {
                into.insert(name, Value::Object(merged(Map::new(), change)));
            }
            (_, change) => {
                into.insert(name, change);
            }
        }
    }
    into
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn patches_reach_down() {
        let document = map(json!({"a": {"b": 1, "c": 2}, "l": [1, 2], "n": 1}));
        let patch = map(
            json!({"a": {"b": null, "d": {"e": null, "f": 1}}, "l": [3], "n": {"x": null}, "z": null}),
        );
        assert_eq!(
            Value::Object(merged(document, patch)),
            json!({"a": {"c": 2, "d": {"f": 1}}, "l": [3], "n": {}})
        );
    }

    #[test]
    fn private_fields_stay_inside() {
        let body = map(json!({"name": "x", "pvt_tree": [], "_rev": 1}));
        assert_eq!(Value::Object(public(&body)), json!({"name": "x"}));
        let own = map(json!({"type": "main", "account_id": "x", "name": "n"}));
        let stored = storable(own.clone());
        assert!(!stored.contains_key("type") && !stored.contains_key("account_id"));
        assert_eq!(public(&stored), own);
        assert!(private(&stored).is_empty());
        assert_eq!(
            Value::Object(private(&body)),
            json!({"pvt_tree": [], "_rev": 1})
        );
    }
}
