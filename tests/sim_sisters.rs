//! A call that arrives on one node for a PBX that is registered at another.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod trunk_support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use linefinder::callflow::CallReport;
use linefinder::sim::{CallResult, CallSpec, Origin, PhoneScript, PlacedCall, Registered};
use linefinder::types::{HangupCause, NodeName};
use serde_json::{Value, json};
use tokio::time::timeout;
use trunk_support::*;

const HERE: &str = "127.0.10.1:5060";
const THERE: &str = "127.0.10.2:5060";
const CONTACT: &str = "198.51.100.7:5080";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn documents(options: Value, did: Value, others: &[Value]) -> Vec<Value> {
    let pbx = server_of("pbx1", options, json!({DID: did}));
    let mut documents = vec![
        account("acme"),
        connectivity("acme", "pbx", &[pbx]),
        carrier("c1", "127.0.1.1", 10),
    ];
    documents.extend_from_slice(others);
    documents
}

/// Two nodes that reach each other by SIP; the PBX registers at the second.
struct Sisters(Bench);

impl Sisters {
    async fn new(documents: &[Value]) -> Self {
        let bench = Bench::with(2, documents, |config, _| {
            for (name, at) in [("fs1", HERE), ("fs2", THERE)] {
                let nodes = &mut config.routing.nodes;
                nodes.insert(NodeName::new(name).unwrap(), at.to_owned());
            }
        })
        .await;
        let (first, second) = (&bench.nodes[0], &bench.nodes[1]);
        first.leads_to(address(THERE), second, address(HERE), bench.handoff());
        second.leads_to(address(HERE), first, address(THERE), bench.handoff());
        let sisters = Self(bench);
        sisters.register(1).await;
        sisters
    }

    /// The PBX registers at this node, and the daemon knows.
    async fn register(&self, node: usize) {
        let nodes = &self.0.nodes;
        for (at, other) in nodes.iter().enumerate() {
            if at != node {
                other.unregister("pbx1@acme.example", None);
            }
        }
        nodes[node].register(&Registered::phone("pbx1@acme.example", CONTACT));
        let wanted = nodes[node].name();
        let known = async {
            let mut changes = tokio::time::interval(MS);
            loop {
                let all = self.0.store.registrations("pbx1", "acme.example");
                if all.len() == 1 && all[0].node.as_str() == wanted {
                    return;
                }
                changes.tick().await;
            }
        };
        timeout(PATIENCE, known).await.expect("not registered");
    }

    fn pbx(&self, script: PhoneScript) {
        self.0.nodes[1].phone(&format!("@{CONTACT}"), script);
    }

    /// The report of the first node, then of the second, whichever came first.
    async fn ended(&mut self, call: PlacedCall) -> (CallResult, CallReport, CallReport) {
        let result = timeout(PATIENCE, call.result()).await.unwrap();
        let (one, other) = (self.0.report().await, self.0.report().await);
        if one.node.as_str() == "fs1" {
            (result, one, other)
        } else {
            (result, other, one)
        }
    }
}

#[tokio::test]
async fn a_pbx_is_reached_through_the_node_that_it_registered_at() {
    let options = json!({"inbound_format": "e164", "sip_headers": [{"X-Door": "north"}]});
    let trunks = limits("acme", json!({"twoway_trunks": 1}));
    let mut sisters = Sisters::new(&documents(options, json!({}), &[trunks])).await;
    sisters.pbx(answers());
    let call = sisters.0.inbound(DID);
    sisters.0.answered(&call).await;
    assert_eq!(sisters.0.inbound_units("acme"), 1, "counted once");
    assert_eq!(sisters.0.nodes[0].legs(), 2);
    assert_eq!(sisters.0.nodes[1].legs(), 2);
    // The only trunk is taken, whichever way another call would go.
    let second = sisters.0.inbound(DID);
    let refused = timeout(PATIENCE, second.result()).await.unwrap();
    assert_eq!(refused.sip_status, Some(486));
    sisters.0.report().await;
    call.hang_up();
    let (result, first, second) = sisters.ended(call).await;
    assert!(uri(&result, 0).contains("pbx1@acme.example"), "{result:?}");
    assert!(
        uri(&result, 0).contains("fs_path=sip%3A127.0.10.2%3A5060"),
        "{result:?}"
    );
    let leg = second.attempts[0].dial_string.as_deref().unwrap();
    assert!(leg.contains("+12125550100@198.51.100.7:5080"), "{leg}");
    assert!(leg.contains("X-Door"), "{leg}");
    assert!(leg.contains("+13125550199"), "the caller is shown: {leg}");
    assert!(!leg.contains("X-LF-"), "{leg}");
    let sent = first.attempts[0].dial_string.as_deref().unwrap();
    assert!(
        !sent.contains("X-Door"),
        "the second node's business: {sent}"
    );
    assert_eq!(sisters.0.ledger.units(), 0);
    sisters.0.stop().await;
}

