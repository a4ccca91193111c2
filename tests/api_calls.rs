//! Registrations and channels over the API: a real port, a daemon, a simulated node with calls on it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

use std::io::Cursor;
use std::net::SocketAddr;
use std::time::Duration;

use linefinder::api::{self, NewAccount, Secrets};
use linefinder::config::{Config, HostPort, NodeSettings, Secret};
use linefinder::daemon::{Daemon, Systemd};
use linefinder::documents::Registration;
use linefinder::sim::{CallSpec, Handoff, Node, NodeOptions, PhoneScript, PlacedCall, Stage};
use linefinder::store::Store;
use linefinder::types::NodeName;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);

/// A far future, in Unix seconds.
const LATER: i64 = 4_000_000_000;

struct Bench {
    _node: Node,
    call: PlacedCall,
    api: SocketAddr,
    store: Store,
    account: String,
    other: String,
    token: String,
    other_token: String,
    _shutdown: tokio_util::sync::DropGuard,
}

fn documents(account: &str) -> String {
    let rows = [
        json!({"type": "user", "account_id": account, "id": "u-bob", "first_name": "Bob", "last_name": "B"}),
        json!({"type": "device", "account_id": account, "id": "dev-a", "name": "A",
            "sip": {"username": "1001", "password": "secret-1"}}),
        json!({"type": "device", "account_id": account, "id": "dev-b", "name": "B", "owner_id": "u-bob",
            "sip": {"username": "1002", "password": "secret-2", "ip": "127.0.0.2:5060"}}),
        json!({"type": "callflow", "account_id": account, "id": "flow", "numbers": ["1002"],
            "flow": {"module": "device", "data": {"id": "dev-b"}, "children": {}}}),
    ];
    rows.iter().map(|row| format!("{row}\n")).collect()
}

fn registration(user: &str, realm: &str, contact: &str) -> Registration {
    Registration {
        node: NodeName::new("fs1").unwrap(),
        profile: "internal".into(),
        user: user.into(),
        realm: realm.into(),
        contact: contact.into(),
        call_id: format!("reg-{user}"),
        network_ip: Some("127.0.0.9".into()),
        network_port: Some(5099),
        user_agent: Some("Desk phone".into()),
        expires_at: LATER,
        updated_ms: 1_700_000_000_000,
    }
}

impl Bench {
    /// A call from 1001 to 1002 is up; another account has nothing.
    async fn start() -> Bench {
        let store = Store::temporary().unwrap();
        let mut config = Config::default();
        config.api.listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.api.rate_tokens = 0;
        config.handoff.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.handoff.drain_s = 0;
        let secrets = Secrets::open(&api::secret_file(&config.api, &store)).unwrap();
        let account = |name: &str, realm: &str| {
            let wanted = NewAccount {
                name: name.into(),
                realm: Some(realm.into()),
                ..NewAccount::default()
            };
            api::create_account(&store, &secrets, &wanted).unwrap()
        };
        let _master = account("Master", "master.example.test");
        let acme = account("Acme", "acme.example.test");
        let other = account("Other", "other.example.test");
        let id = acme.account.to_string();
        let imported = store
            .import(&mut Cursor::new(documents(&id)), false)
            .unwrap();
        assert_eq!(imported.problems, []);
        let node = Node::start(NodeOptions {
            password: "bench".into(),
            speed: 10.0,
            any_phone: Some(PhoneScript::answers_after(Duration::from_millis(100))),
            ..NodeOptions::default()
        });
        let node = node.await.unwrap();
        let settings = NodeSettings {
            address: HostPort::try_from(node.address().to_string()).unwrap(),
            password: Some(Secret::new("bench".into())),
            ..NodeSettings::default()
        };
        config.nodes.insert(NodeName::new("fs1").unwrap(), settings);
        let shutdown = CancellationToken::new();
        let daemon = Daemon::start(&config, store.clone(), &shutdown).unwrap();
        let (api, listening) = (daemon.api().unwrap(), daemon.listening().unwrap());
        let mut state = daemon.switch().nodes()[0].state();
        let live = timeout(PATIENCE, state.wait_for(|state| state.is_live())).await;
        live.unwrap().unwrap();
        tokio::spawn(async move {
            daemon
                .run(&Systemd::none(), &CancellationToken::new())
                .await
        });
        let spec = CallSpec::device("1001@acme.example.test", "1002", Handoff::Socket(listening))
            .with_variable("lf_account_id", &id)
            .with_variable("lf_device_id", "dev-a");
        let call = node.place_call(spec);
        let stage = timeout(PATIENCE, call.reached(Stage::Answered)).await;
        assert_eq!(stage.unwrap(), Stage::Answered);
        let mut bench = Bench {
            _node: node,
            call,
            api,
            store,
            account: id,
            other: other.account.to_string(),
            token: String::new(),
            other_token: String::new(),
            _shutdown: shutdown.drop_guard(),
        };
        bench.token = bench.log_in(&acme.api_key).await;
        bench.other_token = bench.log_in(&other.api_key).await;
        bench
    }

