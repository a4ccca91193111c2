//! Both ways of handing a call over, against a scripted FreeSWITCH.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod support;

use linefinder::esl::server::ServerFrame;
use linefinder::switch::{Application, BridgeOutcome, CallError, Handoff, SwitchSettings};
use linefinder::types::HangupCause;
use support::peer::{Peer, soon};
use support::scenes::{
    Stage, application, brisk, complete, greet, hand_over, hangup, park, parked, start, with_node,
};

fn listening() -> Stage {
    start(SwitchSettings {
        listen: Some(([127, 0, 0, 1], 0).into()),
        ..SwitchSettings::default()
    })
}

#[tokio::test]
async fn a_parked_call_is_claimed_driven_and_ended() {
    let (mut stage, listener) = with_node(brisk()).await;
    let mut peer = Peer::accept(&listener).await;
    greet(&mut peer).await;
    stage.live().await;
    let call = park(&mut stage, &mut peer, "u-1", "17").await;
    assert_eq!(call.arrival.handoff, Handoff::Park);
    assert_eq!(call.arrival.destination, "1002");
    assert_eq!(call.arrival.node.as_str(), "fs1");

    let leg = call.leg.clone();
    let answer = tokio::spawn(async move { leg.execute(Application::Answer).await });
    let request = peer.request().await;
    assert_eq!(request.line, "sendmsg u-1");
    assert_eq!(application(&request).0, "answer");
    peer.reply("+OK").await;
    peer.event(&complete("u-1", &request, &[("Answer-State", "answered")]))
        .await;
    assert!(soon("the answer", answer).await.unwrap().is_ok());
    assert!(call.leg.is_answered());

    peer.event(&hangup("CHANNEL_HANGUP", "u-1", "NORMAL_CLEARING"))
        .await;
    soon("the end of control", call.leg.gone().cancelled()).await;
    let mut last = hangup("CHANNEL_HANGUP_COMPLETE", "u-1", "NORMAL_CLEARING");
    last.push(("variable_sip_hangup_disposition", "recv_bye"));
    last.push(("variable_answer_epoch", "1795289486"));
    last.push(("variable_billsec", "11"));
    peer.event(&last).await;
    let ended = soon("the end", call.leg.ended()).await;
    assert_eq!(ended.cause, HangupCause::NormalClearing);
    assert_eq!(ended.disposition.as_deref(), Some("recv_bye"));
    assert_eq!(ended.billed_s, Some(11));
    let after = call.leg.execute(Application::RingReady).await;
    assert_eq!(after, Err(CallError::Hungup));
}

#[tokio::test]
async fn a_call_on_a_socket_is_opened_in_one_write_and_ends_with_exit() {
    let mut stage = listening();
    let mut peer = hand_over(&stage, "u-1", "17").await;
    assert_eq!(peer.reads.len(), 1, "the opening came in pieces");
    peer.expect("api sched_del 17").await;
    peer.api("+OK Deleted: 1\n").await;
    let call = stage.call().await;
    assert_eq!(call.arrival.handoff, Handoff::Socket);
    assert_eq!(call.arrival.node.as_str(), "fs1");

    let leg = call.leg.clone();
    let bridge = tokio::spawn(async move { leg.bridge("sofia/internal/sip:1002@a".into()).await });
    let request = peer.request().await;
    assert_eq!(request.line, "sendmsg");
    let (name, argument) = application(&request);
    assert_eq!(
        (name.as_str(), argument.as_str()),
        ("bridge", "sofia/internal/sip:1002@a")
    );
    peer.reply("+OK").await;
    let busy = [
        ("Answer-State", "ringing"),
        ("variable_originate_disposition", "USER_BUSY"),
        (
            "variable_last_bridge_proto_specific_hangup_cause",
            "sip:486",
        ),
    ];
    peer.event(&complete("u-1", &request, &busy)).await;
    let outcome = soon("the outcome", bridge).await.unwrap().unwrap();
    let failed = BridgeOutcome::Failed {
        cause: HangupCause::UserBusy,
        sip_status: Some(486),
    };
    assert_eq!(outcome, failed);

    let leg = call.leg.clone();
    let kill = tokio::spawn(async move { leg.hangup(HangupCause::UserBusy).await });
    peer.expect("api uuid_kill u-1 USER_BUSY").await;
    peer.api("+OK\n").await;
    assert_eq!(soon("the hangup", kill).await.unwrap(), Ok(()));
    // The order of capture 57: the notice comes between the hangup and its account.
    peer.event(&hangup("CHANNEL_HANGUP", "u-1", "USER_BUSY"))
        .await;
    let notice = ServerFrame::Linger {
        call: "u-1".into(),
        channel: "sofia/internal/1001".into(),
        seconds: Some(10),
    };
    peer.send(&[notice]).await;
    peer.event(&hangup("CHANNEL_HANGUP_COMPLETE", "u-1", "USER_BUSY"))
        .await;
    assert_eq!(
        soon("the end", call.leg.ended()).await.cause,
        HangupCause::UserBusy
    );
    peer.expect("exit").await;
}

#[tokio::test]
async fn a_claim_that_comes_too_late_is_dropped() {
    let (mut stage, listener) = with_node(brisk()).await;
    let mut peer = Peer::accept(&listener).await;
    greet(&mut peer).await;
    peer.event(&parked("late", "17")).await;
    peer.expect("api sched_del 17").await;
    peer.api("+OK Deleted: 0\n").await;
    // The next one is the only one that arrives.
    let call = park(&mut stage, &mut peer, "u-2", "18").await;
    assert_eq!(call.arrival.call.as_str(), "u-2");
    assert_eq!(stage.switch.capacity().accepted(), 1);
}
