//! What the API does to phones: the commands that arrive at the node that holds their registrations.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod support;

use std::net::SocketAddr;

use linefinder::api::{self, NewAccount, Secrets, Settings};
use linefinder::documents::{Document, DocumentKey, DocumentType, Registration};
use linefinder::store::{Change, Store, Write};
use linefinder::types::{AccountId, DocumentId, NodeName};
use serde_json::{Value, json};
use support::peer::{Peer, soon};
use support::scenes::{Stage, brisk, greet, with_node};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// An API over one node that the test plays, and a registered phone.
struct Scene {
    _stage: Stage,
    _listener: TcpListener,
    _folder: tempfile::TempDir,
    peer: Peer,
    store: Store,
    address: SocketAddr,
    account: AccountId,
    token: String,
}

async fn scene() -> Scene {
    let (stage, listener) = with_node(brisk()).await;
    let mut peer = Peer::accept(&listener).await;
    greet(&mut peer).await;
    stage.live().await;
    // With its secret beside it, so that the key made here opens the API.
    let folder = tempfile::tempdir().unwrap();
    let settings = linefinder::store::StoreSettings {
        path: folder.path().join("store"),
        ..Default::default()
    };
    let store = Store::open(&settings).unwrap();
    let settings = Settings {
        rate_tokens: 0,
        ..Settings::default()
    };
    let secrets = Secrets::open(&api::secret_file(&settings, &store)).unwrap();
    let wanted = NewAccount {
        name: "Acme".into(),
        realm: Some("acme.test".into()),
        ..NewAccount::default()
    };
    let created = api::create_account(&store, &secrets, &wanted).unwrap();
    let key = DocumentKey {
        kind: DocumentType::Device,
        account: created.account.clone(),
        id: DocumentId::new("desk").unwrap(),
    };
    let body = json!({"name": "Desk", "sip": {"username": "1001", "password": "secret1234"}});
    let body = body.as_object().unwrap().clone();
    store
        .apply_blocking(Change::from(Write::Put(Document { key, body })))
        .unwrap();
    store.register(Registration {
        node: NodeName::new("fs1").unwrap(),
        profile: "internal".into(),
        user: "1001".into(),
        realm: "acme.test".into(),
        contact: "\"1001\" <sip:1001@127.0.0.9:5070;transport=udp>".into(),
        call_id: "reg-1".into(),
        network_ip: None,
        network_port: None,
        user_agent: None,
        expires_at: i64::MAX,
        updated_ms: 1,
    });
    let nodes = vec![stage.node().clone()];
    let context = api::Context::open(store.clone(), nodes, settings).unwrap();
    let server = api::Server::bind("127.0.0.1:0".parse().unwrap(), context).unwrap();
    let address = server.address();
    tokio::spawn(server.run(CancellationToken::new()));
    let mut scene = Scene {
        _stage: stage,
        _listener: listener,
        _folder: folder,
        peer,
        store,
        address,
        account: created.account,
        token: String::new(),
    };
    let login = json!({"data": {"api_key": created.api_key}});
    let (status, answer) = ask(address, "", "PUT", "/v2/api_auth", &login).await;
    assert_eq!(status, 201);
    scene.token = answer["auth_token"].as_str().unwrap().to_owned();
    scene
}

async fn ask(
    address: SocketAddr,
    token: &str,
    method: &str,
    path: &str,
    body: &Value,
) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = body.to_string();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon("an answer", stream.read_to_string(&mut answer))
        .await
        .unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

impl Scene {
    /// Asks while the test plays the node.
    fn asking(
        &self,
        method: &'static str,
        path: &str,
        body: Value,
    ) -> tokio::task::JoinHandle<(u16, Value)> {
        let path = format!("/v2/accounts/{}/devices{path}", self.account);
        let (address, token) = (self.address, self.token.clone());
        tokio::spawn(async move { ask(address, &token, method, &path, &body).await })
    }

    fn registered(&self) -> usize {
        self.store.registrations("1001", "acme.test").len()
    }
}

const FLUSH: &str = "api sofia profile internal flush_inbound_reg 1001@acme.test";

#[tokio::test]
async fn a_phone_is_told_to_fetch_its_configuration() {
    let mut scene = scene().await;
    let (status, answer) = soon("status", scene.asking("GET", "/status", json!({})))
        .await
        .unwrap();
    assert_eq!(
        (status, answer["data"].clone()),
        (200, json!([{"device_id": "desk", "registered": true}]))
    );
    for (method, path, body) in [
        ("POST", "/desk/sync", json!({})),
        (
            "PUT",
            "/desk",
            json!({"action": "notify", "data": {"event": "check-sync"}}),
        ),
        ("PATCH", "/desk", json!({"data": {"sync": true}})),
    ] {
        let asking = scene.asking(method, path, body);
        let request = scene.peer.expect("sendevent NOTIFY").await;
        assert_eq!(request.header("event-string"), Some("check-sync"));
        assert_eq!(
            (request.header("user"), request.header("host")),
            (Some("1001"), Some("acme.test"))
        );
        scene.peer.reply("+OK 1").await;
        let (status, _) = soon("the answer", asking).await.unwrap();
        assert!([200, 202].contains(&status), "{path}: {status}");
    }
    let hostile = json!({"action": "notify", "data": {"event": "x\r\nX-Evil: 1"}});
    let (status, _) = soon("the answer", scene.asking("PUT", "/desk", hostile))
        .await
        .unwrap();
    assert_eq!(status, 400);
    // An order is not a property.
    let (_, device) = soon("the device", scene.asking("GET", "/desk", json!({})))
        .await
        .unwrap();
    assert!(device["data"].get("sync").is_none());
}

