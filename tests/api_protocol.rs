//! The protocol that all resources share, over real connections to a real daemon.

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
#[path = "api_protocol/choices.rs"]
mod choices;
#[path = "api_protocol/documents.rs"]
mod documents;
#[path = "api_protocol/misspelt.rs"]
mod misspelt;
#[path = "api_protocol/wire.rs"]
mod wire;

use api_daemon::Daemon;
use api_support::{Client, json};
use serde_json::{Value, json as value};

#[test]
fn every_answer_is_an_envelope_with_a_request_id() {
    let client = Client::start();
    let wrong = [
        ("GET", "/v2/nothing", "", 404),
        ("GET", "/v1/accounts", "", 410),
        ("GET", "/v9/accounts", "", 404),
        ("GET", "/nothing", "", 404),
        ("GET", "/v2//accounts", "", 404),
        ("TRACE", "/devices", "", 405),
        ("POST", "/devices", "", 405),
        ("PUT", "/devices", "{", 400),
        ("PUT", "/devices", "[1]", 400),
        ("PUT", "/devices", "{\"data\":null}", 400),
        ("GET", "/devices/..%2f..%2fetc", "", 404),
        ("GET", "/devices?page_size=0", "", 404),
        ("GET", "/devices?page_size=-1", "", 404),
        ("GET", "/devices?page_size=x", "", 404),
        ("PUT", "/v2/user_auth/recovery", "{}", 501),
    ];
    for (method, path, body, status) in wrong {
        let answer = client.ask(method, path, body);
        assert_eq!(answer.status, status, "{method} {path}");
        let told = json(&answer);
        assert_eq!(told["status"], "error", "{path}");
        assert_eq!(told["error"], status.to_string(), "{path}");
        assert!(told.get("data").is_some(), "{path}");
        assert_eq!(
            Some(&told["request_id"]),
            answer
                .headers
                .get("x-request-id")
                .map(|id| value!(id))
                .as_ref()
        );
    }
    // HEAD has no body to hold an envelope.
    assert_eq!(client.ask("HEAD", "/devices", "").status, 405);
}

#[test]
fn long_urls_deep_bodies_and_large_bodies_are_refused() {
    let client = Client::start();
    assert_eq!(
        client
            .ask("GET", &format!("/devices?x={}", "a".repeat(8200)), "")
            .status,
        414
    );
    let deep = format!(
        "{{\"data\":{}{}}}",
        "{\"a\":".repeat(70),
        "1".to_owned() + &"}".repeat(70)
    );
    assert_eq!(client.ask("PUT", "/devices", &deep).status, 400);
    let large = format!("{{\"data\":{{\"name\":\"{}\"}}}}", "a".repeat(8_000_000));
    let answer = client.ask("PUT", "/devices", &large);
    assert_eq!(answer.status, 413);
    assert_eq!(
        json(&answer)["data"]["file"]["maxSize"]["target"],
        8_000_000
    );
}

#[test]
fn a_post_may_carry_another_verb() {
    let client = Client::start();
    let created = client.ask("POST", "/devices?verb=put", "{\"data\":{\"name\":\"a\"}}");
    assert_eq!(created.status, 201);
    assert!(created.headers["location"].contains("/devices/"));
    let id = json(&created)["data"]["id"].as_str().unwrap().to_owned();
    let item = format!("/devices/{id}");
    let patched = client.ask(
        "POST",
        &item,
        "{\"Verb\":\"patch\",\"data\":{\"presence_id\":\"p\",\"verb\":\"delete\"}}",
    );
    assert_eq!(patched.status, 200);
    assert_eq!(json(&patched)["data"]["name"], "a");
    assert_eq!(json(&patched)["data"]["verb"], "delete");
    let header = client.ask_with("GET", &item, &[("X-HTTP-Method-Override", "DELETE")], "");
    assert_eq!(header.status, 200);
    assert_eq!(
        client.ask("POST", &item, "{\"verb\":\"DELETE\"}").status,
        200
    );
    assert_eq!(client.ask("GET", &item, "").status, 404);
}

