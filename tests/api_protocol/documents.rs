//! The curl examples of Kazoo's devices document, as an operator types them: the same bytes, another host.

use std::process::Command;

use serde_json::{Value, json as value};

use crate::api_daemon::{Exchange, parse};
use crate::api_support::{Client, json};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Who types the examples.
struct Hand {
    client: Client,
    /// curl itself, or what it would send.
    real: bool,
}

impl Hand {
    /// Without a type `-d` says that it sends a form.
    fn curl(&self, method: &str, path: &str, kind: Option<(&str, &str)>, body: &str) -> Exchange {
        let path = self.client.path(path);
        let token = self.client.token.as_str();
        if self.real {
            return self.with_curl(method, &path, kind, body);
        }
        let mut headers = vec![
            ("User-Agent", "curl/7.88.1"),
            ("Accept", "*/*"),
            ("X-Auth-Token", token),
        ];
        headers.extend(kind);
        self.client.send(method, &path, &headers, body.as_bytes())
    }

    fn with_curl(
        &self,
        method: &str,
        path: &str,
        kind: Option<(&str, &str)>,
        body: &str,
    ) -> Exchange {
        let mut command = Command::new("curl");
        command.args(["-s", "-v", "-i", "--noproxy", "*", "-X", method]);
        command.args(["-H", &format!("X-Auth-Token: {}", self.client.token)]);
        match kind {
            Some((name, value)) if value != FORM.1 => {
                command.args(["-H", &format!("{name}: {value}")]);
            }
            _ => {}
        }
        if !body.is_empty() {
            command.args(["-d", body]);
        }
        command.arg(format!("http://{}{path}", self.client.daemon.address()));
        let done = command.output().expect("curl runs");
        assert!(done.status.success(), "{done:?}");
        parse(&done.stdout)
    }
}

/// The document that every example shows, but for its id.
fn device(name: &str) -> Value {
    value!({
        "call_restriction": {}, "caller_id": {}, "contact_list": {}, "dial_plan": {}, "enabled": true,
        "exclude_from_queues": false,
        "media": {
            "audio": {"codecs": ["PCMU"]},
            "encryption": {"enforce_security": false, "methods": []},
            "video": {"codecs": []}
        },
        "music_on_hold": {}, "mwi_unsolicited_updates": true, "name": name, "register_overwrite_notify": false,
        "ringtones": {},
        "sip": {"invite_format": "username", "method": "password", "registration_expiration": 300, "expire_seconds": 300},
        "suppress_unregister_notifications": false
    })
}

fn without_id(answer: &Exchange) -> Value {
    let mut data = json(answer)["data"].clone();
    data.as_object_mut().unwrap().remove("id");
    data
}

#[test]
fn each_example_works_as_it_stands() {
    let client = Client::start();
    examples(&Hand {
        client,
        real: false,
    });
}

#[test]
fn each_example_works_with_curl_itself() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: there is no curl on this machine");
        return;
    }
    let client = Client::start();
    examples(&Hand { client, real: true });
}

