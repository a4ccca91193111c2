//! The `user` and `ring_group` actions.

use serde_json::{Value, json};

use super::leg::{Reaction, ScriptedLeg};
use super::world::{World, alice_to, outsider_to, refuse};
use crate::callflow::{AttemptOutcome, ExplainRequest, explain};
use crate::documents::DocumentType;
use crate::types::{DocumentId, HangupCause};

/// Bob has two phones, carol has one and nobody behind it.
fn world() -> World {
    let world = World::new();
    world.device("bob2", json!({"owner_id": "usr_bob"}));
    world.device("carol", json!({}));
    world.register("bob2");
    world.register("carol");
    world
}

fn user(data: Value) -> Value {
    json!({"module": "user", "data": data, "children": {"_": refuse(605), "USER_BUSY": refuse(601)}})
}

fn group(data: Value) -> Value {
    json!({"module": "ring_group", "data": data,
        "children": {"_": refuse(605), "USER_BUSY": refuse(601)}})
}

fn bridges(leg: &ScriptedLeg) -> Vec<String> {
    let log = leg.log();
    let told = log.iter().filter_map(|line| line.strip_prefix("bridge "));
    told.map(str::to_owned).collect()
}

fn responded(leg: &ScriptedLeg) -> Option<String> {
    let log = leg.log();
    log.into_iter().find(|line| line.starts_with("respond"))
}

/// The users dialled, `,` between legs and `|` between groups.
fn users(dial_string: &str) -> String {
    let group = |group: &str| {
        let legs = group.split("sip:").skip(1);
        let legs: Vec<_> = legs.filter_map(|leg| leg.split('@').next()).collect();
        legs.join(",")
    };
    let groups: Vec<_> = dial_string.split('|').map(group).collect();
    groups.join("|")
}

const BUSY: Reaction = Reaction::Fails(HangupCause::UserBusy, Some(486));
const SILENT: Reaction = Reaction::Fails(HangupCause::NoAnswer, None);

#[tokio::test]
async fn a_user_rings_on_all_devices() {
    for (data, expected) in [
        (json!({"id": "usr_bob"}), "bob,bob2"),
        (json!({"id": "usr_bob", "strategy": "single"}), "bob|bob2"),
        (
            json!({"id": "usr_bob", "dial_strategy": "single"}),
            "bob|bob2",
        ),
        (
            json!({"id": "usr_bob", "dial_strategy": "single", "strategy": "simultaneous"}),
            "bob,bob2",
        ),
    ] {
        let world = world();
        world.flow(user(data.clone()));
        let (leg, report) = world.call(&[("bridge", Reaction::Answered)]).await;
        let bridge = bridges(&leg).remove(0);
        assert_eq!(users(&bridge), expected, "{data}");
        assert!(bridge.contains("ignore_early_media=true") || expected.contains('|'));
        assert_eq!(report.attempts[0].outcome, AttemptOutcome::Answered);
        assert_eq!(report.attempts[0].devices.len(), 2);
    }
}

#[tokio::test]
async fn hotdesking_moves_a_device_to_its_guest() {
    let world = world();
    let guest = json!({"owner_id": "usr_alice", "hotdesk": {"users": {"usr_bob": {}}}});
    world.device("lent", guest);
    world.register("lent");
    let lent_away = json!({"owner_id": "usr_bob", "hotdesk": {"users": {"usr_alice": {}}}});
    world.device("bob2", lent_away);
    world.flow(user(json!({"id": "usr_bob"})));
    let (leg, _) = world.place(outsider_to("100"), &[("bridge", BUSY)]).await;
    assert_eq!(users(&bridges(&leg)[0]), "bob,lent");
    assert_eq!(responded(&leg).unwrap(), "respond 601 x");
}

#[tokio::test]
async fn a_user_is_not_rung_on_the_calling_device() {
    let world = world();
    world.device("alice2", json!({"owner_id": "usr_alice"}));
    world.register("alice2");
    world.flow(user(json!({"id": "usr_alice"})));
    let (leg, report) = world.call(&[]).await;
    assert!(bridges(&leg).is_empty());
    assert_eq!(responded(&leg).unwrap(), "respond 605 x");
    assert_eq!(report.attempts[0].skipped.len(), 2);
    world.flow(user(json!({"id": "usr_alice", "can_call_self": true})));
    let (leg, _) = world.call(&[("bridge", Reaction::Answered)]).await;
    assert_eq!(users(&bridges(&leg)[0]), "alice2");
}

