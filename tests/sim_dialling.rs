//! What `bridge` does in the simulated node: groups, timers, early media, loopback, after the bridge.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod sim_support;

use std::time::Duration;

use linefinder::esl::Event;
use linefinder::sim::{CallResult, CallSpec, Handoff, Node, NodeOptions, Patience, PhoneScript};
use linefinder::types::HangupCause;
use sim_support::Client;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

const ONE: &str = "sofia/internal/sip:1@phones.test";
const TWO: &str = "sofia/internal/sip:2@phones.test";

/// A node ten times as fast as life: its ring timers count tenths of seconds.
async fn brisk() -> Node {
    let options = NodeOptions {
        speed: 10.0,
        tick: MS,
        ..NodeOptions::default()
    };
    Node::start(options).await.unwrap()
}

/// A call whose dialplan runs these actions.
fn running(actions: &[(&str, &str)]) -> CallSpec {
    let actions = actions
        .iter()
        .map(|(application, argument)| ((*application).to_owned(), (*argument).to_owned()))
        .collect();
    CallSpec::device("1001@acme.test", "1002", Handoff::Actions(actions))
}

/// The outcome of a bridge, as the caller's leg remembers it.
struct Bridged {
    result: CallResult,
    done: Event,
}

impl Bridged {
    fn variable(&self, name: &str) -> Option<String> {
        self.done.variable(name).map(|value| value.into_owned())
    }
}

async fn bridged(node: &Node, dial: &str) -> Bridged {
    let mut client = Client::connect(node.address()).await;
    client.ask("event plain CHANNEL_EXECUTE_COMPLETE").await;
    let actions = [
        ("set", "continue_on_fail=true"),
        ("bridge", dial),
        ("hangup", "CHAN_NOT_IMPLEMENTED"),
    ];
    let spec = running(&actions).hanging_up_after(Patience::FromAnswer(SECOND));
    let call = node.place_call(spec);
    let done = client.completed("bridge").await;
    let result = call.result().await;
    Bridged { result, done }
}

#[tokio::test]
async fn the_first_to_answer_wins_and_the_others_lose_the_race() {
    let node = brisk().await;
    node.phone("1@phones.test", PhoneScript::answers_after(SECOND));
    node.phone("2@phones.test", PhoneScript::answers_after(2 * SECOND));
    let mut client = Client::connect(node.address()).await;
    client.ask("event plain CHANNEL_HANGUP").await;
    let bridged = bridged(&node, &format!("{ONE},{TWO}")).await;
    assert_eq!(
        bridged.result.connected_to.as_deref(),
        Some("sofia/internal/1@phones.test")
    );
    let loser = client.event_named("CHANNEL_HANGUP").await;
    assert_eq!(
        loser.header("Channel-Name").as_deref(),
        Some("sofia/internal/2@phones.test")
    );
    assert_eq!(loser.header("Hangup-Cause").as_deref(), Some("LOSE_RACE"));
}

#[tokio::test]
async fn groups_are_tried_in_order() {
    let node = brisk().await;
    node.phone("1@phones.test", PhoneScript::refuses(486));
    node.phone("2@phones.test", PhoneScript::answers_after(SECOND));
    let bridged = bridged(&node, &format!("{ONE}|{TWO}")).await;
    assert_eq!(
        bridged.result.connected_to.as_deref(),
        Some("sofia/internal/2@phones.test")
    );
    assert_eq!(
        bridged.variable("originate_disposition").as_deref(),
        Some("SUCCESS")
    );
    // Fact 36: the busy phone's traces are still there.
    assert_eq!(
        bridged.variable("sip_invite_failure_status").as_deref(),
        Some("486")
    );
}

