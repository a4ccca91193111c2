//! Which calls FreeSWITCH may be told to bridge without anybody to look after them.

use serde_json::{Value, json};

use super::world::{World, alice_to, outsider_to, refuse};
use crate::callflow::{Unattended, unattended};
use crate::documents::DocumentType;
use crate::switch::Arrival;

fn decide(world: &World, arrival: &Arrival) -> Option<Unattended> {
    unattended(&world.context, &world.context.office(0, 0), arrival)
}

fn rings(flow: Value) -> bool {
    let world = World::new();
    world.flow(flow);
    decide(&world, &alice_to("100")).is_some()
}

fn bob() -> Value {
    json!({"module": "device", "data": {"id": "dev_bob"}})
}

fn with(mut node: Value, name: &str, value: Value) -> Value {
    node[name] = value;
    node
}

#[test]
fn a_lone_bridge_needs_nobody() {
    let world = World::new();
    world.flow(bob());
    let found = decide(&world, &alice_to("100")).unwrap();
    let dial_string = found.plan.dial.render();
    assert!(
        dial_string.contains("sip:bob@127.0.0.9:5062"),
        "{dial_string}"
    );
    assert_eq!(found.call.caller.device_id.unwrap().as_str(), "dev_alice");
    // One leg whose early media is let through: FreeSWITCH's timers may stop, so the call has an end of its own.
    assert_eq!(found.plan.watched_for_s(), Some(23));
    assert!(rings(with(bob(), "children", json!({"_": {}}))));
    assert!(rings(json!({"module": "user", "data": {"id": "usr_bob"}})));
    let group = json!({"module": "ring_group", "data": {"endpoints": [{"id": "dev_bob"}]}});
    assert!(rings(group));
}

#[test]
fn what_may_go_on_is_handed_over() {
    for flow in [
        with(bob(), "children", json!({"_": refuse(486)})),
        with(bob(), "children", json!({"USER_BUSY": bob()})),
        with(bob(), "data", json!({"id": "dev_bob", "skip_module": true})),
        with(bob(), "data", json!({"id": "dev_nobody"})),
        json!({"module": "ring_group", "data": {"repeats": 2, "endpoints": [{"id": "dev_bob"}]}}),
        json!({"module": "nonsense"}),
        json!({"module": "answer", "children": {"_": bob()}}),
        refuse(486),
        json!({}),
    ] {
        assert!(!rings(flow.clone()), "{flow}");
    }
}

#[test]
fn only_callers_inside_are_bridged() {
    let world = World::new();
    world.flow(bob());
    assert!(decide(&world, &outsider_to("100")).is_none());
    assert!(decide(&world, &alice_to("101")).is_none(), "refused");
}

#[test]
fn a_preflow_is_more_than_a_bridge() {
    let world = World::new();
    world.flow(bob());
    world.callflow("pre", json!({"numbers": ["1"], "flow": {"module": "noop"}}));
    world.account(
        "acc1",
        json!({"name": "Acme", "realm": "acme.test", "preflow": {"always": "pre"}}),
    );
    assert!(decide(&world, &alice_to("100")).is_none());
}

#[test]
fn who_is_to_be_known_as_busy_is_looked_after() {
    let off = || json!({"enabled": false});
    for (user, device) in [("usr_bob", None), ("usr_alice", None), ("", Some("bob"))] {
        let world = World::new();
        world.flow(bob());
        if let Some(device) = device {
            world.device(device, json!({"call_waiting": off()}));
        } else {
            let body = json!({"first_name": "a", "last_name": "b", "call_waiting": off()});
            world.put(DocumentType::User, user, body);
        }
        assert!(
            decide(&world, &alice_to("100")).is_none(),
            "{user} {device:?}"
        );
    }
}

#[test]
fn recordings_and_key_presses_are_looked_after() {
    for (extra, unattended) in [
        (
            json!({"call_forward": {"enabled": true, "number": "+14155550177", "require_keypress": false}}),
            true,
        ),
        (
            json!({"call_forward": {"enabled": true, "number": "+14155550177"}}),
            false,
        ),
        (
            json!({"call_recording": {"inbound": {"onnet": {"enabled": true}}}}),
            false,
        ),
    ] {
        let world = World::new();
        world.flow(bob());
        world.device("bob", extra.clone());
        let found = decide(&world, &alice_to("100"));
        assert_eq!(found.is_some(), unattended, "{extra}");
    }
}
