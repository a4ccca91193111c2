//! SIP statuses and FreeSWITCH's causes for them.

use crate::types::{HangupCause, sip_reason};

/// A phone's refusal: what it sends, and what FreeSWITCH makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) cause: HangupCause,
    kind: RefusalKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RefusalKind {
    Plain,
    /// With a Reason header that names a Q.850 cause.
    WithReason,
    /// Nobody sent it: the port is closed.
    Unreachable,
}

impl Refusal {
    pub(super) fn status(status: u16) -> Refusal {
        Refusal {
            status,
            cause: cause_of(status),
            kind: RefusalKind::Plain,
        }
    }

    pub(super) fn with_cause(status: u16, cause: HangupCause) -> Refusal {
        Refusal {
            status,
            cause,
            kind: RefusalKind::WithReason,
        }
    }

    /// The network says that nobody listens: FreeSWITCH makes a 503 of it (capture 23, attempt 14).
    pub(super) fn unreachable() -> Refusal {
        Refusal {
            kind: RefusalKind::Unreachable,
            ..Self::status(503)
        }
    }

    /// A phone sent it.
    pub(super) fn is_from_phone(self) -> bool {
        self.kind != RefusalKind::Unreachable
    }

    /// The Reason header, if one came.
    pub(super) fn reason(self) -> Option<String> {
        let number = self.cause.number();
        (self.kind == RefusalKind::WithReason)
            .then(|| format!("Q.850;cause={number};text=\"{}\"", self.cause))
    }
}

/// The cause of an outgoing leg that the far end refused (capture fact 37, event socket specification 8.5).
pub(super) fn cause_of(status: u16) -> HangupCause {
    match status {
        // (Where the leg says `outbound_redirect_fatal`; the simulated node knows no other.)
        300..=399 => HangupCause::RequestedChanUnavail,
        401..=403 | 407 | 603 | 608 => HangupCause::CallRejected,
        404 => HangupCause::UnallocatedNumber,
        485 | 604 => HangupCause::NoRouteDestination,
        408 | 504 => HangupCause::RecoveryOnTimerExpire,
        410 => HangupCause::NumberChanged,
        413 | 414 | 416 | 420 | 421 | 423 | 505 | 513 => HangupCause::Interworking,
        480 => HangupCause::NoUserResponse,
        400 | 481 | 500 | 503 => HangupCause::NormalTemporaryFailure,
        486 | 600 => HangupCause::UserBusy,
        484 => HangupCause::InvalidNumberFormat,
        488 | 606 => HangupCause::IncompatibleDestination,
        502 => HangupCause::NetworkOutOfOrder,
        405 => HangupCause::ServiceUnavailable,
        406 | 415 | 501 => HangupCause::ServiceNotImplemented,
        482 | 483 => HangupCause::ExchangeRoutingError,
        487 => HangupCause::OriginatorCancel,
        607 => HangupCause::Unwanted,
        _ => HangupCause::NormalUnspecified,
    }
}

/// The usual reason phrase of a status.
pub(super) fn phrase(status: u16) -> &'static str {
    sip_reason(status).unwrap_or("Failure")
}

/// `DIALSTATUS` for a failed originate; causes without a word of their own stand as they are.
pub(super) fn dial_status(cause: HangupCause) -> &'static str {
    match cause {
        HangupCause::UserBusy => "BUSY",
        HangupCause::CallRejected => "DONTCALL",
        HangupCause::NoAnswer => "NOANSWER",
        HangupCause::OriginatorCancel => "CANCEL",
        HangupCause::Success | HangupCause::None => "SUCCESS",
        other => other.as_str(),
    }
}

/// A cause as applications and api commands read one: names and numbers; anything else becomes
/// NORMAL_CLEARING without a word (capture fact 33).
pub(super) fn read_cause(text: &str) -> HangupCause {
    text.parse().unwrap_or(HangupCause::NormalClearing)
}

/// The parts of a SIP URI or of a contact: user, host with its port if it has one.
pub(super) fn user_and_host(uri: &str) -> (String, String) {
    let inner = match (uri.find('<'), uri.rfind('>')) {
        (Some(start), Some(end)) if start < end => uri.get(start + 1..end).unwrap_or(uri),
        _ => uri,
    };
    let inner = ["sips:", "sip:"]
        .iter()
        .find_map(|scheme| inner.strip_prefix(scheme))
        .unwrap_or(inner);
    let inner = inner.split([';', '?']).next().unwrap_or(inner);
    match inner.rsplit_once('@') {
        Some((user, host)) => (user.to_owned(), host.to_owned()),
        None => (String::new(), inner.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_out_of_contacts() {
        let parts = |uri| user_and_host(uri);
        let pair = |user: &str, host: &str| (user.to_owned(), host.to_owned());
        assert_eq!(
            parts("\"\" <sip:1001@127.0.0.1:5071;transport=udp>"),
            pair("1001", "127.0.0.1:5071")
        );
        assert_eq!(parts("sip:a@b;fs_path=sip%3Ax"), pair("a", "b"));
        assert_eq!(parts("1002@h:5"), pair("1002", "h:5"));
        assert_eq!(parts("carrier.test"), pair("", "carrier.test"));
    }

    #[test]
    fn statuses_give_the_recorded_causes() {
        for (status, cause) in [
            (486, HangupCause::UserBusy),
            (600, HangupCause::UserBusy),
            (603, HangupCause::CallRejected),
            (403, HangupCause::CallRejected),
            (480, HangupCause::NoUserResponse),
            (404, HangupCause::UnallocatedNumber),
            (408, HangupCause::RecoveryOnTimerExpire),
            (488, HangupCause::IncompatibleDestination),
            (500, HangupCause::NormalTemporaryFailure),
            (302, HangupCause::RequestedChanUnavail),
            (503, HangupCause::NormalTemporaryFailure),
        ] {
            assert_eq!(cause_of(status), cause, "{status}");
        }
    }
}
