//! How a bridge attempt ended, read from its CHANNEL_EXECUTE_COMPLETE.

use super::super::call::BridgeOutcome;
use crate::esl::Event;
use crate::types::HangupCause;

/// Variables that an earlier attempt leaves behind and that the outcome is read from. They keep
/// their old value when an attempt creates no leg (capture fact 36).
pub(super) const STALE_VARIABLES: [&str; 4] = [
    "signal_bridge",
    "bridge_hangup_cause",
    "last_bridge_hangup_cause",
    "last_bridge_proto_specific_hangup_cause",
];

/// Whether the channel carries something of an earlier attempt.
pub(super) fn is_stale(event: &Event) -> bool {
    STALE_VARIABLES
        .iter()
        .any(|name| event.variable(name).is_some())
}

/// The outcome of the attempt that `event` completes. `answered` says whether the caller's leg
/// is answered now.
pub(crate) fn outcome(event: &Event, answered: bool) -> BridgeOutcome {
    let disposition = event.variable("originate_disposition");
    let sip_status = far_status(event);
    if disposition.as_deref() == Some("SUCCESS") {
        return joined(event, answered, sip_status);
    }
    // The two agree except where FreeSWITCH says NO_ANSWER for its own progress timer and names
    // the timer in the other only (capture fact 36).
    let progress = cause_of(event, "originate_failed_cause")
        .filter(|cause| *cause == HangupCause::ProgressTimeout);
    let cause = progress
        .or_else(|| disposition.and_then(|text| text.parse().ok()))
        .or_else(|| cause_of(event, "originate_failed_cause"))
        .unwrap_or_else(|| {
            // "failure" is what a dial string leaves that FreeSWITCH could not read.
            tracing::warn!(
                call_id = event.unique_id().as_deref(),
                disposition = event.variable("originate_disposition").as_deref(),
                dialstatus = event.variable("DIALSTATUS").as_deref(),
                "a bridge ended without a cause; FreeSWITCH may not have understood the dial string"
            );
            HangupCause::NormalTemporaryFailure
        });
    BridgeOutcome::Failed { cause, sip_status }
}

/// Whether the conversation outlives the application that began it. With `hangup_after_bridge`
/// FreeSWITCH hangs the caller up before it reports the completion; if the completion comes and the
/// caller is still there, somebody has joined the caller to another leg: a transfer, or a loopback
/// pair that took itself out two seconds after the answer (devices specification 4.2).
pub(super) fn goes_on(event: &Event) -> bool {
    event.variable("hangup_after_bridge").as_deref() == Some("true")
}

/// Whether the application has ended although the far leg rings yet: where the media bypass FreeSWITCH, early media
/// joins the legs by signalling alone, and nothing waits for the answer any more. What becomes of the far leg is told by
/// CHANNEL_ANSWER or CHANNEL_UNBRIDGE (seen live).
pub(super) fn rings_on(event: &Event, answered: bool) -> bool {
    let is = |name: &str, text: &str| event.variable(name).as_deref() == Some(text);
    !answered
        && is("signal_bridge", "true")
        && is("originate_disposition", "SUCCESS")
        && event.variable("last_bridge_hangup_cause").is_none()
}

/// The outcome of an attempt that rang on after its application, from its CHANNEL_UNBRIDGE.
pub(super) fn parted(event: &Event) -> BridgeOutcome {
    match joined(event, false, far_status(event)) {
        // A far leg that we ended ourselves may leave no cause.
        BridgeOutcome::Answered => BridgeOutcome::Failed {
            cause: HangupCause::NormalUnspecified,
            sip_status: None,
        },
        failed @ BridgeOutcome::Failed { .. } => failed,
    }
}

