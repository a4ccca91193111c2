//! What calling devices may dial, how their documents rewrite what they send, and transferred calls.

use serde_json::{Value, json};

use super::leg::Reaction;
use super::world::{World, alice_to, outsider_to, refuse};
use crate::callflow::{AttemptOutcome, Refusal, admit};
use crate::documents::DocumentType;
use crate::routing::Silent;
use crate::switch::Arrival;
use crate::types::HangupCause;

fn refusal(world: &World, arrival: &Arrival) -> Option<Refusal> {
    admit(&world.context.office(0, 0), arrival, &mut Silent).err()
}

fn deny(class: &str) -> Value {
    json!({"owner_id": "usr_alice", "call_restriction": {class: {"action": "deny"}}})
}

fn world_wide(world: &World) {
    world.callflow(
        "cf_out",
        json!({"numbers": ["no_match"], "flow": refuse(486)}),
    );
}

#[tokio::test]
async fn a_denied_class_is_told_and_refused() {
    let world = World::new();
    world_wide(&world);
    world.device("alice", deny("toll_us"));
    let (leg, report) = world.place(alice_to("19005550123"), &[]).await;
    assert_eq!(
        leg.log()[..2],
        ["pre_answer", "playback ivr/cf-unauthorized_call.wav"]
    );
    assert_eq!(report.ending.cause, Some(HangupCause::OutgoingCallBarred));
    // Other classes are not concerned.
    assert!(refusal(&world, &alice_to("4155550123")).is_none());
}

#[test]
fn account_and_owner_have_a_say_too() {
    for (account, owner, denied_by) in [
        (json!({"did_us": {"action": "deny"}}), json!({}), "account"),
        (json!({}), json!({"did_us": {"action": "deny"}}), "owner"),
    ] {
        let world = World::new();
        world_wide(&world);
        world.account(
            "acc1",
            json!({"name": "Acme", "realm": "acme.test", "call_restriction": account}),
        );
        world.put(
            DocumentType::User,
            "usr_alice",
            json!({"first_name": "a", "last_name": "b", "call_restriction": owner}),
        );
        let refused = refusal(&world, &alice_to("4155550123")).unwrap();
        assert!(refused.to_string().contains(denied_by), "{refused}");
    }
}

#[test]
fn what_a_pattern_captured_is_classified() {
    let world = World::new();
    world.callflow(
        "cf_nine",
        json!({"patterns": ["^9(\\d+)$"], "flow": refuse(486)}),
    );
    world.device("alice", deny("did_us"));
    let refused = refusal(&world, &alice_to("94155550123")).unwrap();
    assert!(matches!(refused, Refusal::Restricted { .. }), "{refused}");
    assert!(refusal(&world, &alice_to("9011493012345")).is_none());
}

#[test]
fn an_outsiders_call_in_is_restricted_by_nobody() {
    let world = World::new();
    world.flow(refuse(486));
    world.account(
        "acc1",
        json!({"name": "Acme", "realm": "acme.test",
            "call_restriction": {"unknown": {"action": "deny"}}}),
    );
    assert!(refusal(&world, &outsider_to("100")).is_none());
    assert!(refusal(&world, &alice_to("100")).is_some());
}

#[test]
fn closed_groups_confine_extensions_only() {
    let world = World::new();
    world_wide(&world);
    world.flow(json!({"module": "user", "data": {"id": "usr_bob"},
        "children": {"_": {"module": "voicemail"}}}));
    world.device("alice", deny("closed_groups"));
    let refused = refusal(&world, &alice_to("100")).unwrap();
    assert!(matches!(refused, Refusal::ClosedGroup { .. }), "{refused}");
    // Numbers that are no extension fall through to the classes.
    assert!(refusal(&world, &alice_to("4155550123")).is_none());
    let members = json!({"usr_bob": {"type": "user"}, "usr_alice": {"type": "user"}});
    world.put(
        DocumentType::Group,
        "grp",
        json!({"name": "G", "endpoints": members}),
    );
    assert!(refusal(&world, &alice_to("100")).is_none());
    // A device stands for its owner.
    world.flow(json!({"module": "device", "data": {"id": "dev_bob"}}));
    assert!(refusal(&world, &alice_to("100")).is_none());
}

