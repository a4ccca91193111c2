//! A node's connection: replies, refusals, loss, jobs, registrations.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod support;

use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::future::{join_all, poll_fn};
use linefinder::esl::server::ServerFrame;
use linefinder::switch::{CommandFailure, DownReason, JobFailure, NodeState, Pace};
use support::keeper::Told;
use support::peer::{Peer, api, event, event_with_body, soon};
use support::scenes::{EMPTY, Stage, brisk, greet, greet_as, log_in, with_node};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn live_node() -> (Stage, TcpListener, Peer) {
    let (stage, listener) = with_node(brisk()).await;
    let mut peer = Peer::accept(&listener).await;
    greet(&mut peer).await;
    stage.live().await;
    (stage, listener, peer)
}

#[tokio::test]
async fn concurrent_callers_get_their_own_replies() {
    let (stage, _listener, mut peer) = live_node().await;
    let callers = (0..300).map(|number| {
        let node = stage.node().clone();
        tokio::spawn(async move { (number, node.api("echo", &number.to_string()).await) })
    });
    let callers: Vec<_> = callers.collect();
    let answering = async {
        for _ in 0..300 {
            let request = peer.request().await;
            let echoed = request.line.strip_prefix("api echo ").unwrap().to_owned();
            // Events come between replies at any time.
            peer.send(&[event(&[("Event-Name", "HEARTBEAT")]), api(&echoed)])
                .await;
        }
    };
    let (answers, ()) = tokio::join!(join_all(callers), answering);
    for answer in answers {
        let (number, text) = answer.unwrap();
        assert_eq!(text, Ok(number.to_string()));
    }
}

