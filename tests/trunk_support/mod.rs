//! A daemon with simulated nodes, and the documents of carriers and PBXs.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

use std::io::Cursor;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use linefinder::callflow::CallReport;
use linefinder::config::{Config, HostPort, NodeSettings, Secret};
use linefinder::daemon::{Daemon, Systemd};
use linefinder::sim::{
    CallResult, CallSpec, Handoff, Node, NodeOptions, PhoneScript, PlacedCall, Stage,
};
use linefinder::store::Store;
use linefinder::trunks::Ledger;
use linefinder::types::{AccountId, NodeName};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub const PATIENCE: Duration = Duration::from_secs(30);
pub const MS: Duration = Duration::from_millis(1);
pub const DID: &str = "+12125550100";
pub const FAR: &str = "+13125550188";

pub fn carrier_ip() -> IpAddr {
    "127.0.1.1".parse().unwrap()
}

pub fn pbx_ip() -> IpAddr {
    "127.0.2.1".parse().unwrap()
}

pub fn account(id: &str) -> Value {
    json!({"type": "account", "account_id": id, "id": id, "name": id, "realm": format!("{id}.example")})
}

pub fn connectivity(account: &str, id: &str, servers: &[Value]) -> Value {
    json!({
        "type": "connectivity", "account_id": account, "id": id, "name": id,
        "account": {"auth_realm": format!("{account}.example")},
        "servers": servers,
    })
}

/// A server that is known by its address.
pub fn server_at(name: &str, ip: &str, options: Value, did: Value) -> Value {
    json!({
        "name": name, "DIDs": did, "auth": {"auth_method": "ip", "ip": ip}, "options": options,
    })
}

/// A server that registers.
pub fn server_of(user: &str, options: Value, did: Value) -> Value {
    json!({
        "name": user, "DIDs": did, "options": options,
        "auth": {"auth_method": "password", "auth_user": user, "auth_password": "secret-1"},
    })
}

pub fn carrier(id: &str, ip: &str, weight: u32) -> Value {
    json!({
        "type": "resource", "account_id": "installation", "id": id, "name": id,
        "rules": ["^(\\+1\\d{10})$", "^(911)$", "^(\\+\\d+)$"], "weight_cost": weight,
        "gateways": [{"server": ip, "invite_format": "e164", "progress_timeout": 2}],
    })
}

pub fn limits(account: &str, body: Value) -> Value {
    let mut document = json!({"type": "limits", "account_id": account, "id": "limits"});
    let fields = body.as_object().unwrap().clone();
    document.as_object_mut().unwrap().extend(fields);
    document
}

pub fn store_of(documents: &[Value]) -> Store {
    let store = Store::temporary().unwrap();
    let lines: String = documents.iter().map(|d| format!("{d}\n")).collect();
    let imported = store.import(&mut Cursor::new(lines), false).unwrap();
    assert_eq!(imported.problems, []);
    store
}

pub async fn start_node(name: &str) -> Node {
    let options = NodeOptions {
        name: name.to_owned(),
        password: "bench".into(),
        tick: MS,
        ..NodeOptions::default()
    };
    Node::start(options).await.unwrap()
}

/// Answers, and hangs up at once.
pub fn chats() -> PhoneScript {
    PhoneScript::answers_after(MS).then_hangs_up_after(MS)
}

pub fn answers() -> PhoneScript {
    PhoneScript::answers_after(MS)
}

/// A running daemon and its nodes, `fs1`, `fs2` and so on.
pub struct Bench {
    pub nodes: Vec<Node>,
    pub listening: SocketAddr,
    pub ledger: Ledger,
    pub store: Store,
    pub metrics: Option<SocketAddr>,
    pub directory: Option<SocketAddr>,
    pub reports: mpsc::UnboundedReceiver<CallReport>,
    shutdown: CancellationToken,
    daemon: tokio::task::JoinHandle<()>,
}

impl Bench {
    pub async fn new(documents: &[Value]) -> Self {
        Self::with(1, documents, |_, _| {}).await
    }

    pub async fn with(
        count: usize,
        documents: &[Value],
        settle: impl FnOnce(&mut Config, &[Node]),
    ) -> Self {
        let mut nodes = Vec::new();
        for at in 1..=count {
            nodes.push(start_node(&format!("fs{at}")).await);
        }
        Self::on(nodes, store_of(documents), settle).await
    }

    pub async fn on(
        nodes: Vec<Node>,
        store: Store,
        settle: impl FnOnce(&mut Config, &[Node]),
    ) -> Self {
        let mut config = Config::default();
        config.handoff.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.handoff.drain_s = 0;
        for node in &nodes {
            let settings = NodeSettings {
                address: HostPort::try_from(node.address().to_string()).unwrap(),
                password: Some(Secret::new("bench".into())),
                ..NodeSettings::default()
            };
            let name = NodeName::new(node.name()).unwrap();
            config.nodes.insert(name, settings);
        }
        settle(&mut config, &nodes);
        let shutdown = CancellationToken::new();
        let mut daemon = Daemon::start(&config, store.clone(), &shutdown).unwrap();
        let reports = daemon.reports();
        for node in daemon.switch().nodes() {
            let mut state = node.state();
            let live = timeout(PATIENCE, state.wait_for(|state| state.is_live())).await;
            live.unwrap().unwrap();
        }
        Self {
            listening: daemon.listening().unwrap(),
            ledger: daemon.ledger().clone(),
            metrics: daemon.metrics(),
            directory: daemon.directory(),
            nodes,
            store,
            reports,
            shutdown,
            daemon: tokio::spawn(async move {
                let hurry = CancellationToken::new();
                daemon.run(&Systemd::none(), &hurry).await;
            }),
        }
    }

    pub fn handoff(&self) -> Handoff {
        Handoff::Socket(self.listening)
    }

    /// A call at the first node from this address.
    pub fn call_from(&self, source: IpAddr, from: &str, to: &str) -> PlacedCall {
        let mut spec = CallSpec::trunk(source, from, to, self.handoff());
        spec.profile = "external".into();
        self.nodes[0].place_call(spec)
    }

    pub fn inbound(&self, to: &str) -> PlacedCall {
        self.call_from(carrier_ip(), "+13125550199", to)
    }

    pub fn outbound(&self, to: &str) -> PlacedCall {
        self.call_from(pbx_ip(), "2125550100", to)
    }

    pub async fn report(&mut self) -> CallReport {
        let report = timeout(PATIENCE, self.reports.recv()).await;
        report.unwrap().unwrap()
    }

    pub async fn ended(&mut self, call: PlacedCall) -> (CallResult, CallReport) {
        let result = timeout(PATIENCE, call.result()).await.unwrap();
        (result, self.report().await)
    }

    pub async fn answered(&self, call: &PlacedCall) {
        let stage = timeout(PATIENCE, call.reached(Stage::Answered)).await;
        assert_eq!(stage.unwrap(), Stage::Answered);
    }

    pub fn inbound_units(&self, account: &str) -> u32 {
        self.ledger.usage(&AccountId::new(account).unwrap()).inbound
    }

    /// What Prometheus is told.
    pub async fn figures(&self) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(self.metrics.unwrap())
            .await
            .unwrap();
        let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        timeout(PATIENCE, self.daemon).await.unwrap().unwrap();
    }
}

/// The URI that was dialled, with what stands behind it.
pub fn uri(result: &CallResult, at: usize) -> &str {
    let dialled = &result.dialled[at];
    let (_, rest) = dialled.rsplit_once("sofia/").unwrap();
    rest.split_once('/').unwrap().1
}
