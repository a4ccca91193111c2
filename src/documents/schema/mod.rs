//! The schemas under `schemas/`, and what they say of a document: what is wrong, where, and what was expected.

mod accept;
mod catalogue;
mod fault;
mod flow;
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
mod tests {
    use serde_json::json;

    use super::*;

    fn device(body: Value) -> Vec<(String, String)> {
        let found = validate_value(DocumentType::Device, &body);
        found.into_iter().map(|v| (v.field, v.expected)).collect()
    }

    #[test]
    fn the_vectors_of_validation() {
        let text = include_str!("../../../tests/vectors/devices.json");
        let vectors: Value = serde_json::from_str(text).unwrap();
        let mut seen = 0;
        for case in vectors["cases"].as_array().unwrap() {
            if case["request"]["op"] != "validate" {
                continue;
            }
            seen += 1;
            let found = device(case["device"].clone());
            let fields: Vec<&str> = found.iter().map(|(f, _)| f.as_str()).collect();
            let wanted: Vec<&str> = case["expect"]["field"].as_str().into_iter().collect();
            assert_eq!(fields, wanted, "{}", case["name"]);
            assert_eq!(fields.is_empty(), case["expect"]["valid"] == true);
        }
        assert_eq!(seen, 13);
    }

    #[test]
    fn every_device_of_the_other_vectors_is_valid() {
        let text = include_str!("../../../tests/vectors/devices.json");
        let vectors: Value = serde_json::from_str(text).unwrap();
        for case in vectors["cases"].as_array().unwrap() {
            let several = case["devices"].as_array().into_iter().flatten();
            if case["request"]["op"] == "validate" {
                continue;
            }
            for body in case.get("device").into_iter().chain(several) {
                let mut body = body.clone();
                body.as_object_mut().unwrap().remove("id");
                let found: Vec<_> = device(body)
                    .into_iter()
                    // cases that prove that run-time code trusts no stored value
                    .filter(|(field, _)| field != "name")
                    .collect();
                assert_eq!(found, [], "{}", case["name"]);
            }
        }
    }

    #[test]
    fn expectations_are_in_plain_words() {
        let cases = [
            (json!({}), "name", "a value; it is required"),
            (json!({"name": 5}), "name", "a string"),
            (
                json!({"name": "N", "enabled": "yes"}),
                "enabled",
                "true or false",
            ),
            (
                json!({"name": "N", "sip": {"method": "magic"}}),
                "sip.method",
                "one of password, ip",
            ),
            (
                json!({"name": "N", "sip": {"ip": "198.51.100.900"}}),
                "sip.ip",
                "an IP address, with or without :port",
            ),
            (
                json!({"name": "N", "sip": {"ip": "pbx.example.com"}}),
                "sip.ip",
                "an IP address, with or without :port",
            ),
            (
                json!({"name": "N", "sip": {"username": "a b"}}),
                "sip.username",
                "2 to 32 characters without blanks and @",
            ),
            (
                json!({"name": "N", "owner_id": "a/b"}),
                "owner_id",
                "an id: 1 to 128 letters, digits and . _ - ~ @ +",
            ),
            (
                json!({"name": "N", "media": {"audio": {"codecs": ["PCMU", "MP3"]}}}),
                "media.audio.codecs.1",
                "",
            ),
            (
                json!({"name": "N", "outbound_flags": "fax"}),
                "outbound_flags",
                "a list or an object",
            ),
            (
                json!({"name": "N", "metaflows": {"numbers": {"2": {"data": {}}}}}),
                "metaflows.numbers.2.module",
                "a value; it is required",
            ),
        ];
        for (body, field, expected) in cases {
            let found = device(body.clone());
            assert_eq!(found.len(), 1, "{body}: {found:?}");
            assert_eq!(found[0].0, field, "{body}");
            if !expected.is_empty() {
                assert_eq!(found[0].1, expected, "{body}");
            }
        }
    }

    #[test]
    fn addresses_in_all_their_forms_and_unknown_fields_pass() {
        for ip in [
            "198.51.100.9",
            "198.51.100.9:5070",
            "2001:db8::9",
            "[2001:db8::9]",
            "[2001:db8::9]:5070",
        ] {
            let found = device(json!({"name": "N", "sip": {"ip": ip, "colour": 1}, "pvt": []}));
            assert_eq!(found, [], "{ip}");
        }
    }

    fn flow(flow: Value) -> Vec<(String, String)> {
        let found = validate_flow(&flow);
        found.into_iter().map(|v| (v.field, v.expected)).collect()
    }

    fn deep(nodes: usize) -> Value {
        let mut flow = json!({"module": "x"});
        for _ in 1..nodes {
            flow = json!({"module": "x", "children": {"_": flow}});
        }
        flow
    }

    #[test]
    fn flows_are_checked_to_the_last_leaf() {
        assert_eq!(flow(json!({})), []);
        assert_eq!(
            flow(json!({"module": "unheard_of", "data": {"id": 5}, "children": {"_": {}}})),
            []
        );
        assert_eq!(flow(json!({"children": {}}))[0].0, "module");
        assert_eq!(flow(json!({"module": "x", "data": []}))[0].0, "data");
        let nested = json!({"module": "x", "children": {"1": {"module": "device", "data": {}}}});
        assert_eq!(flow(nested)[0].0, "children.1.data.id");
        let nested = json!({"module": "device", "data": {"id": "d", "timeout": "20"}});
        assert_eq!(flow(nested), []);
        let nested = json!({"module": "device", "data": {"id": "d", "timeout": "soon"}});
        assert_eq!(flow(nested)[0].1, "whole seconds");
        assert_eq!(flow(json!({"module": "device"}))[0].0, "data.id");
        assert_eq!(
            flow(json!({"module": "x", "children": {"_": 5}}))[0].0,
            "children._"
        );
    }

    #[test]
    fn a_flow_has_bounds() {
        assert_eq!(flow(deep(FLOW_DEPTH_MAX)), []);
        assert_eq!(flow(deep(FLOW_DEPTH_MAX + 1)).len(), 1);
        let fat = json!({"module": "x", "data": {"text": "y".repeat(FLOW_BYTES_MAX)}});
        assert_eq!(flow(fat).len(), 1);
    }

    #[test]
    fn a_callflow_names_the_node_by_its_path() {
        let body = json!({"numbers": ["100", 5], "flow": {"module": "device", "data": {"id": 7}}});
        let found = validate_value(DocumentType::Callflow, &body);
        let fields: Vec<&str> = found.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["numbers.1", "flow.data.id"]);
    }
}
