//! What a flow names: its modules, and the documents behind its ids.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::api::reply::{Refusal, unreadable};
use crate::api::request::Request;
use crate::documents::{Document, DocumentKey, DocumentType};
use crate::types::DocumentId;

/// Ids that one flow's metadata looks up at most: each costs a read for every kind of document.
const IDS_MAX: usize = 500;

/// What a flow may name.
const KINDS: &[DocumentType] = &[
    DocumentType::User,
    DocumentType::Device,
    DocumentType::Callflow,
    DocumentType::Vmbox,
    DocumentType::Menu,
    DocumentType::Group,
    DocumentType::TemporalRule,
    DocumentType::Conference,
    DocumentType::Media,
    DocumentType::Directory,
    DocumentType::List,
    DocumentType::Webhook,
];

/// The nodes of a flow with the key that leads to each, a node before its children, in the order of the document.
fn nodes(flow: &Value) -> impl Iterator<Item = (Option<&str>, &Map<String, Value>)> {
    let mut waiting = vec![(None, flow)];
    std::iter::from_fn(move || {
        while let Some((key, node)) = waiting.pop() {
            let Some(node) = node.as_object() else {
                continue;
            };
            if let Some(children) = node.get("children").and_then(Value::as_object) {
                let below = children.iter().rev();
                waiting.extend(below.map(|(key, child)| (Some(key.as_str()), child)));
            }
            return Some((key, node));
        }
        None
    })
}

/// Each module once, in tree order.
pub(super) fn modules(flow: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    for (_, node) in nodes(flow) {
        if let Some(module) = node.get("module").and_then(Value::as_str)
            && !found.contains(&module)
        {
            found.push(module);
        }
    }
    found
}

/// Every text in the data of a flow that may be an id (`id`, `*_id`, at any depth), and the keys of its branches.
fn ids(flow: &Value) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for (key, node) in nodes(flow) {
        found.extend(key.filter(|key| *key != "_"));
        let mut waiting: Vec<&Value> = node.get("data").into_iter().collect();
        while let Some(value) = waiting.pop() {
            match value {
                Value::Object(members) => {
                    let named = members
                        .iter()
                        .filter(|(name, _)| *name == "id" || name.ends_with("_id"));
                    found.extend(named.filter_map(|(_, value)| value.as_str()));
                    waiting.extend(members.values());
                }
                Value::Array(items) => waiting.extend(items),
                _ => {}
            }
        }
    }
    found
}

/// `{<id>: {name, pvt_type, numbers?}}` of the documents of the account that the flow names.
///
/// # Errors
/// The store.
pub(super) fn of(asked: &Request, flow: &Value) -> Result<Map<String, Value>, Refusal> {
    let mut told = Map::new();
    for text in ids(flow).into_iter().take(IDS_MAX) {
        let Ok(id) = DocumentId::new(text) else {
            continue;
        };
        for kind in KINDS {
            let key = DocumentKey {
                kind: *kind,
                account: asked.owner(),
                id: id.clone(),
            };
            if let Some(document) = asked.context.store.document(&key).map_err(unreadable)? {
                told.insert(text.to_owned(), Value::Object(facts(&document)));
                break;
            }
        }
    }
    Ok(told)
}

fn facts(document: &Document) -> Map<String, Value> {
    let body = &document.body;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let name = match (text("name"), text("first_name"), text("last_name")) {
        (Some(name), ..) => name.to_owned(),
        (None, first, last) => {
            let both: Vec<&str> = first.into_iter().chain(last).collect();
            both.join(" ")
        }
    };
    let mut facts = Map::new();
    facts.insert("name".to_owned(), name.into());
    facts.insert("pvt_type".to_owned(), document.key.kind.as_str().into());
    let numbers = ["numbers", "conference_numbers"]
        .into_iter()
        .find_map(|name| body.get(name));
    let numbers = numbers.or_else(|| body.get("mailbox"));
    facts.extend(numbers.map(|numbers| ("numbers".to_owned(), numbers.clone())));
    facts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn modules_come_once_and_in_tree_order() {
        let flow = json!({"module": "menu", "children": {
            "1": {"module": "device", "children": {"_": {"module": "voicemail"}}},
            "2": {"module": "device", "data": {}},
            "3": 5,
            "_": {"module": "hangup"}
        }});
        assert_eq!(modules(&flow), ["menu", "device", "voicemail", "hangup"]);
        assert!(modules(&Value::Null).is_empty());
    }

    #[test]
    fn ids_are_found_in_data_at_any_depth_and_in_branches() {
        let flow = json!({"module": "ring_group", "data": {"endpoints": [{"id": "d1"}, {"id": 5}], "name": "x",
            "owner_id": "u1", "deep": {"media_id": "m1"}},
            "children": {"_": {"module": "temporal_route", "children": {"r1": {"data": {"id": "c1"}}}}}});
        let found: Vec<&str> = ids(&flow).into_iter().collect();
        assert_eq!(found, ["c1", "d1", "m1", "r1", "u1"]);
    }
}