#[tokio::test]
async fn a_user_without_id_documents_or_devices_goes_on() {
    for (data, reason) in [
        (json!({}), None),
        (json!({"id": "usr_nobody"}), Some("not_found")),
        (json!({"id": "usr_new"}), Some("no_devices")),
    ] {
        let world = world();
        world.put(
            crate::documents::DocumentType::User,
            "usr_new",
            json!({"first_name": "New", "last_name": "Test"}),
        );
        world.flow(user(data.clone()));
        let (leg, report) = world.call(&[]).await;
        assert_eq!(responded(&leg).unwrap(), "respond 605 x", "{data}");
        let told = report.attempts.first().map(|attempt| attempt.skipped[0].1);
        assert_eq!(told, reason, "{data}");
    }
}

#[tokio::test]
async fn a_group_mixes_devices_and_users_and_rings_each_device_once() {
    let world = world();
    world.flow(group(json!({"endpoints": [
        {"id": "dev_carol", "delay": 5},
        {"id": "usr_bob", "endpoint_type": "user"},
        {"id": "dev_bob"},
        {"id": "dev_alice"},
    ]})));
    let (leg, report) = world.call(&[("bridge", Reaction::Answered)]).await;
    let bridge = bridges(&leg).remove(0);
    assert_eq!(users(&bridge), "bob,bob2,carol");
    assert!(bridge.contains("leg_delay_start=5"), "{bridge}");
    assert!(bridge.contains("ignore_early_media=true"), "{bridge}");
    assert!(bridge.contains("outbound_redirect_fatal=true"), "{bridge}");
    assert!(
        leg.log().contains(&"ring_ready".to_owned()),
        "{:?}",
        leg.log()
    );
    let skipped = &report.attempts[0].skipped;
    assert_eq!(skipped[0].0.as_str(), "dev_alice");
}

#[tokio::test]
async fn members_that_lead_nowhere_are_named() {
    let world = world();
    let endpoints = json!([
        {"id": "grp_sales", "endpoint_type": "group"},
        {"id": "usr_nobody", "endpoint_type": "user"},
        {"id": "dev_bob2", "disable_until": 99_999_999_999_u64},
        {"id": "dev_carol", "disable_until": 62_167_219_200_u64},
        {"id": "dev_gone"},
    ]);
    world.flow(group(json!({"endpoints": endpoints})));
    let (leg, report) = world.call(&[("bridge", Reaction::Answered)]).await;
    assert_eq!(users(&bridges(&leg)[0]), "carol");
    let skipped = report.attempts[0].skipped.iter();
    let skipped: Vec<_> = skipped.map(|(id, why)| (id.as_str(), *why)).collect();
    let expected = [
        ("grp_sales", "not_found"),
        ("usr_nobody", "not_found"),
        ("dev_bob2", "disabled_for_now"),
        ("dev_gone", "not_found"),
    ];
    assert_eq!(skipped, expected);
    // And so does the explanation, which is made before any call.
    let request = ExplainRequest {
        from: "alice".into(),
        to: "100".into(),
        ..ExplainRequest::default()
    };
    let told = explain(&world.context, &request).unwrap().to_string();
    for (id, why) in expected {
        assert!(told.contains(&format!("{id}: {why}")), "{told}");
    }
}

#[tokio::test]
async fn nobody_left_goes_on_at_once_without_ringback() {
    for endpoints in [
        json!([]),
        json!([{"id": "dev_bob", "disable_until": 99_999_999_999_u64}]),
        json!([{"id": "dev_alice"}]),
    ] {
        let world = world();
        world.flow(group(json!({"endpoints": endpoints, "repeats": 3,
            "ringback": "%(2000,4000,440,480)"})));
        let (leg, report) = world.call(&[]).await;
        assert_eq!(leg.log()[0], "respond 605 x", "{endpoints}");
        assert!(leg.variables().is_empty());
        assert_eq!(report.attempts.len(), 1);
    }
}

#[tokio::test]
async fn rounds_repeat_until_a_child_an_answer_or_the_last() {
    let data = json!({"repeats": "3", "timeout": 10, "endpoints": [{"id": "dev_bob"}]});
    for (script, rounds, expected) in [
        (vec![SILENT, SILENT, SILENT], 3, Some("respond 605 x")),
        (vec![SILENT, BUSY], 2, Some("respond 601 x")),
        (vec![SILENT, Reaction::Answered], 2, None),
    ] {
        let world = world();
        world.flow(group(data.clone()));
        let script: Vec<_> = script.into_iter().map(|r| ("bridge", r)).collect();
        let (leg, report) = world.call(&script).await;
        assert_eq!(bridges(&leg).len(), rounds);
        assert_eq!(report.attempts.len(), rounds);
        assert_eq!(responded(&leg).as_deref(), expected);
    }
}