/// "SUCCESS" means that a leg was joined, not that it was answered: with early media a leg is
/// joined at its 183 and may be refused after that; `last_bridge_hangup_cause` alone then tells
/// the truth (devices spec 2.8).
fn joined(event: &Event, answered: bool, sip_status: Option<u16>) -> BridgeOutcome {
    let refused = sip_status.is_some_and(|status| status >= 300);
    if answered && !refused {
        return BridgeOutcome::Answered;
    }
    // A leg that we end ourselves leaves its cause in the second only (trunkstore specification 2.6).
    let cause = cause_of(event, "last_bridge_hangup_cause")
        .or_else(|| cause_of(event, "bridge_hangup_cause"));
    match cause {
        Some(cause) => BridgeOutcome::Failed { cause, sip_status },
        // Joined, unanswered, and the far leg is still there: left to the switch.
        None if !refused => BridgeOutcome::Answered,
        None => BridgeOutcome::Failed {
            cause: HangupCause::NormalUnspecified,
            sip_status,
        },
    }
}

fn cause_of(event: &Event, variable: &str) -> Option<HangupCause> {
    event.variable(variable)?.parse().ok()
}

/// `sip:486` of the attempt's last leg.
fn far_status(event: &Event) -> Option<u16> {
    let text = event.variable("last_bridge_proto_specific_hangup_cause")?;
    text.strip_prefix("sip:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(variables: &[(&str, &str)]) -> Event {
        let named: Vec<(String, &str)> = variables
            .iter()
            .map(|(name, value)| (format!("variable_{name}"), *value))
            .collect();
        let mut headers = vec![("Event-Name", "CHANNEL_EXECUTE_COMPLETE")];
        headers.extend(named.iter().map(|(name, value)| (name.as_str(), *value)));
        Event::from_headers(headers, None)
    }

    fn failed(cause: HangupCause, sip_status: Option<u16>) -> BridgeOutcome {
        BridgeOutcome::Failed { cause, sip_status }
    }

    #[test]
    fn a_refusal_carries_cause_and_status() {
        let busy = event(&[
            ("originate_disposition", "USER_BUSY"),
            ("originate_failed_cause", "USER_BUSY"),
            ("last_bridge_proto_specific_hangup_cause", "sip:486"),
        ]);
        assert_eq!(
            outcome(&busy, false),
            failed(HangupCause::UserBusy, Some(486))
        );
    }

    #[test]
    fn leg_timers_keep_their_names() {
        let allotted = event(&[("originate_disposition", "ALLOTTED_TIMEOUT")]);
        assert_eq!(
            outcome(&allotted, false),
            failed(HangupCause::AllottedTimeout, None)
        );
        let progress = event(&[
            ("originate_disposition", "NO_ANSWER"),
            ("originate_failed_cause", "PROGRESS_TIMEOUT"),
        ]);
        assert_eq!(
            outcome(&progress, false),
            failed(HangupCause::ProgressTimeout, None)
        );
    }

    #[test]
    fn a_conversation_that_ended_was_answered() {
        let done = event(&[
            ("originate_disposition", "SUCCESS"),
            ("last_bridge_hangup_cause", "NORMAL_CLEARING"),
            ("last_bridge_proto_specific_hangup_cause", "sip:200"),
        ]);
        assert_eq!(outcome(&done, true), BridgeOutcome::Answered);
    }

    #[test]
    fn early_media_that_was_refused_is_no_success() {
        let refused = event(&[
            ("originate_disposition", "SUCCESS"),
            ("last_bridge_hangup_cause", "USER_BUSY"),
            ("last_bridge_proto_specific_hangup_cause", "sip:486"),
        ]);
        assert_eq!(
            outcome(&refused, false),
            failed(HangupCause::UserBusy, Some(486))
        );
        // The caller may have been answered before by a prompt.
        assert_eq!(
            outcome(&refused, true),
            failed(HangupCause::UserBusy, Some(486))
        );
    }

    #[test]
    fn a_caller_whom_freeswitch_did_not_hang_up_is_still_talking() {
        let hangs_up = ("hangup_after_bridge", "true");
        assert!(goes_on(&event(&[hangs_up])));
        assert!(!goes_on(&event(&[("hangup_after_bridge", "false")])));
        assert!(!goes_on(&event(&[])));
    }

    #[test]
    fn early_media_past_freeswitch_is_no_end_yet() {
        let early = [
            ("originate_disposition", "SUCCESS"),
            ("signal_bridge", "true"),
        ];
        assert!(rings_on(&event(&early), false));
        assert!(!rings_on(&event(&early), true));
        assert!(!rings_on(&event(&early[..1]), false));
        let mut refused = early.to_vec();
        refused.push(("last_bridge_hangup_cause", "USER_BUSY"));
        assert!(!rings_on(&event(&refused), false));
        refused.push(("last_bridge_proto_specific_hangup_cause", "sip:486"));
        assert_eq!(
            parted(&event(&refused)),
            failed(HangupCause::UserBusy, Some(486))
        );
        assert_eq!(
            parted(&event(&early)),
            failed(HangupCause::NormalUnspecified, None)
        );
    }

    /// The bridge attempts of a recording, as a leg without answer of its own sees them.
    fn recorded(path: &str) -> Vec<(String, BridgeOutcome)> {
        use tokio_util::codec::Decoder as _;
        let root = env!("CARGO_MANIFEST_DIR");
        let bytes = std::fs::read(format!("{root}/tests/captures/{path}")).unwrap();
        let mut source = bytes::BytesMut::from(&bytes[..]);
        let mut decoder = crate::esl::Decoder::default();
        let mut outcomes = Vec::new();
        while let Some(frame) = decoder.decode(&mut source).unwrap() {
            let crate::esl::Frame::Event(event) = frame else {
                continue;
            };
            let is = |header: &str, text: &str| event.header(header).as_deref() == Some(text);
            if is("Event-Name", "CHANNEL_EXECUTE_COMPLETE") && is("Application", "bridge") {
                let id = event.header("Application-UUID").unwrap().into_owned();
                let answered = is("Answer-State", "answered");
                outcomes.push((id, outcome(&event, answered)));
            }
        }
        outcomes
    }

    #[test]
    fn recorded_failures_have_the_causes_of_their_far_ends() {
        let outcomes = recorded("23-inbound-bridge-failures/rx.bin");
        let of = |id: &str| {
            let found = outcomes.iter().find(|(found, _)| found == id);
            found.map(|(_, outcome)| outcome.clone())
        };
        for (id, cause, sip_status) in [
            ("fail-1", HangupCause::UserNotRegistered, None),
            ("fail-2", HangupCause::SubscriberAbsent, None),
            ("fail-3", HangupCause::UserBusy, Some(486)),
            ("fail-4", HangupCause::CallRejected, Some(603)),
            ("fail-5", HangupCause::NormalTemporaryFailure, Some(503)),
            ("fail-6", HangupCause::NoUserResponse, Some(480)),
            ("fail-7", HangupCause::UnallocatedNumber, Some(404)),
            ("fail-9", HangupCause::RecoveryOnTimerExpire, Some(408)),
            ("fail-12", HangupCause::UserBusy, Some(600)),
            ("fail-13", HangupCause::NormalCircuitCongestion, Some(503)),
        ] {
            assert_eq!(of(id), Some(failed(cause, sip_status)), "{id}");
        }
        let all_failed = |(_, outcome): &(String, BridgeOutcome)| {
            matches!(outcome, BridgeOutcome::Failed { .. })
        };
        assert!(outcomes.iter().all(all_failed), "{outcomes:?}");
    }

    #[test]
    fn a_recorded_conversation_was_answered() {
        let outcomes = recorded("57-outbound-b-leg-events/o2.rx.bin");
        assert_eq!(outcomes, [("b-2".to_owned(), BridgeOutcome::Answered)]);
    }

    #[test]
    fn a_loopback_that_bowed_out_is_left_to_the_switch() {
        let bowed_out = event(&[("originate_disposition", "SUCCESS")]);
        assert_eq!(outcome(&bowed_out, true), BridgeOutcome::Answered);
    }

    #[test]
    fn an_unreadable_dial_string_still_has_a_cause() {
        let failure = event(&[
            ("originate_disposition", "failure"),
            ("DIALSTATUS", "INVALIDARGS"),
        ]);
        assert_eq!(
            outcome(&failure, false),
            failed(HangupCause::NormalTemporaryFailure, None)
        );
        assert_eq!(
            outcome(&event(&[]), false),
            failed(HangupCause::NormalTemporaryFailure, None)
        );
    }
}
