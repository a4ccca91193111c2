//! The simulated node by itself: calls, handoffs, phones, faults.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod sim_support;

use std::time::Duration;

use linefinder::esl::Frame;
use linefinder::sim::{
    CallSpec, Handoff, Node, NodeOptions, Patience, PhoneScript, Registered, Stage,
};
use linefinder::types::HangupCause;
use sim_support::Client;
use tokio::net::TcpListener;

const MS: Duration = Duration::from_millis(1);

async fn node() -> Node {
    Node::start(NodeOptions::default()).await.unwrap()
}

fn parked() -> CallSpec {
    CallSpec::device("1001@acme.test", "1002", Handoff::Park)
}

#[tokio::test]
async fn a_wrong_password_and_a_refused_address_differ() {
    let node = node().await;
    let stream = tokio::net::TcpStream::connect(node.address())
        .await
        .unwrap();
    let mut client = Client::over(stream);
    client.frame().await;
    assert_eq!(client.ask("api status").await, "-ERR command not found");
    assert_eq!(client.ask("auth wrong").await, "-ERR invalid");
    let notices = client.rest().await;
    assert_eq!(notices.len(), 1);

    let options = NodeOptions {
        refuse_addresses: true,
        ..NodeOptions::default()
    };
    let node = Node::start(options).await.unwrap();
    let stream = tokio::net::TcpStream::connect(node.address())
        .await
        .unwrap();
    let mut client = Client::over(stream);
    assert!(matches!(client.frame().await, Some(Frame::Rejected(_))));
    assert_eq!(client.rest().await.len(), 1);
}

#[tokio::test]
async fn a_parked_call_is_claimed_bridged_and_hung_up_by_the_caller() {
    let node = node().await;
    node.register(&Registered::phone("1002@acme.test", "127.0.0.1:5072"));
    node.phone("1002@acme.test", PhoneScript::answers_after(30 * MS));
    let mut client = Client::connect(node.address()).await;
    client
        .ask("event plain CHANNEL_PARK CHANNEL_BRIDGE CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP_COMPLETE")
        .await;
    let call = node.place_call(parked().hanging_up_after(Patience::FromAnswer(50 * MS)));
    let park = client.event_named("CHANNEL_PARK").await;
    let uuid = park.unique_id().unwrap().into_owned();
    assert_eq!(uuid, call.uuid());
    assert_eq!(park.variable("lf_handoff").as_deref(), Some("true"));
    let task = park.variable("last_sched_id").unwrap();
    let claim = format!("sched_del {task}");
    assert_eq!(client.api(&claim).await, "+OK Deleted: 1\n");
    assert_eq!(client.api(&claim).await, "+OK Deleted: 0\n");
    let contact = client.api("sofia_contact 1002@acme.test").await;
    assert_eq!(contact, "sofia/internal/sip:1002@127.0.0.1:5072");
    client.execute(&uuid, "bridge", &contact, "b-1").await;
    let bridge = client.event_named("CHANNEL_BRIDGE").await;
    assert_eq!(bridge.unique_id().as_deref(), Some(&*uuid));
    let done = client.completed("bridge").await;
    assert_eq!(done.header("Application-UUID").as_deref(), Some("b-1"));
    assert_eq!(
        done.variable("originate_disposition").as_deref(),
        Some("SUCCESS")
    );
    let result = call.result().await;
    assert!(result.answered && result.caller_hung_up);
    assert_eq!(result.cause, HangupCause::NormalClearing);
    assert_eq!(result.sip_status, Some(200));
    assert_eq!(
        result.connected_to.as_deref(),
        Some("sofia/internal/1002@127.0.0.1:5072")
    );
    assert_eq!(result.dialled, [contact]);
}

#[tokio::test]
async fn nobody_listens_and_the_socket_handoff_falls_back_at_once() {
    let node = node().await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let spec = CallSpec::device("1001@acme.test", "1002", Handoff::Socket(address));
    let result = node.place_call(spec).result().await;
    assert_eq!(result.sip_status, Some(503));
    assert_eq!(result.cause, HangupCause::NormalTemporaryFailure);
    assert!(
        result.lasted < Duration::from_secs(2),
        "{:?}",
        result.lasted
    );
}

#[tokio::test]
async fn an_unclaimed_call_falls_back_when_its_timer_fires() {
    let options = NodeOptions {
        fallback_after: 100 * MS,
        ..NodeOptions::default()
    };
    let node = Node::start(options).await.unwrap();
    let result = node.place_call(parked()).result().await;
    assert_eq!(result.sip_status, Some(503));
    assert_eq!(result.cause, HangupCause::NormalTemporaryFailure);
    assert!(result.lasted >= 100 * MS);
    assert_eq!(node.legs(), 0);
}

#[tokio::test]
async fn a_daemon_that_accepts_and_drops_strands_the_call_until_the_timer() {
    let options = NodeOptions {
        fallback_after: 300 * MS,
        ..NodeOptions::default()
    };
    let node = Node::start(options).await.unwrap();
    let daemon = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let handoff = Handoff::Socket(daemon.local_addr().unwrap());
    let call = node.place_call(CallSpec::device("1001@acme.test", "1002", handoff));
    drop(daemon.accept().await.unwrap());
    let result = call.result().await;
    // The action behind `socket` would have fallen back at once.
    assert!(result.lasted >= 300 * MS, "{:?}", result.lasted);
    assert_eq!(result.sip_status, Some(503));
}