#[tokio::test]
async fn each_timer_has_its_own_cause() {
    let node = brisk().await;
    node.phone("1@phones.test", PhoneScript::rings());
    node.phone("2@phones.test", PhoneScript::is_silent());
    for (dial, disposition, failed) in [
        (
            format!("{{originate_timeout=1}}{ONE}"),
            "NO_ANSWER",
            "NO_ANSWER",
        ),
        (
            format!("[leg_timeout=1]{ONE}"),
            "ALLOTTED_TIMEOUT",
            "ALLOTTED_TIMEOUT",
        ),
        (
            format!("[leg_progress_timeout=1]{TWO}"),
            "NO_ANSWER",
            "PROGRESS_TIMEOUT",
        ),
    ] {
        let bridged = bridged(&node, &dial).await;
        let variable = |name: &str| bridged.variable(name);
        assert_eq!(
            variable("originate_disposition").as_deref(),
            Some(disposition),
            "{dial}"
        );
        assert_eq!(
            variable("originate_failed_cause").as_deref(),
            Some(failed),
            "{dial}"
        );
        assert_eq!(
            bridged.result.cause,
            HangupCause::ChanNotImplemented,
            "{dial}"
        );
    }
}

#[tokio::test]
async fn a_delayed_leg_starts_later_and_not_at_all_if_nobody_waits_for_it() {
    let node = brisk().await;
    node.phone("1@phones.test", PhoneScript::answers_after(SECOND));
    node.phone("2@phones.test", PhoneScript::answers_after(100 * MS));
    let mut client = Client::connect(node.address()).await;
    client
        .ask("event plain CHANNEL_CREATE CHANNEL_DESTROY")
        .await;
    let bridged = bridged(&node, &format!("{ONE},[leg_delay_start=5]{TWO}")).await;
    assert_eq!(
        bridged.result.connected_to.as_deref(),
        Some("sofia/internal/1@phones.test")
    );
    client.event_named("CHANNEL_DESTROY").await;
    client.event_named("CHANNEL_DESTROY").await;
    client.ask("noevents").await;
    let created = client.frames.iter().filter(|frame| {
        matches!(frame, linefinder::esl::Frame::Event(event) if event.name() == "CHANNEL_CREATE")
    });
    assert_eq!(created.count(), 2, "the caller and the first phone");
}

#[tokio::test]
async fn early_media_joins_unless_it_is_ignored() {
    let node = brisk().await;
    let busy_after_media = PhoneScript::early_media_then_refuses(SECOND, SECOND, 486);
    node.phone("1@phones.test", busy_after_media);
    let joined = bridged(&node, ONE).await;
    assert_eq!(
        joined.variable("originate_disposition").as_deref(),
        Some("SUCCESS")
    );
    assert_eq!(
        joined.variable("last_bridge_hangup_cause").as_deref(),
        Some("USER_BUSY")
    );
    assert!(!joined.result.answered);
    assert!(joined.result.connected_to.is_some());
    let ignored = bridged(&node, &format!("{{ignore_early_media=true}}{ONE}")).await;
    assert_eq!(
        ignored.variable("originate_disposition").as_deref(),
        Some("USER_BUSY")
    );
    assert_eq!(ignored.result.connected_to, None);
}

#[tokio::test]
async fn causes_go_on_or_end_the_call_as_the_caller_says() {
    let node = brisk().await;
    node.phone("1@phones.test", PhoneScript::refuses(486));
    for (rule, goes_on) in [
        ("continue_on_fail=USER_BUSY,NO_ANSWER", true),
        ("continue_on_fail=17", true),
        ("continue_on_fail=CALL_REJECTED", false),
        ("continue_on_fail=false", false),
    ] {
        let actions = [
            ("set", rule),
            ("bridge", ONE),
            ("hangup", "CHAN_NOT_IMPLEMENTED"),
        ];
        let result = node.place_call(running(&actions)).result().await;
        let expected = if goes_on {
            HangupCause::ChanNotImplemented
        } else {
            HangupCause::UserBusy
        };
        assert_eq!(result.cause, expected, "{rule}");
        if !goes_on {
            assert_eq!(result.sip_status, Some(486), "{rule}");
        }
    }
}

