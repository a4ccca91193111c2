//! Whether an answer is what a transcript expects: subsets and matchers (API specification 9).

use regex::Regex;
use serde_json::{Map, Value, json};

use super::suite::Differences;

/// What is wrong with `found`, which is missing when it is None.
pub fn differences(path: &str, wanted: &Value, found: Option<&Value>) -> Differences {
    if let Some(matchers) = matchers(wanted) {
        return matchers
            .iter()
            .filter_map(|(name, argument)| {
                let wrong = unmatched(name, argument, found)?;
                Some(format!("{path}: {name} {argument}: {wrong}"))
            })
            .collect();
    }
    let Some(found) = found else {
        return vec![format!("{path}: missing")];
    };
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => wanted
            .iter()
            .flat_map(|(name, wanted)| {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                differences(&path, wanted, found.get(name))
            })
            .collect(),
        (Value::Array(wanted), Value::Array(found)) => {
            if wanted.len() != found.len() {
                return vec![format!(
                    "{path}: expected {} items, found {}",
                    wanted.len(),
                    found.len()
                )];
            }
            let pairs = wanted.iter().zip(found).enumerate();
            pairs
                .flat_map(|(at, (wanted, found))| {
                    differences(&format!("{path}.{at}"), wanted, Some(found))
                })
                .collect()
        }
        (wanted, found) if equal(wanted, found) => Vec::new(),
        (wanted, found) => vec![format!("{path}: expected {wanted}, found {found}")],
    }
}

/// The object itself if its keys are matchers.
fn matchers(wanted: &Value) -> Option<&Map<String, Value>> {
    let object = wanted.as_object()?;
    (!object.is_empty() && object.keys().all(|name| name.starts_with('$'))).then_some(object)
}

/// Numbers compare by value, `true` is not 1.
fn equal(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Number(wanted), Value::Number(found)) => {
            wanted == found || wanted.as_f64() == found.as_f64()
        }
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() == found.len() && wanted.iter().zip(found).all(|(a, b)| equal(a, b))
        }
        (Value::Object(wanted), Value::Object(found)) => {
            wanted.len() == found.len()
                && wanted
                    .iter()
                    .all(|(name, a)| found.get(name).is_some_and(|b| equal(a, b)))
        }
        (wanted, found) => wanted == found,
    }
}

fn unmatched(name: &str, argument: &Value, found: Option<&Value>) -> Option<String> {
    let held = match (name, found) {
        ("$absent", found) => found.is_none() == (argument == true),
        (_, None) => return Some("missing".into()),
        ("$any", Some(_)) => true,
        ("$regex", Some(found)) => {
            let text = found
                .as_str()
                .map_or_else(|| found.to_string(), str::to_owned);
            Regex::new(argument.as_str().unwrap())
                .unwrap()
                .is_match(&text)
        }
        ("$type", Some(found)) => argument.as_str() == Some(kind(found)),
        ("$len", Some(found)) => {
            let length = match found {
                Value::Array(list) => list.len(),
                Value::Object(object) => object.len(),
                Value::String(text) => text.chars().count(),
                _ => return Some(format!("{found} has no length")),
            };
            argument.as_u64() == Some(length as u64)
        }
        ("$gte", Some(found)) => found
            .as_f64()
            .is_some_and(|number| number >= argument.as_f64().unwrap()),
        ("$contains", Some(found)) => {
            let items = argument.as_array().unwrap();
            items.iter().all(|item| contains(found, item))
        }
        ("$not_contains", Some(found)) => {
            let items = argument.as_array().unwrap();
            !items.iter().any(|item| contains(found, item))
        }
        ("$in", Some(found)) => argument
            .as_array()
            .unwrap()
            .iter()
            .any(|one| equal(one, found)),
        ("$eq", Some(found)) => equal(argument, found),
        (other, _) => panic!("no matcher {other}"),
    };
    (!held).then(|| {
        format!(
            "found {}",
            found.map_or_else(|| "nothing".into(), Value::to_string)
        )
    })
}

fn contains(found: &Value, item: &Value) -> bool {
    let list = found.as_array();
    list.is_some_and(|list| {
        list.iter()
            .any(|one| differences("", item, Some(one)).is_empty())
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "boolean",
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::Null => "null",
    }
}

/// Pairs that must differ: a comparison that sees none of this would pass anything.
pub fn self_test(_file: &Value) -> Differences {
    let answer = json!({"a": 1, "b": [1, 2], "c": {"d": "text", "e": null}, "t": true});
    let wrong = [
        json!({"a": 2}),
        json!({"a": true}),
        json!({"t": 1}),
        json!({"z": 1}),
        json!({"b": [1]}),
        json!({"b": [1, 3]}),
        json!({"c": {"d": "other"}}),
        json!({"a": {"$absent": true}}),
        json!({"z": {"$any": true}}),
        json!({"c": {"$eq": {"d": "text"}}}),
        json!({"c": {"d": {"$regex": "^x"}}}),
        json!({"b": {"$len": 3}}),
        json!({"b": {"$contains": [3]}}),
        json!({"b": {"$not_contains": [1]}}),
        json!({"a": {"$gte": 2}}),
        json!({"a": {"$type": "string"}}),
        json!({"a": {"$in": [2, 3]}}),
        json!({"b": {"$len": 2, "$contains": [9]}}),
    ];
    let right = [
        json!({"a": 1, "c": {"e": {"$any": true}, "d": {"$regex": "ex"}}}),
        json!({"b": {"$len": 2, "$contains": [2]}, "z": {"$absent": true}}),
        json!({"c": {"$eq": {"e": null, "d": "text"}}, "a": {"$gte": 1}}),
    ];
    let missed = wrong
        .iter()
        .filter(|wanted| differences("", wanted, Some(&answer)).is_empty());
    let refused = right
        .iter()
        .filter(|wanted| !differences("", wanted, Some(&answer)).is_empty());
    missed
        .map(|case| format!("passes: {case}"))
        .chain(refused.map(|case| format!("fails: {case}")))
        .collect()
}