#[tokio::test]
async fn commands_that_are_ready_together_leave_in_one_write() {
    let (stage, _listener, mut peer) = live_node().await;
    peer.reads.clear();
    let node = stage.node().clone();
    let callers =
        tokio::spawn(async move { join_all((0..50).map(|_| node.api("status", ""))).await });
    for _ in 0..50 {
        peer.expect("api status").await;
    }
    assert_eq!(peer.reads.len(), 1);
    peer.send(&vec![api("UP"); 50]).await;
    for answer in soon("the answers", callers).await.unwrap() {
        assert_eq!(answer.as_deref(), Ok("UP"));
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_shifts_nobodys_reply() {
    let (stage, _listener, mut peer) = live_node().await;
    let node = stage.node().clone();
    // Each caller is polled one time more than the one before, then dropped: at every await
    // there is one that goes away.
    for polls in 0..6 {
        let mut gone = Box::pin(node.api("gone", "now"));
        let mut left = polls;
        poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            assert!(gone.as_mut().poll(context).is_pending());
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        drop(gone);
        let node = node.clone();
        let kept = tokio::spawn(async move { node.api("kept", &polls.to_string()).await });
        loop {
            let request = peer.request().await;
            peer.api(&request.line).await;
            if request.line.starts_with("api kept") {
                break;
            }
        }
        let answer = soon("the answer", kept).await.unwrap();
        assert_eq!(answer, Ok(format!("api kept {polls}")));
    }
}

#[tokio::test]
async fn the_death_of_the_socket_fails_all_waiters_at_once() {
    let (stage, _listener, mut peer) = live_node().await;
    let waiters: Vec<_> = (0..5)
        .map(|_| {
            let node = stage.node().clone();
            tokio::spawn(async move { node.api("status", "").await })
        })
        .collect();
    for _ in 0..5 {
        peer.expect("api status").await;
    }
    peer.reset();
    let before = Instant::now();
    for waiter in waiters {
        let failure = soon("the failure", waiter).await.unwrap().unwrap_err();
        assert!(
            matches!(failure, CommandFailure::OutcomeUnknown(_)),
            "{failure:?}"
        );
    }
    assert!(before.elapsed() < Duration::from_secs(5));
    stage
        .until("a node that is down", |state| !state.is_live())
        .await;
    let unsent = stage.node().api("status", "").await.unwrap_err();
    assert!(matches!(unsent, CommandFailure::NotSent(_)), "{unsent:?}");
}

#[tokio::test]
async fn a_reply_that_never_comes_ends_the_connection() {
    let pace = Pace {
        reply: Duration::from_millis(100),
        ..brisk()
    };
    let (stage, listener) = with_node(pace).await;
    let mut peer = Peer::accept(&listener).await;
    greet(&mut peer).await;
    stage.live().await;
    let failure = stage.node().api("status", "").await.unwrap_err();
    assert!(matches!(failure, CommandFailure::OutcomeUnknown(_)));
    assert!(failure.to_string().contains("no reply"), "{failure}");
    // Later replies can't be matched: there is a new connection.
    let mut again = Peer::accept(&listener).await;
    greet(&mut again).await;
    stage.live().await;
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_hammered() {
    let (stage, listener) = with_node(brisk()).await;
    let mut peer = Peer::accept(&listener).await;
    peer.send(&[ServerFrame::AuthRequest]).await;
    peer.expect("auth ClueCon").await;
    let refused = [
        ServerFrame::reply("-ERR invalid"),
        ServerFrame::Disconnect { call: None },
    ];
    peer.send(&refused).await;
    refused_for_a_while(&stage, &listener, DownReason::WrongPassword).await;
}

#[tokio::test]
async fn a_refused_address_is_told_and_not_hammered() {
    let (stage, listener) = with_node(brisk()).await;
    let mut peer = Peer::accept(&listener).await;
    let refused = [
        ServerFrame::Rejected,
        ServerFrame::Disconnect { call: None },
    ];
    peer.send(&refused).await;
    refused_for_a_while(&stage, &listener, DownReason::RefusedByAcl).await;
}

async fn refused_for_a_while(stage: &Stage, listener: &TcpListener, expected: DownReason) {
    let before = Instant::now();
    let state = stage
        .until("a refusal", |state| matches!(state, NodeState::Down { .. }))
        .await;
    let NodeState::Down { reason, retry_in } = state else {
        panic!("expected a node that is down")
    };
    assert_eq!(reason, expected);
    assert_eq!(retry_in, brisk().refused);
    let _next = Peer::accept(listener).await;
    assert!(before.elapsed() >= brisk().refused - Duration::from_millis(20));
}

#[tokio::test]
async fn a_web_server_is_named_and_tried_again() {
    let (stage, listener) = with_node(brisk()).await;
    let (mut stream, _) = listener.accept().await.unwrap();
    stream
        .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        .await
        .unwrap();
    let state = stage
        .until("a clear error", |state| {
            matches!(state, NodeState::Down { .. })
        })
        .await;
    let NodeState::Down { reason, .. } = state else {
        panic!("expected a node that is down")
    };
    assert!(
        matches!(reason, DownReason::NotEventSocket(_)),
        "{reason:?}"
    );
    assert!(reason.to_string().contains("HTTP"), "{reason}");
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    let mut peer = Peer::accept(&listener).await;
    greet(&mut peer).await;
    stage.live().await;
}

#[tokio::test]
async fn a_reply_too_many_ends_the_connection() {
    let (stage, listener, mut peer) = live_node().await;
    peer.reply("+OK nobody asked").await;
    stage.until("the end", |state| !state.is_live()).await;
    Peer::accept(&listener).await;
}

#[tokio::test]
async fn a_job_has_its_own_result_its_expiry_and_its_loss() {
    let (stage, _listener, mut peer) = live_node().await;
    let run = |limit| {
        let node = stage.node().clone();
        tokio::spawn(async move { node.bgapi("originate", "x", limit).await })
    };
    let long = Duration::from_secs(600);

    let first = run(long);
    let request = peer.expect("bgapi originate x").await;
    let job = request.header("Job-UUID").unwrap().to_owned();
    let result = |job: &str, text: &str| {
        let headers = [("Event-Name", "BACKGROUND_JOB"), ("Job-UUID", job)];
        event_with_body(&headers, text)
    };
    // Somebody else's job, and ours before its own reply: both are possible.
    let frames = [
        result("other", "+OK other\n"),
        result(&job, "+OK leg\n"),
        ServerFrame::job(&job),
    ];
    peer.send(&frames).await;
    let output = soon("the result", first).await.unwrap();
    assert_eq!(output, Ok("+OK leg".to_owned()));

    let expiring = run(Duration::from_millis(50));
    let request = peer.request().await;
    let job = request.header("Job-UUID").unwrap().to_owned();
    peer.send(&[ServerFrame::job(&job)]).await;
    let failure = soon("the expiry", expiring).await.unwrap().unwrap_err();
    assert!(matches!(failure, JobFailure::Expired { .. }), "{failure:?}");
    peer.send(&[result(&job, "+OK too late\n")]).await;

    let lost = run(long);
    let request = peer.request().await;
    let job = request.header("Job-UUID").unwrap().to_owned();
    // The next answer shows that the job's own has been read.
    let node = stage.node().clone();
    let after = tokio::spawn(async move { node.api("status", "").await });
    peer.send(&[ServerFrame::job(&job)]).await;
    peer.expect("api status").await;
    peer.api("UP").await;
    soon("the answer", after).await.unwrap().unwrap();
    drop(peer);
    let failure = soon("the loss", lost).await.unwrap().unwrap_err();
    assert!(matches!(failure, JobFailure::ResultLost(_)), "{failure:?}");
}

#[tokio::test]
async fn an_event_is_sent_with_its_headers() {
    let (stage, _listener, mut peer) = live_node().await;
    let node = stage.node().clone();
    let sending = tokio::spawn(async move {
        let headers = [("profile", "internal"), ("user", "1001")];
        node.send_event("NOTIFY", &headers, None).await
    });
    let request = peer.request().await;
    assert_eq!(request.line, "sendevent NOTIFY");
    assert_eq!(request.header("user"), Some("1001"));
    peer.reply("+OK 1234").await;
    assert_eq!(soon("the reply", sending).await.unwrap(), Ok(()));
    let node = stage.node();
    let broken = node.send_event("NOTIFY", &[("user", "a\nb")], None).await;
    assert!(matches!(broken, Err(CommandFailure::Unwritable(_))));
}

const TABLE: &str = r#"{"row_count":1,"rows":[{"reg_user":"1001","realm":"acme.test","token":"abc",
"url":"sofia/internal/sip:1001@127.0.0.1:5071","expires":"1795288530","network_ip":"127.0.0.1",
"network_port":"5071","network_proto":"udp","hostname":"fs1","metadata":""}]}"#;

