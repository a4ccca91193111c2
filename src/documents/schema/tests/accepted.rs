//! What the API makes of a request's data.

use serde_json::{Map, Value, json};

use super::super::*;

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("{other} is no object"),
    }
}

fn accepted(name: &str, data: Value) -> Value {
    match accept(name, members(data.clone())) {
        Ok(body) => Value::Object(body),
        Err(errors) => panic!("{name} {data}: {errors:?}"),
    }
}

/// The error map as the API shows it.
fn refused(name: &str, data: Value) -> Value {
    let errors = accept(name, members(data)).unwrap_err();
    let mut map = Map::new();
    for error in errors {
        let codes = map.entry(error.field).or_insert_with(|| json!({}));
        codes[error.code] = Value::Object(error.body);
    }
    Value::Object(map)
}

#[test]
fn the_default_device() {
    let wanted = json!({
        "call_restriction": {}, "caller_id": {}, "contact_list": {}, "dial_plan": {}, "enabled": true,
        "exclude_from_queues": false,
        "media": {"audio": {"codecs": ["PCMU"]}, "encryption": {"enforce_security": false, "methods": []}, "video": {"codecs": []}},
        "music_on_hold": {}, "mwi_unsolicited_updates": true, "name": "New Device",
        "register_overwrite_notify": false, "ringtones": {},
        "sip": {"invite_format": "username", "method": "password", "registration_expiration": 300, "expire_seconds": 300},
        "suppress_unregister_notifications": false
    });
    assert_eq!(accepted("devices", json!({"name": "New Device"})), wanted);
}

#[test]
fn a_device_known_by_its_address_gains_only_the_times() {
    let sip = json!({"invite_format": "e164", "ip": "198.51.100.7", "method": "ip"});
    let device = accepted(
        "devices",
        json!({"enabled": true, "name": "authn_by_ip", "sip": sip}),
    );
    let wanted = json!({"invite_format": "e164", "ip": "198.51.100.7", "method": "ip",
        "expire_seconds": 300, "registration_expiration": 300});
    assert_eq!(device["sip"], wanted);
}

#[test]
fn the_default_user_account_and_callflow() {
    let wanted = json!({
        "first_name": "User", "last_name": "Three",
        "call_restriction": {}, "caller_id": {}, "contact_list": {}, "dial_plan": {}, "enabled": true,
        "hotdesk": {"enabled": false, "keep_logged_in_elsewhere": false, "require_pin": false},
        "media": {"audio": {"codecs": ["PCMU"]}, "encryption": {"enforce_security": false, "methods": []}, "video": {"codecs": []}},
        "music_on_hold": {}, "priv_level": "user", "profile": {}, "require_password_update": false, "ringtones": {},
        "verified": false, "vm_to_email_enabled": true
    });
    let names = json!({"first_name": "User", "last_name": "Three"});
    assert_eq!(accepted("users", names), wanted);
    let wanted = json!({"name": "A", "enabled": true, "call_restriction": {}, "music_on_hold": {}, "preflow": {},
        "ringtones": {}, "caller_id": {}, "dial_plan": {}, "timezone": "America/Los_Angeles", "language": "en-US"});
    assert_eq!(accepted("accounts", json!({"name": "A"})), wanted);
    let flow = json!({"flow": {"module": "menu", "children": {"1": {"module": "unheard_of", "data": {"x": "5"}}}}});
    let wanted = json!({"numbers": [], "patterns": [], "flow": {"module": "menu", "data": {},
        "children": {"1": {"module": "unheard_of", "data": {"x": "5"}}}}});
    assert_eq!(accepted("callflows", flow), wanted);
}

#[test]
fn the_other_default_documents() {
    let name = || json!({"name": "N"});
    let wanted = json!({"name": "N", "hunt": true, "retries": 3, "max_extension_length": 4, "suppress_media": false,
        "allow_record_from_offnet": false, "media": {}});
    assert_eq!(accepted("menus", name()), wanted);
    let wanted = json!({"name": "N", "interval": 1, "start_date": 62586115200_u64});
    assert_eq!(accepted("temporal_rules", name()), wanted);
    let wanted = json!({"name": "N", "conference_numbers": [], "play_name": false,
        "member": {"join_muted": true, "join_deaf": false, "numbers": [], "pins": []},
        "moderator": {"join_muted": false, "join_deaf": false, "numbers": [], "pins": []}});
    assert_eq!(accepted("conferences", name()), wanted);
    let wanted = json!({"servers": [], "account": {}});
    assert_eq!(accepted("connectivity", json!({})), wanted);
    let wanted = json!({"allow_prepay": true, "authz_resource_types": []});
    assert_eq!(accepted("limits", json!({})), wanted);
    let wanted = json!({"name": "N", "emergency": false, "enabled": true, "flags": [], "from_account_realm": false,
        "grace_period": 5, "rules": [], "rules_test": [], "weight_cost": 50,
        "gateways": [{"server": "sip.carrier.test", "channel_selection": "ascending", "enabled": true,
            "endpoint_type": "sip", "force_port": false, "invite_format": "route", "port": 5060, "skype_rr": true}]});
    let resource = json!({"name": "N", "gateways": [{"server": "sip.carrier.test"}]});
    assert_eq!(accepted("resources", resource), wanted);
    let wanted = json!({"name": "N", "hook": "all", "uri": "https://example.test/", "http_verb": "post",
        "format": "form-data", "retries": 2, "enabled": true, "include_internal_legs": true});
    let hook = json!({"name": "N", "hook": "all", "uri": "https://example.test/"});
    assert_eq!(accepted("webhooks", hook), wanted);
    let wanted =
        json!({"name": "N", "media_source": "upload", "language": "en-us", "streamable": true});
    assert_eq!(accepted("media", name()), wanted);
}

