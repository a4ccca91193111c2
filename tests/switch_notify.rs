//! NOTIFYs to phones, as they arrive at a node's event socket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod support;

use linefinder::switch::{Mailbox, Node, Notification, NotifyError, Registered};
use support::peer::{Peer, soon};
use support::scenes::{Stage, brisk, greet, with_node};
use tokio::net::TcpListener;

const BOB: Registered<'static> = Registered {
    profile: "internal",
    user: "1002",
    realm: "acme.test",
    call_id: None,
};

async fn live_node() -> (Stage, TcpListener, Peer, Node) {
    let (stage, listener) = with_node(brisk()).await;
    let mut peer = Peer::accept(&listener).await;
    greet(&mut peer).await;
    stage.live().await;
    let node = stage.node().clone();
    (stage, listener, peer, node)
}

#[tokio::test]
async fn a_check_sync_names_everything_that_freeswitch_needs() {
    let (_stage, _listener, mut peer, node) = live_node().await;
    let one = Registered {
        call_id: Some("reg-1@10.0.0.9"),
        ..BOB
    };
    let sent = tokio::spawn(async move { node.notify(&one, &Notification::check_sync()).await });
    let request = peer.expect("sendevent NOTIFY").await;
    for (name, value) in [
        ("profile", "internal"),
        ("user", "1002"),
        ("host", "acme.test"),
        ("event-string", "check-sync"),
        ("content-type", "application/simple-message-summary"),
        ("call-id", "reg-1@10.0.0.9"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    peer.reply("+OK 1").await;
    assert_eq!(soon("the answer", sent).await.unwrap(), Ok(()));
}

#[tokio::test]
async fn any_event_may_carry_a_body() {
    let (_stage, _listener, mut peer, node) = live_node().await;
    let told = Notification {
        event: "service-control",
        content_type: "text/plain",
        body: "action=restart\n",
    };
    let sent = tokio::spawn(async move { node.notify(&BOB, &told).await });
    let request = peer.expect("sendevent NOTIFY").await;
    assert_eq!(request.header("event-string"), Some("service-control"));
    assert_eq!(request.header("call-id"), None);
    assert_eq!(&request.body[..], b"action=restart\n");
    peer.reply("+OK 1").await;
    assert_eq!(soon("the answer", sent).await.unwrap(), Ok(()));
}

#[tokio::test]
async fn waiting_messages_are_counted() {
    let (_stage, _listener, mut peer, node) = live_node().await;
    for (new, waiting, counts) in [(2, "yes", "2/5 (0/0)"), (0, "no", "0/5 (0/0)")] {
        let (node, mailbox) = (node.clone(), Mailbox { new, saved: 5 });
        let sent = tokio::spawn(async move { node.messages_waiting(&BOB, mailbox).await });
        let request = peer.expect("sendevent MESSAGE_WAITING").await;
        for (name, value) in [
            ("MWI-Messages-Waiting", waiting),
            ("MWI-Message-Account", "sip:1002@acme.test"),
            ("MWI-Voice-Message", counts),
            ("sofia-profile", "internal"),
        ] {
            assert_eq!(request.header(name), Some(value), "{name}");
        }
        peer.reply("+OK 1").await;
        assert_eq!(soon("the answer", sent).await.unwrap(), Ok(()));
    }
}

#[tokio::test]
async fn a_hostile_value_is_refused_before_anything_is_sent() {
    let (_stage, _listener, mut peer, node) = live_node().await;
    let hostile = Notification::event("check-sync\r\nX-Evil: 1");
    let refused = node.notify(&BOB, &hostile).await;
    assert!(
        matches!(refused, Err(NotifyError::Value { field: "event", .. })),
        "{refused:?}"
    );
    let stranger = Registered {
        user: "1002@other",
        ..BOB
    };
    let refused = node.messages_waiting(&stranger, Mailbox::default()).await;
    assert!(
        matches!(refused, Err(NotifyError::Value { field: "user", .. })),
        "{refused:?}"
    );
    // The next thing on the wire is the next thing that was asked for.
    let sent = tokio::spawn(async move { node.notify(&BOB, &Notification::check_sync()).await });
    peer.expect("sendevent NOTIFY").await;
    peer.reply("+OK 1").await;
    assert_eq!(soon("the answer", sent).await.unwrap(), Ok(()));
}
