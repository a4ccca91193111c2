//! Which documents a listing shows: `filter_<key>=value` and its kin, over the whole public document.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::api::request::Query;
use crate::api::resource::stored_name;

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Equal {
        path: String,
        wanted: Wanted,
        not: bool,
    },
    Key {
        path: String,
        present: bool,
    },
    Value {
        path: String,
        present: bool,
    },
    Time {
        field: &'static str,
        from: bool,
        bound: Option<i64>,
    },
}

#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    One(String),
    OneOf(Vec<String>),
}

/// All tests of a query; a document passes when it passes each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filters(Vec<Test>);

impl Filters {
    #[must_use]
    pub fn of(query: &Query) -> Filters {
        Filters(
            query
                .pairs()
                .filter_map(|(name, value)| test(name, value))
                .collect(),
        )
    }

    /// `body`: the stored document, private fields included; these are compared by nobody but the times.
    #[must_use]
    pub fn pass(&self, id: &str, body: &Map<String, Value>) -> bool {
        self.0.iter().all(|test| passes(test, id, body))
    }
}

fn test(name: &str, value: &str) -> Option<Test> {
    let equal = |path: &str, not| {
        Some(Test::Equal {
            path: path.to_owned(),
            wanted: wanted(value),
            not,
        })
    };
    if let Some(path) = name.strip_prefix("filter_not_") {
        return equal(path, true);
    }
    if let Some(path) = name.strip_prefix("filter_") {
        return equal(path, false);
    }
    let path = value.to_owned();
    let time = |field, from| Test::Time {
        field,
        from,
        bound: value.parse().ok(),
    };
    Some(match name {
        "has_key" => Test::Key {
            path,
            present: true,
        },
        "key_missing" => Test::Key {
            path,
            present: false,
        },
        "has_value" => Test::Value {
            path,
            present: true,
        },
        "value_missing" | "missing_value" => Test::Value {
            path,
            present: false,
        },
        "created_from" => time("pvt_created", true),
        "created_to" => time("pvt_created", false),
        "modified_from" => time("pvt_modified", true),
        "modified_to" => time("pvt_modified", false),
        _ => return None,
    })
}

fn wanted(value: &str) -> Wanted {
    match serde_json::from_str(value) {
        Ok(Value::Array(list)) => {
            Wanted::OneOf(list.iter().map(|item| text(item).into_owned()).collect())
        }
        _ => Wanted::One(value.to_owned()),
    }
}

fn passes(test: &Test, id: &str, body: &Map<String, Value>) -> bool {
    match test {
        Test::Equal { path, wanted, not } => {
            let found = at(id, body, path);
            let found = found.as_deref().map(text).unwrap_or_default();
            let equal = match wanted {
                Wanted::One(wanted) => *wanted == found,
                Wanted::OneOf(list) => list.iter().any(|wanted| *wanted == found),
            };
            equal != *not
        }
        Test::Key { path, present } => at(id, body, path).is_some() == *present,
        Test::Value { path, present } => {
            let empty = match at(id, body, path).as_deref() {
                None | Some(Value::Null) => true,
                Some(Value::String(text)) => text.is_empty(),
                Some(Value::Array(list)) => list.is_empty(),
                Some(Value::Object(object)) => object.is_empty(),
                Some(_) => false,
            };
            empty != *present
        }
        Test::Time { field, from, bound } => {
            let found = body.get(*field).and_then(Value::as_i64).unwrap_or_default();
            match bound {
                Some(bound) if *from => found >= *bound,
                Some(bound) => found <= *bound,
                None => false,
            }
        }
    }
}

/// The value at a dotted path; a key may hold dots itself.
fn at<'a>(id: &str, body: &'a Map<String, Value>, path: &str) -> Option<Cow<'a, Value>> {
    if path == "id" {
        return Some(Cow::Owned(id.into()));
    }
    if path.starts_with("pvt_") || path.starts_with('_') {
        return None;
    }
    within(body, stored_name(path)).map(Cow::Borrowed)
}

fn within<'a>(object: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = object.get(path) {
        return Some(value);
    }
    let mut dots = path.match_indices('.');
    dots.find_map(|(dot, _)| {
        let (name, rest) = (path.get(..dot)?, path.get(dot + 1..)?);
        match object.get(name)? {
            Value::Object(below) => within(below, rest),
            Value::Array(list) => list.get(rest.parse::<usize>().ok()?),
            _ => None,
        }
    })
}

fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null => Cow::Borrowed(""),
        other => Cow::Owned(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pass(query: &str) -> bool {
        let document = json!({
            "name": "Desk", "enabled": true, "sip": {"username": "1001", "expires": 300}, "tags": ["a"], "none": "",
            "a.b": 1, "pvt_created": 100, "pvt_credentials": ["x"],
        });
        Filters::of(&Query::parse(query)).pass("d1", document.as_object().unwrap())
    }

    #[test]
    fn each_kind() {
        for right in [
            "filter_name=Desk",
            "filter_sip.username=1001&filter_enabled=true",
            "filter_sip.expires=300",
            "filter_name=%5B%22x%22,%22Desk%22%5D",
            "filter_enabled=[true]",
            "filter_not_name=x",
            "filter_absent=",
            "filter_id=d1",
            "filter_a.b=1",
            "has_key=none&has_value=tags&key_missing=x&value_missing=none&missing_value=x",
            "created_from=100&created_to=100",
            "unknown=1",
        ] {
            assert!(pass(right), "{right}");
        }
        for wrong in [
            "filter_name=desk",
            "filter_not_absent=",
            "has_key=x",
            "has_value=none",
            "created_from=101",
            "created_to=soon",
            "filter_name=Desk&filter_enabled=false",
            "has_key=pvt_credentials",
            "filter_pvt_created=100",
        ] {
            assert!(!pass(wrong), "{wrong}");
        }
    }
}
