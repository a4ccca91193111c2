//! Timers and looks of our own, where FreeSWITCH's can't be relied on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use linefinder::esl::server::Request;
use linefinder::switch::{Application, BridgeOutcome, IncomingCall, Pace};
use linefinder::types::HangupCause;
use support::peer::{Peer, soon};
use support::scenes::{Stage, brisk, complete, greet, hangup, park, parked, with_node};
use tokio::net::TcpListener;

async fn one_call() -> (Stage, TcpListener, Peer, IncomingCall) {
    let (mut stage, listener) = with_node(brisk()).await;
    let mut peer = Peer::accept(&listener).await;
    greet(&mut peer).await;
    stage.live().await;
    let call = park(&mut stage, &mut peer, "u-1", "17").await;
    (stage, listener, peer, call)
}

async fn accepted(peer: &mut Peer) -> Request {
    let request = peer.request().await;
    peer.reply("+OK").await;
    request
}

fn bridged(answer: &'static str) -> [(&'static str, &'static str); 4] {
    [
        ("Event-Name", "CHANNEL_BRIDGE"),
        ("Unique-ID", "u-1"),
        ("Other-Leg-Unique-ID", "b-1"),
        ("Answer-State", answer),
    ]
}

/// FreeSWITCH's own timers stop at the first early media.
#[tokio::test]
async fn early_media_that_goes_on_for_ever_is_ended_by_our_own_timer() {
    let (_stage, _listener, mut peer, call) = one_call().await;
    let leg = Arc::clone(&call.leg);
    let rings = Some(Duration::from_millis(50));
    let bridge = tokio::spawn(async move { leg.bridge_within("user/1002".into(), rings).await });
    let request = accepted(&mut peer).await;
    peer.event(&bridged("early")).await;
    peer.expect("api uuid_getvar b-1 endpoint_disposition")
        .await;
    peer.api("EARLY MEDIA").await;
    peer.expect("api uuid_kill b-1 NO_ANSWER").await;
    peer.api("+OK\n").await;
    let done = [
        ("Answer-State", "early"),
        ("variable_originate_disposition", "SUCCESS"),
        ("variable_last_bridge_hangup_cause", "NO_ANSWER"),
    ];
    peer.event(&complete("u-1", &request, &done)).await;
    let failed = BridgeOutcome::Failed {
        cause: HangupCause::NoAnswer,
        sip_status: None,
    };
    assert_eq!(soon("the outcome", bridge).await.unwrap(), Ok(failed));
}

#[tokio::test]
async fn who_has_answered_may_talk_longer_than_they_rang() {
    let (_stage, _listener, mut peer, call) = one_call().await;
    let leg = Arc::clone(&call.leg);
    let rings = Some(Duration::from_millis(50));
    let bridge = tokio::spawn(async move { leg.bridge_within("user/1002".into(), rings).await });
    accepted(&mut peer).await;
    peer.event(&bridged("answered")).await;
    peer.expect("api uuid_getvar b-1 endpoint_disposition")
        .await;
    peer.api("ANSWER").await;
    // The next thing that is asked of the node is not a kill.
    let other = Arc::clone(&call.leg);
    let next = tokio::spawn(async move { other.execute(Application::RingReady).await });
    assert!(accepted(&mut peer).await.line.starts_with("sendmsg"));
    drop(next);
    peer.event(&hangup("CHANNEL_HANGUP", "u-1", "NORMAL_CLEARING"))
        .await;
    let outcome = soon("the outcome", bridge).await.unwrap();
    assert_eq!(outcome, Ok(BridgeOutcome::Answered));
}

fn watchful() -> Pace {
    Pace {
        reconcile: Duration::from_millis(20),
        ..brisk()
    }
}

#[tokio::test]
async fn a_call_whose_end_nobody_told_is_let_go() {
    let (mut stage, listener) = with_node(watchful()).await;
    let mut peer = Peer::accept(&listener).await;
    greet(&mut peer).await;
    stage.live().await;
    let call = park_between_looks(&mut stage, &mut peer).await;
    loop {
        let request = peer.request().await;
        assert_eq!(request.line, "api uuid_exists u-1");
        peer.api("false").await;
        if call.leg.gone().is_cancelled() {
            break;
        }
        let gone = call.leg.gone();
        if tokio::time::timeout(Duration::from_secs(2), gone.cancelled())
            .await
            .is_ok()
        {
            break;
        }
    }
    assert_eq!(
        soon("the end", call.leg.ended()).await.cause,
        HangupCause::None
    );
}

/// Takes a parked call, whatever looks come in between.
async fn park_between_looks(stage: &mut Stage, peer: &mut Peer) -> IncomingCall {
    peer.event(&parked("u-1", "17")).await;
    loop {
        let request = peer.request().await;
        if request.line == "api sched_del 17" {
            peer.api("+OK Deleted: 1\n").await;
            return stage.call().await;
        }
        assert_eq!(request.line, "api uuid_exists u-1");
        peer.api("true").await;
    }
}
