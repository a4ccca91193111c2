//! The `device` action, and through it the path that all ringing takes.

use serde_json::{Value, json};

use super::leg::{Reaction, ScriptedLeg};
use super::world::{World, alice_to, outsider_to, refuse};
use crate::callflow::{AttemptOutcome, CallReport, EndedBy};
use crate::switch::CallError;
use crate::types::HangupCause;

fn to_bob(children: Value) -> Value {
    json!({"module": "device", "data": {"id": "dev_bob", "timeout": 15}, "children": children})
}

fn bridge_of(leg: &ScriptedLeg) -> String {
    let log = leg.log();
    let bridge = log.iter().find(|line| line.starts_with("bridge "));
    bridge
        .unwrap_or_else(|| panic!("no bridge in {log:?}"))
        .clone()
}

fn no_bridge(leg: &ScriptedLeg) {
    assert!(
        !leg.log().iter().any(|l| l.starts_with("bridge")),
        "{:?}",
        leg.log()
    );
}

fn cause(report: &CallReport) -> HangupCause {
    report.ending.cause.unwrap()
}

#[tokio::test]
async fn an_answered_device_ends_the_flow() {
    let world = World::new();
    world.flow(to_bob(json!({"_": refuse(480)})));
    let (leg, report) = world
        .call(&[("bridge", Reaction::AnsweredThenHungUp)])
        .await;
    let bridge = bridge_of(&leg);
    assert!(
        bridge.contains("sofia/internal/sip:bob@127.0.0.9:5062"),
        "{bridge}"
    );
    let variables = leg.variables();
    for expected in [
        "continue_on_fail=true",
        "hangup_after_bridge=true",
        "sip_ignore_remote_cause=true",
    ] {
        assert!(
            variables.contains(&expected.to_owned()),
            "{expected} in {variables:?}"
        );
    }
    assert_eq!(report.attempts[0].outcome, AttemptOutcome::Answered);
    assert_eq!(report.attempts[0].devices[0].as_str(), "dev_bob");
    assert_eq!(report.ending.by, EndedBy::Callee);
    assert_eq!(cause(&report), HangupCause::NormalClearing);
    assert_eq!(report.path.len(), 1);
}

#[tokio::test]
async fn a_conversation_after_which_the_caller_stays_is_hung_up() {
    let world = World::new();
    world.flow(to_bob(json!({})));
    let (leg, report) = world.call(&[("bridge", Reaction::Answered)]).await;
    assert_eq!(leg.log().last().unwrap(), "hangup NORMAL_CLEARING");
    assert_eq!(report.ending.by, EndedBy::Callee);
}

#[tokio::test]
async fn failures_choose_their_child() {
    use HangupCause::{AllottedTimeout, NoAnswer, NoUserResponse, ProgressTimeout, UserBusy};
    let all = json!({
        "USER_BUSY": refuse(601), "sip:480": refuse(602), "486": refuse(603),
        "NO_ANSWER": refuse(604), "_": refuse(605),
    });
    let with_timer = json!({"ALLOTTED_TIMEOUT": refuse(606), "NO_ANSWER": refuse(604)});
    let empty = json!({"USER_BUSY": {}, "_": refuse(605)});
    let plain = json!({"486": refuse(603), "_": refuse(605)});
    for (children, failed, status, expected) in [
        (&all, UserBusy, Some(486), 601),
        (&all, NoUserResponse, Some(480), 602),
        (&plain, UserBusy, Some(486), 603),
        (&all, NoAnswer, None, 604),
        (&all, AllottedTimeout, None, 604),
        (&all, ProgressTimeout, None, 604),
        (&with_timer, AllottedTimeout, None, 606),
        (&all, NoUserResponse, Some(404), 605),
        // A child that is `{}` is none.
        (&empty, UserBusy, Some(486), 605),
    ] {
        let world = World::new();
        world.flow(to_bob(children.clone()));
        let (leg, report) = world
            .call(&[("bridge", Reaction::Fails(failed, status))])
            .await;
        let responded = leg
            .log()
            .into_iter()
            .find(|line| line.starts_with("respond"));
        let expected = format!("respond {expected} x");
        assert_eq!(
            responded,
            Some(expected),
            "{failed} {status:?} in {children}"
        );
        let cause = failed;
        let sip_status = status;
        let outcome = AttemptOutcome::Failed { cause, sip_status };
        assert_eq!(report.attempts[0].outcome, outcome);
    }
}

