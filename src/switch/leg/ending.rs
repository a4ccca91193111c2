//! How a leg ended, read from the last events that it sends.

use super::super::call::Ended;
use crate::esl::Event;
use crate::types::HangupCause;

/// Reads CHANNEL_HANGUP_COMPLETE; of CHANNEL_HANGUP and CHANNEL_DESTROY what they have (times
/// and the disposition are in the former only, esl spec 8.1).
pub(super) fn read(event: &Event) -> Ended {
    let cause = event
        .header("Hangup-Cause")
        .or_else(|| event.variable("hangup_cause"));
    let answered = event
        .variable("answer_epoch")
        .is_some_and(|at| at.as_ref() != "0");
    Ended {
        cause: cause
            .and_then(|text| text.parse().ok())
            .unwrap_or(HangupCause::None),
        disposition: event
            .variable("sip_hangup_disposition")
            .map(|text| text.into_owned()),
        billed_s: event
            .variable("billsec")
            .filter(|_| answered)
            .and_then(|text| text.parse().ok()),
        goes_on_as: goes_on_as(event),
    }
}

/// The leg that goes on without a loopback leg. When both halves of a loopback are bridged and answered,
/// mod_loopback joins their partners and ends both halves; `loopback_hangup_cause` is `bridge` then.
pub(in crate::switch) fn goes_on_as(event: &Event) -> Option<Box<str>> {
    event
        .variable("loopback_hangup_cause")
        .filter(|cause| cause.as_ref() == "bridge")?;
    let partner = event.variable("loopback_bowout_other_uuid")?;
    Some(Box::from(partner.as_ref()))
}

/// The end of a leg that FreeSWITCH no longer has and never told us about.
pub(super) fn unknown_end() -> Ended {
    Ended {
        cause: HangupCause::None,
        disposition: None,
        billed_s: None,
        goes_on_as: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answered_call_is_billed() {
        let event = Event::from_headers(
            [
                ("Event-Name", "CHANNEL_HANGUP_COMPLETE"),
                ("Hangup-Cause", "NORMAL_CLEARING"),
                ("variable_answer_epoch", "1795289486"),
                ("variable_billsec", "11"),
                ("variable_sip_hangup_disposition", "send_bye"),
            ],
            None,
        );
        let ended = read(&event);
        assert_eq!(ended.cause, HangupCause::NormalClearing);
        assert_eq!(ended.billed_s, Some(11));
        assert_eq!(ended.disposition.as_deref(), Some("send_bye"));
    }

    #[test]
    fn a_loopback_that_withdraws_names_who_goes_on() {
        let end = |cause| {
            let headers = [
                ("Event-Name", "CHANNEL_HANGUP_COMPLETE"),
                ("variable_loopback_hangup_cause", cause),
                ("variable_loopback_bowout_other_uuid", "carrier-leg"),
            ];
            read(&Event::from_headers(headers, None)).goes_on_as
        };
        assert_eq!(end("bridge").as_deref(), Some("carrier-leg"));
        // Half of it was replaced by an application: nobody goes on from here.
        assert_eq!(end("bowout"), None);
    }

    #[test]
    fn an_unanswered_call_is_not() {
        let event = Event::from_headers(
            [
                ("Hangup-Cause", "ORIGINATOR_CANCEL"),
                ("variable_answer_epoch", "0"),
                ("variable_billsec", "0"),
            ],
            None,
        );
        let ended = read(&event);
        assert_eq!(ended.cause, HangupCause::OriginatorCancel);
        assert_eq!(ended.billed_s, None);
    }
}