#[tokio::test]
async fn a_devices_formatters_rewrite_what_it_sends() {
    let world = World::new();
    world.flow(json!({"module": "device", "data": {"id": "dev_bob"}}));
    let formatters = json!({
        "request": {"regex": "^77(\\d+)$", "direction": "inbound"},
        "Caller-ID-Number": {"value": "555", "direction": "inbound"},
        "caller_id_name": {"value": "never", "direction": "outbound"}});
    world.device(
        "alice",
        json!({"owner_id": "usr_nobody", "formatters": formatters}),
    );
    let (leg, report) = world
        .place(alice_to("77100"), &[("bridge", Reaction::Answered)])
        .await;
    assert_eq!(report.attempts[0].outcome, AttemptOutcome::Answered);
    let log = leg.log().join("\n");
    assert!(log.contains("origination_caller_id_number=555"), "{log}");
    assert!(log.contains("origination_caller_id_name=Alice"), "{log}");
}

/// As FreeSWITCH brings a leg that rang these devices and was transferred by one of them.
fn transferred(mut arrival: Arrival, rang: &str, by: &str) -> Arrival {
    arrival.variables.extend([
        ("sip_refer_to".into(), "<sip:1003@acme.test>".into()),
        ("sip_h_Referred-By".into(), by.into()),
        ("lf_rang_account".into(), "acc1".into()),
        ("lf_rang_devices".into(), rang.into()),
    ]);
    arrival
}

/// A carrier's call, whose first request was for a number of some other realm.
fn carriers() -> Arrival {
    let mut arrival = outsider_to("4155550123");
    arrival
        .variables
        .insert("sip_req_host".into(), "10.0.0.1".into());
    arrival
}

const BY_BOB: &str = "\"Bob\" <sip:bob@127.0.0.1:5060;transport=udp>";

#[test]
fn a_transferred_call_goes_by_the_rights_of_who_transferred_it() {
    let world = World::new();
    world_wide(&world);
    assert!(refusal(&world, &carriers()).is_some());
    for (rang, by) in [("dev_bob", "<sip:eve@x>"), ("dev_alice:dev_bob", BY_BOB)] {
        let arrival = transferred(carriers(), rang, by);
        let office = world.context.office(0, 0);
        let call = admit(&office, &arrival, &mut Silent).unwrap().call;
        assert_eq!(call.referred_by.unwrap().as_str(), "dev_bob");
        assert_eq!(call.account_id.as_str(), "acc1");
        assert_eq!(call.caller.device_id, None);
    }
    let denied = json!({"call_restriction": {"did_us": {"action": "deny"}}});
    world.device("bob", denied);
    let refused = refusal(&world, &transferred(carriers(), "dev_bob", BY_BOB)).unwrap();
    assert!(matches!(refused, Refusal::Restricted { .. }), "{refused}");
}

#[test]
fn a_callee_that_is_transferred_goes_by_the_rights_of_its_caller() {
    let world = World::new();
    world_wide(&world);
    let mut arrival = carriers();
    arrival.variables.extend([
        ("sip_refer_to".into(), "<sip:1003@acme.test>".into()),
        ("lf_account_id".into(), "acc1".into()),
        ("lf_caller_device".into(), "dev_alice".into()),
    ]);
    let office = world.context.office(0, 0);
    let call = admit(&office, &arrival, &mut Silent).unwrap().call;
    assert_eq!(call.referred_by.unwrap().as_str(), "dev_alice");
}

#[test]
fn what_a_peer_writes_is_no_transfer() {
    let world = World::new();
    world_wide(&world);
    let mut arrival = outsider_to("4155550123");
    arrival
        .variables
        .insert("sip_h_Referred-By".into(), BY_BOB.into());
    let refused = refusal(&world, &arrival).unwrap();
    assert!(
        matches!(refused, Refusal::NoMatchForOutsiders { .. }),
        "{refused}"
    );
    // Nor does a device that was not on the line transfer anything.
    let arrival = transferred(alice_to("4155550123"), "dev_alice:dev_carol", BY_BOB);
    let refused = refusal(&world, &arrival).unwrap();
    assert!(
        matches!(refused, Refusal::NoMatchForOutsiders { .. }),
        "{refused}"
    );
}