#[tokio::test]
async fn a_hunt_gives_each_member_its_own_time() {
    let world = world();
    world.flow(group(json!({"strategy": "single", "endpoints": [
        {"id": "dev_carol", "timeout": 7}, {"id": "usr_bob", "endpoint_type": "user"}]})));
    let (leg, _) = world.call(&[("bridge", SILENT)]).await;
    let bridge = bridges(&leg).remove(0);
    assert_eq!(users(&bridge), "carol|bob|bob2");
    for expected in [
        "leg_timeout=7",
        "leg_timeout=20",
        "originate_continue_on_timeout=true",
    ] {
        assert!(bridge.contains(expected), "{expected} in {bridge}");
    }
    assert!(leg.variables().contains(&"call_timeout=20".to_owned()));
}

#[tokio::test]
async fn a_weighted_hunt_draws_anew_each_round() {
    let world = world();
    world.flow(group(
        json!({"strategy": "weighted_random", "repeats": 60, "endpoints": [
        {"id": "dev_carol", "weight": 100}, {"id": "dev_bob", "weight": "1"}]}),
    ));
    let (leg, _) = world.call(&[]).await;
    let bridges = bridges(&leg);
    let carol_first = bridges.iter().filter(|b| users(b) == "carol|bob").count();
    // 1 of 101 draws the other way: fewer than 45 of 60 would be a broken draw.
    assert!(carol_first > 45, "{carol_first}");
    assert_eq!(bridges.len(), 60);
}

#[tokio::test]
async fn ringtones_depend_on_where_the_caller_is() {
    for (arrival, expected) in [
        (alice_to("100"), "alert_info=ring-inside"),
        (outsider_to("100"), "alert_info=ring-outside"),
    ] {
        let world = world();
        let ringtones = json!({"internal": "ring-inside", "external": "ring-outside"});
        world.flow(group(json!({"ringtones": ringtones, "ringback": "moh.wav",
            "ignore_forward": false, "endpoints": [{"id": "dev_bob"}]})));
        let (leg, _) = world.place(arrival, &[("bridge", BUSY)]).await;
        let bridge = bridges(&leg).remove(0);
        assert!(bridge.contains(expected), "{bridge}");
        assert!(!bridge.contains("outbound_redirect_fatal"), "{bridge}");
        for expected in ["ringback=/acc1/moh.wav", "transfer_ringback=/acc1/moh.wav"] {
            assert!(leg.variables().contains(&expected.to_owned()), "{expected}");
        }
    }
}

#[tokio::test]
async fn a_forward_for_direct_calls_only_is_not_followed_by_a_group() {
    let forward = |direct_only: bool| {
        json!({"owner_id": "usr_bob", "call_forward": {"enabled": true, "number": "+14155550177",
            "direct_calls_only": direct_only}})
    };
    let endpoints = json!({"endpoints": [{"id": "dev_bob"}]});
    for (direct_only, module, expected) in [
        (true, group(endpoints.clone()), "sip:bob@"),
        (false, group(endpoints), "loopback/+14155550177/"),
        (
            true,
            user(json!({"id": "usr_bob"})),
            "loopback/+14155550177/",
        ),
    ] {
        let world = world();
        world.device("bob", forward(direct_only));
        world.flow(module.clone());
        let (leg, _) = world.call(&[("bridge", SILENT)]).await;
        let bridge = bridges(&leg).remove(0);
        assert!(bridge.contains(expected), "{bridge} for {module}");
    }
}

fn document(world: &World, id: &str, endpoints: Value, more: Value) {
    let mut body = more;
    body["name"] = json!(id);
    body["endpoints"] = endpoints;
    world.put(DocumentType::Group, id, body);
}

#[tokio::test]
async fn a_groups_members_ring_with_its_times() {
    let world = world();
    let endpoints = json!({"dev_carol": {"type": "device", "timeout": 7},
        "usr_bob": {"type": "user"}, "dev_ghost": {"type": "device"}});
    document(&world, "grp", endpoints, json!({}));
    world.flow(group(json!({"endpoints": [
        {"id": "grp", "endpoint_type": "group", "timeout": 11, "delay": 2}, {"id": "dev_alice"}]})));
    let (leg, report) = world.place(outsider_to("100"), &[("bridge", SILENT)]).await;
    let bridge = bridges(&leg).remove(0);
    assert_eq!(users(&bridge), "alice,carol,bob,bob2");
    assert_eq!(bridge.matches("leg_timeout=7").count(), 1, "{bridge}");
    assert_eq!(bridge.matches("leg_timeout=11").count(), 2, "{bridge}");
    assert_eq!(bridge.matches("leg_delay_start=2").count(), 3, "{bridge}");
    let ghost = DocumentId::new("dev_ghost").unwrap();
    assert_eq!(report.attempts[0].skipped, [(ghost, "not_found")]);
}

