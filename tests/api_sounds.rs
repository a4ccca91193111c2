//! Sounds, recordings, messages, history and carriers' gateways, over real connections to a real daemon.

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
use serde_json::{Value, json as value};

const WAV: &[u8] = b"RIFF0123456789";

fn upload(client: &Client, verb: &str, path: &str, kind: &str, body: &[u8]) -> Exchange {
    let headers = [
        ("X-Auth-Token", client.token.as_str()),
        ("Content-Type", kind),
    ];
    client.send(verb, &client.path(path), &headers, body)
}

fn data(answer: &Exchange) -> Value {
    json(answer)["data"].clone()
}

#[test]
fn a_sound_is_stored_and_told_whole_or_in_part() {
    let client = Client::start();
    let id = client.create("/media", value!({"name": "Welcome"}));
    let item = format!("/media/{id}");
    let raw = format!("{item}/raw");
    let fetched = data(&client.ask("GET", &item, ""));
    assert_eq!(fetched["media_source"], "upload");
    assert_eq!(fetched["language"], "en-us");
    assert_eq!(fetched["streamable"], true);
    assert_eq!(client.ask("GET", &raw, "").status, 404);

    let nothing = upload(&client, "POST", &raw, "audio/x-wav", b"");
    assert_eq!(nothing.status, 400);
    let told = data(&nothing);
    assert_eq!(
        told["file"]["required"]["message"],
        "Please provide an media file"
    );
    assert_eq!(
        upload(&client, "POST", &raw, "text/html", b"<x>").status,
        415
    );
    assert_eq!(upload(&client, "POST", &raw, "image/png", b"x").status, 415);

    let stored = upload(&client, "POST", &raw, "audio/x-wav", WAV);
    assert_eq!(
        stored.status,
        200,
        "{}",
        String::from_utf8_lossy(&stored.body)
    );
    assert_eq!(data(&stored)["content_length"], WAV.len());
    assert_eq!(data(&stored)["content_type"], "audio/x-wav");
    assert!(
        json(&stored)["revision"]
            .as_str()
            .unwrap()
            .starts_with("2-")
    );

    let whole = client.ask("GET", &raw, "");
    assert_eq!((whole.status, whole.body.as_slice()), (200, WAV));
    assert_eq!(whole.headers["content-type"], "audio/x-wav");
    assert_eq!(whole.headers["accept-ranges"], "bytes");
    assert!(whole.headers["content-disposition"].starts_with("attachment; filename="));
    let part = client.ask_with("GET", &raw, &[("Range", "bytes=4-6")], "");
    assert_eq!((part.status, part.body.as_slice()), (206, &b"012"[..]));
    assert_eq!(part.headers["content-range"], "bytes 4-6/14");
    let beyond = client.ask_with("GET", &raw, &[("Range", "bytes=99-")], "");
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.headers["content-range"], "bytes */14");

    // A change of the document keeps the sound; another upload takes its place.
    let renamed = client.ask(
        "POST",
        &item,
        &value!({"data": {"name": "Hello"}}).to_string(),
    );
    assert_eq!(renamed.status, 200);
    assert_eq!(client.ask("GET", &raw, "").body, WAV);
    let encoded = upload(&client, "POST", &raw, "application/base64", b"SUQzeA==");
    assert_eq!(encoded.status, 200);
    assert_eq!(client.ask("GET", &raw, "").body, b"ID3x");
    let form = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFFx\r\n--b";
    let one = format!("{form}--");
    let kind = "multipart/form-data; boundary=b";
    assert_eq!(
        upload(&client, "POST", &raw, kind, one.as_bytes()).status,
        200
    );
    let read = client.ask("GET", &raw, "");
    assert_eq!(
        (read.body.as_slice(), &*read.headers["content-type"]),
        (&b"RIFFx"[..], "audio/wav")
    );
    let two = format!("{form}\r\n{}", &one[5..]);
    let several = upload(&client, "POST", &raw, kind, two.as_bytes());
    assert_eq!(several.status, 400);
    assert!(data(&several)["file"].get("maxItems").is_some());

    assert_eq!(client.ask("PATCH", &item, "{\"data\":{}}").status, 405);
    assert_eq!(client.ask("DELETE", &item, "").status, 200);
    assert_eq!(client.ask("GET", &raw, "").status, 404);
}

