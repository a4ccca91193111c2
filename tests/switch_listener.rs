//! The outbound listener: full, empty, stopping, and peers that are not as they should be.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod support;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use linefinder::esl::Event;
use linefinder::esl::server::ServerFrame;
use linefinder::switch::{Application, CallError, SwitchSettings};
use linefinder::types::HangupCause;
use support::peer::{Peer, soon};
use support::scenes::{
    Stage, application, brisk, channel, complete, connected, greet, hand_over, hangup, opening,
    park, parked, start, with_node,
};
use tokio::net::TcpStream;

fn listening(max_calls: usize) -> Stage {
    start(SwitchSettings {
        listen: Some(([127, 0, 0, 1], 0).into()),
        max_calls,
        claim: Duration::from_millis(200),
        ..SwitchSettings::default()
    })
}

async fn claim(peer: &mut Peer, timer: &str) {
    peer.expect(&format!("api sched_del {timer}")).await;
    peer.api("+OK Deleted: 1\n").await;
}

async fn refused(address: SocketAddr) {
    let error = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

async fn finish(peer: &mut Peer, uuid: &str) {
    peer.event(&hangup("CHANNEL_HANGUP", uuid, "NORMAL_CLEARING"))
        .await;
    peer.event(&hangup("CHANNEL_HANGUP_COMPLETE", uuid, "NORMAL_CLEARING"))
        .await;
    peer.expect("exit").await;
    let goodbye = [
        ServerFrame::reply("+OK bye"),
        ServerFrame::Disconnect {
            call: Some(uuid.to_owned()),
        },
    ];
    peer.send(&goodbye).await;
}

#[tokio::test]
async fn a_full_listener_is_closed_and_opens_again() {
    let mut stage = listening(1);
    let address = stage.switch.listening().unwrap();
    let mut peer = hand_over(&stage, "u-1", "17").await;
    claim(&mut peer, "17").await;
    let call = stage.call().await;
    // Refused, so that FreeSWITCH runs the next dialplan action at once.
    refused(address).await;
    finish(&mut peer, "u-1").await;
    drop(peer);
    soon("the end", call.leg.ended()).await;
    let stream = soon("an open listener", async {
        loop {
            match TcpStream::connect(address).await {
                Ok(stream) => return stream,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    let mut peer = Peer::new(stream);
    opening(&mut peer, "u-2", "18").await;
    claim(&mut peer, "18").await;
    assert_eq!(stage.call().await.arrival.call.as_str(), "u-2");
}

#[tokio::test]
async fn what_the_kernel_had_accepted_is_served() {
    let mut stage = listening(1);
    let address = stage.switch.listening().unwrap();
    // All three are in the backlog before the accept loop runs for the first time.
    let mut peers = Vec::new();
    for _ in 0..3 {
        let stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_nonblocking(true).unwrap();
        peers.push(Peer::new(TcpStream::from_std(stream).unwrap()));
    }
    for (at, peer) in peers.iter_mut().enumerate() {
        let (uuid, timer) = (format!("u-{at}"), format!("1{at}"));
        opening(peer, &uuid, &timer).await;
        claim(peer, &timer).await;
        assert_eq!(stage.call().await.arrival.call.as_str(), uuid);
    }
    refused(address).await;
    assert_eq!(stage.switch.capacity().live(), 3);
}

#[tokio::test]
async fn a_stopping_switch_refuses_new_calls_and_finishes_its_own() {
    let mut stage = listening(10);
    let address = stage.switch.listening().unwrap();
    let mut peer = hand_over(&stage, "u-1", "17").await;
    claim(&mut peer, "17").await;
    let call = stage.call().await;
    stage.shutdown.cancel();
    let switch = stage.switch.clone();
    let drain = tokio::spawn(async move { switch.drain(Duration::from_secs(60)).await });
    soon("a closed listener", async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // The call that is up is driven on.
    let leg = Arc::clone(&call.leg);
    let ringing = tokio::spawn(async move { leg.execute(Application::RingReady).await });
    let request = peer.request().await;
    peer.reply("+OK").await;
    peer.event(&complete("u-1", &request, &[])).await;
    assert!(soon("ring_ready", ringing).await.unwrap().is_ok());
    finish(&mut peer, "u-1").await;
    drop(peer);
    assert_eq!(soon("the drain", drain).await.unwrap(), 0);
}

#[tokio::test]
async fn when_the_time_is_up_parked_calls_are_ended_and_talking_ones_left() {
    let (mut stage, listener) = with_node(brisk()).await;
    let mut peer = Peer::accept(&listener).await;
    greet(&mut peer).await;
    stage.live().await;
    let silent = park(&mut stage, &mut peer, "silent", "17").await;
    let talking = park(&mut stage, &mut peer, "talking", "18").await;
    let bridged = [
        ("Event-Name", "CHANNEL_BRIDGE"),
        ("Unique-ID", "talking"),
        ("Answer-State", "answered"),
    ];
    peer.event(&bridged).await;
    soon("the bridge", async {
        while !talking.leg.is_answered() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let switch = stage.switch.clone();
    let drain = tokio::spawn(async move { switch.drain(Duration::from_millis(50)).await });
    peer.expect("api uuid_kill silent NORMAL_TEMPORARY_FAILURE")
        .await;
    peer.api("+OK\n").await;
    peer.expect("exit").await;
    peer.reply("+OK bye").await;
    assert_eq!(soon("the drain", drain).await.unwrap(), 2);
    assert!(silent.leg.gone().is_cancelled() && talking.leg.gone().is_cancelled());
}

#[tokio::test]
async fn a_stopping_switch_claims_no_parked_call() {
    let (mut stage, listener) = with_node(brisk()).await;
    let mut peer = Peer::accept(&listener).await;
    greet(&mut peer).await;
    stage.live().await;
    let _call = park(&mut stage, &mut peer, "u-1", "17").await;
    stage.shutdown.cancel();
    peer.event(&parked("u-2", "18")).await;
    let node = stage.node().clone();
    let asked = tokio::spawn(async move { node.api("status", "").await });
    // The next command is not a claim.
    peer.expect("api status").await;
    peer.api("UP").await;
    soon("the answer", asked).await.unwrap().unwrap();
    assert_eq!(stage.switch.capacity().refused(), 1);
}

#[tokio::test]
async fn a_call_that_nobody_takes_is_not_claimed() {
    let stage = listening(1_000);
    // The engine takes nothing: 64 calls wait, the next one is left to its fallback.
    let mut waiting = Vec::new();
    for at in 0..64 {
        let (uuid, timer) = (format!("u-{at}"), format!("1{at}"));
        let mut peer = hand_over(&stage, &uuid, &timer).await;
        claim(&mut peer, &timer).await;
        waiting.push(peer);
    }
    let mut peer = hand_over(&stage, "u-64", "99").await;
    peer.expect("exit").await;
    assert_eq!(stage.switch.capacity().refused(), 1);
}

#[tokio::test]
async fn a_call_that_fell_back_is_left_quietly() {
    let mut stage = listening(10);
    let mut peer = hand_over(&stage, "u-1", "17").await;
    peer.expect("api sched_del 17").await;
    peer.api("+OK Deleted: 0\n").await;
    peer.expect("exit").await;
    peer.reply("+OK bye").await;
    drop(peer);
    let mut peer = hand_over(&stage, "u-2", "18").await;
    claim(&mut peer, "18").await;
    assert_eq!(stage.call().await.arrival.call.as_str(), "u-2");
}

#[tokio::test]
async fn a_socket_action_without_full_is_told_apart() {
    let stage = listening(10);
    let mut peer = Peer::connect(stage.switch.listening().unwrap()).await;
    for _ in 0..3 {
        peer.request().await;
    }
    let data = Event::from_headers(channel("u-1", "17"), None);
    let half = ServerFrame::Connected {
        data,
        async_mode: true,
        full: false,
    };
    let refusal = ServerFrame::reply("-ERR command not found");
    peer.send(&[half, refusal.clone(), refusal]).await;
    peer.expect("exit").await;
}

#[tokio::test]
async fn a_peer_that_is_no_freeswitch_harms_nobody() {
    let mut stage = listening(10);
    let address = stage.switch.listening().unwrap();
    let mut browser = Peer::connect(address).await;
    browser.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    browser.closed().await;
    let mut peer = hand_over(&stage, "u-1", "17").await;
    claim(&mut peer, "17").await;
    stage.call().await;
}

#[tokio::test]
async fn a_strange_address_is_not_let_in() {
    let stage = start(SwitchSettings {
        listen: Some(([127, 0, 0, 1], 0).into()),
        allow: Arc::new(|_| false),
        ..SwitchSettings::default()
    });
    let mut peer = Peer::connect(stage.switch.listening().unwrap()).await;
    assert!(peer.next().await.is_none());
    assert_eq!(stage.switch.capacity().live(), 0);
}

#[tokio::test]
async fn a_lost_socket_ends_control() {
    let mut stage = listening(10);
    let mut peer = hand_over(&stage, "u-1", "17").await;
    claim(&mut peer, "17").await;
    let call = stage.call().await;
    let leg = Arc::clone(&call.leg);
    let bridge = tokio::spawn(async move { leg.bridge("user/1002".into()).await });
    let request = peer.request().await;
    assert_eq!(application(&request).0, "bridge");
    drop(peer);
    let failure = soon("the failure", bridge).await.unwrap().unwrap_err();
    assert!(matches!(failure, CallError::NodeLost(_)), "{failure:?}");
    assert_eq!(
        soon("the end", call.leg.ended()).await.cause,
        HangupCause::None
    );
}

#[tokio::test]
async fn a_socket_that_ends_before_the_account_still_tells_the_cause() {
    let mut stage = listening(10);
    let mut peer = hand_over(&stage, "u-1", "17").await;
    claim(&mut peer, "17").await;
    let call = stage.call().await;
    peer.event(&hangup("CHANNEL_HANGUP", "u-1", "USER_BUSY"))
        .await;
    drop(peer);
    assert_eq!(
        soon("the end", call.leg.ended()).await.cause,
        HangupCause::UserBusy
    );
    let late = call.leg.execute(Application::Answer).await;
    assert_eq!(late.map(|_| ()), Err(CallError::Hungup));
}

#[tokio::test]
async fn frames_in_every_cut_make_the_same_call() {
    let mut stage = listening(10);
    let mut bytes = bytes::BytesMut::new();
    connected("u-1", "17").encode(&mut bytes);
    ServerFrame::reply("+OK will linger 10 seconds").encode(&mut bytes);
    ServerFrame::reply("+OK Events Enabled").encode(&mut bytes);
    let mut peer = Peer::connect(stage.switch.listening().unwrap()).await;
    for _ in 0..3 {
        peer.request().await;
    }
    for byte in &bytes[..] {
        peer.raw(std::slice::from_ref(byte)).await;
        tokio::task::yield_now().await;
    }
    claim(&mut peer, "17").await;
    assert_eq!(
        stage.call().await.arrival.caller_name.as_deref(),
        Some("Alice")
    );
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let stage = listening(10);
    let settings = SwitchSettings {
        listen: stage.switch.listening(),
        ..SwitchSettings::default()
    };
    let (keeper, _told) = support::keeper::keeper();
    let again = linefinder::switch::Switch::start(settings, Arc::new(keeper), &stage.shutdown);
    let error = again.err().unwrap().to_string();
    assert!(error.contains("127.0.0.1"), "{error}");
}
