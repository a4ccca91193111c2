//! `explain`: the same decision, told.

use serde_json::json;

use super::world::{World, account_id, refuse};
use crate::callflow::{ExplainError, ExplainRequest, explain};

fn request(from: &str, to: &str) -> ExplainRequest {
    ExplainRequest {
        from: from.into(),
        to: to.into(),
        ..ExplainRequest::default()
    }
}

#[test]
fn a_call_between_devices_is_told_from_caller_to_dial_string() {
    let world = World::new();
    world.flow(json!({"module": "noop", "children": {
        "_": {"module": "device", "data": {"id": "dev_bob"}}}}));
    for from in ["alice", "alice@acme.test", "dev_alice"] {
        let told = explain(&world.context, &request(from, "100")).unwrap();
        assert_eq!(told.caller, "device");
        assert_eq!(told.device_id.as_ref().unwrap().as_str(), "dev_alice");
        let json = serde_json::to_value(&told).unwrap();
        assert_eq!(json["callflow_id"], "cf1");
        assert_eq!(json["callflow_by"], "number");
        assert_eq!(json["path"], json!([["noop", null], ["device", "_"]]));
        assert_eq!(json["result"]["result"], "bridge");
        assert_eq!(json["result"]["legs"][0]["device_id"], "dev_bob");
        let text = told.to_string();
        assert!(text.contains("dial string: "), "{text}");
        assert!(text.contains("sip:bob@127.0.0.9:5062"), "{text}");
        assert!(text.contains("100 is a number of callflow cf1"), "{text}");
    }
}

#[test]
fn a_refused_call_is_an_explanation_too() {
    let world = World::new();
    let told = explain(&world.context, &request("+4930123456", "555")).unwrap();
    assert_eq!(told.caller, "outside");
    let json = serde_json::to_value(&told).unwrap();
    assert_eq!(json["result"]["cause"], "NO_ROUTE_DESTINATION");
    assert_eq!(json["result"]["sip_status"], 404);
    assert!(
        told.to_string().contains("no callflow of account acc1"),
        "{told}"
    );
}

#[test]
fn nobody_to_ring_is_followed_to_the_end() {
    let world = World::new();
    world.unregister("bob");
    world.flow(json!({"module": "device", "data": {"id": "dev_bob"}}));
    let told = explain(&world.context, &request("alice", "100")).unwrap();
    let json = serde_json::to_value(&told).unwrap();
    assert_eq!(json["result"]["cause"], "USER_NOT_REGISTERED");
    assert!(told.to_string().contains("not_registered"), "{told}");
    world.flow(
        json!({"module": "device", "data": {"id": "dev_bob"}, "children": {"_": refuse(486)}}),
    );
    let told = explain(&world.context, &request("alice", "100")).unwrap();
    let json = serde_json::to_value(&told).unwrap();
    assert_eq!(json["result"]["status"], 486);
}

#[test]
fn the_account_is_named_or_the_only_one() {
    let world = World::new();
    world.flow(refuse(486));
    world.account("acc2", json!({"name": "Other", "realm": "other.test"}));
    let ask = |request| explain(&world.context, &request);
    let error = ask(request("alice", "100")).unwrap_err();
    assert!(matches!(error, ExplainError::WhichAccount), "{error}");
    let by_id = ExplainRequest {
        account: Some(account_id()),
        ..request("alice", "100")
    };
    assert_eq!(ask(by_id).unwrap().device_id.unwrap().as_str(), "dev_alice");
    let by_realm = ExplainRequest {
        realm: Some("ACME.test".into()),
        ..request("alice", "100")
    };
    assert_eq!(
        ask(by_realm).unwrap().device_id.unwrap().as_str(),
        "dev_alice"
    );
    assert!(ask(request("alice@acme.test", "100")).is_ok());
    let unknown = ExplainRequest {
        realm: Some("no.test".into()),
        ..request("alice", "100")
    };
    assert!(matches!(ask(unknown), Err(ExplainError::UnknownRealm(_))));
}

#[test]
fn every_value_names_the_document_that_gave_it() {
    let world = World::new();
    world.device(
        "bob",
        json!({"owner_id": "usr_bob", "presence_id": "desk", "ringtones": {"internal": "chime"},
            "music_on_hold": {"media_id": "local_stream://moh"}, "media": {"audio": {"codecs": ["PCMA"]}},
            "sip": {"custom_sip_headers": {"out": {"X-Door": "north"}}}}),
    );
    world.flow(json!({"module": "device", "data": {"id": "dev_bob",
        "custom_sip_headers": {"X-Action": "1"}}}));
    let told = explain(&world.context, &request("alice", "100")).unwrap();
    let text = told.to_string();
    for expected in [
        "\"desk\" of the device",
        "\"chime\", the internal ringtone of the device",
        "PCMA of the device",
        "X-Door of the called device",
        "X-Action of the action",
        "\"local_stream://moh\" of the device",
        "100 is unknown, which nobody denies",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
}