#[tokio::test]
async fn a_failure_without_a_child_ends_the_call_with_its_cause() {
    let world = World::new();
    world.flow(to_bob(json!({})));
    for failed in [HangupCause::UserBusy, HangupCause::NoAnswer] {
        let (leg, report) = world
            .call(&[("bridge", Reaction::Fails(failed, None))])
            .await;
        assert_eq!(leg.log().last().unwrap(), &format!("hangup {failed}"));
        assert_eq!(cause(&report), failed);
        assert_eq!(report.ending.by, EndedBy::Linefinder);
    }
}

#[tokio::test]
async fn nobody_to_ring_goes_straight_to_the_wildcard() {
    let world = World::new();
    world.unregister("bob");
    // No cause child: nothing was bridged.
    world.flow(to_bob(
        json!({"USER_NOT_REGISTERED": refuse(601), "_": refuse(605)}),
    ));
    let (leg, report) = world.call(&[]).await;
    no_bridge(&leg);
    assert_eq!(leg.log()[0], "respond 605 x");
    let outcome = AttemptOutcome::NoLeg {
        error: "not_registered",
        cause: HangupCause::UserNotRegistered,
    };
    assert_eq!(report.attempts[0].outcome, outcome);
}

#[tokio::test]
async fn nobody_to_ring_ends_the_call_with_the_reasons_cause() {
    let disabled = json!({"owner_id": "usr_bob", "enabled": false});
    let dnd = json!({"owner_id": "usr_bob", "do_not_disturb": {"enabled": true}});
    for (bob, id, expected) in [
        (None, "dev_nobody", HangupCause::UnallocatedNumber),
        (Some(disabled), "dev_bob", HangupCause::SubscriberAbsent),
        (Some(dnd), "dev_bob", HangupCause::UserBusy),
        (None, "dev_alice", HangupCause::CallRejected),
    ] {
        let world = World::new();
        if let Some(bob) = bob {
            world.device("bob", bob);
        }
        world.flow(json!({"module": "device", "data": {"id": id}}));
        let (leg, report) = world.call(&[]).await;
        assert_eq!(leg.log(), [format!("hangup {expected}")], "{id}");
        assert_eq!(cause(&report), expected);
    }
}

#[tokio::test]
async fn the_caller_leaving_while_it_rings_ends_everything() {
    let world = World::new();
    world.flow(to_bob(
        json!({"_": refuse(605), "ORIGINATOR_CANCEL": refuse(606)}),
    ));
    let (leg, report) = world.call(&[("bridge", Reaction::CallerLeaves)]).await;
    assert!(
        leg.log().last().unwrap().starts_with("bridge"),
        "{:?}",
        leg.log()
    );
    assert_eq!(report.ending.by, EndedBy::Caller);
    assert_eq!(cause(&report), HangupCause::OriginatorCancel);
    assert_eq!(report.attempts[0].outcome, AttemptOutcome::Unfinished);
}

#[tokio::test]
async fn a_switch_that_refuses_the_bridge_sends_the_flow_on() {
    let world = World::new();
    world.flow(to_bob(json!({"_": refuse(605)})));
    let refused = CallError::Refused {
        application: "bridge",
        reply: "-ERR".into(),
    };
    let (leg, report) = world.call(&[("bridge", Reaction::Error(refused))]).await;
    assert!(leg.log().contains(&"respond 605 x".to_owned()));
    assert!(
        report.path[0]
            .error
            .as_ref()
            .unwrap()
            .contains("refused bridge")
    );
}

#[tokio::test]
async fn a_failure_of_the_system_is_told_as_one() {
    let world = World::new();
    world.flow(to_bob(json!({})));
    let refused = CallError::Refused {
        application: "bridge",
        reply: "-ERR".into(),
    };
    let (leg, report) = world.call(&[("bridge", Reaction::Error(refused))]).await;
    assert_eq!(leg.log().last().unwrap(), "hangup NORMAL_TEMPORARY_FAILURE");
    assert_eq!(cause(&report), HangupCause::NormalTemporaryFailure);
}

