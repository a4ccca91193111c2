//! What the store takes.

use serde_json::json;

use super::super::*;

fn device(body: Value) -> Vec<(String, String)> {
    let found = validate_value(DocumentType::Device, &body);
    found.into_iter().map(|v| (v.field, v.expected)).collect()
}

#[test]
fn the_vectors_of_validation() {
    let text = include_str!("../../../../tests/vectors/devices.json");
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
    let text = include_str!("../../../../tests/vectors/devices.json");
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