#[tokio::test]
async fn loopback_comes_in_as_a_call_of_its_own() {
    let node = brisk().await;
    // The far half runs the same dialplan, and its own loopback fails: no such context.
    let actions = [
        ("set", "continue_on_fail=true"),
        ("bridge", "loopback/9/nowhere"),
        ("hangup", "CHAN_NOT_IMPLEMENTED"),
    ];
    let mut client = Client::connect(node.address()).await;
    client
        .ask("event plain CHANNEL_HANGUP CHANNEL_EXECUTE_COMPLETE")
        .await;
    node.place_call(running(&actions));
    let far = client.event_named("CHANNEL_HANGUP").await;
    assert_eq!(far.header("Channel-Name").as_deref(), Some("loopback/9-b"));
    let near = client.event_named("CHANNEL_HANGUP").await;
    assert_eq!(near.header("Channel-Name").as_deref(), Some("loopback/9-a"));
    let done = client.completed("bridge").await;
    assert_eq!(
        done.variable("originate_disposition").as_deref(),
        Some("NO_ROUTE_DESTINATION")
    );
}

#[tokio::test]
async fn a_transfer_breaks_a_bridge_and_runs_its_plan() {
    let node = brisk().await;
    node.phone("1@phones.test", PhoneScript::answers_after(100 * MS));
    let mut client = Client::connect(node.address()).await;
    client
        .ask("event plain CHANNEL_BRIDGE CHANNEL_EXECUTE")
        .await;
    let call = node.place_call(running(&[("bridge", ONE)]));
    client.event_named("CHANNEL_BRIDGE").await;
    let order = format!(
        "uuid_transfer {} 'set:moved=yes,hangup:USER_BUSY' inline",
        call.uuid()
    );
    assert_eq!(client.api(&order).await, "+OK\n");
    let set = client.event_named("CHANNEL_EXECUTE").await;
    assert_eq!(set.header("Application-Data").as_deref(), Some("moved=yes"));
    let result = call.result().await;
    assert_eq!(result.cause, HangupCause::UserBusy);
    assert!(result.answered);
}

#[tokio::test]
async fn an_unknown_application_ends_the_call() {
    let node = brisk().await;
    let result = node
        .place_call(running(&[("no_such_app", "x")]))
        .result()
        .await;
    assert_eq!(result.cause, HangupCause::DestinationOutOfOrder);
    assert_eq!(result.sip_status, Some(502));
}

#[tokio::test]
async fn a_stalled_node_says_nothing_until_it_goes_on() {
    let node = brisk().await;
    let mut client = Client::connect(node.address()).await;
    client.ask("event plain CHANNEL_CREATE").await;
    node.stall();
    client.send("api version").await;
    let silence = tokio::time::timeout(100 * MS, client.frame()).await;
    assert!(silence.is_err(), "{silence:?}");
    node.unstall();
    assert!(matches!(
        client.frame().await,
        Some(linefinder::esl::Frame::Api(_))
    ));
}

#[tokio::test]
async fn a_forced_notice_and_registrations_in_the_table() {
    let node = brisk().await;
    node.register(&linefinder::sim::Registered::phone(
        "1@acme.test",
        "127.0.0.1:5072",
    ));
    let mut client = Client::connect(node.address()).await;
    let rows: serde_json::Value =
        serde_json::from_str(&client.api("show registrations as json").await).unwrap();
    assert_eq!(
        rows["rows"][0]["url"],
        "sofia/internal/sip:1@127.0.0.1:5072"
    );
    assert_eq!(rows["rows"][0]["network_port"], "5072");
    node.force_notice("killed listener because of lost events");
    let notices = client.rest().await;
    assert_eq!(
        &*notices[0].text,
        b"killed listener because of lost events\n"
    );
    // Later connections are not concerned.
    let mut client = Client::connect(node.address()).await;
    assert_eq!(client.api("hostname").await, "fs1.example");
}
