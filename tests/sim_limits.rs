//! Units of limits over restarts, transfers and failed attempts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod trunk_support;

use linefinder::callflow::Verdict;
use linefinder::config::Config;
use linefinder::sim::{CallSpec, Node, PhoneScript, PlacedCall, Stage};
use serde_json::{Value, json};
use tokio::time::timeout;
use trunk_support::*;

fn documents(others: &[Value]) -> Vec<Value> {
    let pbx = server_at("pbx1", "127.0.2.1", json!({}), json!({DID: {}}));
    let mut documents = vec![
        account("acme"),
        connectivity("acme", "pbx", &[pbx]),
        carrier("c1", "127.0.1.1", 10),
    ];
    documents.extend_from_slice(others);
    documents
}

/// A node that only the calls' own sockets tell of.
fn no_nodes(config: &mut Config, _: &[Node]) {
    config.nodes.clear();
}

async fn refused(bench: &mut Bench, call: PlacedCall) -> u16 {
    let (result, report) = bench.ended(call).await;
    assert!(!result.answered, "{report:?}");
    result.sip_status.unwrap()
}

/// The daemon has no connection to the node but the calls' sockets; after a restart it finds its calls over the first.
#[tokio::test]
async fn calls_of_a_node_without_a_connection_are_counted_after_a_restart() {
    let node = start_node("lonely").await;
    node.phone("@127.0.2.1", answers());
    let store = store_of(&documents(&[limits("acme", json!({"twoway_trunks": 3}))]));
    let first = Bench::on(vec![node.clone()], store.clone(), no_nodes).await;
    let mut up: Vec<PlacedCall> = (0..3).map(|_| first.inbound(DID)).collect();
    for call in &up {
        first.answered(call).await;
    }
    assert_eq!(first.ledger.units(), 3);
    first.stop().await;
    assert_eq!(node.legs(), 6, "who talks goes on talking");

    let mut second = Bench::on(vec![node.clone()], store, no_nodes).await;
    let call = second.inbound(DID);
    assert_eq!(refused(&mut second, call).await, 486, "three are up");
    assert_eq!(second.ledger.units(), 3);
    // One ends; the node is asked again a minute later, or the unit kept until then.
    up.remove(0).hang_up();
    second.stop().await;
}

/// A carrier has failed and the flow goes on with a prompt: a daemon that starts now must count nothing.
#[tokio::test]
async fn a_leg_does_not_carry_a_unit_that_was_given_back() {
    let desk = json!({"type": "device", "account_id": "acme", "id": "desk", "name": "Desk",
        "sip": {"username": "1001", "password": "secret-1"}});
    let wait = json!({"module": "sleep", "data": {"duration": 30}, "children": {}});
    let flow = json!({"type": "callflow", "account_id": "acme", "id": "out", "numbers": ["no_match"],
        "flow": {"module": "offnet", "data": {}, "children": {"_": wait}}});
    let trunks = limits("acme", json!({"twoway_trunks": 3}));
    let bench = Bench::new(&documents(&[desk, flow, trunks])).await;
    let node = &bench.nodes[0];
    node.phone("@127.0.1.1", PhoneScript::refuses(486));
    let spec = CallSpec::device("1001@acme.example", FAR, bench.handoff());
    let call = node.place_call(spec);
    let sleeps = async {
        while call.variable("current_application").as_deref() != Some("sleep") {
            tokio::time::sleep(MS).await;
        }
    };
    timeout(PATIENCE, sleeps).await.unwrap();
    assert_eq!(call.variable("lf_units"), None);
    assert_eq!(bench.ledger.units(), 0);
    call.hang_up();
    bench.stop().await;
}

/// A PBX transfers its caller to an outside number: the call goes on in the name of the PBX, over carriers, and needs a
/// trunk more. What somebody writes into Referred-By is not asked.
#[tokio::test]
async fn a_pbx_transfers_its_caller() {
    for (trunks, answered) in [(2, true), (1, false)] {
        let trunks = limits("acme", json!({"twoway_trunks": trunks}));
        let mut bench = Bench::new(&documents(&[trunks])).await;
        let node = &bench.nodes[0];
        node.phone("@127.0.2.1", answers());
        node.phone("@127.0.1.1", chats());
        let call = bench.inbound(DID);
        bench.answered(&call).await;
        call.is_referred_to("13125550188");
        let result = timeout(PATIENCE, call.result()).await.unwrap();
        let (one, other) = (bench.report().await, bench.report().await);
        let (first, second) = match one.dialed.contains("2125550100") {
            true => (one, other),
            false => (other, one),
        };
        assert_eq!(first.account_id, second.account_id);
        let Verdict::Trunk { route, .. } = &second.decision else {
            panic!("{second:?}");
        };
        assert_eq!(
            second.attempts.len(),
            usize::from(answered),
            "{route} {second:?}"
        );
        if answered {
            assert!(
                uri(&result, 1).contains("+13125550188@127.0.1.1"),
                "{result:?}"
            );
            assert!(result.dialled[1].contains("lf_authorizing_id=pbx"));
        }
        assert_eq!(bench.ledger.units(), 0);
        bench.stop().await;
    }
}

/// A device transfers a carrier's caller inside its account: that the leg came from a carrier is no matter any more.
#[tokio::test]
async fn a_device_transfers_a_carriers_caller_to_an_extension() {
    let phone = |user: &str, ip: &str| {
        json!({"type": "device", "account_id": "acme", "id": user, "name": user,
            "sip": {"username": user, "password": "secret-1", "ip": ip}})
    };
    let flow = |number: &str, device: &str| {
        json!({"type": "callflow", "account_id": "acme", "id": device, "numbers": [number],
            "flow": {"module": "device", "data": {"id": device}, "children": {}}})
    };
    let documents = documents(&[
        phone("1001", "127.0.4.1"),
        phone("1002", "127.0.4.2"),
        flow("+12125550111", "1001"),
        flow("1002", "1002"),
        limits("acme", json!({"twoway_trunks": 1})),
    ]);
    let mut bench = Bench::new(&documents).await;
    let node = &bench.nodes[0];
    node.phone("@127.0.4.1", answers());
    node.phone("@127.0.4.2", answers());
    let call = bench.inbound("+12125550111");
    bench.answered(&call).await;
    assert_eq!(bench.ledger.units(), 1);
    call.is_referred_to("1002");
    let arrives = async {
        loop {
            let last = call.variable("last_bridge_to");
            let rings = call.variable("bridge_channel");
            if rings.is_some_and(|name| name.contains("127.0.4.2")) {
                return last;
            }
            tokio::time::sleep(MS).await;
        }
    };
    timeout(PATIENCE, arrives)
        .await
        .expect("the second phone was not reached");
    assert_eq!(bench.ledger.units(), 1, "it still came over the trunk");
    assert_eq!(call.stage(), Stage::Answered);
    call.hang_up();
    timeout(PATIENCE, call.result()).await.unwrap();
    for _ in 0..2 {
        bench.report().await;
    }
    assert_eq!(bench.ledger.units(), 0);
    bench.stop().await;
}
