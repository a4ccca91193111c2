//! The dialplan over HTTP, as the daemon answers it: which calls are bridged at once, which are left to the handoff.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at the first surprise"
)]

mod directory_support;

use std::time::Duration;

use directory_support::{Directory, document, put, recorded, store};
use linefinder::config::Config;
use linefinder::daemon::{Daemon, Systemd};
use linefinder::documents::DocumentType;
use linefinder::documents::Registration;
use linefinder::store::Store;
use linefinder::types::NodeName;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

fn callflow(id: &str, number: &str, flow: Value) -> linefinder::store::Write {
    let body = json!({"numbers": [number], "flow": flow});
    document(DocumentType::Callflow, "acme", id, body)
}

/// Acme with extension 1002, which rings a phone, 1005, which rings it and goes on after that, and 1006, whose phone
/// is at an address that FreeSWITCH's preprocessor would act on.
fn documents() -> Store {
    let store = store();
    let ring = |id: &str| json!({"module": "device", "data": {"id": id}});
    let mut goes_on = ring("desk2");
    goes_on["children"] = json!({"_": {"module": "hangup"}});
    put(
        &store,
        vec![
            callflow("c2", "1002", ring("desk2")),
            callflow("c5", "1005", goes_on),
        ],
    );
    store.register(Registration {
        node: NodeName::new("fs1").unwrap(),
        profile: "internal".into(),
        user: "bob".into(),
        realm: "acme.test".into(),
        contact: "<sip:bob@127.0.0.9:5062>".into(),
        call_id: "reg".into(),
        network_ip: None,
        network_port: None,
        user_agent: None,
        expires_at: i64::MAX / 2,
        updated_ms: 0,
    });
    store
}

async fn start(store: Store) -> (Directory, CancellationToken) {
    let settings = [
        ("directory__listen", "127.0.0.1:0"),
        ("handoff__listen", "127.0.0.1:0"),
        ("handoff__drain_s", "0"),
    ];
    let name = |key: &str| format!("LINEFINDER_{}", key.to_uppercase());
    let settings = settings.map(|(key, value)| (name(key), value.to_owned()));
    let config = Config::from_layers(None, settings).unwrap();
    let shutdown = CancellationToken::new();
    let daemon = Daemon::start(&config, store, &shutdown).unwrap();
    let address = daemon.directory().unwrap();
    let hurry = CancellationToken::new();
    let end = hurry.clone();
    let task = tokio::spawn(async move { daemon.run(&Systemd::none(), &hurry).await });
    let directory = Directory {
        address,
        shutdown,
        task,
    };
    (directory, end)
}

/// The channel as FreeSWITCH posts it.
fn question(number: &str, more: &str) -> String {
    format!(
        "hostname=fs1&section=dialplan&tag_name=&key_name=&key_value=&Event-Name=REQUEST_PARAMS&Core-UUID=core-1\
         &FreeSWITCH-Switchname=fs1&Unique-ID=u-1&Caller-Caller-ID-Number=1001&Caller-Caller-ID-Name=Alice\
         &Caller-Network-Addr=127.0.0.77&Caller-Destination-Number=x&Caller-Context=from-device\
         &variable_sip_call_id=s-1&variable_sip_authorized=true&variable_sip_auth_username=1001\
         &variable_user_name=1001&variable_domain_name=acme.test&variable_sofia_profile_name=internal\
         &Hunt-Destination-Number={number}&Hunt-Context=from-device{more}"
    )
}

async fn post(directory: &Directory, body: &str) -> directory_support::Reply {
    let text = String::from_utf8(directory_support::request(body, "")).unwrap();
    let text = text.replacen("/v1/directory", "/v1/dialplan", 1);
    directory.exchange(text.as_bytes()).await
}

#[tokio::test]
async fn a_plain_call_gets_its_bridge() {
    let (directory, end) = start(documents()).await;
    let reply = post(&directory, &question("1002", "")).await;
    assert_eq!(reply.status, 200);
    let body = &reply.body;
    assert!(body.contains("<context name=\"from-device\">"), "{body}");
    let bridge = body.find("application=\"bridge\"").unwrap();
    assert!(body[bridge..].contains("sip:Bob@127.0.0.9:5062"), "{body}");
    let set = body
        .find("data=\"app_disable_expand_variables=true\"")
        .unwrap();
    assert!(set < bridge);
    assert!(!body.contains("continue_on_fail"), "{body}");
    assert!(!body.lines().next().unwrap().contains("<?"), "{body}");
    // The same over the directory's own path, as one binding may ask for both.
    assert_eq!(directory.post(&question("1002", "")).await.body, *body);
    directory.shutdown.cancel();
    end.cancel();
    directory.task.await.unwrap();
}