fn registration<'a>(subclass: &'a str, user: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("Event-Subclass", subclass),
        ("Event-Name", "CUSTOM"),
        ("profile-name", "internal"),
        ("from-user", user),
        ("from-host", "acme.test"),
        ("contact", "\"\" <sip:1002@127.0.0.1:5072>"),
        ("call-id", "reg-1"),
        ("expires", "60"),
        ("username", "1002"),
        ("realm", "acme.test"),
    ]
}

#[tokio::test]
async fn registrations_are_read_and_followed() {
    let (mut stage, listener) = with_node(brisk()).await;
    let mut peer = Peer::accept(&listener).await;
    greet_as(&mut peer, support::scenes::CORE, TABLE, EMPTY).await;
    let Told::Replaced(table) = stage.told().await else {
        panic!("the table comes first")
    };
    assert_eq!(table.len(), 1);
    assert_eq!(table[0].user, "1001");

    let mut forged = registration("sofia::register", "1002");
    forged.push(("Command", "sendevent CUSTOM"));
    peer.event(&forged).await;
    // The password of 1002 does not register 1001.
    peer.event(&registration("sofia::register", "1001")).await;
    peer.event(&registration("sofia::register", "1002")).await;
    let Told::Registered(found) = stage.told().await else {
        panic!("expected a registration")
    };
    assert_eq!(found.user, "1002");
    peer.event(&registration("sofia::unregister", "1002")).await;
    let Told::Unregistered(gone) = stage.told().await else {
        panic!("expected the end of a registration")
    };
    assert_eq!(gone.call_id.as_deref(), Some("reg-1"));

    // An unregister that names nothing: only the table knows.
    let mut unclear = registration("sofia::unregister", "1002");
    unclear.retain(|(name, _)| *name != "contact");
    unclear.push(("contact", "<sip:(null)@(null)>"));
    peer.event(&unclear).await;
    peer.expect("api sofia xmlstatus").await;
    peer.api("<profiles>\n<profile>\n<name>internal</name>\n<type>profile</type>\n</profile>\n</profiles>\n")
        .await;
    peer.expect("api sofia xmlstatus profile internal reg")
        .await;
    peer.api("<profile>\n<registrations>\n</registrations>\n</profile>\n")
        .await;
    assert_eq!(stage.told().await, Told::Replaced(Vec::new()));
}

#[tokio::test]
async fn a_silent_node_is_probed_and_given_up() {
    let pace = Pace {
        heartbeat: Duration::from_millis(100),
        probe: Duration::from_millis(100),
        ..brisk()
    };
    let (stage, listener) = with_node(pace).await;
    let mut peer = Peer::accept(&listener).await;
    greet(&mut peer).await;
    stage.live().await;
    peer.expect("api hostname").await;
    let state = stage
        .until("the end", |state| matches!(state, NodeState::Down { .. }))
        .await;
    let NodeState::Down { reason, .. } = state else {
        panic!("expected a node that is down")
    };
    assert!(reason.to_string().contains("probe"), "{reason}");
}

#[tokio::test]
async fn the_subscription_is_narrow_and_plain() {
    let (_stage, listener) = with_node(brisk()).await;
    let mut peer = Peer::accept(&listener).await;
    log_in(&mut peer).await;
    peer.expect("api global_getvar core_uuid").await;
    peer.api(support::scenes::CORE).await;
    let line = peer.request().await.line;
    assert!(line.starts_with("event plain "), "{line}");
    assert!(!line.contains("ALL"), "{line}");
    let (names, subclasses) = line.split_once(" CUSTOM ").unwrap();
    assert!(names.contains("CHANNEL_PARK") && names.contains("BACKGROUND_JOB"));
    assert_eq!(
        subclasses,
        "sofia::register sofia::unregister sofia::expire sofia::sip_user_state sofia::gateway_add \
         sofia::gateway_delete sofia::gateway_state"
    );
}