#[test]
fn revisions_and_conditions() {
    let client = Client::start();
    let id = client.create("/devices", value!({"name": "a"}));
    let item = format!("/devices/{id}");
    let first = client.ask("GET", &item, "");
    let etag = first.headers["etag"].clone();
    let revision = json(&first)["revision"].as_str().unwrap().to_owned();
    assert_eq!(etag, format!("\"{revision}\""));
    assert!(revision.starts_with("1-"));
    let same = client.ask_with("GET", &item, &[("If-None-Match", &etag)], "");
    assert_eq!((same.status, same.body.len()), (304, 0));
    let patch = "{\"data\":{\"presence_id\":\"x\"}}";
    assert_eq!(
        client
            .ask_with("PATCH", &item, &[("If-Match", &etag)], patch)
            .status,
        200
    );
    for method in ["PATCH", "POST", "DELETE"] {
        let late = client.ask_with(method, &item, &[("If-Match", &etag)], patch);
        assert_eq!((late.status, late.body.len()), (412, 0), "{method}");
    }
    assert!(
        json(&client.ask("GET", &item, ""))["revision"]
            .as_str()
            .unwrap()
            .starts_with("2-")
    );
    let taken = client.ask(
        "PUT",
        "/devices",
        &format!("{{\"data\":{{\"name\":\"b\",\"id\":\"{id}\"}}}}"),
    );
    assert_eq!(
        (taken.status, json(&taken)["message"].clone()),
        (409, value!("datastore_conflict"))
    );
    let own = client.ask(
        "PUT",
        "/devices",
        "{\"data\":{\"name\":\"b\",\"id\":\"My-Phone_1\"}}",
    );
    assert_eq!(json(&own)["data"]["id"], "My-Phone_1");
    assert_eq!(
        client
            .ask(
                "PUT",
                "/devices",
                "{\"data\":{\"name\":\"b\",\"id\":\"a b\"}}"
            )
            .status,
        400
    );
}

#[test]
fn nulls_patches_and_private_fields() {
    let client = Client::start();
    let data = value!({"name": "a", "pvt_secret": 1, "_rev": "9-x", "note": null, "odd": {"deep": [1.25, 9_007_199_254_740_993_u64]}});
    let id = client.create("/devices", data);
    let item = format!("/devices/{id}");
    let stored = json(&client.ask("GET", &item, ""))["data"].clone();
    for gone in ["pvt_secret", "_rev", "note", "pvt_created"] {
        assert!(stored.get(gone).is_none(), "{gone}");
    }
    assert_eq!(
        stored["odd"]["deep"],
        value!([1.25, 9_007_199_254_740_993_u64])
    );
    let patched = client.ask(
        "PATCH",
        &item,
        "{\"data\":{\"odd\":{\"deep\":null,\"more\":true}}}",
    );
    assert_eq!(json(&patched)["data"]["odd"], value!({"more": true}));
    assert_eq!(client.ask("PATCH", &item, "").status, 200);
    assert_eq!(
        client
            .ask("PATCH", &item, "{\"data\":{\"name\":null}}")
            .status,
        400
    );
}

#[test]
fn every_way_to_show_a_token() {
    let client = Client::start();
    let path = client.path("/devices");
    let token = client.token.clone();
    let bearer = format!("Bearer {token}");
    assert_eq!(
        client
            .send("GET", &path, &[("Authorization", &bearer)], b"")
            .status,
        200
    );
    assert_eq!(
        client
            .send("GET", &path, &[("x-AUTH-token", &token)], b"")
            .status,
        200
    );
    assert_eq!(
        client
            .send("GET", &format!("{path}?auth_token={token}"), &[], b"")
            .status,
        200
    );
    let body = value!({"auth_token": token, "data": {"name": "x"}}).to_string();
    assert_eq!(client.send("PUT", &path, &[], body.as_bytes()).status, 201);
    // A bad first one is not made up for by a good second.
    let both = client.send(
        "GET",
        &path,
        &[("X-Auth-Token", "bad"), ("Authorization", &bearer)],
        b"",
    );
    assert_eq!(both.status, 401);
    assert_eq!(
        client
            .send(
                "GET",
                "/v2/account/devices",
                &[("X-Auth-Token", &token)],
                b""
            )
            .status,
        200
    );
    assert_eq!(
        client.send("GET", "/v2/account/devices", &[], b"").status,
        401
    );
}

