//! Trunks through the whole daemon, on a simulated node: carriers, PBXs, limits, failover.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

use std::io::{Cursor, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use linefinder::callflow::CallReport;
use linefinder::config::{Config, HostPort, NodeSettings, Secret};
use linefinder::daemon::{Daemon, Systemd};
use linefinder::sim::{
    CallResult, CallSpec, Handoff, Node, NodeOptions, PhoneScript, PlacedCall, Registered, Stage,
};
use linefinder::store::Store;
use linefinder::trunks::Ledger;
use linefinder::types::{AccountId, HangupCause, NodeName};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(30);
const MS: Duration = Duration::from_millis(1);
const DID: &str = "+12125550100";
const FAR: &str = "+13125550188";

fn carrier_ip() -> IpAddr {
    "127.0.1.1".parse().unwrap()
}

fn pbx_ip() -> IpAddr {
    "127.0.2.1".parse().unwrap()
}

fn account(id: &str) -> Value {
    json!({"type": "account", "account_id": id, "id": id, "name": id, "realm": format!("{id}.example")})
}

/// A server that is known by its address.
fn server(name: &str, ip: &str, mut options: Value, did: Value) -> Value {
    let options = options.take();
    json!({
        "name": name,
        "DIDs": did,
        "auth": {"auth_method": "ip", "ip": ip},
        "options": options,
    })
}

fn connectivity(account: &str, id: &str, servers: &[Value]) -> Value {
    json!({
        "type": "connectivity", "account_id": account, "id": id, "name": id,
        "account": {"auth_realm": format!("{account}.example")},
        "servers": servers,
    })
}

fn carrier(id: &str, ip: &str, weight: u32) -> Value {
    json!({
        "type": "resource", "account_id": "installation", "id": id, "name": id,
        "rules": ["^(\\+1\\d{10})$", "^(911)$"], "weight_cost": weight,
        "gateways": [{"server": ip, "invite_format": "e164", "progress_timeout": 2}],
    })
}

fn limits(account: &str, body: Value) -> Value {
    let mut document = json!({"type": "limits", "account_id": account, "id": "limits"});
    let fields = body.as_object().unwrap().clone();
    document.as_object_mut().unwrap().extend(fields);
    document
}

/// One carrier, one PBX with one number.
fn plain() -> Vec<Value> {
    plain_with(json!({}))
}

fn plain_with(options: Value) -> Vec<Value> {
    vec![
        account("acme"),
        connectivity(
            "acme",
            "pbx",
            &[server("pbx1", "127.0.2.1", options, json!({DID: {}}))],
        ),
        carrier("c1", "127.0.1.1", 10),
    ]
}

fn lines(documents: &[Value]) -> String {
    documents.iter().map(|d| format!("{d}\n")).collect()
}

struct Bench {
    node: Node,
    listening: SocketAddr,
    ledger: Ledger,
    reports: mpsc::UnboundedReceiver<CallReport>,
    park: bool,
    shutdown: CancellationToken,
    daemon: tokio::task::JoinHandle<()>,
}

impl Bench {
    async fn new(documents: &[Value]) -> Self {
        Self::with(documents, |_| {}).await
    }

    async fn with(documents: &[Value], settle: impl FnOnce(&mut Config)) -> Self {
        let store = Store::temporary().unwrap();
        let imported = store
            .import(&mut Cursor::new(lines(documents)), false)
            .unwrap();
        assert_eq!(imported.problems, []);
        let node = start_node().await;
        let mut config = Config::default();
        config.handoff.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.handoff.drain_s = 0;
        let settings = NodeSettings {
            address: HostPort::try_from(node.address().to_string()).unwrap(),
            password: Some(Secret::new("bench".into())),
            ..NodeSettings::default()
        };
        config.nodes.insert(NodeName::new("fs1").unwrap(), settings);
        settle(&mut config);
        let shutdown = CancellationToken::new();
        let mut daemon = Daemon::start(&config, store, &shutdown).unwrap();
        let listening = daemon.listening().unwrap();
        let reports = daemon.reports();
        let ledger = daemon.ledger().clone();
        let mut state = daemon.switch().nodes()[0].state();
        let live = timeout(PATIENCE, state.wait_for(|state| state.is_live())).await;
        live.unwrap().unwrap();
        let hurry = CancellationToken::new();
        let daemon = tokio::spawn(async move { daemon.run(&Systemd::none(), &hurry).await });
        Self {
            node,
            listening,
            ledger,
            reports,
            park: false,
            shutdown,
            daemon,
        }
    }

    fn handoff(&self) -> Handoff {
        if self.park {
            Handoff::Park
        } else {
            Handoff::Socket(self.listening)
        }
    }

    fn inbound(&self, to: &str) -> PlacedCall {
        self.call_from(carrier_ip(), "+13125550199", to)
    }

    fn call_from(&self, source: IpAddr, from: &str, to: &str) -> PlacedCall {
        let mut spec = CallSpec::trunk(source, from, to, self.handoff());
        spec.profile = "external".into();
        self.node.place_call(spec)
    }

    fn outbound(&self, to: &str) -> PlacedCall {
        self.call_from(pbx_ip(), "2125550100", to)
    }

    fn phone(&self, ip: &str, script: PhoneScript) {
        self.node.phone(&format!("@{ip}"), script);
    }

    async fn ended(&mut self, call: PlacedCall) -> (CallResult, CallReport) {
        let result = timeout(PATIENCE, call.result()).await.unwrap();
        let report = timeout(PATIENCE, self.reports.recv())
            .await
            .unwrap()
            .unwrap();
        (result, report)
    }

    /// A call that is refused: its status.
    async fn status(&mut self, call: PlacedCall) -> u16 {
        let (result, report) = self.ended(call).await;
        assert!(!result.answered, "{report:?}");
        assert_eq!(self.ledger.units(), 0, "{report:?}");
        result.sip_status.unwrap()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        timeout(PATIENCE, self.daemon).await.unwrap().unwrap();
    }
}

async fn start_node() -> Node {
    let options = NodeOptions {
        password: "bench".into(),
        tick: MS,
        ..NodeOptions::default()
    };
    Node::start(options).await.unwrap()
}

fn answers() -> PhoneScript {
    PhoneScript::answers_after(MS)
}

/// Answers, and hangs up at once.
fn chats() -> PhoneScript {
    answers().then_hangs_up_after(MS)
}

fn uri(result: &CallResult, at: usize) -> &str {
    let dialled = &result.dialled[at];
    dialled
        .rsplit_once("sofia/")
        .unwrap()
        .1
        .split_once('/')
        .unwrap()
        .1
}

#[tokio::test]
async fn a_did_reaches_its_pbx_in_the_format_it_wants() {
    for (format, user) in [
        ("npan", "2125550100"),
        ("1npan", "12125550100"),
        ("e164", "+12125550100"),
        ("strip_plus", "12125550100"),
    ] {
        for park in [false, true] {
            let mut bench = Bench::new(&plain_with(json!({"inbound_format": format}))).await;
            bench.park = park;
            bench.phone("127.0.2.1", chats());
            let call = bench.inbound("12125550100");
            let (result, report) = bench.ended(call).await;
            assert!(result.answered, "{report:?}");
            assert!(
                uri(&result, 0).contains(&format!("{user}@127.0.2.1")),
                "{:?}",
                result.dialled
            );
            assert_eq!(report.account_id.as_ref().unwrap().as_str(), "acme");
            assert_eq!(bench.ledger.units(), 0);
            bench.stop().await;
        }
    }
}

#[tokio::test]
async fn what_the_pbx_answers_is_what_the_carrier_hears() {
    for (status, expected) in [(486, 486), (603, 603), (404, 404), (503, 503), (480, 408)] {
        let mut bench = Bench::new(&plain()).await;
        bench.phone("127.0.2.1", PhoneScript::refuses(status));
        let call = bench.inbound(DID);
        assert_eq!(bench.status(call).await, expected, "{status}");
        bench.stop().await;
    }
}

#[tokio::test]
async fn who_may_not_is_told_with_the_right_status() {
    let mut documents = plain();
    documents[1]["servers"][0]["options"]["enabled"] = json!(false);
    let mut bench = Bench::new(&documents).await;
    let disabled = bench.inbound(DID);
    assert_eq!(bench.status(disabled).await, 403);
    let nobodys = bench.inbound("+12125559999");
    assert_eq!(bench.status(nobodys).await, 404);
    let stranger = bench.call_from("127.0.9.9".parse().unwrap(), "+1999", DID);
    assert_eq!(bench.status(stranger).await, 403);
    let (bad, _) = (bench.outbound("5551"), ());
    assert_eq!(bench.status(bad).await, 403, "the server is disabled");
    bench.stop().await;
}

#[tokio::test]
async fn an_unregistered_pbx_fails_over_and_a_registered_one_is_found() {
    let pbx = json!({
        "name": "pbx1", "DIDs": {DID: {"failover": {"sip": "sip:home@127.0.3.1"}}},
        "auth": {"auth_method": "password", "auth_user": "pbx1", "auth_password": "secret-1"},
        "options": {"inbound_format": "e164"},
    });
    let documents = [
        account("acme"),
        connectivity("acme", "pbx", &[pbx]),
        carrier("c1", "127.0.1.1", 10),
    ];
    let mut bench = Bench::new(&documents).await;
    bench.phone("127.0.3.1", chats());
    bench.phone("127.0.2.7", chats());
    let call = bench.inbound(DID);
    let (result, report) = bench.ended(call).await;
    assert!(result.answered);
    assert_eq!(report.attempts.len(), 2, "{report:?}");
    assert!(uri(&result, 0).contains("home@127.0.3.1"));
    bench
        .node
        .register(&Registered::phone("pbx1@acme.example", "127.0.2.7:5080"));
    for _ in 0..200 {
        let call = bench.inbound(DID);
        let (result, _) = bench.ended(call).await;
        if uri(&result, 0).contains("+12125550100@127.0.2.7:5080") {
            return bench.stop().await;
        }
    }
    panic!("the registration was not used");
}

#[tokio::test]
async fn early_media_without_an_answer_ends_at_the_servers_time() {
    for park in [false, true] {
        let first = server("a", "127.0.2.1", json!({"timeout": 1}), json!({DID: {}}));
        let second = server("b", "127.0.2.2", json!({}), json!({DID: {}}));
        let documents = [
            account("acme"),
            connectivity("acme", "pbx", &[first, second]),
            carrier("c1", "127.0.1.1", 10),
        ];
        let mut bench = Bench::new(&documents).await;
        bench.park = park;
        let hour = Duration::from_secs(3600);
        bench.phone("127.0.2.1", PhoneScript::early_media_then_answers(MS, hour));
        bench.phone("127.0.2.2", chats());
        let began = Instant::now();
        let call = bench.inbound(DID);
        let (result, report) = bench.ended(call).await;
        assert!(result.answered, "park {park}: {report:?}");
        assert_eq!(report.attempts.len(), 2);
        assert_eq!(report.attempts[0].outcome.to_string(), "ALLOTTED_TIMEOUT");
        let took = began.elapsed();
        assert!((900..4000).contains(&took.as_millis()), "{took:?}");
        bench.stop().await;
    }
}

#[tokio::test]
async fn carriers_are_tried_in_order_until_one_takes_the_call() {
    for (script, cause) in [
        (PhoneScript::refuses(486), HangupCause::UserBusy),
        (
            PhoneScript::refuses(503),
            HangupCause::NormalTemporaryFailure,
        ),
        (PhoneScript::refuses(404), HangupCause::UnallocatedNumber),
        (PhoneScript::is_silent(), HangupCause::ProgressTimeout),
    ] {
        let mut documents = plain();
        documents.push(carrier("c2", "127.0.1.2", 20));
        let mut bench = Bench::new(&documents).await;
        bench.phone("127.0.1.1", script.clone());
        bench.phone("127.0.1.2", chats());
        let call = bench.outbound(FAR);
        let (result, report) = bench.ended(call).await;
        assert!(result.answered, "{report:?}");
        assert!(
            uri(&result, 0).contains("+13125550188@127.0.1.1"),
            "{:?}",
            result.dialled
        );
        assert!(
            uri(&result, 1).contains("+13125550188@127.0.1.2"),
            "{:?}",
            result.dialled
        );
        assert!(
            report.attempts[0]
                .outcome
                .to_string()
                .starts_with(cause.as_str()),
            "{report:?}"
        );
        // With no other carrier the caller gets the last one's cause.
        bench.phone("127.0.1.2", script);
        let call = bench.outbound(FAR);
        assert_eq!(bench.status(call).await, cause.sip_status(), "{cause}");
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_caller_who_cancels_is_the_end_of_the_hunt() {
    let mut documents = plain();
    documents.push(carrier("c2", "127.0.1.2", 20));
    let mut bench = Bench::new(&documents).await;
    bench.phone("127.0.1.1", PhoneScript::rings());
    let call = bench.outbound(FAR);
    timeout(PATIENCE, call.reached(Stage::Ringing))
        .await
        .unwrap();
    call.hang_up();
    let (result, report) = bench.ended(call).await;
    assert_eq!(report.attempts.len(), 1, "{report:?}");
    assert!(result.caller_hung_up);
    assert_eq!(bench.ledger.units(), 0);
    bench.stop().await;
}

#[tokio::test]
async fn an_outbound_call_needs_a_trunk_and_an_emergency_call_none() {
    let mut documents = plain();
    documents.push(limits("acme", json!({"inbound_trunks": 5})));
    let mut bench = Bench::new(&documents).await;
    bench.phone("127.0.1.1", chats());
    let call = bench.outbound(FAR);
    assert_eq!(bench.status(call).await, 403);
    let call = bench.outbound("911");
    let (result, report) = bench.ended(call).await;
    assert!(result.answered, "{report:?}");
    bench.stop().await;
}

#[tokio::test]
async fn fifty_calls_at_once_at_a_limit_of_ten_are_ten() {
    for park in [false, true] {
        let mut documents = plain();
        documents.push(limits(
            "acme",
            json!({"twoway_trunks": 8, "burst_trunks": 2}),
        ));
        let mut bench = Bench::new(&documents).await;
        bench.park = park;
        bench.phone("127.0.2.1", answers());
        let calls: Vec<PlacedCall> = (0..50).map(|_| bench.inbound(DID)).collect();
        let mut up = Vec::new();
        let mut refused = 0;
        for call in calls {
            match timeout(PATIENCE, call.reached(Stage::Answered))
                .await
                .unwrap()
            {
                Stage::Answered => up.push(call),
                _ => {
                    let result = timeout(PATIENCE, call.result()).await.unwrap();
                    assert_eq!(result.sip_status, Some(486));
                    refused += 1;
                }
            }
            assert!(bench.ledger.units() <= 10);
        }
        assert_eq!((up.len(), refused), (10, 40), "park {park}");
        let acme = AccountId::new("acme").unwrap();
        assert_eq!(bench.ledger.usage(&acme).inbound, 10);
        for call in up {
            call.hang_up();
        }
        for _ in 0..50 {
            timeout(PATIENCE, bench.reports.recv()).await.unwrap();
        }
        assert_eq!(bench.ledger.units(), 0, "park {park}");
        bench.stop().await;
    }
}

#[tokio::test]
async fn two_pbxs_of_ours_talk_without_a_carrier() {
    let documents = [
        account("acme"),
        account("beta"),
        connectivity(
            "acme",
            "pbx",
            &[server("a", "127.0.2.1", json!({}), json!({DID: {}}))],
        ),
        connectivity(
            "beta",
            "pbx-b",
            &[server("b", "127.0.2.9", json!({}), json!({FAR: {}}))],
        ),
        carrier("c1", "127.0.1.1", 10),
        limits("beta", json!({"twoway_trunks": 0})),
    ];
    let mut bench = Bench::new(&documents).await;
    bench.phone("127.0.2.9", chats());
    let call = bench.outbound(FAR);
    // The called account has no trunk: busy, and no failover.
    assert_eq!(bench.status(call).await, 486);
    let call = bench.call_from("127.0.2.9".parse().unwrap(), "3125550188", DID);
    bench.phone("127.0.2.1", chats());
    assert_eq!(
        bench.status(call).await,
        403,
        "the calling account has none"
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_number_of_a_callflow_goes_there_and_takes_its_unit() {
    let mut documents = plain();
    documents.extend([
        json!({"type": "device", "account_id": "acme", "id": "desk", "name": "Desk",
            "sip": {"username": "1002", "password": "secret-2", "ip": "127.0.4.1:5060"}}),
        json!({"type": "callflow", "account_id": "acme", "id": "f", "numbers": ["+12125550111"],
            "flow": {"module": "device", "data": {"id": "desk"}, "children": {}}}),
        limits("acme", json!({"twoway_trunks": 1})),
    ]);
    let mut bench = Bench::new(&documents).await;
    bench.phone("127.0.4.1", answers());
    let call = bench.inbound("+12125550111");
    let stage = timeout(PATIENCE, call.reached(Stage::Answered))
        .await
        .unwrap();
    assert_eq!(stage, Stage::Answered);
    assert_eq!(bench.ledger.units(), 1);
    let second = bench.inbound("+12125550111");
    let result = timeout(PATIENCE, second.result()).await.unwrap();
    assert_eq!(result.sip_status, Some(486));
    let _ = bench.reports.recv().await;
    call.hang_up();
    let _ = bench.ended(call).await;
    assert_eq!(bench.ledger.units(), 0);
    bench.stop().await;
}

#[tokio::test]
async fn the_fraud_guard_bars_what_is_over_its_limit() {
    let documents = plain();
    let bench = Bench::with(&documents, |config| config.fraud.calls_per_minute = 2);
    let mut bench = bench.await;
    bench.phone("127.0.1.1", chats());
    for _ in 0..2 {
        let call = bench.outbound(FAR);
        assert!(bench.ended(call).await.0.answered);
    }
    let call = bench.outbound(FAR);
    assert_eq!(bench.status(call).await, 403);
    let call = bench.outbound("911");
    assert!(bench.ended(call).await.0.answered);
    bench.stop().await;
}

/// The daemon as a process, which can be killed.
struct Process {
    child: Child,
    listening: SocketAddr,
    metrics: SocketAddr,
    _files: tempfile::TempDir,
}

fn free_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

impl Process {
    fn start(node: &Node, store: &std::path::Path) -> Self {
        let (listening, metrics) = (free_port(), free_port());
        let files = tempfile::tempdir().unwrap();
        let config = files.path().join("linefinder.toml");
        let text = format!(
            "[store]\npath = \"{}\"\n[handoff]\nlisten = \"{listening}\"\n[metrics]\nlisten = \"{metrics}\"\n\
             [nodes.fs1]\naddress = \"{}\"\npassword = \"bench\"\n[log]\nlevel = \"warn\"\n",
            store.display(),
            node.address(),
        );
        std::fs::File::create(&config)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_linefinder"))
            .arg("serve")
            .arg("--config")
            .arg(&config)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            listening,
            metrics,
            _files: files,
        }
    }

    /// Waits until it listens; the node's calls are counted before any is taken.
    async fn ready(&self) {
        let connected = async {
            while tokio::net::TcpStream::connect(self.listening)
                .await
                .is_err()
            {
                tokio::time::sleep(10 * MS).await;
            }
        };
        timeout(PATIENCE, connected)
            .await
            .expect("the daemon does not start");
    }

    /// `linefinder_trunk_units`.
    async fn units(&self) -> Option<f64> {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(self.metrics).await.ok()?;
        let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let line = answer
            .lines()
            .find(|l| l.starts_with("linefinder_trunk_units "))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    async fn has_units(&self, expected: f64) {
        let reached = async {
            while self.units().await != Some(expected) {
                tokio::time::sleep(20 * MS).await;
            }
        };
        if timeout(PATIENCE, reached).await.is_err() {
            panic!("{:?} units instead of {expected}", self.units().await);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// kill -9 with a hundred calls up: the next daemon counts a hundred, lets in no more than the limit, and frees what ends.
#[tokio::test]
async fn a_killed_daemon_loses_no_count() {
    for park in [false, true] {
        let store = tempfile::tempdir().unwrap();
        let mut documents = plain();
        documents.push(limits("acme", json!({"twoway_trunks": 101})));
        let file = store.path().join("documents.jsonl");
        std::fs::write(&file, lines(&documents)).unwrap();
        let path = store.path().join("store");
        let imported = Command::new(env!("CARGO_BIN_EXE_linefinder"))
            .args(["import", "--store"])
            .arg(&path)
            .arg(&file)
            .output()
            .unwrap();
        assert!(imported.status.success(), "{imported:?}");
        let node = start_node().await;
        node.phone("@127.0.2.1", answers());
        let first = Process::start(&node, &path);
        first.ready().await;
        let place = |process: &Process| {
            let handoff = if park {
                Handoff::Park
            } else {
                Handoff::Socket(process.listening)
            };
            node.place_call(CallSpec::trunk(carrier_ip(), "+13125550199", DID, handoff))
        };
        if park {
            // Until it is connected nobody claims a parked call.
            first.has_units_at_all(&node).await;
        }
        let mut calls: Vec<PlacedCall> = Vec::new();
        for _ in 0..10 {
            // Not all at once: a busy machine would leave some to their fallback.
            let ten: Vec<PlacedCall> = (0..10).map(|_| place(&first)).collect();
            for call in ten {
                let stage = timeout(PATIENCE, call.reached(Stage::Answered))
                    .await
                    .unwrap();
                assert_eq!(stage, Stage::Answered);
                calls.push(call);
            }
        }
        first.has_units(100.0).await;
        drop(first);
        assert_eq!(node.legs(), 200, "FreeSWITCH keeps the calls");
        // One ends while nobody listens.
        calls[0].hang_up();
        timeout(PATIENCE, calls[0].result()).await.unwrap();
        let second = Process::start(&node, &path);
        second.ready().await;
        second.has_units(99.0).await;
        let (a, b, c) = (place(&second), place(&second), place(&second));
        let mut answered = Vec::new();
        let mut refused = 0;
        for call in [a, b, c] {
            if timeout(PATIENCE, call.reached(Stage::Answered))
                .await
                .unwrap()
                == Stage::Answered
            {
                answered.push(call);
            } else {
                assert_eq!(call.result().await.sip_status, Some(486));
                refused += 1;
            }
        }
        assert_eq!((answered.len(), refused), (2, 1), "park {park}");
        for call in calls.iter().skip(1).chain(&answered) {
            call.hang_up();
        }
        second.has_units(0.0).await;
    }
}

impl Process {
    /// Waits until the node sees the daemon's connection: a call that is parked then is claimed.
    async fn has_units_at_all(&self, node: &Node) {
        let claimed = async {
            loop {
                let spec =
                    CallSpec::trunk(carrier_ip(), "+13125550199", "+12125559999", Handoff::Park);
                let result = node.place_call(spec).result().await;
                if result.sip_status == Some(404) {
                    return;
                }
            }
        };
        timeout(PATIENCE, claimed)
            .await
            .expect("no parked call was claimed");
    }
}
