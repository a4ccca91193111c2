//! What follows on an attempt (trunkstore specification 2.6, 4.8).

use serde::{Deserialize, Serialize};

use super::decision::{Dial, Reject, Route};
use crate::types::HangupCause;

/// `hunt_policy`: which refusals of a carrier end the search.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HuntPolicy {
    /// None does.
    #[default]
    Kazoo,
    /// What the callee or the number itself is the reason for does.
    Definitive,
}

/// Which rule lets the next attempt be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hunting {
    /// Servers of one number: not after the PBX has answered for it.
    Servers,
    Carriers(HuntPolicy),
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// CHANNEL_ANSWER of the B-leg, even if it ended at once; never CHANNEL_BRIDGE.
    Answered,
    /// The A-leg has hung up.
    CallerGone,
    /// The seconds of the guard are over.
    GuardExpired,
    /// `sip_status` is what the far end answered, if it did.
    Failed {
        cause: HangupCause,
        sip_status: Option<u16>,
    },
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Place the attempt of this index.
    Place(usize),
    /// Decide and run the failover.
    Failover,
    /// Nothing: there was a conversation, or the caller is gone.
    Done,
    /// End the A-leg.
    HangUp(Reject),
}

/// The next step after the attempt of an index has ended; None: at the start.
///
/// Attempts that fail without a leg are passed over.
#[must_use]
pub fn next(route: &Route, after: Option<(usize, Ended)>) -> Step {
    let Some((index, ended)) = after else {
        return onward(route, 0, None);
    };
    let (cause, sip_status) = match ended {
        Ended::Answered | Ended::CallerGone => return Step::Done,
        Ended::GuardExpired => {
            return Step::HangUp(Reject::hangup(
                HangupCause::NormalTemporaryFailure,
                "nobody answered in the time that routing may take",
            ));
        }
        Ended::Failed { cause, sip_status } => (cause, sip_status),
    };
    if is_taken_over(cause) {
        return Step::Done;
    }
    if route.hunting.goes_on(cause, sip_status) {
        onward(route, index.saturating_add(1), Some(cause))
    } else {
        last(route, cause)
    }
}

/// The call has gone to another phone, which is no failure.
const fn is_taken_over(cause: HangupCause) -> bool {
    matches!(
        cause,
        HangupCause::AttendedTransfer | HangupCause::PickedOff | HangupCause::LoseRace
    )
}

fn onward(route: &Route, from: usize, mut cause: Option<HangupCause>) -> Step {
    for (index, attempt) in route.attempts.iter().enumerate().skip(from) {
        match attempt.dial {
            Dial::Call(_) => return Step::Place(index),
            Dial::Fails(failed, _) => cause = Some(failed),
        }
    }
    last(route, cause.unwrap_or(HangupCause::NoRouteDestination))
}

fn last(route: &Route, cause: HangupCause) -> Step {
    match route.failover {
        Some(_) => Step::Failover,
        None => Step::HangUp(Reject::hangup(cause, "no attempt has succeeded")),
    }
}

impl Hunting {
    /// A failure of this cause lets the next attempt be tried.
    #[must_use]
    pub const fn goes_on(self, cause: HangupCause, sip_status: Option<u16>) -> bool {
        match self {
            Hunting::Servers => !matches!(
                cause,
                HangupCause::UserBusy
                    | HangupCause::CallRejected
                    | HangupCause::UnallocatedNumber
                    | HangupCause::IncompatibleDestination
            ),
            Hunting::Carriers(HuntPolicy::Kazoo) => true,
            Hunting::Carriers(HuntPolicy::Definitive) => !is_definitive(cause, sip_status),
        }
    }
}

/// A carrier's 403 is CALL_REJECTED too, and its 485 NO_ROUTE_DESTINATION: only 603 and 604 speak
/// for the callee and for the number.
const fn is_definitive(cause: HangupCause, sip_status: Option<u16>) -> bool {
    match cause {
        HangupCause::UserBusy
        | HangupCause::NoAnswer
        | HangupCause::NumberChanged
        | HangupCause::InvalidNumberFormat => true,
        HangupCause::CallRejected => matches!(sip_status, Some(603)),
        HangupCause::NoRouteDestination => matches!(sip_status, Some(604)),
        _ => false,
    }
}
