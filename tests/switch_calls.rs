//! Calls under control: order, hangups, bursts, lost nodes, resync.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod support;

use std::sync::Arc;

use linefinder::esl::server::{Request, ServerFrame};
use linefinder::switch::{Application, BridgeOutcome, CallError, Completed, IncomingCall, Leg};
use linefinder::types::HangupCause;
use support::peer::{Peer, event, soon};
use support::scenes::{
    CORE, EMPTY, Stage, application, brisk, channel, complete, greet, greet_as, hangup, log_in,
    park, parked, with_node, with_node_of,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

type Result = std::result::Result<Completed, CallError>;

async fn one_call() -> (Stage, TcpListener, Peer, IncomingCall) {
    let (mut stage, listener) = with_node(brisk()).await;
    let mut peer = Peer::accept(&listener).await;
    greet(&mut peer).await;
    stage.live().await;
    let call = park(&mut stage, &mut peer, "u-1", "17").await;
    (stage, listener, peer, call)
}

fn execute(leg: &Arc<dyn Leg>, application: Application) -> JoinHandle<Result> {
    let leg = Arc::clone(leg);
    tokio::spawn(async move { leg.execute(application).await })
}

async fn accepted(peer: &mut Peer) -> Request {
    let request = peer.request().await;
    peer.reply("+OK").await;
    request
}

fn play(media: &str) -> Application {
    Application::Playback {
        media: media.to_owned(),
    }
}

#[tokio::test]
async fn each_application_has_its_own_completion() {
    let (_stage, _listener, mut peer, call) = one_call().await;
    let first = execute(&call.leg, play("a.wav"));
    let one = accepted(&mut peer).await;
    let second = execute(&call.leg, play("b.wav"));
    let two = accepted(&mut peer).await;
    assert_eq!(application(&one).1, "a.wav");
    assert_eq!(application(&two).1, "b.wav");
    // The wrong way round, and one of nobody's.
    let nobody = [
        ("Event-Name", "CHANNEL_EXECUTE_COMPLETE"),
        ("Unique-ID", "u-1"),
        ("Application-UUID", "970d3f00-d1af-40af-98df-a10531375ad3"),
    ];
    peer.event(&nobody).await;
    let said = |request, text| {
        let mut headers = complete("u-1", request, &[]);
        headers.retain(|(name, _)| *name != "Application-Response");
        headers.push(("Application-Response", text));
        event(&headers)
    };
    peer.send(&[said(&two, "FILE PLAYED"), said(&one, "FILE NOT FOUND")])
        .await;
    let first = soon("the first", first).await.unwrap().unwrap();
    assert_eq!(first.response.as_deref(), Some("FILE NOT FOUND"));
    let second = soon("the second", second).await.unwrap().unwrap();
    assert_eq!(second.response.as_deref(), Some("FILE PLAYED"));
}

#[tokio::test]
async fn several_applications_leave_in_one_write_and_resolve_with_the_last() {
    let (_stage, _listener, mut peer, call) = one_call().await;
    peer.reads.clear();
    let leg = Arc::clone(&call.leg);
    let running = tokio::spawn(async move {
        let set = |name: &'static str| Application::Set {
            name: name.into(),
            value: "true".into(),
        };
        let list = vec![set("a"), set("b"), Application::RingReady];
        leg.execute_all(list).await
    });
    let mut requests = Vec::new();
    for name in ["set", "set", "ring_ready"] {
        let request = accepted(&mut peer).await;
        assert_eq!(application(&request).0, name);
        requests.push(request);
    }
    assert_eq!(peer.reads.len(), 1);
    peer.event(&complete("u-1", &requests[0], &[])).await;
    peer.event(&complete("u-1", &requests[2], &[])).await;
    let done = soon("the last", running).await.unwrap().unwrap();
    // An application that sets no response of its own repeats an older one.
    assert_eq!(done.response, None);
}