#[test]
fn options_of_a_server_get_defaults_where_there_are_options() {
    let servers = json!([{"auth": {"auth_user": "pbx1"}, "options": {}, "DIDs": {"+14155550177": {}}}, {"auth": {}}]);
    let made = accepted("connectivity", json!({"servers": servers}));
    let options = json!({"delay": 0, "enabled": true, "force_outbound": false, "hunt_non_reconcilable": false,
        "inbound_format": "npan", "media_handling": "bypass"});
    assert_eq!(made["servers"][0]["options"], options);
    assert_eq!(
        made["servers"][1],
        json!({"auth": {"auth_method": "password"}})
    );
    assert_eq!(
        made["servers"][0]["DIDs"]["+14155550177"],
        json!({"force_outbound": false})
    );
}

#[test]
fn call_forward_gets_its_defaults_when_it_is_there() {
    let device = json!({"name": "N", "call_forward": {"number": "+14155550100"}});
    let wanted = json!({"number": "+14155550100", "enabled": false, "failover": false, "direct_calls_only": false,
        "ignore_early_media": true, "keep_caller_id": true, "require_keypress": true, "substitute": true});
    assert_eq!(accepted("devices", device)["call_forward"], wanted);
}

#[test]
fn private_and_null_members_go_and_unknown_ones_stay_in_order() {
    let data = json!({"_id": "x", "zeta": 1, "pvt_type": "device", "name": "N", "owner_id": null,
        "alpha": {"keep": null, "deep": {"pvt_x": 1, "_y": null}}, "list": [null, {"a": null}]});
    let device = accepted("devices", data);
    let names: Vec<&String> = device.as_object().unwrap().keys().take(4).collect();
    assert_eq!(names, ["zeta", "name", "alpha", "list"]);
    assert_eq!(device["alpha"], json!({"deep": {"pvt_x": 1}}));
    assert_eq!(device["list"], json!([null, {}]));
    assert_eq!(device.get("owner_id"), None);
}

#[test]
fn every_error_is_told_with_rule_and_value() {
    let found = refused("devices", json!({"enabled": {"a": 1}, "owner_id": "short"}));
    let wanted = json!({
        "name": {"required": {"message": "Field is required but missing", "value": found["name"]["required"]["value"]}},
        "enabled": {"type": {"message": "Value did not match type(s): boolean", "target": "boolean", "value": {"a": 1}}},
        "owner_id": {"minLength": {"message": "String must be at least 32 characters", "target": 32, "cause": "short", "value": "short"}}
    });
    assert_eq!(found, wanted);
    let found = refused(
        "devices",
        json!({"name": "N", "sip": {"method": "none", "invite_format": "fax", "username": ""}}),
    );
    let method = json!({"enum": {"message": "SIP authentication method is invalid", "target": ["password", "ip"], "value": "none"}});
    assert_eq!(found["sip.method"], method);
    assert_eq!(found["sip.invite_format"]["enum"]["value"], "fax");
    let codes: Vec<&String> = found["sip.username"].as_object().unwrap().keys().collect();
    assert_eq!(codes, ["minLength", "pattern"]);
}

