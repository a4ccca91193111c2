//! What an operator may choose otherwise.

use serde_json::{Value, json as value};

use crate::api_daemon::{Daemon, Exchange};
use crate::api_support::{Client, json};

fn client(settings: &[(&str, &str)]) -> Client {
    Client::to(Daemon::with(false, settings))
}

/// An account below the master's: its id, and a token of its own.
fn tenant(client: &Client) -> (String, String) {
    let body = value!({"data": {"name": "Tenant", "realm": "tenant.example.test"}}).to_string();
    let created = json(&client.ask("PUT", "", &body));
    let id = created["data"]["id"].as_str().unwrap().to_owned();
    let headers = [("X-Auth-Token", client.token.as_str())];
    let path = format!("/v2/accounts/{id}/api_key");
    let key = json(&client.send("GET", &path, &headers, b""));
    let token = client.log_in(key["data"]["api_key"].as_str().unwrap());
    (id, token)
}

fn by(client: &Client, token: &str, method: &str, path: &str, data: &Value) -> Exchange {
    let headers = [
        ("X-Auth-Token", token),
        ("Content-Type", "application/json"),
    ];
    let body = value!({ "data": data }).to_string();
    client.send(method, path, &headers, body.as_bytes())
}

#[test]
fn free_numbers_may_be_the_masters_to_give() {
    let client = client(&[("LINEFINDER_API__FREE_NUMBERS", "superduper")]);
    let (id, token) = tenant(&client);
    let account = format!("/v2/accounts/{id}");
    let number = format!("{account}/phone_numbers/+14155550100");
    let flow = |number: &str| value!({"numbers": [number], "flow": {"module": "hangup"}});
    let flows = format!("{account}/callflows");
    for (path, data) in [
        (number.clone(), value!({})),
        (flows.clone(), flow("+14155550100")),
        (
            format!("{account}/connectivity"),
            value!({"servers": [{"auth": {}, "DIDs": {"+14155550100": {}}}]}),
        ),
    ] {
        let refused = by(&client, &token, "PUT", &path, &data);
        assert_eq!(refused.status, 403, "{path}");
        assert_eq!(
            json(&refused)["data"]["message"],
            "unauthorized to use +14155550100"
        );
    }
    // What is no number of the world is nobody's business.
    assert_eq!(
        by(&client, &token, "PUT", &flows, &flow("1000")).status,
        201
    );
    let given = by(&client, &client.token, "PUT", &number, &value!({}));
    assert_eq!(given.status, 201);
    let used = by(&client, &token, "PUT", &flows, &flow("4155550100"));
    assert_eq!(used.status, 201);
}

#[test]
fn users_may_be_kept_to_what_is_theirs() {
    let client = client(&[
        ("LINEFINDER_API__ENFORCE_USER_ROLES", "true"),
        ("LINEFINDER_API__REDACT_SIP_PASSWORDS", "true"),
    ]);
    let (id, admin) = tenant(&client);
    let account = format!("/v2/accounts/{id}");
    let person = value!({"first_name": "A", "last_name": "B", "username": "plain", "password": "plainplain"});
    let made = json(&by(
        &client,
        &admin,
        "PUT",
        &format!("{account}/users"),
        &person,
    ));
    let user = made["data"]["id"].as_str().unwrap().to_owned();
    let device = |owner: &str, name: &str| {
        let data = value!({"name": name, "owner_id": owner, "sip": {"username": name, "password": "hunter22"}});
        let made = json(&by(
            &client,
            &admin,
            "PUT",
            &format!("{account}/devices"),
            &data,
        ));
        made["data"]["id"].as_str().unwrap().to_owned()
    };
    let own = format!("{account}/devices/{}", device(&user, "own"));
    let other = format!("{account}/devices/{}", device(&"f".repeat(32), "other"));
    let digest = {
        use md5::Digest as _;
        let digest = md5::Md5::digest(b"plain:plainplain");
        digest
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let login = value!({"data": {"credentials": digest, "realm": "tenant.example.test"}});
    let login = client.send("PUT", "/v2/user_auth", &[], login.to_string().as_bytes());
    let token = json(&login)["auth_token"].as_str().unwrap().to_owned();

    let seen = json(&by(&client, &token, "GET", &own, &value!({})));
    assert_eq!(seen["data"]["sip"]["password"], "********");
    let patch = value!({"presence_id": "7"});
    for (method, path, data, status) in [
        ("PATCH", own.as_str(), &patch, 200),
        ("POST", own.as_str(), &seen["data"], 200),
        ("PATCH", other.as_str(), &patch, 403),
        ("DELETE", own.as_str(), &patch, 403),
        (
            "PUT",
            &format!("{account}/devices"),
            &value!({"name": "x"}),
            403,
        ),
        ("PATCH", &format!("{account}/users/{user}"), &patch, 200),
        ("PATCH", account.as_str(), &patch, 403),
        ("GET", other.as_str(), &patch, 200),
    ] {
        let answer = by(&client, &token, method, path, data);
        assert_eq!(answer.status, status, "{method} {path}");
    }
    // The stars that came back changed nothing.
    let whole = json(&by(&client, &admin, "GET", &own, &value!({})));
    assert_eq!(whole["data"]["sip"]["password"], "hunter22");
}
