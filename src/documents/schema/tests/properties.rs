//! What holds whatever a client sends.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::super::*;

/// Any JSON, with names that the schemas know often enough to reach their rules.
fn json() -> impl Strategy<Value = Value> {
    let known = prop::sample::select(vec![
        "name",
        "enabled",
        "sip",
        "method",
        "username",
        "expire_seconds",
        "registration_expiration",
        "media",
        "audio",
        "codecs",
        "flow",
        "module",
        "data",
        "children",
        "numbers",
        "patterns",
        "servers",
        "auth",
        "DIDs",
        "options",
        "gateways",
        "call_recording",
        "caller_id",
        "first_name",
        "last_name",
        "uri",
        "hook",
        "x.y",
        "_x",
        "pvt_x",
        "",
    ]);
    let name = prop_oneof![3 => known.prop_map(str::to_owned), 1 => "[a-z.~/%_]{0,8}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "(true|false|-?[0-9]{1,22}|device|ip|.{0,40})".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    json().prop_map(|value| match value {
        Value::Object(members) => members,
        other => Map::from_iter([("name".to_owned(), other)]),
    })
}

fn kind() -> impl Strategy<Value = DocumentType> {
    prop::sample::select(DocumentType::ALL)
}

proptest! {
    #[test]
    fn what_the_api_accepts_the_store_takes_and_the_api_accepts_again(kind in kind(), data in object()) {
        let name = CATALOGUE.name_of_file(kind.as_str()).unwrap();
        match accept(name, data.clone()) {
            Ok(body) => {
                prop_assert_eq!(validate(kind, &body), []);
                prop_assert_eq!(accept(name, body.clone()), Ok(body.clone()));
                let kept: Vec<&String> = data.iter()
                    .filter(|(name, value)| body.contains_key(*name) && !value.is_null())
                    .map(|(name, _)| name)
                    .collect();
                let order: Vec<&String> = body.keys().take(kept.len()).collect();
                prop_assert_eq!(kept, order);
                for (name, value) in &data {
                    let private = name.starts_with('_') || name.starts_with("pvt_");
                    prop_assert_eq!(body.contains_key(name), !private && !value.is_null());
                }
            }
            Err(errors) => {
                prop_assert!(!errors.is_empty());
                for error in errors {
                    prop_assert!(error.body.get("message").is_some_and(Value::is_string), "{:?}", error);
                }
            }
        }
    }

    #[test]
    fn no_document_is_too_odd_to_be_judged(name in prop::sample::select(names(true)), data in object()) {
        let _judged = accept(name, data);
    }
}
