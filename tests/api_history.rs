//! The history of kinds that are not like the others: users with their logins, sounds with their files, numbers, limits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

#[path = "vectors/api_daemon.rs"]
mod api_daemon;
mod api_support;

use api_daemon::Exchange;
use api_support::{Client, json};
use md5::Digest as _;
use serde_json::{Value, json as value};

fn data(answer: &Exchange) -> Value {
    json(answer)["data"].clone()
}

fn rows(client: &Client, item: &str) -> Vec<Value> {
    let answer = client.ask("GET", &format!("{item}/history"), "");
    assert_eq!(answer.status, 200, "{item}");
    data(&answer).as_array().unwrap().clone()
}

fn log_in(client: &Client, name: &str, password: &str) -> u16 {
    let digest = md5::Md5::digest(format!("{name}:{password}"));
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let body = value!({"data": {"credentials": digest, "realm": "master.example.test"}});
    let answer = client.send("PUT", "/v2/user_auth", &[], body.to_string().as_bytes());
    assert!(answer.headers.contains_key("x-request-id"));
    answer.status
}

#[test]
fn a_deleted_or_renamed_user_comes_back_with_his_password() {
    let client = Client::start();
    let user =
        value!({"first_name": "Jo", "last_name": "Doe", "username": "jo", "password": "secret99"});
    let id = client.create("/users", user);
    let item = format!("/users/{id}");
    assert_eq!(log_in(&client, "jo", "secret99"), 201);
    let created = rows(&client, &item)[0]["sequence"].clone();
    let undo = format!("{item}/history/{created}");
    assert_eq!(client.ask("DELETE", &item, "").status, 200);
    assert_eq!(log_in(&client, "jo", "secret99"), 401);
    let told = rows(&client, &item);
    assert_eq!(told[0]["action"], "delete");
    let fields = told[0]["fields"].as_array().unwrap();
    let name = value!({"field": "username", "before": "jo", "after": null});
    assert!(fields.contains(&name), "{fields:?}");
    assert!(!told[0].to_string().contains("pvt_"), "{told:?}");
    let undone = client.ask("POST", &undo, "");
    assert_eq!(
        undone.status,
        200,
        "{}",
        String::from_utf8_lossy(&undone.body)
    );
    assert_eq!(log_in(&client, "jo", "secret99"), 201);
    let rename = value!({"data": {"username": "joe", "password": "other-secret"}}).to_string();
    assert_eq!(client.ask("PATCH", &item, &rename).status, 200);
    assert_eq!(log_in(&client, "jo", "secret99"), 401);
    assert_eq!(client.ask("POST", &undo, "").status, 200);
    assert_eq!(log_in(&client, "jo", "secret99"), 201);
    assert_eq!(log_in(&client, "joe", "other-secret"), 401);
    // a client still needs a password for a new name
    let rename = value!({"data": {"username": "joe"}}).to_string();
    assert_eq!(client.ask("PATCH", &item, &rename).status, 400);
    let forged = value!({"data": {"username": "joe", "pvt_credentials": ["aa"]}}).to_string();
    assert_eq!(client.ask("PATCH", &item, &forged).status, 400);
}

#[test]
fn sounds_numbers_and_limits_have_a_history() {
    let client = Client::start();
    let media = client.create("/media", value!({"name": "Welcome"}));
    let item = format!("/media/{media}");
    let headers = [
        ("X-Auth-Token", client.token.as_str()),
        ("Content-Type", "audio/x-wav"),
    ];
    let raw = client.path(&format!("{item}/raw"));
    let uploaded = client.send("POST", &raw, &headers, b"RIFF0123");
    assert_eq!(uploaded.status, 200);
    let told = rows(&client, &item);
    assert_eq!(told.len(), 2, "{told:?}");
    let first = format!("{item}/history/{}", told[0]["sequence"]);
    assert_eq!(client.ask("DELETE", &item, "").status, 200);
    assert_eq!(client.ask("POST", &first, "").status, 200);
    assert_eq!(data(&client.ask("GET", &item, ""))["name"], "Welcome");
    // its file went with it, and no backup had it
    assert_eq!(client.ask("GET", &format!("{item}/raw"), "").status, 404);
    let prompt = value!({"name": "P", "prompt_id": "vm-enter_pass", "language": "en-us"});
    client.create("/media", prompt);
    assert_eq!(rows(&client, "/media/en-us%2Fvm-enter_pass").len(), 1);

    let number = "/phone_numbers/%2B14155550100";
    assert_eq!(client.ask("PUT", number, "{\"data\":{}}").status, 201);
    let change = value!({"data": {"cnam": {"display_name": "Acme"}}}).to_string();
    assert_eq!(client.ask("PATCH", number, &change).status, 200);
    let told = rows(&client, "/phone_numbers/4155550100");
    assert_eq!(told.len(), 2, "{told:?}");

    assert_eq!(client.ask("GET", "/limits/history", "").status, 404);
    let limits = value!({"data": {"twoway_trunks": 3}}).to_string();
    assert_eq!(client.ask("POST", "/limits", &limits).status, 200);
    let told = rows(&client, "/limits");
    assert_eq!(told[0]["action"], "create");
}
