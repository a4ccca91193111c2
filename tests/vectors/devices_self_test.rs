//! The comparison of the suite `devices` has to see every kind of difference: each case below is
//! wrong in one place and must fail.

use serde_json::{Value, json};

use crate::devices;
use crate::suite::Differences;

fn dial(device: Value, registration: Value, expect: Value) -> Value {
    json!({
        "name": "self-test",
        "device": device,
        "registration": registration,
        "request": {"op": "dial", "to": "2001", "node": "node-a", "source": "device",
            "from": {"number": "2002", "name": "Bob", "network": "onnet"}},
        "expect": expect,
    })
}

fn phone() -> Value {
    json!({"id": "d", "name": "Desk", "sip": {"username": "2001", "custom_sip_headers": {"out": {"X-A": "1"}}},
        "media": {"audio": {"codecs": ["PCMU", "PCMA"]}}})
}

fn registered() -> Value {
    json!({"node": "node-a", "profile": "internal", "user": "2001", "realm": "acme.example.com",
        "contact": "<sip:2001@203.0.113.10:5060;fs_path=sip%3A192.0.2.1%3Blr>", "expires_in": 300})
}

fn twice() -> Value {
    let mut other = registered();
    other["contact"] = json!("<sip:2001@203.0.113.11:5060>");
    json!([registered(), other])
}

const URI: &str = "sofia/internal/sip:2001@203.0.113.10:5060";
const OTHER: &str = "sofia/internal/sip:2001@203.0.113.11:5060";

/// Expectations that hold.
fn right() -> Vec<Value> {
    let one = |expect| dial(phone(), registered(), expect);
    vec![
        one(
            json!({"uri": URI, "user_part": "2001", "fs_path": "<sip:192.0.2.1;lr>",
            "leg_vars": {"SIP_H_x-a": "1", "absolute_codec_string": "^^:PCMU:PCMA"},
            "absent": ["alert_info"], "groups": [1], "global_absent": ["ignore_early_media"],
            "aleg_vars": {"call_timeout": 20, "continue_on_fail": true},
            "aleg_absent_or_false": ["bypass_media"], "skipped": []}),
        ),
        dial(
            phone(),
            twice(),
            json!({"legs": [{"uri": OTHER}, {"uri": URI}],
            "global_vars": {"ignore_early_media": "true"}}),
        ),
        dial(
            phone(),
            json!(null),
            json!({"error": "not_registered", "cause": "USER_NOT_REGISTERED"}),
        ),
        offnet("hide_number screen/hide_name"),
        recording(json!({"enabled": true, "format": "mp3"})),
        validate(
            json!({"name": "N"}),
            json!({"valid": true, "effective": {"sip.method": "password"}}),
        ),
        validate(json!({}), json!({"valid": false, "field": "name"})),
        number(json!({"e164": "+14155550123", "classifier": "did_us"})),
    ]
}

fn offnet(privacy: &str) -> Value {
    json!({"name": "self-test", "device": {"caller_id_options": {"outbound_privacy": "full"}},
        "request": {"op": "offnet", "to": "+12125550188", "from": {"number": "2001"}},
        "expect": {"leg_vars": {"origination_privacy": privacy}}})
}

fn recording(expect: Value) -> Value {
    json!({"name": "self-test", "device": {"call_recording": {"any": {"any": {"enabled": true, "url": "https://a/b"}}}},
        "request": {"op": "recording", "direction": "inbound", "network": "onnet", "call_id": "c"},
        "expect": {"recording": expect}})
}

fn validate(device: Value, expect: Value) -> Value {
    json!({"name": "self-test", "device": device, "request": {"op": "validate"}, "expect": expect})
}

fn number(expect: Value) -> Value {
    json!({"name": "self-test", "request": {"op": "normalize", "number": "4155550123"}, "expect": expect})
}

/// Expectations that do not hold, each for one reason.
fn wrong() -> Vec<Value> {
    let one = |expect| dial(phone(), registered(), expect);
    let two = |expect| dial(phone(), twice(), expect);
    vec![
        one(json!({"uri": "sofia/internal/sip:2001@203.0.113.10:5061"})),
        one(json!({"uri": URI, "fs_path": null})),
        one(json!({"fs_path": "sip:192.0.2.1"})),
        one(json!({"user_part": "2002"})),
        one(json!({"leg_vars": {"sip_h_X-A": "2"}})),
        one(json!({"leg_vars": {"sip_h_X-B": "1"}})),
        one(json!({"leg_vars": {"absolute_codec_string": "PCMA,PCMU"}})),
        one(json!({"leg_vars": {"call_timeout": "20"}})),
        one(json!({"absent": ["sip_h_x-a"]})),
        one(json!({"groups": [2]})),
        one(json!({"groups": [1, 1]})),
        one(json!({"global_vars": {"ignore_early_media": "true"}})),
        one(json!({"global_vars": {"call_timeout": "20"}})),
        one(json!({"aleg_vars": {"call_timeout": "21"}})),
        one(json!({"aleg_absent": ["call_timeout"]})),
        one(json!({"aleg_absent_or_false": ["continue_on_fail"]})),
        one(json!({"skipped": ["not_registered"]})),
        one(json!({"legs": [{"uri": URI}, {"uri": OTHER}]})),
        one(json!({"error": "not_registered"})),
        one(json!({"a_new_key": 1})),
        two(json!({"uri": URI})),
        two(json!({"legs": [{"uri": URI}]})),
        two(json!({"legs": [{"uri": URI}, {"uri": URI}]})),
        two(json!({"legs": [{"uri": URI, "fs_path": null}, {"uri": OTHER}]})),
        two(
            json!({"legs": [{"uri": URI}, {"uri": OTHER}], "global_absent": ["ignore_early_media"]}),
        ),
        dial(phone(), json!(null), json!({"uri": URI})),
        dial(phone(), json!(null), json!({})),
        dial(phone(), json!(null), json!({"error": "no_route"})),
        dial(
            phone(),
            json!(null),
            json!({"error": "not_registered", "cause": "USER_BUSY"}),
        ),
        dial(
            phone(),
            json!(null),
            json!({"error": "not_registered", "skipped": []}),
        ),
        offnet("hide_number:hide_name"),
        offnet("screen:hide_number:hide_name:more"),
        recording(json!({"enabled": false})),
        recording(json!({"start": "bridge"})),
        recording(json!({"upload_path": "https://a/b"})),
        recording(json!({"upload_query_has": ["nothing"]})),
        recording(json!({"upload_query_raw_prefix": "to="})),
        recording(json!({"no_such": null})),
        validate(json!({"name": "N"}), json!({"valid": false})),
        validate(json!({}), json!({"valid": true})),
        validate(json!({}), json!({"valid": false, "field": "sip"})),
        validate(
            json!({"name": "N"}),
            json!({"valid": true, "effective": {"sip.method": "ip"}}),
        ),
        number(json!({"e164": "4155550123"})),
        number(json!({"classifier": "unknown"})),
        number(json!({"restricted": false})),
    ]
}

/// What the comparison lets through, or finds fault with.
pub fn run(file: &Value) -> Differences {
    let mut missed = Differences::new();
    for case in wrong() {
        if devices::run(file, &case).is_empty() {
            missed.push(format!("{}", case["expect"]));
        }
    }
    for case in right() {
        for difference in devices::run(file, &case) {
            missed.push(format!("that this is right: {difference}"));
        }
    }
    missed
}