#[test]
fn the_codes_of_lists_numbers_and_closed_objects() {
    let codecs =
        json!({"audio": {"codecs": ["PCMU", "PCMU"]}, "video": {"codecs": ["H264", "XVID"]}});
    let found = refused(
        "devices",
        json!({"name": "N", "media": codecs, "sip": {"custom_sip_headers": {"X.Y": "1"}}}),
    );
    assert_eq!(
        found["media.audio.codecs"]["uniqueItems"]["message"],
        "List of items is not unique"
    );
    assert_eq!(found["media.video.codecs.1"]["enum"]["value"], "XVID");
    let strict = "Strict checking of data is enabled; only include schema-defined properties";
    let closed = &found["sip.custom_sip_headers.X%2EY"]["additionalProperties"];
    assert_eq!(
        (&closed["message"], &closed["value"]),
        (&json!(strict), &json!("1"))
    );
    let recording = json!({"inbound": {"onnet": {"enabeld": true, "time_limit": 4}}});
    let found = refused("devices", json!({"name": "N", "call_recording": recording}));
    let closed = &found["call_recording.inbound.onnet.enabeld"]["additionalProperties"];
    assert_eq!(closed["nearest"], "enabled");
    let low = &found["call_recording.inbound.onnet.time_limit"]["minimum"];
    assert_eq!(
        *low,
        json!({"message": "Value must be at least 5", "target": 5, "value": 4})
    );
    let found = refused(
        "webhooks",
        json!({"name": "N", "hook": "h", "uri": "nowhere at all", "retries": 5}),
    );
    assert_eq!(found["uri"]["wrong_format"]["format"], "uri");
    assert_eq!(
        found["retries"]["maximum"]["message"],
        "Value must be at most 4"
    );
    let long = "x".repeat(129);
    let found = refused("devices", json!({"name": long}));
    let wanted = json!({"message": "String must not be more than 128 characters", "target": 128, "cause": long, "value": long});
    assert_eq!(found["name"]["maxLength"], wanted);
}

#[test]
fn lengths_count_characters() {
    accepted("devices", json!({"name": "\u{1f600}".repeat(128)}));
    refused("devices", json!({"name": "\u{1f600}".repeat(129)}));
}

#[test]
fn a_misspelt_field_is_named_where_its_true_name_is_missed() {
    let found = refused("devices", json!({"nmae": "N"}));
    assert_eq!(found["name"]["required"]["misspelt"], "nmae");
    let found = refused("devices", json!({"colour": "N"}));
    assert_eq!(found["name"]["required"].get("misspelt"), None);
    let found = refused(
        "devices",
        json!({"name": "N", "sip": {"invite_format": "usrname"}}),
    );
    assert_eq!(found["sip.invite_format"]["enum"]["nearest"], "username");
}

#[test]
fn addresses_are_ipv4_where_they_prove_who_calls() {
    let told = json!({"type": {"message": "Must be a valid IPv4 RFC 791", "cause": "300.1.1.1", "value": "300.1.1.1"}});
    let device = |ip: &str, method: &str| json!({"name": "N", "sip": {"ip": ip, "method": method}});
    assert_eq!(
        refused("devices", device("300.1.1.1", "ip"))["sip.ip"],
        told
    );
    refused("devices", device("2001:db8::9", "ip"));
    accepted("devices", device("2001:db8::9", "password"));
    accepted("devices", device("198.51.100.7:5070", "ip"));
    assert_eq!(
        refused("devices", device("nowhere", "ip"))
            .as_object()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn flows_are_held_to_their_shape_and_known_actions_to_their_schema() {
    let flow = |flow: Value| json!({"numbers": ["1"], "flow": flow});
    let found = refused("callflows", flow(json!({"data": {}})));
    assert_eq!(
        found["flow.module"]["required"]["message"],
        "Field is required but missing"
    );
    let found = refused(
        "callflows",
        flow(json!({"module": "x", "data": [], "children": {"1.5": {"module": "device"}}})),
    );
    assert_eq!(found["flow.data"]["type"]["target"], "object");
    assert!(found["flow.children.1%2E5.data.id"]["required"].is_object());
    let found = refused("callflows", flow(json!({"module": "y".repeat(65)})));
    assert_eq!(found["flow.module"]["maxLength"]["target"], 64);
    let found = refused("callflows", json!({"numbers": "1", "flow": 5}));
    assert_eq!(
        found["flow"]["type"]["message"],
        "Value did not match type(s): object"
    );
    assert_eq!(found["numbers"]["type"]["target"], "array");
}

#[test]
fn logins() {
    let found = refused("api_auth", json!({"api_key": "abc"}));
    assert_eq!(found["api_key"]["minLength"]["target"], 64);
    let found = refused("user_auth", json!({"method": "sha256"}));
    assert_eq!(found["method"]["enum"]["target"], json!(["md5", "sha"]));
    assert!(found["credentials"]["required"].is_object());
    let login = accepted(
        "user_auth",
        json!({"credentials": "ab", "account_name": "x"}),
    );
    assert_eq!(login["method"], "md5");
    let found = refused(
        "devices_notify",
        json!({"action": "notify", "data": {"body": {"data": "x"}}}),
    );
    assert!(found["data.event"]["required"].is_object());
    assert!(found["data.body.content_type"]["required"].is_object());
}

#[test]
fn no_schema_of_that_name_accepts_nothing() {
    assert!(accept("nothing", Map::new()).is_err());
}
