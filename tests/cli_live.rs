//! Commands beside a daemon that has calls up: what they say is of this moment.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod cli_support;

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use cli_support::{Bench, PATIENCE, Running};
use linefinder::sim::{
    CallSpec, Handoff, Node, NodeOptions, PhoneScript, PlacedCall, Registered, Stage,
};
use serde_json::Value;
use tokio::time::timeout;

const DOCUMENTS: &str = r#"{"type":"account","account_id":"acme","id":"acme","name":"Acme","realm":"acme.example"}
{"type":"device","account_id":"acme","id":"desk","name":"Desk","sip":{"username":"1001","password":"secret-1001"}}
{"type":"connectivity","account_id":"acme","id":"pbx","name":"pbx","account":{"auth_realm":"acme.example"},"servers":[{"name":"main","DIDs":{"+12125550100":{}},"auth":{"auth_method":"ip","ip":"127.0.2.1"},"options":{"inbound_format":"e164"}}]}
{"type":"limits","account_id":"acme","id":"limits","inbound_trunks":1}
{"type":"resource","account_id":"installation","id":"c1","name":"c1","rules":["^(\\+1\\d{10})$"],"weight_cost":10,"gateways":[{"server":"127.0.1.1"}]}
{"type":"callflow","account_id":"acme","id":"ext","numbers":["1001"],"flow":{"module":"device","data":{"id":"desk"},"children":{}}}
"#;
const DID: &str = "+12125550100";
const CARRIER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1));

/// A node, and a daemon that is connected to it.
struct Beside {
    bench: Bench,
    node: Node,
    daemon: Running,
}

impl Beside {
    async fn start() -> Self {
        let node = Node::start(NodeOptions {
            password: "bench".into(),
            speed: 10.0,
            any_phone: Some(PhoneScript::answers_after(Duration::from_millis(100))),
            ..NodeOptions::default()
        });
        let node = node.await.unwrap();
        node.register(&Registered::phone("1001@acme.example", "127.0.3.1:5060"));
        let settings = format!(
            "[nodes.fs1]\naddress = '{}'\npassword = 'bench'\n",
            node.address()
        );
        let bench = Bench::new(&settings);
        bench.feed(&["import", "-"], DOCUMENTS).good();
        let daemon = bench.serve();
        let beside = Self {
            bench,
            node,
            daemon,
        };
        // The phone is known when the daemon is connected to the node.
        beside.until(&["registrations", "--json"], |found| {
            found[0]["user"] == "1001"
        });
        beside
    }

    /// Types a command until it says what is wanted: each answer comes from the daemon, as soon as it has one.
    fn until(&self, arguments: &[&str], wanted: impl Fn(&Value) -> bool) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if wanted(&self.json(arguments)) {
                return;
            }
        }
        panic!("{arguments:?}: {}", self.json(arguments));
    }

    /// What a command says, while the node goes on.
    fn json(&self, arguments: &[&str]) -> Value {
        tokio::task::block_in_place(|| self.bench.run(arguments).json())
    }

    async fn call(&self) -> PlacedCall {
        let spec = CallSpec::trunk(CARRIER, "+13105550100", DID, Handoff::Park);
        let call = self.node.place_call(spec);
        let reached = timeout(PATIENCE, call.reached(Stage::Answered)).await;
        assert_eq!(reached.unwrap(), Stage::Answered, "{}", self.bench.log());
        call
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_explained_as_calls_fill_them() {
    let beside = Beside::start().await;
    let route = ["route", "--inbound", DID, "--json"];
    let told = beside.json(&route);
    assert_eq!(told["result"]["result"], "route", "{told:#}");
    assert_eq!(told["units"][0]["billing"], "flat_rate");
    let call = beside.call().await;
    let told = beside.json(&route);
    assert_eq!(told["result"]["result"], "reject", "{told:#}");
    assert_eq!(told["result"]["cause"], "USER_BUSY");
    let why = told["result"]["why"].as_str().unwrap();
    assert!(why.contains("no trunk is free"), "{why}");
    assert_eq!(told["units"][0]["in_use"]["inbound"], 1);
    // Asking has taken nothing: it says the same again.
    assert_eq!(beside.json(&route), told);

    let trunks = beside.json(&["trunks", "--json"]);
    assert_eq!(trunks[0]["account_id"], "acme", "{trunks}");
    assert_eq!(trunks[0]["in_use"]["inbound"], 1);
    assert_eq!(trunks[0]["limits"]["inbound"], 1);
    let text = tokio::task::block_in_place(|| beside.bench.run(&["trunks", "acme"]).good());
    assert!(text.contains("acme"), "{text}");

    call.hang_up();
    timeout(PATIENCE, call.result()).await.unwrap();
    // The unit is free when the node has told the end of the leg, a moment later.
    beside.until(&route, |told| told["result"]["result"] == "route");
    let Beside { daemon, .. } = beside;
    assert_eq!(tokio::task::block_in_place(|| daemon.stop()), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_registered_is_known_at_once() {
    let beside = Beside::start().await;
    let found = beside.json(&["registrations", "--json"]);
    assert_eq!(found[0]["user"], "1001");
    let told = beside.json(&["route", "--from", "+13105550100", "--to", "1001", "--json"]);
    assert_eq!(told["result"]["result"], "bridge", "{told:#}");
    assert_eq!(told["node"], "fs1");
    let Beside { daemon, .. } = beside;
    assert_eq!(tokio::task::block_in_place(|| daemon.stop()), 0);
}