#[tokio::test]
async fn a_hunt_through_a_group_goes_by_weight() {
    let world = world();
    let endpoints = json!({"dev_bob2": {"type": "device", "weight": 9},
        "dev_carol": {"type": "device"}, "dev_bob": {"type": "device", "weight": "3"}});
    document(&world, "grp", endpoints, json!({}));
    world.flow(group(
        json!({"strategy": "single", "endpoints": [{"id": "grp", "endpoint_type": "group"}]}),
    ));
    let (leg, _) = world.call(&[("bridge", SILENT)]).await;
    assert_eq!(users(&bridges(&leg)[0]), "bob|bob2");
}

#[tokio::test]
async fn groups_that_hold_one_another_end() {
    let world = world();
    let member = |id: &str| json!({id: {"type": "group"}, "dev_bob": {"type": "device"}});
    document(&world, "one", member("two"), json!({}));
    document(&world, "two", member("one"), json!({}));
    world.flow(group(
        json!({"endpoints": [{"id": "one", "endpoint_type": "group"},
            {"id": "gone", "endpoint_type": "group"}]}),
    ));
    let (leg, report) = world.call(&[("bridge", SILENT)]).await;
    assert_eq!(users(&bridges(&leg)[0]), "bob");
    let skipped: Vec<_> = report.attempts[0].skipped.iter().map(|s| s.1).collect();
    assert_eq!(skipped, ["group_loop", "not_found"]);
}

#[tokio::test]
async fn groups_that_hold_many_groups_end_too() {
    let world = world();
    for level in 0..8 {
        let next = format!("grp{}", level + 1);
        let (a, b, c) = (
            format!("a{level}"),
            format!("b{level}"),
            format!("c{level}"),
        );
        for id in [&a, &b, &c] {
            document(&world, id, json!({&next: {"type": "group"}}), json!({}));
        }
        let all = json!({&a: {"type": "group"}, &b: {"type": "group"}, &c: {"type": "group"}});
        document(&world, &format!("grp{level}"), all, json!({}));
    }
    document(&world, "grp8", json!({"dev_bob": {}}), json!({}));
    world.flow(group(
        json!({"endpoints": [{"id": "grp0", "endpoint_type": "group"}]}),
    ));
    let (leg, report) = world.call(&[("bridge", SILENT)]).await;
    assert_eq!(users(&bridges(&leg)[0]), "bob");
    assert!(report.attempts[0].skipped.len() < 300);
}

#[tokio::test]
async fn the_group_action_answers_and_rings_its_document() {
    let named = |data: Value| json!({"module": "group", "data": data, "children": {"_": refuse(605), "USER_BUSY": refuse(601)}});
    let world = world();
    let more = json!({"strategy": "single", "timeout": 8, "ringback": "moh.wav"});
    let endpoints = json!({"dev_carol": {"weight": 2}, "dev_bob": {"weight": 1}});
    document(&world, "grp", endpoints, more);
    world.flow(named(
        json!({"id": "grp", "strategy": "simultaneous", "timeout": 30}),
    ));
    let (leg, _) = world.call(&[("bridge", BUSY)]).await;
    assert_eq!(leg.log()[0], "answer");
    assert_eq!(users(&bridges(&leg)[0]), "bob|carol");
    assert!(
        leg.variables()
            .contains(&"ringback=/acc1/moh.wav".to_owned())
    );
    // With endpoints of its own it is a ring group, which answers nobody.
    world.flow(named(
        json!({"id": "grp", "endpoints": [{"id": "dev_bob2"}]}),
    ));
    let (leg, _) = world.call(&[("bridge", BUSY)]).await;
    assert!(!leg.log().contains(&"answer".to_owned()), "{:?}", leg.log());
    for nobody in [json!({"id": "gone"}), json!({})] {
        world.flow(named(nobody));
        let (leg, _) = world.call(&[]).await;
        assert_eq!(responded(&leg).unwrap(), "respond 605 x");
    }
}
