//! The curl examples of Kazoo's devices document, as an operator types them: the same bytes, another host.

use serde_json::{Value, json as value};

use crate::api_daemon::Exchange;
use crate::api_support::{Client, json};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("Content-Type", "application/json");

/// What curl adds by itself; with `-d` and no type it says that it sends a form.
fn curl(
    client: &Client,
    method: &str,
    path: &str,
    kind: Option<(&str, &str)>,
    body: &str,
) -> Exchange {
    let mut headers = vec![
        ("User-Agent", "curl/7.88.1"),
        ("Accept", "*/*"),
        ("X-Auth-Token", client.token.as_str()),
    ];
    headers.extend(kind);
    client.send(method, &client.path(path), &headers, body.as_bytes())
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
    let created = curl(
        &client,
        "PUT",
        "/devices",
        Some(JSON),
        r#"{"data":{"name":"New Device"}}"#,
    );
    assert_eq!(created.status, 201);
    assert_eq!(without_id(&created), device("New Device"));
    let id = json(&created)["data"]["id"].as_str().unwrap().to_owned();
    let item = format!("/devices/{id}");

    let list = json(&curl(&client, "GET", "/devices", None, ""));
    assert_eq!(
        (list["page_size"].clone(), list["status"].clone()),
        (value!(1), value!("success"))
    );
    assert_eq!(list["data"][0]["device_type"], "sip_device");

    assert_eq!(
        without_id(&curl(&client, "GET", &item, None, "")),
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
    let replaced = curl(&client, "POST", &item, Some(JSON), body);
    assert_eq!(replaced.status, 200);
    assert_eq!(json(&replaced)["data"]["id"], id);
    assert_eq!(without_id(&replaced), device("new device"));

    // No type is given, so curl says that it sends a form.
    let patched = curl(
        &client,
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
        let notified = curl(&client, method, &path, Some(JSON), body);
        assert_eq!(
            (notified.status, json(&notified)["data"].clone()),
            (202, value!("NOTIFY sent")),
            "{method} {path}"
        );
    }
    let nested = r#"{"data":{"action":"notify","data":{"event":"check-sync","body":{"content_type":"text/plain","data":"x"}}}}"#;
    assert_eq!(curl(&client, "PUT", &item, Some(JSON), nested).status, 202);
    let half = r#"{"action":"notify","data":{"event":"check-sync","body":{"data":"x"}}}"#;
    assert_eq!(curl(&client, "PUT", &item, Some(JSON), half).status, 400);

    let status = curl(&client, "GET", "/devices/status", None, "");
    assert_eq!(
        (status.status, json(&status)["data"].clone()),
        (200, value!([]))
    );

    let sync = curl(&client, "POST", &format!("{item}/sync"), None, "");
    assert_eq!(
        (sync.status, json(&sync)["data"].clone()),
        (202, value!("sync request sent"))
    );

    let by_ip = r#"{"data":{"enabled":true,"name":"authn_by_ip","sip":{"invite_format":"e164", "ip":"198.51.100.9","method":"ip"}}}"#;
    let by_ip = curl(&client, "PUT", "/devices", Some(JSON), by_ip);
    assert_eq!(by_ip.status, 201);
    let sip = value!({"invite_format": "e164", "ip": "198.51.100.9", "method": "ip", "registration_expiration": 300, "expire_seconds": 300});
    assert_eq!(json(&by_ip)["data"]["sip"], sip);

    let deleted = curl(&client, "DELETE", &item, None, "");
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
    let answer = json(&curl(
        &client,
        "GET",
        &format!("/users/{user}/devices"),
        None,
        "",
    ));
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
