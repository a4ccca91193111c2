//! Devices' calls to outside numbers through the whole daemon, on a simulated node: a callflow sends
//! them to carriers.

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

use linefinder::callflow::CallReport;
use linefinder::config::{Config, HostPort, NodeSettings, Secret};
use linefinder::daemon::{Daemon, Systemd};
use linefinder::sim::{
    CallResult, CallSpec, Handoff, Node, NodeOptions, PhoneScript, PlacedCall, Stage,
};
use linefinder::store::Store;
use linefinder::trunks::Ledger;
use linefinder::types::NodeName;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(30);
const MS: Duration = Duration::from_millis(1);
const FAR: &str = "3125550188";

fn carrier(account: &str, id: &str, ip: &str, weight: u32) -> Value {
    json!({
        "type": "resource", "account_id": account, "id": id, "name": id,
        "rules": ["^(\\+1\\d{10})$", "^(911)$"], "weight_cost": weight,
        "gateways": [{"server": ip, "invite_format": "e164", "progress_timeout": 2}],
    })
}

fn flow(module: &str, data: Value, children: Value) -> Value {
    json!({"type": "callflow", "account_id": "acme", "id": "out", "numbers": ["no_match"],
        "flow": {"module": module, "data": data, "children": children}})
}

fn documents(flow: Value) -> Vec<Value> {
    vec![
        json!({"type": "account", "account_id": "acme", "id": "acme", "name": "acme", "realm": "acme.example",
            "caller_id": {"emergency": {"number": "+12125550911"}}}),
        json!({"type": "device", "account_id": "acme", "id": "desk", "name": "Desk",
            "sip": {"username": "1001", "password": "secret-1", "ip": "127.0.4.1:5060"},
            "caller_id": {"external": {"number": "+12125550101", "name": "Acme Desk"}}}),
        json!({"type": "device", "account_id": "acme", "id": "away", "name": "Away",
            "sip": {"username": "1002", "password": "secret-2", "ip": "127.0.4.2:5060"},
            "call_forward": {"enabled": true, "number": FAR, "require_keypress": false, "keep_caller_id": false},
            "caller_id": {"external": {"number": "+12125550102"}}}),
        json!({"type": "callflow", "account_id": "acme", "id": "to-away", "numbers": ["1002"],
            "flow": {"module": "device", "data": {"id": "away"}, "children": {}}}),
        carrier("installation", "c1", "127.0.1.1", 10),
        flow,
    ]
}

fn offnet() -> Vec<Value> {
    documents(flow("offnet", json!({}), json!({})))
}

fn limits(body: Value) -> Value {
    let mut document = json!({"type": "limits", "account_id": "acme", "id": "limits"});
    let fields = body.as_object().unwrap().clone();
    document.as_object_mut().unwrap().extend(fields);
    document
}

struct Bench {
    node: Node,
    listening: SocketAddr,
    ledger: Ledger,
    reports: mpsc::UnboundedReceiver<CallReport>,
    shutdown: CancellationToken,
    daemon: tokio::task::JoinHandle<()>,
}