#[tokio::test]
async fn call_waiting_off_looks_at_the_owners_other_calls() {
    let world = World::new();
    world.device(
        "bob",
        json!({"owner_id": "usr_bob", "call_waiting": {"enabled": false}}),
    );
    world.device("bobs_other", json!({"owner_id": "usr_bob"}));
    world.register("bobs_other");
    world.flow(to_bob(json!({})));
    let (leg, _) = world.call(&[("bridge", Reaction::Answered)]).await;
    bridge_of(&leg);

    // While bob talks on his other phone (a call of another uuid), this one is not rung.
    let flow = json!({"module": "device", "data": {"id": "dev_bobs_other"}});
    world.callflow("cf2", json!({"numbers": ["200"], "flow": flow}));
    let mut first = alice_to("200");
    first.call = crate::types::CallId::new("another-call").unwrap();
    let talking = ScriptedLeg::new(&[("bridge", Reaction::Never)]);
    let incoming = crate::switch::IncomingCall {
        arrival: first,
        leg: talking.clone(),
    };
    let context = world.context.clone();
    let task =
        tokio::spawn(
            async move { crate::callflow::run(incoming, &context, &Default::default()).await },
        );
    while !talking.log().iter().any(|line| line.starts_with("bridge")) {
        tokio::task::yield_now().await;
    }
    let leg = ScriptedLeg::new(&[]);
    let incoming = crate::switch::IncomingCall {
        arrival: outsider_to("100"),
        leg: leg.clone(),
    };
    let report = crate::callflow::run(incoming, &world.context, &Default::default()).await;
    no_bridge(&leg);
    assert_eq!(cause(&report), HangupCause::UserBusy);

    // When he has hung up, it is.
    talking.end(HangupCause::NormalClearing, "recv_bye");
    task.await.unwrap();
    let (leg, _) = world.call(&[("bridge", Reaction::Answered)]).await;
    bridge_of(&leg);
}

#[tokio::test]
async fn a_second_device_after_the_first_has_its_own_outcome() {
    let world = World::new();
    world.device("carol", json!({}));
    world.register("carol");
    let carol = json!({"module": "device", "data": {"id": "dev_carol"}});
    world.flow(to_bob(json!({"_": carol})));
    let busy = Reaction::Fails(HangupCause::UserBusy, Some(486));
    let none = Reaction::Fails(HangupCause::NoAnswer, None);
    let (leg, report) = world.call(&[("bridge", busy), ("bridge", none)]).await;
    assert_eq!(report.attempts.len(), 2);
    assert_eq!(report.path[1].key.as_deref(), Some("_"));
    assert_eq!(leg.log().last().unwrap(), "hangup NO_ANSWER");
}

#[tokio::test]
async fn what_one_attempt_set_on_the_leg_is_gone_at_the_next() {
    let world = World::new();
    world.device("bob", json!({"media": {"bypass_media": true}}));
    world.device("carol", json!({}));
    world.register("carol");
    let carol = json!({"module": "device", "data": {"id": "dev_carol"}});
    let group = json!({"endpoints": [{"id": "dev_bob"}], "ringback": "moh.wav"});
    world.flow(json!({"module": "ring_group", "data": group, "children": {"_": carol}}));
    let silent = Reaction::Fails(HangupCause::NoAnswer, None);
    let (leg, _) = world
        .call(&[("bridge", silent.clone()), ("bridge", silent)])
        .await;
    let log = leg.log();
    let bridge = |wanted: &str| {
        let found = log.iter().position(|line| {
            line.starts_with("bridge ") && line.contains(&format!("sip:{wanted}@"))
        });
        found.unwrap_or_else(|| panic!("no bridge to {wanted} in {log:?}"))
    };
    let between = &log[bridge("bob")..bridge("carol")];
    for name in ["ringback", "transfer_ringback", "bypass_media"] {
        assert!(
            leg.variables()
                .iter()
                .any(|v| v.starts_with(&format!("{name}=")))
        );
        assert!(
            between.contains(&format!("unset {name}")),
            "{name} in {log:?}"
        );
    }
    // What both set is only set.
    assert!(!log.contains(&"unset call_timeout".to_owned()), "{log:?}");
}