#[tokio::test]
async fn what_the_pbx_answers_is_what_the_carrier_hears() {
    for (status, heard) in [(486, 486), (603, 603), (404, 404), (503, 503), (480, 408)] {
        let mut sisters = Sisters::new(&documents(json!({}), json!({}), &[])).await;
        sisters.pbx(PhoneScript::refuses(status));
        let call = sisters.0.inbound(DID);
        let (result, first, second) = sisters.ended(call).await;
        assert_eq!(
            result.sip_status,
            Some(heard),
            "{status}: {first:?} {second:?}"
        );
        assert_eq!(sisters.0.ledger.units(), 0);
        sisters.0.stop().await;
    }
}

#[tokio::test]
async fn the_first_node_keeps_the_time_and_fails_over() {
    let did = json!({"failover": {"sip": "sip:home@127.0.3.1"}});
    let mut sisters = Sisters::new(&documents(json!({"timeout": 1}), did, &[])).await;
    sisters.0.nodes[0].phone("@127.0.3.1", chats());
    for script in [
        PhoneScript::rings(),
        PhoneScript::early_media_then_answers(MS, Duration::from_secs(3600)),
        PhoneScript::refuses(486),
    ] {
        sisters.pbx(script);
        let began = Instant::now();
        let call = sisters.0.inbound(DID);
        let (result, first, second) = sisters.ended(call).await;
        assert!(result.answered, "{first:?}");
        assert_eq!(first.attempts.len(), 2, "{first:?}");
        assert_eq!(
            second.attempts.len(),
            1,
            "the failover is the first's: {second:?}"
        );
        assert!(uri(&result, 1).contains("home@127.0.3.1"), "{result:?}");
        assert!(began.elapsed() < Duration::from_secs(5));
    }
    assert_eq!(sisters.0.nodes[1].legs(), 0);
    sisters.0.stop().await;
}

#[tokio::test]
async fn a_caller_who_cancels_ends_both() {
    let mut sisters = Sisters::new(&documents(json!({}), json!({}), &[])).await;
    sisters.pbx(PhoneScript::rings());
    let call = sisters.0.inbound(DID);
    let ringing = call.reached(linefinder::sim::Stage::Ringing);
    timeout(PATIENCE, ringing).await.unwrap();
    let there = async {
        while sisters.0.nodes[1].legs() < 2 {
            tokio::time::sleep(MS).await;
        }
    };
    timeout(PATIENCE, there).await.unwrap();
    call.hang_up();
    let (result, _, second) = sisters.ended(call).await;
    assert!(result.caller_hung_up);
    assert_eq!(second.ending.cause, Some(HangupCause::OriginatorCancel));
    assert_eq!(sisters.0.ledger.units(), 0);
    sisters.0.stop().await;
}

/// The registration has moved while the call was on its way: it is not sent back and forth.
#[tokio::test]
async fn a_call_is_handed_over_once() {
    let mut sisters = Sisters::new(&documents(json!({}), json!({}), &[])).await;
    sisters.pbx(answers());
    // At the second node nobody is registered, whatever the first believed.
    sisters.register(0).await;
    let handed = from_sister(&sisters, HERE, &[]);
    let result = timeout(PATIENCE, handed.result()).await.unwrap();
    let report = sisters.0.report().await;
    assert_eq!(result.cause, HangupCause::UserNotRegistered, "{report:?}");
    assert!(result.dialled.is_empty(), "{result:?}");
    sisters.0.stop().await;
}