impl Bench {
    async fn new(documents: &[Value]) -> Self {
        let store = Store::temporary().unwrap();
        let lines: String = documents.iter().map(|d| format!("{d}\n")).collect();
        let imported = store.import(&mut Cursor::new(lines), false).unwrap();
        assert_eq!(imported.problems, []);
        let options = NodeOptions {
            password: "bench".into(),
            tick: MS,
            ..NodeOptions::default()
        };
        let node = Node::start(options).await.unwrap();
        let mut config = Config::default();
        config.handoff.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.handoff.drain_s = 0;
        config.routing.forward_context = "linefinder-forward".into();
        let settings = NodeSettings {
            address: HostPort::try_from(node.address().to_string()).unwrap(),
            password: Some(Secret::new("bench".into())),
            ..NodeSettings::default()
        };
        config.nodes.insert(NodeName::new("fs1").unwrap(), settings);
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
            shutdown,
            daemon,
        }
    }

    fn dials(&self, to: &str) -> PlacedCall {
        let handoff = Handoff::Socket(self.listening);
        let spec = CallSpec::device("1001@acme.example", to, handoff);
        self.node.place_call(spec)
    }

    fn phone(&self, ip: &str, script: PhoneScript) {
        self.node.phone(&format!("@{ip}"), script);
    }

    async fn ended(&mut self, call: PlacedCall) -> (CallResult, CallReport) {
        let result = timeout(PATIENCE, call.result()).await.unwrap();
        let report = self.reports.recv();
        let report = timeout(PATIENCE, report).await.unwrap().unwrap();
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

/// Answers, and hangs up at once.
fn chats() -> PhoneScript {
    PhoneScript::answers_after(MS).then_hangs_up_after(MS)
}

#[tokio::test]
async fn a_device_calls_out_with_its_external_identity() {
    let mut bench = Bench::new(&offnet()).await;
    bench.phone("127.0.1.1", chats());
    let call = bench.dials(FAR);
    let (result, report) = bench.ended(call).await;
    assert!(result.answered, "{report:?}");
    let dialled = &result.dialled[0];
    assert!(dialled.contains("+13125550188@127.0.1.1"), "{dialled}");
    for part in [
        "origination_caller_id_number=+12125550101",
        "Acme Desk",
        "lf_authorizing_id=desk",
        "lf_authorizing_type=device",
        "lf_resource_id=c1",
    ] {
        assert!(dialled.contains(part), "{part} in {dialled}");
    }
    assert_eq!(report.path.len(), 1);
    assert_eq!(report.attempts.len(), 1);
    assert_eq!(bench.ledger.units(), 0);
    bench.stop().await;
}

#[tokio::test]
async fn the_carriers_last_word_is_the_callers_unless_the_flow_goes_on() {
    let mut bench = Bench::new(&offnet()).await;
    for (status, expected) in [(486, 486), (404, 404), (503, 503)] {
        bench.phone("127.0.1.1", PhoneScript::refuses(status));
        let call = bench.dials(FAR);
        assert_eq!(bench.status(call).await, expected, "{status}");
    }
    let call = bench.dials("0049301234567");
    assert_eq!(bench.status(call).await, 404, "no carrier takes it");
    bench.stop().await;
    let answer = |code: u16| json!({"module": "response", "data": {"code": code}, "children": {}});
    for (children, expected) in [
        (json!({"USER_BUSY": answer(480), "_": answer(500)}), 480),
        (json!({"sip:486": answer(481), "_": answer(500)}), 481),
        (json!({"486": answer(482)}), 482),
        (json!({"NO_ANSWER": answer(480), "_": answer(600)}), 600),
        (json!({"_": {}}), 486),
    ] {
        let documents = documents(flow("offnet", json!({}), children.clone()));
        let mut bench = Bench::new(&documents).await;
        bench.phone("127.0.1.1", PhoneScript::refuses(486));
        let call = bench.dials(FAR);
        assert_eq!(bench.status(call).await, expected, "{children}");
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_call_needs_a_trunk_and_an_emergency_call_none() {
    let mut documents = offnet();
    documents.push(limits(json!({"inbound_trunks": 5})));
    let mut bench = Bench::new(&documents).await;
    bench.phone("127.0.1.1", chats());
    let call = bench.dials(FAR);
    assert_eq!(bench.status(call).await, 403);
    let call = bench.dials("911");
    let (result, report) = bench.ended(call).await;
    assert!(result.answered, "{report:?}");
    let dialled = &result.dialled[0];
    let shown = "origination_caller_id_number=+12125550911";
    assert!(dialled.contains(shown), "{dialled}");
    assert!(dialled.contains("lf_emergency=true"), "{dialled}");
    bench.stop().await;
}

#[tokio::test]
async fn a_trunk_is_taken_while_the_call_lasts_and_free_after_a_failure() {
    let mut documents = offnet();
    documents.push(limits(json!({"twoway_trunks": 1})));
    let mut bench = Bench::new(&documents).await;
    bench.phone("127.0.1.1", PhoneScript::refuses(486));
    let call = bench.dials(FAR);
    assert_eq!(bench.status(call).await, 486);
    bench.phone("127.0.1.1", PhoneScript::answers_after(MS));
    let call = bench.dials(FAR);
    let stage = timeout(PATIENCE, call.reached(Stage::Answered));
    assert_eq!(stage.await.unwrap(), Stage::Answered);
    assert_eq!(bench.ledger.units(), 1);
    let second = bench.dials(FAR);
    let result = timeout(PATIENCE, second.result()).await.unwrap();
    assert_eq!(result.sip_status, Some(403));
    let _ = bench.reports.recv().await;
    call.hang_up();
    let _ = bench.ended(call).await;
    assert_eq!(bench.ledger.units(), 0);
    bench.stop().await;
}

#[tokio::test]
async fn resources_are_the_accounts_own_unless_they_are_not_wanted() {
    for (data, gateway) in [
        (json!({}), "127.0.1.2"),
        (json!({"use_local_resources": true}), "127.0.1.2"),
        (json!({"use_local_resources": false}), "127.0.1.1"),
    ] {
        let mut documents = documents(flow("resources", data.clone(), json!({})));
        documents.push(carrier("acme", "own", "127.0.1.2", 20));
        let mut bench = Bench::new(&documents).await;
        bench.phone("127.0.1.1", chats());
        bench.phone("127.0.1.2", chats());
        let call = bench.dials(FAR);
        let (result, report) = bench.ended(call).await;
        assert!(result.answered, "{report:?}");
        assert!(result.dialled[0].contains(gateway), "{data}: {result:?}");
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_flow_says_whom_to_call_and_what_goes_along() {
    let data = json!({"to_did": "6465550177", "emit_account_id": true,
        "custom_sip_headers": {"X-Why": "test"}});
    let mut bench = Bench::new(&documents(flow("offnet", data, json!({})))).await;
    bench.phone("127.0.1.1", chats());
    let call = bench.dials(FAR);
    let (result, _) = bench.ended(call).await;
    let dialled = &result.dialled[0];
    for part in [
        "+16465550177@127.0.1.1",
        "sip_h_X-Account-ID=acme",
        "sip_h_X-Why=test",
    ] {
        assert!(dialled.contains(part), "{part} in {dialled}");
    }
    bench.stop().await;
}

#[tokio::test]
async fn whom_the_account_bars_the_flow_calls_for_nobody() {
    let data = json!({"to_did": "+19005550100"});
    let mut documents = documents(flow("offnet", data, json!({})));
    documents[0]["call_restriction"] = json!({"toll_us": {"action": "deny"}});
    let mut bench = Bench::new(&documents).await;
    bench.phone("127.0.1.1", chats());
    let call = bench.dials(FAR);
    assert_eq!(bench.status(call).await, 403);
    bench.stop().await;
}

#[tokio::test]
async fn a_number_of_a_pbx_of_ours_needs_no_carrier() {
    let mut documents = offnet();
    documents.push(json!({
        "type": "connectivity", "account_id": "acme", "id": "pbx", "name": "pbx",
        "account": {"auth_realm": "acme.example"},
        "servers": [{"name": "pbx1", "DIDs": {"+13125550188": {}},
            "auth": {"auth_method": "ip", "ip": "127.0.2.1"}, "options": {"inbound_format": "e164"}}],
    }));
    let mut bench = Bench::new(&documents).await;
    bench.phone("127.0.2.1", chats());
    let call = bench.dials(FAR);
    let (result, report) = bench.ended(call).await;
    assert!(result.answered, "{report:?}");
    let dialled = &result.dialled[0];
    assert!(dialled.contains("+13125550188@127.0.2.1"), "{dialled}");
    bench.stop().await;
}

#[tokio::test]
async fn a_forward_to_an_outside_number_goes_to_carriers() {
    let mut bench = Bench::new(&offnet()).await;
    bench.phone("127.0.1.1", PhoneScript::answers_after(MS));
    let call = bench.dials("1002");
    let stage = timeout(PATIENCE, call.reached(Stage::Answered));
    assert_eq!(stage.await.unwrap(), Stage::Answered);
    call.hang_up();
    timeout(PATIENCE, call.result()).await.unwrap();
    let mut reports = Vec::new();
    for _ in 0..2 {
        let report = bench.reports.recv();
        reports.push(timeout(PATIENCE, report).await.unwrap().unwrap());
    }
    let attempts = reports.iter().flat_map(|report| &report.attempts);
    let mut dialled = attempts.filter_map(|attempt| attempt.dial_string.as_deref());
    let out = dialled.find(|dialled| dialled.contains("+13125550188@127.0.1.1"));
    let out = out.unwrap_or_else(|| panic!("{reports:?}"));
    let shown = "origination_caller_id_number=+12125550102";
    assert!(out.contains(shown), "{out}");
    assert!(out.contains("lf_authorizing_id=away"), "{out}");
    bench.stop().await;
}