#[tokio::test]
async fn a_socket_call_is_answered_and_linger_delivers_its_end() {
    let node = node().await;
    let daemon = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let handoff = Handoff::Socket(daemon.local_addr().unwrap());
    let call = node.place_call(CallSpec::device("1001@acme.test", "1002", handoff));
    let (mut client, data) = Client::accept(&daemon).await;
    assert_eq!(data.unique_id().as_deref(), Some(call.uuid()));
    let task = data.variable("last_sched_id").unwrap().into_owned();
    assert_eq!(client.ask("linger 1").await, "+OK will linger 1 seconds");
    assert_eq!(client.ask("myevents").await, "+OK Events Enabled");
    assert_eq!(
        client.api(&format!("sched_del {task}")).await,
        "+OK Deleted: 1\n"
    );
    client.execute("", "answer", "", "a-1").await;
    client.completed("answer").await;
    assert_eq!(call.reached(Stage::Answered).await, Stage::Answered);
    call.press("5");
    let digit = client.event_named("DTMF").await;
    assert_eq!(digit.header("DTMF-Digit").as_deref(), Some("5"));
    call.hang_up();
    client.event_named("CHANNEL_HANGUP_COMPLETE").await;
    assert_eq!(client.ask("exit").await, "+OK bye");
    assert!(call.result().await.caller_hung_up);
}

#[tokio::test]
async fn a_caller_who_gives_up_cancels_the_ringing_phone() {
    let node = node().await;
    node.phone("1002@127.0.0.1:5072", PhoneScript::rings());
    let mut client = Client::connect(node.address()).await;
    client
        .ask("event plain CHANNEL_PARK CHANNEL_HANGUP_COMPLETE")
        .await;
    let call = node.place_call(parked());
    let park = client.event_named("CHANNEL_PARK").await;
    let uuid = park.unique_id().unwrap().into_owned();
    let target = "sofia/internal/sip:1002@127.0.0.1:5072";
    client.execute(&uuid, "bridge", target, "b").await;
    assert_eq!(call.reached(Stage::Ringing).await, Stage::Ringing);
    call.hang_up();
    let callee = client.event_named("CHANNEL_HANGUP_COMPLETE").await;
    assert_ne!(callee.unique_id().as_deref(), Some(&*uuid));
    assert_eq!(
        callee.header("Hangup-Cause").as_deref(),
        Some("ORIGINATOR_CANCEL")
    );
    let result = call.result().await;
    assert_eq!(result.sip_status, Some(487));
    assert_eq!(result.cause, HangupCause::OriginatorCancel);
}

#[tokio::test]
async fn a_killed_node_takes_its_calls_along_and_comes_back_as_another() {
    let node = node().await;
    let before = node.core_uuid();
    let mut client = Client::connect(node.address()).await;
    client.ask("event plain CHANNEL_PARK").await;
    let call = node.place_call(parked());
    client.event_named("CHANNEL_PARK").await;
    node.kill();
    assert!(
        client.rest().await.is_empty(),
        "a killed process says nothing"
    );
    let result = call.result().await;
    assert!(result.lost);
    assert_eq!(result.sip_status, None);
    node.restart().await.unwrap();
    assert_ne!(node.core_uuid(), before);
    let mut client = Client::connect(node.address()).await;
    assert_eq!(
        client.api("global_getvar core_uuid").await,
        node.core_uuid()
    );
    assert_eq!(
        client.api("show channels as json").await,
        "{\"row_count\": 0}\n"
    );
}

#[tokio::test]
async fn a_shutdown_says_so() {
    let node = node().await;
    let mut client = Client::connect(node.address()).await;
    client
        .ask("event plain SHUTDOWN CHANNEL_PARK CHANNEL_HANGUP")
        .await;
    let call = node.place_call(parked());
    client.event_named("CHANNEL_PARK").await;
    node.shutdown().await;
    client.event_named("SHUTDOWN").await;
    let hangup = client.event_named("CHANNEL_HANGUP").await;
    assert_eq!(
        hangup.header("Hangup-Cause").as_deref(),
        Some("SYSTEM_SHUTDOWN")
    );
    let notices = client.rest().await;
    assert_eq!(&*notices[0].text, b"The system is being shut down.\n");
    assert_eq!(call.result().await.cause, HangupCause::SystemShutdown);
}

#[tokio::test]
async fn dropped_connections_leave_the_calls_alone() {
    let node = node().await;
    let mut client = Client::connect(node.address()).await;
    client.ask("event plain CHANNEL_PARK").await;
    let call = node.place_call(parked());
    client.event_named("CHANNEL_PARK").await;
    node.drop_connections();
    assert!(client.rest().await.is_empty());
    let mut client = Client::connect(node.address()).await;
    let exists = format!("uuid_exists {}", call.uuid());
    assert_eq!(client.api(&exists).await, "true");
    let rows: serde_json::Value =
        serde_json::from_str(&client.api("show channels as json").await).unwrap();
    assert_eq!(rows["row_count"], 1);
    assert_eq!(rows["rows"][0]["application"], "park");
}
