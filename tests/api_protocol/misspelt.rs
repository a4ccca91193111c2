//! Unknown members are kept, so a misspelt one is no error; the answer says so beside the data.

use serde_json::{Value, json as value};

use crate::api_support::{Client, json};

fn put(client: &Client, data: &Value) -> Value {
    let body = value!({"data": data}).to_string();
    let headers = [
        ("X-Auth-Token", client.token.as_str()),
        ("Content-Type", "application/json"),
    ];
    json(&client.send("PUT", &client.path("/devices"), &headers, body.as_bytes()))
}

#[test]
fn a_misspelt_member_is_told_in_success_and_error() {
    let client = Client::start();
    let answer = put(
        &client,
        &value!({"name": "Desk", "colour": "red", "sip": {"username": "1001", "pasword": "secret-1"}}),
    );
    assert_eq!(answer["status"], "success");
    assert_eq!(answer["data"]["sip"]["pasword"], "secret-1");
    let warnings = answer["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0]["field"], "sip.pasword");
    assert_eq!(warnings[0]["nearest"], "sip.password");

    let answer = put(&client, &value!({"enabeld": true}));
    assert_eq!(
        answer["data"]["name"]["required"]["message"],
        "Field is required but missing"
    );
    assert_eq!(answer["warnings"][0]["nearest"], "enabled");

    let answer = put(&client, &value!({"name": "Plain"}));
    assert!(answer.get("warnings").is_none(), "{answer}");
}