#[tokio::test]
async fn one_refused_application_of_several_is_named() {
    let (_stage, _listener, mut peer, call) = one_call().await;
    let leg = Arc::clone(&call.leg);
    let several = vec![
        Application::PreAnswer,
        play("a.wav"),
        Application::RingReady,
    ];
    let running = tokio::spawn(async move { leg.execute_all(several).await });
    accepted(&mut peer).await;
    peer.request().await;
    peer.reply("-ERR no").await;
    accepted(&mut peer).await;
    let failure = soon("the refusal", running).await.unwrap().unwrap_err();
    let expected = CallError::Refused {
        application: "playback",
        reply: "-ERR no".to_owned(),
    };
    assert_eq!(failure, expected);
    // The leg is as good as before.
    let ringing = execute(&call.leg, Application::RingReady);
    let request = accepted(&mut peer).await;
    peer.event(&complete("u-1", &request, &[])).await;
    assert!(soon("ring_ready", ringing).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_hangup_ends_what_runs_at_once() {
    let (_stage, _listener, mut peer, call) = one_call().await;
    let playing = execute(&call.leg, play("a.wav"));
    accepted(&mut peer).await;
    peer.event(&hangup("CHANNEL_HANGUP", "u-1", "ORIGINATOR_CANCEL"))
        .await;
    let result = soon("the failure", playing).await.unwrap();
    assert_eq!(result.map(|_| ()), Err(CallError::Hungup));
    assert!(call.leg.gone().is_cancelled());
    peer.event(&hangup("CHANNEL_DESTROY", "u-1", "ORIGINATOR_CANCEL"))
        .await;
    let ended = soon("the end", call.leg.ended()).await;
    assert_eq!(ended.cause, HangupCause::OriginatorCancel);
}

#[tokio::test]
async fn a_leg_that_is_gone_already_reads_as_hung_up() {
    let (_stage, _listener, mut peer, call) = one_call().await;
    let playing = execute(&call.leg, play("a.wav"));
    peer.request().await;
    peer.reply("-ERR invalid session id [u-1]").await;
    let result = soon("the failure", playing).await.unwrap();
    assert_eq!(result.map(|_| ()), Err(CallError::Hungup));
    let leg = Arc::clone(&call.leg);
    let kill = tokio::spawn(async move { leg.hangup(HangupCause::NormalClearing).await });
    peer.expect("api uuid_kill u-1 NORMAL_CLEARING").await;
    peer.api("-ERR No such channel!\n").await;
    assert_eq!(soon("the hangup", kill).await.unwrap(), Ok(()));
}

#[tokio::test]
async fn a_conversation_that_takes_the_leg_along_was_answered() {
    let (_stage, _listener, mut peer, call) = one_call().await;
    let leg = Arc::clone(&call.leg);
    let bridge = tokio::spawn(async move { leg.bridge("user/1002".into()).await });
    accepted(&mut peer).await;
    let bridged = [
        ("Event-Name", "CHANNEL_BRIDGE"),
        ("Unique-ID", "u-1"),
        ("Answer-State", "answered"),
    ];
    peer.event(&bridged).await;
    peer.event(&hangup("CHANNEL_HANGUP", "u-1", "NORMAL_CLEARING"))
        .await;
    let outcome = soon("the outcome", bridge).await.unwrap();
    assert_eq!(outcome, Ok(BridgeOutcome::Answered));
}

/// What a caller's leg tells when the loopback pair in a forwarded call takes itself out.
#[tokio::test]
async fn a_conversation_that_goes_on_elsewhere_is_not_over() {
    let (_stage, _listener, mut peer, call) = one_call().await;
    let leg = Arc::clone(&call.leg);
    let mut bridge = tokio::spawn(async move { leg.bridge("loopback/1003/x".into()).await });
    let request = accepted(&mut peer).await;
    let bridged = [
        ("Event-Name", "CHANNEL_BRIDGE"),
        ("Unique-ID", "u-1"),
        ("Answer-State", "answered"),
    ];
    peer.event(&bridged).await;
    let unbridged = [("Event-Name", "CHANNEL_UNBRIDGE"), ("Unique-ID", "u-1")];
    peer.event(&unbridged).await;
    let done = [
        ("Answer-State", "answered"),
        ("variable_originate_disposition", "SUCCESS"),
        ("variable_hangup_after_bridge", "true"),
        ("variable_last_bridge_hangup_cause", "NORMAL_CLEARING"),
    ];
    peer.event(&complete("u-1", &request, &done)).await;
    peer.event(&bridged).await;
    // The leg has read all of that once it has completed something that was asked for later.
    let last = execute(&call.leg, play("x.wav"));
    let request = accepted(&mut peer).await;
    peer.event(&complete("u-1", &request, &[])).await;
    soon("the last", last).await.unwrap().unwrap();
    assert!(
        !bridge.is_finished(),
        "the conversation was taken to be over"
    );
    peer.event(&hangup("CHANNEL_HANGUP", "u-1", "NORMAL_CLEARING"))
        .await;
    let outcome = soon("the outcome", &mut bridge).await.unwrap();
    assert_eq!(outcome, Ok(BridgeOutcome::Answered));
}

#[tokio::test]
async fn a_second_attempt_forgets_the_first() {
    let (_stage, _listener, mut peer, call) = one_call().await;
    let attempt = || {
        let leg = Arc::clone(&call.leg);
        tokio::spawn(async move { leg.bridge("user/1002".into()).await })
    };
    let first = attempt();
    let request = accepted(&mut peer).await;
    assert_eq!(application(&request).0, "bridge");
    let busy = [("variable_originate_disposition", "USER_BUSY")];
    peer.event(&complete("u-1", &request, &busy)).await;
    soon("the first", first).await.unwrap().unwrap();
    let second = attempt();
    for name in [
        "signal_bridge",
        "bridge_hangup_cause",
        "last_bridge_hangup_cause",
        "last_bridge_proto_specific_hangup_cause",
    ] {
        let unset = accepted(&mut peer).await;
        assert_eq!(application(&unset), ("unset".into(), name.into()));
    }
    let request = accepted(&mut peer).await;
    assert_eq!(application(&request).0, "bridge");
    let absent = [("variable_originate_disposition", "USER_NOT_REGISTERED")];
    peer.event(&complete("u-1", &request, &absent)).await;
    let outcome = soon("the second", second).await.unwrap();
    let expected = BridgeOutcome::Failed {
        cause: HangupCause::UserNotRegistered,
        sip_status: None,
    };
    assert_eq!(outcome, Ok(expected));
}

#[tokio::test]
async fn a_burst_of_events_is_no_overflow() {
    let (stage, _listener, mut peer, call) = one_call().await;
    let digit = event(&[("Event-Name", "DTMF"), ("Unique-ID", "u-1")]);
    peer.send(&vec![digit; 5_000]).await;
    let ringing = execute(&call.leg, Application::RingReady);
    let request = accepted(&mut peer).await;
    peer.event(&complete("u-1", &request, &[])).await;
    assert!(soon("ring_ready", ringing).await.unwrap().is_ok());
    assert_eq!(stage.switch.capacity().overflowed(), 0);
}

/// The mailbox of a call fills while its claim has no answer. The claim stands all the same: without
/// it nobody would ever look at the call again.
#[tokio::test]
async fn a_call_whose_mailbox_overflows_is_looked_after() {
    let (mut stage, listener) = with_node(brisk()).await;
    let mut peer = Peer::accept(&listener).await;
    greet(&mut peer).await;
    stage.live().await;
    for (uuid, standing) in [("u-1", "playback"), ("u-2", "park")] {
        peer.event(&parked(uuid, "17")).await;
        peer.expect("api sched_del 17").await;
        let digit = event(&[("Event-Name", "DTMF"), ("Unique-ID", uuid)]);
        peer.send(&vec![digit; 300]).await;
        peer.api("+OK Deleted: 1\n").await;
        peer.expect(&format!("api uuid_dump {uuid} json")).await;
        let lost = stage.call().await;
        assert!(lost.leg.gone().is_cancelled());
        peer.api(&dump_with(uuid, "17", standing, &[])).await;
        if standing == "park" {
            // Nothing was done with it: it begins anew.
            peer.expect("api sched_del 17").await;
            peer.api("+OK Deleted: 0\n").await;
            let again = stage.call().await;
            assert_eq!(again.arrival.call.as_str(), uuid);
            assert!(!again.leg.gone().is_cancelled());
        } else {
            peer.expect(&format!("api uuid_kill {uuid} NORMAL_TEMPORARY_FAILURE"))
                .await;
            peer.api("+OK\n").await;
        }
    }
    assert_eq!(stage.switch.capacity().overflowed(), 2);
}

#[tokio::test]
async fn a_changed_uuid_is_followed() {
    let (_stage, _listener, mut peer, call) = one_call().await;
    let renamed = [
        ("Event-Name", "CHANNEL_UUID"),
        ("Unique-ID", "u-2"),
        ("Old-Unique-ID", "u-1"),
    ];
    peer.event(&renamed).await;
    // Applied when an event that came later has had its effect.
    let answered = [("Event-Name", "CHANNEL_ANSWER"), ("Unique-ID", "u-2")];
    peer.event(&answered).await;
    soon("the answer", async {
        while !call.leg.is_answered() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let ringing = execute(&call.leg, Application::RingReady);
    let request = accepted(&mut peer).await;
    assert_eq!(request.line, "sendmsg u-2");
    peer.event(&complete("u-2", &request, &[])).await;
    assert!(soon("ring_ready", ringing).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_lost_node_ends_control_and_leaves_talking_parties_alone() {
    let (stage, listener, mut peer, call) = one_call().await;
    let playing = execute(&call.leg, play("a.wav"));
    accepted(&mut peer).await;
    drop(peer);
    let result = soon("the failure", playing).await.unwrap();
    assert!(matches!(result, Err(CallError::NodeLost(_))), "{result:?}");
    assert!(call.leg.gone().is_cancelled());
    soon("the end", call.leg.ended()).await;

    // The same FreeSWITCH again: the call is in a bridge, so it is left alone.
    let mut peer = Peer::accept(&listener).await;
    greet_as(&mut peer, CORE, EMPTY, &channels("u-1", "bridge")).await;
    peer.expect("api uuid_dump u-1 json").await;
    let joined = [("variable_bridge_uuid", "b-1")];
    peer.api(&dump_with("u-1", "17", "bridge", &joined)).await;
    stage.live().await;
    // It ends later without success, and nobody else would end it.
    let failed = [
        ("Event-Name", "CHANNEL_EXECUTE_COMPLETE"),
        ("Unique-ID", "u-1"),
        ("Answer-State", "ringing"),
        ("Application", "bridge"),
        ("variable_originate_disposition", "NO_ANSWER"),
    ];
    peer.event(&failed).await;
    peer.expect("api uuid_kill u-1 NORMAL_TEMPORARY_FAILURE")
        .await;
}

fn channels(uuid: &str, application: &str) -> String {
    format!(
        r#"{{"row_count":1,"rows":[{{"uuid":"{uuid}","direction":"inbound","application":"{application}"}}]}}"#
    )
}

fn dump(uuid: &str, timer: &str) -> String {
    dump_with(uuid, timer, "park", &[])
}

fn dump_with(uuid: &str, timer: &str, application: &str, more: &[(&str, &str)]) -> String {
    let running = ("variable_current_application", application);
    let fields: serde_json::Map<String, serde_json::Value> = channel(uuid, timer)
        .into_iter()
        .chain([running])
        .chain(more.iter().copied())
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    serde_json::Value::Object(fields).to_string()
}

#[tokio::test]
async fn a_call_that_was_parked_while_we_were_away_is_picked_up() {
    let (mut stage, listener) = with_node(brisk()).await;
    let mut peer = Peer::accept(&listener).await;
    greet_as(&mut peer, CORE, EMPTY, &channels("u-1", "park")).await;
    peer.expect("api uuid_dump u-1 json").await;
    peer.api(&dump("u-1", "17")).await;
    peer.expect("api sched_del 17").await;
    peer.api("+OK Deleted: 1\n").await;
    let call = stage.call().await;
    assert_eq!(call.arrival.call.as_str(), "u-1");
    assert_eq!(call.arrival.destination, "1002");
}

#[tokio::test]
async fn a_claimed_call_that_nothing_was_done_with_is_offered_again() {
    let (mut stage, listener, peer, call) = one_call().await;
    drop(peer);
    soon("the loss", call.leg.gone().cancelled()).await;
    let mut peer = Peer::accept(&listener).await;
    greet_as(&mut peer, CORE, EMPTY, &channels("u-1", "park")).await;
    peer.expect("api uuid_dump u-1 json").await;
    peer.api(&dump("u-1", "17")).await;
    peer.expect("api sched_del 17").await;
    // Deleted by the claim over the first connection.
    peer.api("+OK Deleted: 0\n").await;
    let again = stage.call().await;
    assert_eq!(again.arrival.call.as_str(), "u-1");
    let ringing = execute(&again.leg, Application::RingReady);
    let request = accepted(&mut peer).await;
    peer.event(&complete("u-1", &request, &[])).await;
    assert!(soon("ring_ready", ringing).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_claimed_call_that_can_be_offered_to_nobody_is_ended() {
    let unmarked = dump_with("u-1", "17", "park", &[("variable_lf_handoff", "false")]);
    for (found, claim) in [
        (
            dump("u-1", "17"),
            Some("-ERR sched_del Command not found!\n"),
        ),
        (unmarked, None),
    ] {
        let (_stage, listener, peer, call) = one_call().await;
        drop(peer);
        soon("the loss", call.leg.gone().cancelled()).await;
        let mut peer = Peer::accept(&listener).await;
        greet_as(&mut peer, CORE, EMPTY, &channels("u-1", "park")).await;
        peer.expect("api uuid_dump u-1 json").await;
        peer.api(&found).await;
        if let Some(answer) = claim {
            peer.expect("api sched_del 17").await;
            peer.api(answer).await;
        }
        peer.expect("api uuid_kill u-1 NORMAL_TEMPORARY_FAILURE")
            .await;
    }
}

#[tokio::test]
async fn a_call_in_the_middle_of_its_flow_is_not_left_in_silence() {
    let (stage, listener, mut peer, call) = one_call().await;
    let playing = execute(&call.leg, play("a.wav"));
    accepted(&mut peer).await;
    drop(peer);
    soon("the loss", playing).await.unwrap().unwrap_err();
    let mut peer = Peer::accept(&listener).await;
    greet_as(&mut peer, CORE, EMPTY, &channels("u-1", "playback")).await;
    peer.expect("api uuid_dump u-1 json").await;
    peer.api(&dump_with("u-1", "17", "playback", &[])).await;
    peer.expect("api uuid_kill u-1 NORMAL_TEMPORARY_FAILURE")
        .await;
    peer.api("+OK\n").await;
    stage.live().await;
}

#[tokio::test]
async fn a_call_that_ended_while_we_were_away_is_asked_for_and_forgotten() {
    let (stage, listener, peer, call) = one_call().await;
    drop(peer);
    soon("the loss", call.leg.gone().cancelled()).await;
    let mut peer = Peer::accept(&listener).await;
    greet(&mut peer).await;
    peer.expect("api uuid_dump u-1 json").await;
    peer.api("-ERR No such channel!\n").await;
    stage.live().await;
}

#[tokio::test]
async fn a_restarted_freeswitch_has_none_of_our_calls() {
    let (stage, listener, peer, call) = one_call().await;
    drop(peer);
    soon("the loss", call.leg.gone().cancelled()).await;
    let mut peer = Peer::accept(&listener).await;
    let other = "00000000-4cd9-4989-9333-22074f6d939b";
    greet_as(&mut peer, other, EMPTY, EMPTY).await;
    // Live without a question about the old call.
    stage.live().await;
    let node = stage.node().clone();
    let asked = tokio::spawn(async move { node.api("status", "").await });
    peer.expect("api status").await;
    peer.api("UP").await;
    soon("the answer", asked).await.unwrap().unwrap();
}

#[tokio::test]
async fn events_between_subscription_and_table_are_not_lost() {
    let (mut stage, listener) = with_node(brisk()).await;
    let mut peer = Peer::accept(&listener).await;
    log_in(&mut peer).await;
    peer.expect("api global_getvar core_uuid").await;
    peer.api(CORE).await;
    peer.request().await;
    // The call parks as soon as the subscription stands; the table shows it as well.
    let parked = support::scenes::parked("u-1", "17");
    peer.send(&[
        ServerFrame::reply("+OK event listener enabled plain"),
        event(&parked),
    ])
    .await;
    let mut claims = 0;
    let mut shown = false;
    while claims == 0 || !shown {
        let request = peer.request().await;
        match request.line.as_str() {
            "api sched_del 17" => {
                claims += 1;
                peer.api("+OK Deleted: 1\n").await;
            }
            "api show channels as json" => {
                shown = true;
                peer.api(&channels("u-1", "park")).await;
            }
            _ => peer.api(EMPTY).await,
        }
    }
    stage.call().await;
    stage.live().await;
    let node = stage.node().clone();
    let asked = tokio::spawn(async move { node.api("status", "").await });
    // Nothing in between: the call was claimed once.
    peer.expect("api status").await;
    peer.api("UP").await;
    soon("the answer", asked).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_an_earlier_process_left_in_park_is_taken_back() {
    let (mut stage, listener) = with_node_of(brisk(), Some("store-1")).await;
    let mut peer = Peer::accept(&listener).await;
    let table = r#"{"row_count":2,"rows":[
        {"uuid":"u-1","direction":"inbound","application":"bridge"},
        {"uuid":"u-2","direction":"inbound","application":"playback"}]}"#;
    greet_as(&mut peer, CORE, EMPTY, table).await;
    peer.expect("api uuid_getvar u-1 lf_owner").await;
    peer.api("store-1").await;
    peer.expect("api uuid_getvar u-2 lf_owner").await;
    peer.api("another").await;
    peer.expect("api uuid_dump u-1 json").await;
    let failed = [("variable_originate_disposition", "NO_ANSWER")];
    peer.api(&dump_with("u-1", "17", "bridge", &failed)).await;
    peer.expect("api sched_del 17").await;
    peer.api("+OK Deleted: 0\n").await;
    let call = stage.call().await;
    assert_eq!(call.arrival.call.as_str(), "u-1");
}
