//! What the engine makes of flows that are odd, endless or faulty.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::leg::{Reaction, ScriptedLeg};
use super::world::{World, alice_to, outsider_to, refuse};
use crate::callflow::{
    Action, ActionError, Context, EndedBy, Entry, Flow, Next, Outcome, Stage, run,
};
use crate::documents::FlowNode;
use crate::switch::{CallError, IncomingCall};
use crate::types::HangupCause;

struct Panics;
impl Action for Panics {
    const MODULE: &'static str = "panics";
    type Data = Value;
    async fn run(_: Value, _: &mut Stage) -> Outcome {
        panic!("as it does")
    }
}

struct Fails;
impl Action for Fails {
    const MODULE: &'static str = "fails";
    type Data = Value;
    async fn run(_: Value, _: &mut Stage) -> Outcome {
        Err(ActionError::Call(CallError::TimedOut {
            application: "playback",
            after_ms: 5,
        }))
    }
}

struct Leaves;
impl Action for Leaves {
    const MODULE: &'static str = "leaves";
    type Data = Value;
    async fn run(_: Value, _: &mut Stage) -> Outcome {
        Ok(Next::Transferred)
    }
}

/// Goes on with the flow in its data: nothing has validated that one.
struct Becomes;
impl Action for Becomes {
    const MODULE: &'static str = "becomes";
    type Data = FlowNode;
    async fn run(flow: FlowNode, _: &mut Stage) -> Outcome {
        Ok(Next::Replace(Flow::Node(Arc::new(flow))))
    }
}

const ODD: &[Entry] = &[
    Entry::of::<Becomes>(),
    Entry::of::<Panics>(),
    Entry::of::<Fails>(),
    Entry::of::<Leaves>(),
];

fn odd_world() -> World {
    let mut world = World::new();
    let mut actions = Context::new(
        world.context.store.clone(),
        crate::routing::Settings::default(),
        crate::callflow::Settings::default(),
    )
    .actions
    .to_vec();
    actions.extend_from_slice(ODD);
    world.context.actions = actions.leak();
    world
}

fn then_refuse(module: &str, data: Value) -> Value {
    json!({"module": module, "data": data, "children": {"_": refuse(480)}})
}

#[tokio::test]
async fn what_cannot_run_goes_on_at_the_wildcard() {
    for (flow, error) in [
        (then_refuse("does_not_exist", json!({})), None),
        (
            json!({"data": {"no": "module"}, "children": {"_": refuse(480)}}),
            None,
        ),
        (then_refuse("hangup", json!({"skip_module": true})), None),
        (then_refuse("panics", json!({})), Some("panicked")),
        (then_refuse("fails", json!({})), Some("did not complete")),
        (then_refuse("device", json!({})), Some("missing field `id`")),
        (
            then_refuse("device", json!({"id": "dev_bob", "timeout": "soon"})),
            Some("whole number"),
        ),
        (then_refuse("callflow", json!({"id": "not_there"})), None),
        (then_refuse("noop", json!({})), None),
    ] {
        let world = odd_world();
        world.flow(json!({"module": "becomes", "data": flow}));
        let (leg, report) = world.call(&[]).await;
        assert_eq!(leg.log()[0], "respond 480 x", "{flow}");
        let told = report.path[1].error.clone().unwrap_or_default();
        match error {
            Some(error) => assert!(told.contains(error), "{flow}: {told}"),
            None => assert_eq!(told, "", "{flow}"),
        }
    }
}

#[tokio::test]
async fn an_empty_flow_and_an_empty_child_stop() {
    for flow in [json!({}), json!({"module": "noop", "children": {"_": {}}})] {
        let world = odd_world();
        world.flow(json!({"module": "becomes", "data": flow}));
        let (leg, report) = world.call(&[]).await;
        assert_eq!(leg.log(), ["hangup NORMAL_CLEARING"]);
        assert_eq!(report.ending.by, EndedBy::Linefinder);
    }
}

#[tokio::test]
async fn a_flow_that_leads_to_itself_is_stopped() {
    let world = World::new();
    world.flow(json!({"module": "callflow", "data": {"id": "cf1"}}));
    let (leg, report) = world.call(&[]).await;
    assert_eq!(leg.log(), ["hangup NORMAL_TEMPORARY_FAILURE"]);
    assert_eq!(report.path.len(), 51);
    assert!(
        report.ending.why.contains("50 times"),
        "{}",
        report.ending.why
    );
}

#[tokio::test]
async fn a_branch_returns_to_its_own_wildcard() {
    let world = World::new();
    world.flow(then_refuse("callflow", json!({"id": "cf2"})));
    world.callflow(
        "cf2",
        json!({"numbers": ["200"], "flow": {"module": "answer"}}),
    );
    let (leg, report) = world.call(&[]).await;
    // Answered meanwhile, so that the refusal is a hangup with the status' cause.
    assert_eq!(leg.log(), ["answer", "hangup NO_USER_RESPONSE"]);
    let modules: Vec<_> = report.path.iter().map(|s| s.module.as_str()).collect();
    assert_eq!(modules, ["callflow", "answer", "response"]);
}

#[tokio::test]
async fn a_hard_stop_does_not_return() {
    let world = World::new();
    world.flow(then_refuse("callflow", json!({"id": "cf2"})));
    world.callflow(
        "cf2",
        json!({"numbers": ["200"], "flow": {"module": "hangup"}}),
    );
    let (leg, _) = world.call(&[]).await;
    assert_eq!(leg.log(), ["hangup NORMAL_CLEARING"]);
}

