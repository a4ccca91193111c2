use super::*;

/// A leg on a connection that nobody serves.
fn stranded() -> (Arc<LiveLeg>, Arc<LegState>, Arc<CommandQueue>) {
    let state = Arc::new(LegState::new("u-1"));
    let queue = Arc::new(CommandQueue::new(64));
    let leg = LiveLeg::new(Arc::clone(&state), LegLink::Node(Arc::clone(&queue)));
    (Arc::new(leg), state, queue)
}

fn complete(id: &str) -> Event {
    let headers = [
        ("Event-Name", "CHANNEL_EXECUTE_COMPLETE"),
        ("Application-UUID", id),
    ];
    Event::from_headers(headers, None)
}

/// The ids of the applications that were sent, in order.
fn sent(queue: &CommandQueue) -> Vec<String> {
    let (bytes, _) = queue.take().unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let ids = text.lines().filter_map(|line| line.split_once(": "));
    ids.filter(|(name, _)| name.eq_ignore_ascii_case("event-uuid"))
        .map(|(_, id)| id.to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_application_without_an_end_is_given_up() {
    let (leg, _state, _queue) = stranded();
    let before = tokio::time::Instant::now();
    let failure = leg.execute(Application::RingReady).await.unwrap_err();
    let expected = CallError::TimedOut {
        application: "ring_ready",
        after_ms: 15_000,
    };
    assert_eq!(failure, expected);
    assert_eq!(before.elapsed(), Duration::from_secs(15));
    let nap = leg.execute(Application::Sleep { ms: 30_000 });
    let failure = nap.await.unwrap_err();
    assert!(matches!(
        failure,
        CallError::TimedOut {
            after_ms: 45_000,
            ..
        }
    ));
}

#[tokio::test(start_paused = true)]
async fn the_clock_runs_when_it_is_the_applications_turn() {
    let (leg, state, queue) = stranded();
    let first = tokio::spawn({
        let leg = Arc::clone(&leg);
        async move { leg.execute(Application::Sleep { ms: 100_000 }).await }
    });
    tokio::task::yield_now().await;
    let second = tokio::spawn({
        let leg = Arc::clone(&leg);
        async move { leg.execute(Application::RingReady).await }
    });
    tokio::task::yield_now().await;
    let ids = sent(&queue);
    // Far beyond the second one's own limit, within the first one's.
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert!(!second.is_finished());
    for id in &ids {
        state.apply(&complete(id));
    }
    assert!(first.await.unwrap().is_ok());
    assert!(second.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_bridge_waits_as_long_as_it_takes() {
    let (leg, state, queue) = stranded();
    let bridge = tokio::spawn({
        let leg = Arc::clone(&leg);
        async move { leg.bridge("user/1002".to_owned()).await }
    });
    tokio::task::yield_now().await;
    let ids = sent(&queue);
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    assert!(!bridge.is_finished());
    for id in &ids {
        state.apply(&complete(id));
    }
    assert!(bridge.await.unwrap().is_ok());
}

/// The media bypass FreeSWITCH: early media ends the application, not the attempt.
async fn early() -> (
    tokio::task::JoinHandle<Result<BridgeOutcome, CallError>>,
    Arc<LegState>,
    Arc<CommandQueue>,
) {
    let (leg, state, queue) = stranded();
    let bridge = tokio::spawn(async move { leg.bridge("sofia/trunk/x".to_owned()).await });
    tokio::task::yield_now().await;
    let id = sent(&queue).pop().unwrap();
    state.apply(&Event::from_headers(
        [
            ("Event-Name", "CHANNEL_EXECUTE_COMPLETE"),
            ("Application-UUID", id.as_str()),
            ("Answer-State", "early"),
            ("variable_originate_disposition", "SUCCESS"),
            ("variable_signal_bridge", "true"),
        ],
        None,
    ));
    tokio::task::yield_now().await;
    let (bytes, _) = queue.take().unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(
        text.starts_with("api uuid_setvar_multi u-1 park_after_bridge=true;park_timeout="),
        "{text}"
    );
    tokio::task::yield_now().await;
    assert!(!bridge.is_finished());
    (bridge, state, queue)
}

fn told(name: &'static str, more: &[(&'static str, &'static str)]) -> Event {
    let headers = [("Event-Name", name), ("Unique-ID", "u-1")];
    Event::from_headers(headers.into_iter().chain(more.iter().copied()), None)
}

#[tokio::test]
async fn a_refusal_after_early_media_is_the_attempts_outcome() {
    let (bridge, state, _queue) = early().await;
    state.apply(&told(
        "CHANNEL_UNBRIDGE",
        &[
            ("variable_originate_disposition", "SUCCESS"),
            ("variable_last_bridge_hangup_cause", "USER_BUSY"),
            (
                "variable_last_bridge_proto_specific_hangup_cause",
                "sip:486",
            ),
        ],
    ));
    let outcome = bridge.await.unwrap();
    let cause = HangupCause::UserBusy;
    let sip_status = Some(486);
    assert_eq!(outcome, Ok(BridgeOutcome::Failed { cause, sip_status }));
}

#[tokio::test]
async fn an_answer_after_early_media_is_a_conversation() {
    let (bridge, state, queue) = early().await;
    state.apply(&told("CHANNEL_BRIDGE", &[("Answer-State", "early")]));
    state.apply(&told("CHANNEL_ANSWER", &[]));
    tokio::task::yield_now().await;
    let (bytes, _) = queue.take().unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.contains("park_after_bridge=;park_timeout="), "{text}");
    tokio::task::yield_now().await;
    assert!(!bridge.is_finished());
    state.apply(&told(
        "CHANNEL_HANGUP",
        &[("Hangup-Cause", "NORMAL_CLEARING")],
    ));
    assert_eq!(bridge.await.unwrap(), Ok(BridgeOutcome::Answered));
}

#[tokio::test]
async fn a_caller_who_leaves_during_early_media_is_gone() {
    let (bridge, state, _queue) = early().await;
    state.apply(&told("CHANNEL_HANGUP", &[]));
    assert_eq!(bridge.await.unwrap(), Err(CallError::Hungup));
}

#[tokio::test]
async fn a_dropped_wait_leaves_nothing_behind() {
    let (leg, state, queue) = stranded();
    let mut dropped = Box::pin(leg.execute(Application::Answer));
    assert!(futures_util::poll!(dropped.as_mut()).is_pending());
    drop(dropped);
    let mut kept = Box::pin(leg.execute(Application::RingReady));
    assert!(futures_util::poll!(kept.as_mut()).is_pending());
    let ids = sent(&queue);
    assert_eq!(ids.len(), 2);
    // The dropped one's completion is nobody's.
    state.apply(&complete(&ids[0]));
    assert!(futures_util::poll!(kept.as_mut()).is_pending());
    state.apply(&complete(&ids[1]));
    assert!(kept.await.is_ok());
}

#[tokio::test]
async fn nothing_to_run_is_refused() {
    let (leg, _state, _queue) = stranded();
    let failure = leg.execute_all(Vec::new()).await.unwrap_err();
    assert!(matches!(failure, CallError::Refused { .. }));
}

#[tokio::test]
async fn what_ended_control_is_what_later_callers_learn() {
    let (leg, state, _queue) = stranded();
    state.lose(CallError::NodeLost("gone".to_owned()));
    state.finish();
    let failure = leg.execute(Application::Answer).await.unwrap_err();
    assert_eq!(failure, CallError::NodeLost("gone".to_owned()));
    assert_eq!(leg.ended().await.cause, HangupCause::None);
}