#[test]
fn basic_credentials_work_without_a_token() {
    use base64::Engine as _;
    use md5::Digest as _;
    let client = Client::start();
    client.create(
        "/users",
        value!({"first_name": "J", "last_name": "D", "username": "Jo", "password": "secret99"}),
    );
    let digest: String = md5::Md5::digest(b"jo:secret99")
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let pair =
        base64::engine::general_purpose::STANDARD.encode(format!("{}:{digest}", client.account));
    let basic = format!("Basic {pair}");
    let answer = client.send(
        "GET",
        &client.path("/devices"),
        &[("Authorization", &basic)],
        b"",
    );
    assert_eq!(answer.status, 200);
    assert!(json(&answer).get("auth_token").is_none());
    let wrong = base64::engine::general_purpose::STANDARD.encode(format!(
        "{}:{}",
        client.account,
        "0".repeat(32)
    ));
    let answer = client.send(
        "GET",
        &client.path("/devices"),
        &[("Authorization", &format!("Basic {wrong}"))],
        b"",
    );
    assert_eq!(answer.status, 401);
}

#[test]
fn new_credentials_kill_old_tokens() {
    use md5::Digest as _;
    let client = Client::start();
    let user = client.create(
        "/users",
        value!({"first_name": "J", "last_name": "D", "username": "jo", "password": "secret99"}),
    );
    let log_in = |password: &str| {
        let digest: String = md5::Md5::digest(format!("jo:{password}"))
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let body = value!({"data": {"credentials": digest.to_uppercase(), "realm": "master.example.test"}}).to_string();
        client.send("PUT", "/v2/user_auth", &[], body.as_bytes())
    };
    let old = json(&log_in("secret99"))["auth_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let with = |token: &str| {
        client
            .send("GET", "/v2/token_auth", &[("X-Auth-Token", token)], b"")
            .status
    };
    assert_eq!(with(&old), 200);
    let changed = client.ask(
        "PATCH",
        &format!("/users/{user}"),
        "{\"data\":{\"password\":\"other999\"}}",
    );
    assert_eq!(changed.status, 200);
    assert_eq!(with(&old), 401);
    assert_eq!(log_in("secret99").status, 401);
    let new = json(&log_in("other999"))["auth_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(with(&new), 200);
    client.ask(
        "PATCH",
        &format!("/users/{user}"),
        "{\"data\":{\"enabled\":false}}",
    );
    assert_eq!(with(&new), 401);
    assert_eq!(log_in("other999").status, 401);
    // The account's key, rotated, takes its tokens along.
    let key = json(&client.ask("PUT", "/api_key", ""))["data"]["api_key"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(client.ask("GET", "/devices", "").status, 401);
    let token = client.log_in(&key);
    assert_eq!(with(&token), 200);
}

#[test]
fn restricted_tokens_reach_what_they_were_made_for() {
    let client = Client::start();
    let key = json(&client.ask("GET", "/api_key", ""))["data"]["api_key"].clone();
    let restrictions = value!({"get": ["accounts/*/devices/#"]});
    let body = value!({"data": {"api_key": key, "restrictions": restrictions}}).to_string();
    let answer = client.send("PUT", "/v2/api_auth", &[], body.as_bytes());
    let token = json(&answer)["auth_token"].as_str().unwrap().to_owned();
    let ask = |method: &str, path: &str| {
        client
            .send(
                method,
                &client.path(path),
                &[("X-Auth-Token", &token)],
                b"{\"data\":{\"name\":\"x\"}}",
            )
            .status
    };
    assert_eq!(ask("GET", "/devices"), 200);
    assert_eq!(ask("GET", "/devices/status"), 200);
    assert_eq!(ask("GET", "/users"), 403);
    assert_eq!(ask("PUT", "/devices"), 403);
    let bad = value!({"data": {"api_key": key, "restrictions": {"get": "all"}}}).to_string();
    assert_eq!(
        client
            .send("PUT", "/v2/api_auth", &[], bad.as_bytes())
            .status,
        400
    );
}

#[test]
fn listings_walk_and_come_as_csv() {
    let client = Client::start();
    for number in 0..7 {
        client.create(
            "/devices",
            value!({"name": format!("d{number}"), "tag": number % 2}),
        );
    }
    for ascending in ["", "&ascending=true"] {
        let (mut seen, mut key) = (Vec::new(), String::new());
        loop {
            let page =
                json(&client.ask("GET", &format!("/devices?page_size=3{ascending}{key}"), ""));
            for row in page["data"].as_array().unwrap() {
                seen.push(row["id"].as_str().unwrap().to_owned());
            }
            assert_eq!(page["page_size"], page["data"].as_array().unwrap().len());
            match page["next_start_key"].as_str() {
                Some(next) => key = format!("&start_key={next}"),
                None => break,
            }
        }
        let mut sorted = seen.clone();
        sorted.sort_unstable();
        if ascending.is_empty() {
            sorted.reverse();
        }
        assert_eq!(seen, sorted);
        sorted.dedup();
        assert_eq!(sorted.len(), 7);
    }
    let filtered = json(&client.ask("GET", "/devices?filter_tag=1&page_size=2", ""));
    assert_eq!(
        (
            filtered["data"].as_array().unwrap().len(),
            filtered["next_start_key"].is_string()
        ),
        (2, true)
    );
    assert_eq!(
        client.ask("GET", "/devices?start_key=%00%ff!!", "").status,
        200
    );
    let csv = client.ask("GET", "/devices?accept=csv&filter_name=d3", "");
    assert!(csv.headers["content-type"].starts_with("text/csv"));
    assert!(String::from_utf8(csv.body).unwrap().starts_with("id,name,"));
    assert_eq!(
        client
            .ask_with("GET", "/devices", &[("Accept", "application/xml")], "")
            .status,
        406
    );
}

#[test]
fn rates_are_limited_and_failed_logins_lock() {
    let client = Client::to(Daemon::start(true));
    let answer = client.ask("GET", "/devices", "");
    let told = json(&answer);
    assert_eq!(
        (
            told["tokens"]["consumed"].clone(),
            told["tokens"]["remaining"].clone()
        ),
        (value!(1), value!(99))
    );
    let limited = (0..300)
        .map(|_| client.ask("GET", "/devices", ""))
        .find(|answer| answer.status == 429);
    let limited = limited.expect("a limit");
    assert!(limited.headers["retry-after"].parse::<u64>().unwrap() >= 1);
    assert_eq!(json(&limited)["message"], "too_many_requests");
}

#[test]
fn tenants_are_apart() {
    let client = Client::start();
    let child = |name: &str| {
        let answer = client.ask("PUT", "", &value!({"data": {"name": name}}).to_string());
        assert_eq!(
            answer.status,
            201,
            "{}",
            String::from_utf8_lossy(&answer.body)
        );
        let id = json(&answer)["data"]["id"].as_str().unwrap().to_owned();
        let key =
            json(&client.ask("GET", &format!("/v2/accounts/{id}/api_key"), ""))["data"]["api_key"]
                .clone();
        (id, client.log_in(key.as_str().unwrap()))
    };
    let ((one, one_token), (two, two_token)) = (child("One"), child("Two"));
    let ask = |token: &str, method: &str, path: &str, body: &str| {
        client.send(method, path, &[("X-Auth-Token", token)], body.as_bytes())
    };
    assert_eq!(
        ask(&one_token, "GET", &format!("/v2/accounts/{two}"), "").status,
        403
    );
    assert_eq!(
        ask(
            &one_token,
            "GET",
            &format!("/v2/accounts/{}", client.account),
            ""
        )
        .status,
        403
    );
    let below = ask(
        &one_token,
        "PUT",
        &format!("/v2/accounts/{one}"),
        "{\"data\":{\"name\":\"Below\"}}",
    );
    let below = json(&below)["data"]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        ask(
            &one_token,
            "GET",
            &format!("/v2/accounts/{below}/devices"),
            ""
        )
        .status,
        200
    );
    assert_eq!(
        ask(
            &two_token,
            "GET",
            &format!("/v2/accounts/{below}/devices"),
            ""
        )
        .status,
        403
    );
    let refused = ask(&client.token, "DELETE", &format!("/v2/accounts/{one}"), "");
    assert_eq!(
        (refused.status, json(&refused)["message"].clone()),
        (500, value!("account_has_descendants"))
    );
    // Moved below the other, it changes hands.
    let moved = client.ask(
        "POST",
        &format!("/v2/accounts/{below}/move"),
        &value!({"data": {"to": two}}).to_string(),
    );
    assert_eq!(
        moved.status,
        200,
        "{}",
        String::from_utf8_lossy(&moved.body)
    );
    assert_eq!(
        ask(
            &two_token,
            "GET",
            &format!("/v2/accounts/{below}/devices"),
            ""
        )
        .status,
        200
    );
    assert_eq!(
        ask(
            &one_token,
            "GET",
            &format!("/v2/accounts/{below}/devices"),
            ""
        )
        .status,
        403
    );
    // Its own users can't switch an account on or off; those above can, and then nobody logs in.
    let off = "{\"data\":{\"enabled\":false}}";
    assert_eq!(
        json(&ask(
            &two_token,
            "PATCH",
            &format!("/v2/accounts/{two}"),
            off
        ))["data"]["enabled"],
        true
    );
    assert_eq!(
        json(&client.ask("PATCH", &format!("/v2/accounts/{two}"), off))["data"]["enabled"],
        false
    );
    let key =
        json(&client.ask("GET", &format!("/v2/accounts/{two}/api_key"), ""))["data"]["api_key"]
            .clone();
    let locked = client.send(
        "PUT",
        "/v2/api_auth",
        &[],
        value!({"data": {"api_key": key}}).to_string().as_bytes(),
    );
    assert_eq!(
        (
            locked.status,
            json(&locked)["data"]["account"]["disabled"].is_object()
        ),
        (423, true)
    );
    assert_eq!(
        client
            .ask("DELETE", &format!("/v2/accounts/{one}"), "")
            .status,
        200
    );
    assert_eq!(
        ask(&one_token, "GET", &format!("/v2/accounts/{one}"), "").status,
        401
    );
    let tree: Value = json(&client.ask("GET", &format!("/v2/accounts/{below}/tree"), ""));
    assert_eq!(tree["data"].as_array().unwrap().len(), 2);
}

#[test]
fn the_audit_log_says_who_did_what_and_no_secrets() {
    let client = Client::start();
    let id = client.create(
        "/users",
        value!({"first_name": "J", "last_name": "D", "username": "jo", "password": "hushhush9"}),
    );
    client.send(
        "PUT",
        "/v2/api_auth",
        &[],
        value!({"data": {"api_key": "0".repeat(64)}})
            .to_string()
            .as_bytes(),
    );
    client.send(
        "DELETE",
        &client.path(&format!("/users/{id}?auth_token={}", client.token)),
        &[],
        b"",
    );
    let text = client.daemon.audit_log();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let created = lines
        .iter()
        .find(|line| line["status"] == 201 && line["document"].is_string())
        .unwrap();
    assert_eq!(created["account_id"], client.account);
    assert!(
        created["document"].as_str().unwrap().contains(&id) && created["new_revision"].is_string()
    );
    assert!(
        lines
            .iter()
            .any(|line| line["status"] == 401 && line["reason"] == "invalid_credentials")
    );
    assert!(lines.iter().any(|line| line["verb"] == "DELETE" && line["old_revision"] == created["new_revision"]));
    assert!(!text.contains("hushhush9") && !text.contains(&client.token));
}