#[tokio::test]
async fn the_preflow_goes_first() {
    let world = World::new();
    let preflow = json!({"name": "Acme", "realm": "acme.test", "preflow": {"always": "cf_pre"}});
    world.account("acc1", preflow);
    world.callflow(
        "cf_pre",
        json!({"numbers": ["pre"], "flow": {"module": "answer"}}),
    );
    world.flow(refuse(486));
    let (leg, _) = world.call(&[]).await;
    assert_eq!(leg.log(), ["answer", "hangup USER_BUSY"]);
}

#[tokio::test]
async fn a_transferred_call_is_left_alone() {
    let world = odd_world();
    world.flow(then_refuse("leaves", json!({})));
    let (leg, report) = world.call(&[]).await;
    assert!(leg.log().is_empty());
    assert_eq!(report.ending.by, EndedBy::Nobody);
}

#[tokio::test]
async fn the_caller_leaving_stops_the_flow() {
    let world = World::new();
    world.flow(then_refuse("sleep", json!({"duration": 5})));
    let (leg, report) = world.call(&[("sleep", Reaction::CallerLeaves)]).await;
    assert_eq!(leg.log(), ["sleep 5000"]);
    assert_eq!(report.ending.by, EndedBy::Caller);
    assert_eq!(report.path.len(), 1);
}

#[tokio::test]
async fn waiting_for_the_hangup_ends_with_it() {
    let world = World::new();
    let answered = json!({"_": {"module": "wait_for_hangup", "children": {"_": refuse(480)}}});
    world.flow(json!({"module": "answer", "children": answered}));
    let leg = ScriptedLeg::new(&[]);
    let incoming = IncomingCall {
        arrival: alice_to("100"),
        leg: leg.clone(),
    };
    let context = world.context.clone();
    let call = tokio::spawn(async move { run(incoming, &context, &Default::default()).await });
    while leg.log().is_empty() {
        tokio::task::yield_now().await;
    }
    leg.end(HangupCause::NormalClearing, "recv_bye");
    let report = call.await.unwrap();
    assert_eq!(leg.log(), ["answer"]);
    assert_eq!(report.ending.by, EndedBy::Caller);
}

#[tokio::test]
async fn a_stopping_daemon_lets_go() {
    let world = World::new();
    world.flow(then_refuse("sleep", json!({"duration": 5})));
    let leg = ScriptedLeg::new(&[("sleep", Reaction::Never)]);
    let incoming = IncomingCall {
        arrival: alice_to("100"),
        leg: leg.clone(),
    };
    let shutdown = CancellationToken::new();
    let (context, stop) = (world.context.clone(), shutdown.clone());
    let call = tokio::spawn(async move { run(incoming, &context, &stop).await });
    while leg.log().is_empty() {
        tokio::task::yield_now().await;
    }
    shutdown.cancel();
    let report = call.await.unwrap();
    assert_eq!(leg.log(), ["sleep 5000"]);
    assert_eq!(report.ending.by, EndedBy::Nobody);
}

#[tokio::test]
async fn a_refusal_plays_its_media_early() {
    let world = World::new();
    let data = json!({"code": "402", "message": "Insert Coin", "media": "m_coin"});
    world.flow(json!({"module": "response", "data": data}));
    let (leg, _) = world.call(&[]).await;
    let log = leg.log();
    let told = [
        "pre_answer",
        "playback /acc1/m_coin",
        "respond 402 Insert Coin",
    ];
    assert_eq!(log[..3], told);
}

#[tokio::test]
async fn an_answered_caller_is_no_failed_call() {
    let world = World::new();
    world.unregister("bob");
    let device =
        |next| json!({"module": "device", "data": {"id": "dev_bob"}, "children": {"_": next}});
    // Talked to after the failure: an ordinary end.
    world.flow(device(json!({"module": "answer"})));
    let (leg, _) = world.call(&[]).await;
    assert_eq!(leg.log().last().unwrap(), "hangup NORMAL_CLEARING");
    // Only waited: still a failed call.
    world.flow(device(json!({"module": "sleep", "data": {"duration": 1}})));
    let (leg, _) = world.call(&[]).await;
    assert_eq!(leg.log().last().unwrap(), "hangup USER_NOT_REGISTERED");
}

#[tokio::test]
async fn outsiders_hear_ringing_while_their_flow_starts() {
    let mut world = World::new();
    world.flow(refuse(486));
    let (leg, _) = world.place(outsider_to("100"), &[]).await;
    assert_eq!(leg.log()[..2], ["ring_ready", "respond 486 x"]);
    let settings = crate::callflow::Settings {
        ring_ready_offnet: false,
        ..Default::default()
    };
    world.context.settings = settings.into();
    let (leg, _) = world.place(outsider_to("100"), &[]).await;
    assert_eq!(leg.log()[0], "respond 486 x");
}

#[tokio::test]
async fn two_calls_do_not_share_a_counter() {
    let world = World::new();
    world.flow(json!({"module": "callflow", "data": {"id": "cf2"}}));
    world.callflow("cf2", json!({"numbers": ["200"], "flow": refuse(486)}));
    for _ in 0..60 {
        let (leg, _) = world.call(&[]).await;
        assert_eq!(leg.log()[0], "respond 486 x");
    }
}