    async fn log_in(&self, api_key: &str) -> String {
        let data = json!({"data": {"api_key": api_key}});
        let (status, told) = self.send("PUT", "/v2/api_auth", "", &data).await;
        assert_eq!(status, 201, "{told}");
        told["auth_token"].as_str().unwrap().to_owned()
    }

    async fn send(&self, verb: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let mut stream = TcpStream::connect(self.api).await.unwrap();
        let request = format!(
            "{verb} {path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
        read.unwrap().unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }

    /// Within the account of the call.
    async fn ask(&self, verb: &str, path: &str, body: Value) -> (u16, Value) {
        let path = format!("/v2/accounts/{}{path}", self.account);
        self.send(verb, &path, &self.token, &body).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_listed_to_their_account_alone() {
    let bench = Bench::start().await;
    let (status, told) = bench.ask("GET", "/channels", Value::Null).await;
    assert_eq!(status, 200);
    let rows = told["data"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "{told}");
    let uuid = bench.call.uuid();
    let caller = rows.iter().find(|row| row["uuid"] == uuid).unwrap();
    let callee = rows.iter().find(|row| row["uuid"] != uuid).unwrap();
    assert_eq!(caller["direction"], "inbound");
    assert_eq!(caller["destination"], "1002");
    assert_eq!(caller["answered"], true);
    assert_eq!(caller["authorizing_id"], "dev-a");
    assert_eq!(caller["authorizing_type"], "device");
    assert_eq!(caller["other_leg"], callee["uuid"]);
    assert_eq!(callee["authorizing_id"], "dev-b");
    assert!(caller["timestamp"].as_i64().unwrap() > 62_167_219_200);

    let (_, told) = bench
        .ask("GET", "/devices/dev-a/channels", Value::Null)
        .await;
    assert_eq!(told["data"], json!([caller]));
    let (_, told) = bench.ask("GET", "/users/u-bob/channels", Value::Null).await;
    assert_eq!(told["data"], json!([callee]));
    let (status, _) = bench
        .ask("GET", "/devices/nobody/channels", Value::Null)
        .await;
    assert_eq!(status, 404);
    let item = format!("/channels/{uuid}");
    let (_, told) = bench.ask("GET", &item, Value::Null).await;
    assert_eq!(&told["data"], caller);

    // Somebody else's call is not there.
    let theirs = format!("/v2/accounts/{}/channels", bench.other);
    let (_, told) = bench
        .send("GET", &theirs, &bench.other_token, &Value::Null)
        .await;
    assert_eq!(told["data"], json!([]));
    for verb in ["GET", "POST", "PUT"] {
        let body = json!({"action": "metaflow", "data": {"action": "hangup", "module": "hangup"}});
        let one = format!("{theirs}/{uuid}");
        let (status, told) = bench.send(verb, &one, &bench.other_token, &body).await;
        assert_eq!(
            (status, &told["message"]),
            (404, &json!("bad identifier")),
            "{verb}"
        );
        assert_eq!(told["data"], json!([uuid]));
    }
    assert_eq!(bench.call.stage(), Stage::Answered);
    let (status, _) = bench
        .send("GET", "/v2/channels", &bench.token, &Value::Null)
        .await;
    assert_eq!(status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_acted_on() {
    let bench = Bench::start().await;
    let item = format!("/channels/{}", bench.call.uuid());
    for (data, status, field) in [
        (json!({}), 400, "action"),
        (json!({"action": "dance"}), 400, "action"),
        (json!({"action": "transfer"}), 400, "target"),
        (
            json!({"action": "transfer", "target": "1002 inline"}),
            400,
            "target",
        ),
        (json!({"action": "callflow"}), 400, "id"),
        (json!({"action": "intercept"}), 400, "target_type"),
    ] {
        let (found, told) = bench.ask("POST", &item, json!({"data": data})).await;
        assert_eq!(found, status, "{data}: {told}");
        assert!(told["data"].get(field).is_some(), "{data}: {told}");
    }
    let unknown = json!({"data": {"action": "callflow", "id": "no-such-flow"}});
    assert_eq!(bench.ask("POST", &item, unknown).await.0, 404);

    let breaks = json!({"data": {"action": "break"}});
    let (status, told) = bench.ask("POST", &item, breaks).await;
    assert_eq!((status, &told["data"]), (202, &json!("break initiated")));

    assert_eq!(
        bench
            .ask("PUT", &item, json!({"data": {"module": "hangup"}}))
            .await
            .0,
        400
    );
    let steps = json!({"action": "metaflow", "data": {"module": "hangup", "children": {"_": {"module": "hangup"}}}});
    assert_eq!(bench.ask("PUT", &item, steps).await.0, 501);
    let hangs_up = json!({"action": "metaflow", "data": {"module": "hangup", "data": {}}});
    let (status, told) = bench.ask("PUT", &item, hangs_up).await;
    assert_eq!((status, &told["data"]), (202, &json!("metaflow sent")));
    timeout(PATIENCE, bench.call.result()).await.unwrap();
    let (status, _) = bench
        .ask("POST", &item, json!({"data": {"action": "hangup"}}))
        .await;
    assert_eq!(status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_are_listed_counted_and_dropped() {
    let bench = Bench::start().await;
    let realm = "acme.example.test";
    let contact = "<sip:1001@127.0.0.8:5070;fs_nat=yes>";
    bench.store.register(registration("1001", realm, contact));
    bench
        .store
        .register(registration("1002", realm, "sip:1002@127.0.0.9:5099"));
    bench.store.register(registration(
        "1001",
        "other.example.test",
        "sip:1001@127.0.0.7",
    ));
    let mut gone = registration("1003", realm, "sip:1003@127.0.0.6");
    gone.expires_at = 1_000;
    bench.store.register(gone);

    let (_, told) = bench.ask("GET", "/registrations", Value::Null).await;
    let rows = told["data"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "{told}");
    let first = rows.iter().find(|row| row["username"] == "1001").unwrap();
    for (name, value) in [
        ("realm", json!(realm)),
        ("account_realm", json!(realm)),
        ("account_name", json!("Acme")),
        ("contact", json!(contact)),
        ("contact_ip", json!("127.0.0.8")),
        ("contact_port", json!(5070)),
        ("authorizing_id", json!("dev-a")),
        ("authorizing_type", json!("device")),
        ("user_agent", json!("Desk phone")),
        ("call_id", json!("reg-1001")),
        ("from_user", json!("1001")),
        ("to_host", json!(realm)),
        ("proxy_ip", json!("127.0.0.9")),
        ("proxy_port", json!(5099)),
        ("event_timestamp", json!(62_167_219_200_i64 + 1_700_000_000)),
    ] {
        assert_eq!(first[name], value, "{name}");
    }
    assert!(first["expires"].as_i64().unwrap() > 0);
    let second = rows.iter().find(|row| row["username"] == "1002").unwrap();
    assert_eq!(second["owner_id"], "u-bob");
    assert_eq!(second.get("proxy_ip"), None);

    let (_, told) = bench.ask("GET", "/registrations/count", Value::Null).await;
    assert_eq!(told["data"], json!({"count": 2}));
    let (status, told) = bench
        .ask("DELETE", "/registrations/9999", Value::Null)
        .await;
    assert_eq!((status, &told["data"]), (404, &json!(["9999"])));
    let (status, told) = bench
        .ask("DELETE", "/registrations/1001", Value::Null)
        .await;
    assert_eq!((status, &told["data"]), (200, &json!("ok")));
    assert!(bench.store.registrations("1001", realm).is_empty());
    assert_eq!(bench.store.registrations("1002", realm).len(), 1);
    // Known, although nothing is registered under it any more.
    assert_eq!(
        bench
            .ask("DELETE", "/registrations/1001", Value::Null)
            .await
            .0,
        200
    );
    let (status, told) = bench.ask("DELETE", "/registrations", Value::Null).await;
    assert_eq!((status, &told["data"]), (200, &json!("ok")));
    assert!(bench.store.registrations("1002", realm).is_empty());
    assert_eq!(
        bench
            .store
            .registrations("1001", "other.example.test")
            .len(),
        1
    );
}