#[tokio::test]
async fn a_disabled_phone_loses_its_registration_before_the_answer() {
    let mut scene = scene().await;
    let asking = scene.asking("PATCH", "/desk", json!({"data": {"presence_id": "p"}}));
    assert_eq!(soon("the answer", asking).await.unwrap().0, 200);
    assert_eq!(scene.registered(), 1);
    let asking = scene.asking("PATCH", "/desk", json!({"data": {"enabled": false}}));
    scene.peer.expect(FLUSH).await;
    scene
        .peer
        .api("+OK flushing all registrations matching specified call_id\n")
        .await;
    assert_eq!(soon("the answer", asking).await.unwrap().0, 200);
    assert_eq!(scene.registered(), 0);
}

#[tokio::test]
async fn so_does_one_with_a_new_password_and_one_that_is_deleted() {
    for (method, body) in [
        ("PATCH", json!({"data": {"sip": {"password": "another1"}}})),
        ("PATCH", json!({"data": {"sip": {"username": "1002"}}})),
        ("DELETE", json!({})),
    ] {
        let mut scene = scene().await;
        let asking = scene.asking(method, "/desk", body);
        scene.peer.expect(FLUSH).await;
        scene.peer.api("+OK\n").await;
        assert_eq!(soon("the answer", asking).await.unwrap().0, 200);
        assert_eq!(scene.registered(), 0);
    }
}

#[tokio::test]
async fn a_quickcall_rings_the_phone_and_dials_the_number() {
    let mut scene = scene().await;
    let asking = scene.asking("POST", "/desk/quickcall/+1%20(415)%20555-0100", json!({}));
    let request = scene.peer.request().await;
    let line = request.line.clone();
    assert!(line.starts_with("bgapi originate '{"), "{line}");
    assert!(
        line.contains("sip:1001@127.0.0.9:5070") && line.contains("lf_device_id=desk"),
        "{line}"
    );
    assert!(line.ends_with(" 14155550100 XML from-device"), "{line}");
    asking.abort();
    // Nobody is registered any more.
    let node = NodeName::new("fs1").unwrap();
    scene
        .store
        .unregister(&node, "1001", "acme.test", None, None);
    let (status, answer) = soon("no", scene.asking("POST", "/desk/quickcall/1", json!({})))
        .await
        .unwrap();
    assert_eq!(
        (status, answer["message"].clone()),
        (500, json!("quickcall initiation failed"))
    );
    assert_eq!(answer["data"]["error_message"], "DESTINATION_OUT_OF_ORDER");
    let (status, answer) = soon(
        "at once",
        scene.asking("GET", "/desk/quickcall/1", json!({})),
    )
    .await
    .unwrap();
    assert_eq!(
        (status, answer["data"]["application_data"]["route"].clone()),
        (202, json!("1"))
    );
}

#[tokio::test]
async fn a_device_that_intercepts_a_call_rings_and_takes_it_over() {
    let mut scene = scene().await;
    let dump = json!({
        "Unique-ID": "u-1", "Answer-State": "ringing", "Call-Direction": "inbound",
        "variable_lf_account_id": scene.account.as_str(), "variable_user_name": "1002",
    })
    .to_string();
    let path = format!("/v2/accounts/{}/channels/u-1", scene.account);
    let (address, token) = (scene.address, scene.token.clone());
    let asking = |data: Value| {
        let (path, token) = (path.clone(), token.clone());
        let body = json!({ "data": data });
        tokio::spawn(async move { ask(address, &token, "POST", &path, &body).await })
    };
    for (data, status) in [
        (json!({"action": "intercept", "target_type": "device"}), 400),
        (
            json!({"action": "intercept", "target_type": "device", "target_id": "nobody"}),
            404,
        ),
        (
            json!({"action": "intercept", "target_type": "user", "target_id": "desk"}),
            404,
        ),
    ] {
        let asking = asking(data.clone());
        scene.peer.expect("api uuid_dump u-1 json").await;
        scene.peer.api(&dump).await;
        assert_eq!(soon("no", asking).await.unwrap().0, status, "{data}");
    }
    let wanted = json!({"action": "intercept", "target_type": "device", "target_id": "desk", "unbridged_only": true});
    let asked = asking(wanted.clone());
    scene.peer.expect("api uuid_dump u-1 json").await;
    scene.peer.api(&dump).await;
    let (status, answer) = soon("at once", asked).await.unwrap();
    assert_eq!(
        (status, answer["data"].clone()),
        (202, json!("intercept initiated"))
    );
    let line = scene.peer.request().await.line;
    scene.peer.reply("+OK Job-UUID: j").await;
    assert!(line.starts_with("bgapi originate {"), "{line}");
    assert!(
        line.contains("sip:1001@127.0.0.9:5070") && line.contains("intercept_unbridged_only=true"),
        "{line}"
    );
    assert!(line.ends_with(" &intercept(u-1)"), "{line}");
    // A phone that is away can't take it.
    let node = NodeName::new("fs1").unwrap();
    scene
        .store
        .unregister(&node, "1001", "acme.test", None, None);
    let asked = asking(wanted);
    scene.peer.expect("api uuid_dump u-1 json").await;
    scene.peer.api(&dump).await;
    let (status, answer) = soon("no", asked).await.unwrap();
    assert_eq!(status, 400);
    assert!(
        answer["data"]["target_id"]["invalid"].is_object(),
        "{answer}"
    );
}