#[test]
fn announcements_have_ids_of_their_own() {
    let client = Client::start();
    let prompt =
        value!({"data": {"name": "Enter", "prompt_id": "vm-enter_pass", "language": "fr-FR"}});
    let created = client.ask("PUT", "/media", &prompt.to_string());
    assert_eq!(created.status, 201);
    assert_eq!(data(&created)["id"], "fr-fr/vm-enter_pass");
    assert!(created.headers["location"].ends_with("/media/fr-fr%2Fvm-enter_pass"));
    assert_eq!(client.ask("PUT", "/media", &prompt.to_string()).status, 409);
    client.create("/media", value!({"name": "Plain"}));
    let item = "/media/fr-fr%2Fvm-enter_pass";
    assert_eq!(data(&client.ask("GET", item, ""))["name"], "Enter");
    let raw = format!("{item}/raw");
    assert_eq!(
        upload(&client, "POST", &raw, "audio/x-wav", WAV).status,
        200
    );
    assert_eq!(client.ask("GET", &raw, "").body, WAV);
    let rows = data(&client.ask("GET", "/media", ""));
    let rows = rows.as_array().unwrap();
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    assert_eq!(row("Enter")["is_prompt"], true);
    assert_eq!(row("Enter")["language"], "fr-fr");
    assert_eq!(row("Plain")["is_prompt"], false);
    let ask = |path: &str| data(&client.ask("GET", path, ""));
    assert_eq!(ask("/media/languages"), value!([{"en-us": 1, "fr-fr": 1}]));
    assert_eq!(
        ask("/media/languages/fr-fr"),
        value!(["fr-fr/vm-enter_pass"])
    );
    assert_eq!(ask("/media/prompts"), value!([{"vm-enter_pass": 1}]));
    assert_eq!(
        ask("/media/prompts/vm-enter_pass"),
        value!(["fr-fr/vm-enter_pass"])
    );
    for bad in ["../../x", "a/b", "x y"] {
        let bad = value!({"data": {"name": "x", "prompt_id": bad}});
        assert_eq!(client.ask("PUT", "/media", &bad.to_string()).status, 400);
    }
    // The installation's own.
    let system = client.ask(
        "PUT",
        "/v2/media",
        "{\"data\":{\"name\":\"x\",\"prompt_id\":\"y\"}}",
    );
    assert_eq!(system.status, 201);
    assert_eq!(ask("/v2/media/en-us%2Fy")["name"], "x");
    assert_eq!(client.ask("GET", "/media/en-us%2Fy", "").status, 404);
}

#[test]
fn messages_lie_in_their_box() {
    let client = Client::start();
    let boxed =
        |number: &str| client.create("/vmboxes", value!({"name": number, "mailbox": number}));
    let (ours, other) = (boxed("3001"), boxed("3002"));
    let all = format!("/vmboxes/{ours}/messages");
    let first = client.create(&all, value!({"caller_id_number": "1001", "length": 2000}));
    let second = client.create(&all, value!({"caller_id_number": "1002"}));
    let rows = data(&client.ask("GET", &all, ""));
    assert_eq!(rows.as_array().unwrap().len(), 2);
    assert_eq!(
        data(&client.ask("GET", &format!("/vmboxes/{other}/messages"), "")),
        value!([])
    );
    let strange = format!("/vmboxes/{other}/messages/{first}");
    for verb in ["GET", "DELETE"] {
        assert_eq!(client.ask(verb, &strange, "").status, 404, "{verb}");
    }
    let item = format!("{all}/{first}");
    assert_eq!(data(&client.ask("GET", &item, ""))["folder"], "new");
    let moved = client.ask("POST", &item, "{\"data\":{\"folder\":\"saved\"}}");
    assert_eq!(
        (moved.status, &data(&moved)["folder"]),
        (200, &value!("saved"))
    );
    assert_eq!(
        client
            .ask("POST", &item, "{\"data\":{\"folder\":\"x\"}}")
            .status,
        400
    );
    assert_eq!(client.ask("POST", &item, "{\"data\":{}}").status, 400);
    let raw = format!("{item}/raw");
    assert_eq!(client.ask("GET", &raw, "").status, 404);
    assert_eq!(upload(&client, "PUT", &raw, "audio/x-wav", WAV).status, 201);
    assert_eq!(client.ask("GET", &raw, "").body, WAV);
    let several = value!({"data": {"messages": [second, "nobody"], "folder": "deleted"}});
    let told = data(&client.ask("POST", &all, &several.to_string()));
    assert_eq!(
        told,
        value!({"succeeded": [second], "failed": [{"nobody": "bad_identifier"}]})
    );
    assert_eq!(
        data(&client.ask("GET", &all, "")).as_array().unwrap().len(),
        1
    );
    let deleted = data(&client.ask("GET", &format!("{all}?filter_folder=deleted"), ""));
    assert_eq!(deleted[0]["media_id"], second);
    assert_eq!(
        data(&client.ask("DELETE", &all, ""))["succeeded"],
        value!([first])
    );
    assert_eq!(data(&client.ask("GET", &all, "")), value!([]));
}