fn examples(hand: &Hand) {
    let created = hand.curl(
        "PUT",
        "/devices",
        Some(JSON),
        r#"{"data":{"name":"New Device"}}"#,
    );
    assert_eq!(created.status, 201);
    assert_eq!(without_id(&created), device("New Device"));
    let id = json(&created)["data"]["id"].as_str().unwrap().to_owned();
    let item = format!("/devices/{id}");

    let list = json(&hand.curl("GET", "/devices", None, ""));
    assert_eq!(
        (list["page_size"].clone(), list["status"].clone()),
        (value!(1), value!("success"))
    );
    assert_eq!(list["data"][0]["device_type"], "sip_device");

    assert_eq!(
        without_id(&hand.curl("GET", &item, None, "")),
        device("New Device")
    );

    let body = r#"{"data":{
        "name": "new device",
        "call_restriction": {},
        "caller_id": {},
        "contact_list": {},
        "dial_plan": {},
        "enabled": true,
        "exclude_from_queues": false,
        "media": {
            "audio": {"codecs": ["PCMU"]},
            "encryption": {"enforce_security": false, "methods": []},
            "video": {"codecs": []}
        },
        "music_on_hold": {},
        "mwi_unsolicited_updates": true,
        "register_overwrite_notify": false,
        "ringtones": {},
        "sip": {
            "invite_format": "username",
            "method": "password",
            "registration_expiration": 300
        },
        "suppress_unregister_notifications": false,
        "id": "4f3330e78e664bb57f8fb23fbaac2429"
        }}"#;
    let replaced = hand.curl("POST", &item, Some(JSON), body);
    assert_eq!(replaced.status, 200);
    assert_eq!(json(&replaced)["data"]["id"], id);
    assert_eq!(without_id(&replaced), device("new device"));

    // No type is given, so curl says that it sends a form.
    let patched = hand.curl(
        "PATCH",
        &item,
        Some(FORM),
        r#"{"data":{"presence_id":"dis_my_device"}}"#,
    );
    assert_eq!(patched.status, 200);
    assert_eq!(json(&patched)["data"]["presence_id"], "dis_my_device");

    let body = "{\"action\": \"notify\",\n         \"data\": {\n           \"event\": \"event\"\n        }\n}";
    for (method, path) in [
        ("POST", item.clone()),
        ("PUT", item.clone()),
        ("POST", format!("{item}/notify")),
    ] {
        let notified = hand.curl(method, &path, Some(JSON), body);
        assert_eq!(
            (notified.status, json(&notified)["data"].clone()),
            (202, value!("NOTIFY sent")),
            "{method} {path}"
        );
    }
    let nested = r#"{"data":{"action":"notify","data":{"event":"check-sync","body":{"content_type":"text/plain","data":"x"}}}}"#;
    assert_eq!(hand.curl("PUT", &item, Some(JSON), nested).status, 202);
    let half = r#"{"action":"notify","data":{"event":"check-sync","body":{"data":"x"}}}"#;
    assert_eq!(hand.curl("PUT", &item, Some(JSON), half).status, 400);

    let status = hand.curl("GET", "/devices/status", None, "");
    assert_eq!(
        (status.status, json(&status)["data"].clone()),
        (200, value!([]))
    );

    let sync = hand.curl("POST", &format!("{item}/sync"), None, "");
    assert_eq!(
        (sync.status, json(&sync)["data"].clone()),
        (202, value!("sync request sent"))
    );

    let by_ip = r#"{"data":{"enabled":true,"name":"authn_by_ip","sip":{"invite_format":"e164", "ip":"198.51.100.9","method":"ip"}}}"#;
    let by_ip = hand.curl("PUT", "/devices", Some(JSON), by_ip);
    assert_eq!(by_ip.status, 201);
    let sip = value!({"invite_format": "e164", "ip": "198.51.100.9", "method": "ip", "registration_expiration": 300, "expire_seconds": 300});
    assert_eq!(json(&by_ip)["data"]["sip"], sip);

    let deleted = hand.curl("DELETE", &item, None, "");
    assert_eq!(deleted.status, 200);
    let mut last = without_id(&deleted);
    assert_eq!(
        last.as_object_mut().unwrap().remove("_read_only"),
        Some(value!({"deleted": true}))
    );
    assert_eq!(
        last.as_object_mut().unwrap().remove("presence_id"),
        Some(value!("dis_my_device"))
    );
    assert_eq!(last, device("new device"));
}

#[test]
fn a_users_devices_owned_and_hotdesked() {
    let client = Client::start();
    let user = client.create("/users", value!({"first_name": "A", "last_name": "B"}));
    let owned = client.create(
        "/devices",
        value!({"name": "USER_ID_DEVICE", "owner_id": user}),
    );
    let other = "f".repeat(32);
    let desk = client.create(
        "/devices",
        value!({"name": "OWNER_ID_DEVICE", "owner_id": other, "hotdesk": {"users": {&user: {}}}}),
    );
    client.create("/devices", value!({"name": "a stranger's"}));
    let hand = Hand {
        client,
        real: false,
    };
    let answer = json(&hand.curl("GET", &format!("/users/{user}/devices"), None, ""));
    let rows = answer["data"].as_array().unwrap();
    let row = |id: &str| rows.iter().find(|row| row["id"] == id).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        *row(&owned),
        value!({"id": owned, "name": "USER_ID_DEVICE", "mac_address": "", "owner_id": user, "enabled": true,
            "device_type": "sip_device", "hotdesked": false})
    );
    assert_eq!(
        (
            row(&desk)["hotdesked"].clone(),
            row(&desk)["owner_id"].clone()
        ),
        (value!(true), value!(other))
    );
}