/// A call at the second node as the first sends it, or somebody who does as if it were the first.
fn from_sister(sisters: &Sisters, source: &str, other: &[(&str, &str)]) -> PlacedCall {
    let source = address(source);
    let mut spec = CallSpec::device("x@acme.example", "pbx1", sisters.0.handoff());
    spec.origin = Origin::Sister;
    spec.source = source.ip();
    let port = source.port().to_string();
    let headers = [
        ("sip_received_port", &*port),
        ("sip_h_X-LF-Account", "acme"),
        ("sip_h_X-LF-Connectivity", "pbx"),
        ("sip_h_X-LF-Server", "0"),
        ("sip_h_X-LF-Dialed", DID),
    ];
    for (name, value) in headers.iter().chain(other) {
        spec = spec.with_variable(name, value);
    }
    sisters.0.nodes[1].place_call(spec)
}

#[tokio::test]
async fn nobody_else_can_hand_a_call_over() {
    let trunks = limits("acme", json!({"twoway_trunks": 0}));
    let mut sisters = Sisters::new(&documents(json!({}), json!({}), &[trunks])).await;
    sisters.pbx(answers());
    for (source, name) in [
        ("127.0.66.6:5060", "another address"),
        ("127.0.10.1:5099", "another port of a node's address"),
        (THERE, "the node itself"),
    ] {
        let call = from_sister(&sisters, source, &[("sip_from_host", "127.0.10.1")]);
        let result = timeout(PATIENCE, call.result()).await.unwrap();
        let report = sisters.0.report().await;
        assert!(
            !result.answered && result.dialled.is_empty(),
            "{name}: {report:?}"
        );
    }
    // What a carrier writes does not travel on to another node.
    let trunks = limits("acme", json!({"twoway_trunks": 1}));
    let mut sisters = Sisters::new(&documents(json!({}), json!({}), &[trunks])).await;
    sisters.pbx(answers());
    let mut spec = CallSpec::trunk(carrier_ip(), "+13125550199", DID, sisters.0.handoff());
    spec.profile = "external".into();
    for (name, value) in [
        ("sip_h_X-LF-Device", "dev"),
        ("sip_h_X-LF-Server", "7"),
        ("sip_h_x-lf-options", "e30"),
        ("sip_h_X-Other", "yes"),
    ] {
        spec = spec.with_variable(name, value);
    }
    let call = sisters.0.nodes[0].place_call(spec);
    sisters.0.answered(&call).await;
    assert_eq!(call.variable("sip_h_X-LF-Device"), None);
    assert_eq!(call.variable("sip_h_x-lf-options"), None);
    assert_eq!(call.variable("sip_h_X-Other").as_deref(), Some("yes"));
    call.hang_up();
    let (_, _, second) = sisters.ended(call).await;
    assert_eq!(second.attempts.len(), 1, "{second:?}");
    sisters.0.stop().await;
}

#[tokio::test]
async fn a_server_or_an_account_that_is_disabled_meanwhile_is_not_rung() {
    let mut documents = documents(json!({"enabled": false}), json!({}), &[]);
    let mut sisters = Sisters::new(&documents).await;
    sisters.pbx(answers());
    let call = from_sister(&sisters, HERE, &[]);
    let result = timeout(PATIENCE, call.result()).await.unwrap();
    sisters.0.report().await;
    assert_eq!(result.sip_status, Some(403));
    sisters.0.stop().await;
    documents[0]["enabled"] = json!(false);
    let mut sisters = Sisters::new(&documents).await;
    let call = from_sister(&sisters, HERE, &[]);
    let result = timeout(PATIENCE, call.result()).await.unwrap();
    sisters.0.report().await;
    assert_eq!(result.sip_status, Some(403));
    sisters.0.stop().await;
}
