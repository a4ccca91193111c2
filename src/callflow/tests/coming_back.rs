//! Calls that our own legs bring back: forwarded ones, and those that a sister node hands over.

use serde_json::json;

use super::leg::Reaction;
use super::world::{World, outsider_to, refuse};
use crate::callflow::{Refusal, Verdict, admit};
use crate::routing::{Network, Silent, Source};
use crate::switch::Arrival;
use crate::types::{HangupCause, NodeName};

fn with(mut arrival: Arrival, variables: &[(&str, &str)]) -> Arrival {
    let boxed = variables
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()));
    arrival.variables.extend(boxed);
    arrival
}

/// The far side of a loopback leg that bob's forwarding phone made.
fn forwarded_to(dialed: &str) -> Arrival {
    let mut arrival = outsider_to(dialed);
    arrival.sip_call_id = None;
    arrival.profile = None;
    arrival.source = None;
    with(
        arrival,
        &[
            ("is_loopback", "true"),
            ("lf_account_id", "acc1"),
            ("lf_forwarded_by", "dev_bob"),
            ("lf_forward_chain", "dev_carol:dev_bob"),
            ("lf_forward_keep", "true"),
            ("lf_forward_network", "offnet"),
        ],
    )
}

/// What the node fs2 sends for a call to bob, whose phone is registered here.
fn handed_over() -> Arrival {
    let mut arrival = outsider_to("bob");
    arrival.source = Some("127.0.0.2".parse().unwrap());
    with(
        arrival,
        &[
            ("sip_received_port", "5060"),
            ("sip_h_X-LF-Account", "acc1"),
            ("sip_h_X-LF-Device", "dev_bob"),
            ("sip_h_X-LF-Dialed", "100"),
            ("sip_h_X-LF-Network", "onnet"),
            ("sip_h_X-LF-Source", "ring_group"),
            ("sip_h_X-LF-Caller-Device", "dev_alice"),
            ("sip_h_X-LF-Caller-Owner", "usr_alice"),
            ("sip_h_X-LF-Forwarded", "true"),
        ],
    )
}

fn with_sister() -> World {
    let mut world = World::new();
    let mut routing = crate::routing::Settings::default();
    let name = NodeName::new("fs2").unwrap();
    routing.nodes.insert(name, "127.0.0.2:5060".into());
    world.context.routing = routing.into();
    world
}

#[tokio::test]
async fn a_forwarded_call_goes_on_as_the_forwarding_device() {
    let world = World::new();
    world.callflow(
        "cf_any",
        json!({"numbers": ["no_match"], "flow": refuse(486)}),
    );
    let office = world.context.office(0, 0);
    let call = admit(&office, &forwarded_to("4930123456"), &mut Silent)
        .unwrap()
        .call;
    assert_eq!(call.caller.device_id.as_ref().unwrap().as_str(), "dev_bob");
    assert_eq!(call.caller.network, Network::Offnet);
    assert_eq!(call.caller.number, "+14155550123");
    assert_eq!(call.forward_chain.len(), 2);
    assert!(call.behind_loopback && call.no_match);
    // It may not ring the device again that sent it away.
    world.flow(json!({"module": "device", "data": {"id": "dev_bob"}}));
    let (_, report) = world.place(forwarded_to("100"), &[]).await;
    assert_eq!(report.ending.cause, Some(HangupCause::CallRejected));
}

#[test]
fn a_sip_call_cannot_say_that_it_was_forwarded() {
    let world = World::new();
    world.callflow(
        "cf_any",
        json!({"numbers": ["no_match"], "flow": refuse(486)}),
    );
    let mut arrival = forwarded_to("4930123456");
    arrival.sip_call_id = Some("sip-1".into());
    let error = admit(&world.context.office(0, 0), &arrival, &mut Silent).unwrap_err();
    assert!(
        matches!(error, Refusal::NoMatchForOutsiders { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_sister_nodes_call_rings_its_device() {
    let world = with_sister();
    let office = world.context.office(0, 0);
    let call = admit(&office, &handed_over(), &mut Silent).unwrap().call;
    assert_eq!(call.dialed, "100");
    assert_eq!(call.caller.device_id.unwrap().as_str(), "dev_alice");
    assert_eq!(call.second_hop.unwrap().source, Source::RingGroup);

    // While the first node's leg keeps bob's seat taken in this very call.
    world.device(
        "bob",
        json!({"owner_id": "usr_bob", "call_waiting": {"enabled": false}}),
    );
    let busy = crate::callflow::Party::Owner(crate::types::DocumentId::new("usr_bob").unwrap());
    let first = crate::types::CallId::new("first-hop").unwrap();
    let _seat = world
        .context
        .live
        .seat(&super::world::account_id(), busy, &first);
    let (leg, report) = world
        .place(handed_over(), &[("bridge", Reaction::Answered)])
        .await;
    let log = leg.log();
    assert!(log[0].contains("sip:bob@127.0.0.9:5062"), "{log:?}");
    assert!(leg.variables().contains(&"call_timeout=3600".to_owned()));
    assert!(matches!(report.decision, Verdict::HandedOver { .. }));
}

#[test]
fn only_a_sister_is_believed() {
    let world = with_sister();
    let office = world.context.office(0, 0);
    let mut elsewhere = handed_over();
    elsewhere.source = Some("127.0.0.3".parse().unwrap());
    let other_port = with(handed_over(), &[("sip_received_port", "5062")]);
    for arrival in [elsewhere, other_port] {
        let error = admit(&office, &arrival, &mut Silent).unwrap_err();
        assert!(matches!(error, Refusal::NoCallflow { .. }), "{error}");
    }
    // A node is no sister of itself.
    let mut own = handed_over();
    own.node = NodeName::new("fs2").unwrap();
    assert!(admit(&office, &own, &mut Silent).is_err());
}