#[tokio::test]
async fn everything_else_is_left_to_the_handoff() {
    let (directory, _end) = start(documents()).await;
    for (what, body) in [
        ("a flow that goes on", question("1005", "")),
        ("an unknown number", question("4711", "")),
        ("no number", question("", "")),
        (
            "another context",
            question("1002", "").replace("Hunt-Context=from-device", "Hunt-Context=other"),
        ),
        (
            "nobody proved",
            question("1002", "").replace("variable_sip_authorized=true&", ""),
        ),
        (
            "two users in one question",
            question("1002", "&variable_user_name=1003"),
        ),
        ("no channel", "hostname=fs1&section=dialplan".to_owned()),
    ] {
        let reply = post(&directory, &body).await;
        assert!(reply.is_not_found(), "{what}: {}", reply.body);
    }
}

/// Nobody counts a call that FreeSWITCH bridges by itself.
#[tokio::test]
async fn a_call_that_may_need_a_unit_is_left_to_the_handoff() {
    let limits = |account: &str| {
        let body = json!({"twoway_trunks": 1});
        document(DocumentType::Limits, account, "limits", body)
    };
    let store = documents();
    put(&store, vec![limits("acme")]);
    let (directory, _end) = start(store).await;
    let reply = post(&directory, &question("1002", "")).await;
    assert!(reply.is_not_found(), "limits: {}", reply.body);

    // A PBX at the device's address would be a caller of trunks, if the device had not proved itself.
    let store = documents();
    let pbx = json!({"name": "pbx", "servers": [{"name": "a", "DIDs": {},
        "auth": {"auth_method": "ip", "ip": "127.0.0.77"}, "options": {}}]});
    put(
        &store,
        vec![document(DocumentType::Connectivity, "acme", "pbx", pbx)],
    );
    let (directory, _end) = start(store).await;
    assert_eq!(post(&directory, &question("1002", "")).await.status, 200);
    let stranger = question("1002", "").replace("variable_sip_authorized=true&", "");
    assert!(post(&directory, &stranger).await.is_not_found());
}

#[tokio::test]
async fn recorded_questions_are_answered_quickly() {
    let (directory, _end) = start(documents()).await;
    let mut asked = 0;
    for scenario in [
        "73-xmlcurl-directory-purposes",
        "74-xmlcurl-answer-shapes",
        "75-xmlcurl-slow-server",
    ] {
        for (path, request) in recorded(scenario) {
            let text = String::from_utf8_lossy(&request);
            if !text.contains("section=dialplan") || !text.starts_with("POST /v1/") {
                continue;
            }
            asked += 1;
            let reply = directory.exchange(&request);
            let reply = tokio::time::timeout(Duration::from_secs(5), reply).await;
            assert!(reply.unwrap().is_not_found(), "{}", path.display());
        }
    }
    assert!(asked > 2, "{asked}");
}

#[tokio::test]
async fn a_recorded_channel_is_understood() {
    // Recorded with the dialplan context of its time; ours is put in its place.
    let (directory, _end) = start(documents()).await;
    let all = recorded("73-xmlcurl-directory-purposes");
    let (_, request) = all
        .into_iter()
        .find(|(path, _)| path.ends_with("026.request.bin"))
        .unwrap();
    let text = String::from_utf8(request).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let body = body
        .replace("Hunt-Context=default", "Hunt-Context=from-device")
        .replace(
            "Hunt-Destination-Number=9101",
            "Hunt-Destination-Number=1002",
        );
    let reply = post(&directory, &body).await;
    assert!(
        reply.body.contains("sip:Bob@127.0.0.9:5062"),
        "{}",
        reply.body
    );
    assert!(
        reply.body.contains("origination_caller_id_number=1001"),
        "{}",
        reply.body
    );
}
