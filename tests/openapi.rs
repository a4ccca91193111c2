//! The OpenAPI document that lies beside the code says what the code does.

use std::collections::BTreeSet;

use linefinder::api;
use serde_json::Value;

fn generated() -> Value {
    api::openapi::document(&api::routes())
}

#[test]
fn the_document_beside_the_code_is_the_codes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let text = std::fs::read_to_string(path).unwrap();
    let written: Value = serde_json::from_str(&text).unwrap();
    let generated = generated();
    let part = |document: &Value, of: &str| document.pointer(of).cloned().unwrap_or_default();
    for of in ["/paths", "/components/schemas"] {
        let (old, new) = (part(&written, of), part(&generated, of));
        let names = |value: &Value| -> BTreeSet<String> {
            value.as_object().unwrap().keys().cloned().collect()
        };
        for name in names(&old).union(&names(&new)) {
            let same = old.get(name) == new.get(name);
            assert!(
                same,
                "docs/openapi.json is out of step about {name}: linefinder openapi > docs/openapi.json"
            );
        }
    }
    assert_eq!(written, generated, "linefinder openapi > docs/openapi.json");
}

#[test]
fn every_reference_leads_somewhere_and_every_name_is_one_operations() {
    let document = generated();
    let mut waiting = vec![&document];
    let (mut references, mut operations) = (0, BTreeSet::new());
    let mut linked: Vec<Value> = Vec::new();
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                    references += 1;
                }
                if let Some(Value::String(id)) = members.get("operationId") {
                    assert!(operations.insert(id.clone()), "{id} is twice");
                }
                if let Some(Value::Object(links)) = members.get("links") {
                    linked.extend(links.values().map(|link| link["operationId"].clone()));
                }
                let below = members.iter().filter(|(name, _)| *name != "links");
                waiting.extend(below.map(|(_, value)| value));
            }
            Value::Array(items) => waiting.extend(items),
            _ => {}
        }
    }
    let nowhere: Vec<_> = linked
        .iter()
        .filter(|id| id.as_str().is_none_or(|id| !operations.contains(id)))
        .collect();
    assert!(nowhere.is_empty() && linked.len() > 60, "{nowhere:?}");
    assert!(
        references > 100 && operations.len() > 60,
        "{references} {}",
        operations.len()
    );
}

#[test]
fn every_route_and_verb_is_in_it() {
    let document = generated();
    let mut told = 0;
    for route in api::routes().iter() {
        let path = &document["paths"][&route.path];
        let provided = route.verbs.iter().filter(|(_, on)| on.is_provided());
        for (verb, _) in provided.clone() {
            assert!(
                path.get(verb.as_str().to_lowercase()).is_some(),
                "{verb} {}",
                route.path
            );
            told += 1;
        }
        if provided.count() == 0 {
            assert!(path.is_null(), "{}", route.path);
            continue;
        }
        let parameters = path["parameters"].as_array().map_or(0, Vec::len);
        assert_eq!(
            parameters,
            route.path.matches('{').count(),
            "{}",
            route.path
        );
    }
    assert!(told > 60);
}