#[test]
fn recordings_have_a_window() {
    let client = Client::start();
    assert_eq!(data(&client.ask("GET", "/recordings", "")), value!([]));
    let wide = client.ask(
        "GET",
        "/recordings?created_from=1&created_to=63800000000",
        "",
    );
    assert_eq!(wide.status, 400);
    assert!(data(&wide)["created_from"].get("date_range").is_some());
    for id in ["nobody", "202601-xyz", "2026-abc", "202601-"] {
        assert_eq!(
            client.ask("GET", &format!("/recordings/{id}"), "").status,
            404
        );
        assert_eq!(
            client
                .ask("DELETE", &format!("/recordings/{id}"), "")
                .status,
            404
        );
    }
    assert_eq!(
        client.ask("GET", "/users/nobody/recordings", "").status,
        404
    );
}

#[test]
fn what_was_changed_is_told_and_undone() {
    let client = Client::start();
    let id = client.create(
        "/devices",
        value!({"name": "a", "sip": {"username": "u1", "password": "first-secret"}}),
    );
    let item = format!("/devices/{id}");
    let change = "{\"data\":{\"name\":\"b\",\"sip\":{\"password\":\"second-secret\"}}}";
    assert_eq!(client.ask("PATCH", &item, change).status, 200);
    let answer = client.ask("GET", &format!("{item}/history"), "");
    assert_eq!(answer.status, 200);
    let text = String::from_utf8_lossy(&answer.body);
    assert!(
        !text.contains("first-secret") && !text.contains("second-secret"),
        "{text}"
    );
    let rows = data(&answer);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (&rows[0]["action"], &rows[1]["action"]),
        (&value!("change"), &value!("create"))
    );
    assert_eq!(rows[0]["author"]["account_id"], client.account.as_str());
    assert_eq!(rows[0]["author"]["from"], "127.0.0.1");
    let fields = rows[0]["fields"].as_array().unwrap();
    assert!(fields.contains(&value!({"field": "name", "before": "a", "after": "b"})));
    let undo = format!("{item}/history/{}", rows[1]["sequence"]);
    let undone = client.ask("POST", &undo, "");
    assert_eq!(undone.status, 200);
    assert_eq!(data(&undone)["name"], "a");
    assert_eq!(
        data(&client.ask("GET", &item, ""))["sip"]["password"],
        "first-secret"
    );
    assert_eq!(
        client
            .ask("POST", &format!("{item}/history/999999"), "")
            .status,
        404
    );
    assert_eq!(
        client.ask("POST", &format!("{item}/history/x"), "").status,
        404
    );
    // What is deleted comes back, unless its address is somebody else's by now.
    assert_eq!(client.ask("DELETE", &item, "").status, 200);
    assert_eq!(client.ask("POST", &undo, "").status, 200);
    assert_eq!(data(&client.ask("GET", &item, ""))["name"], "a");
    assert_eq!(client.ask("DELETE", &item, "").status, 200);
    client.create(
        "/devices",
        value!({"name": "c", "sip": {"username": "u1", "password": "x-secret"}}),
    );
    assert_eq!(client.ask("POST", &undo, "").status, 400);
    assert_eq!(client.ask("GET", "/devices/nobody/history", "").status, 404);
}

#[test]
fn a_gateway_is_taken_out_by_hand() {
    let client = Client::start();
    let carrier = value!({"name": "Carrier", "rules": [".*"], "gateways": [{"server": "127.0.0.1"}, {"server": "127.0.0.2"}]});
    let id = client.create("/v2/resources", carrier);
    let path = format!("/v2/resources/{id}/gateways");
    // The daemon follows the store from a task of its own.
    let mut rows = Value::Null;
    for _ in 0..200 {
        rows = data(&client.ask("GET", &path, ""));
        if rows.as_array().unwrap().len() == 2 {
            break;
        }
        std::thread::yield_now();
    }
    assert_eq!(rows[0]["server"], "127.0.0.1");
    assert_eq!(
        (&rows[0]["state"], &rows[0]["forced"]),
        (&value!("closed"), &value!("auto"))
    );
    let force = |data: Value| {
        let body = value!({"action": "force", "data": data}).to_string();
        client.ask("POST", &path, &body)
    };
    let out = force(value!({"gateway": 1, "state": "open"}));
    assert_eq!(out.status, 200);
    assert_eq!(
        (&data(&out)["forced"], &data(&out)["in_use"]),
        (&value!("open"), &value!(false))
    );
    assert_eq!(data(&client.ask("GET", &path, ""))[0]["in_use"], true);
    assert_eq!(
        data(&force(value!({"gateway": 1, "state": "auto"})))["in_use"],
        true
    );
    for bad in [
        value!({}),
        value!({"gateway": 2, "state": "open"}),
        value!({"gateway": 0, "state": "x"}),
        value!({"gateway": 0}),
    ] {
        assert_eq!(force(bad.clone()).status, 400, "{bad}");
    }
    assert_eq!(client.ask("POST", &path, "{\"data\":{}}").status, 400);
    assert_eq!(
        client
            .ask("GET", "/v2/resources/nobody/gateways", "")
            .status,
        404
    );
    assert_eq!(
        client
            .ask("GET", &format!("/resources/{id}/gateways"), "")
            .status,
        404
    );
}
