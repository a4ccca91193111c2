//! The handle through which a call is driven, whichever way it was handed over.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Application, Completed};
use crate::types::HangupCause;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Who ended a leg, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub cause: HangupCause,
    /// `sip_hangup_disposition`: `send_bye`, `recv_bye`, `recv_cancel`, ...; None when not told.
    pub disposition: Option<String>,
    /// Seconds since the answer (`billsec`), if answered.
    pub billed_s: Option<u64>,
    /// Of a loopback leg that withdrew from an answered call: the leg that it was bridged to, which goes on
    /// (`loopback_bowout_other_uuid`).
    pub goes_on_as: Option<Box<str>>,
}

/// Why an application did not complete.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error("the call has ended")]
    Hungup,
    #[error("the node is gone: {0}")]
    NodeLost(String),
    #[error("FreeSWITCH refused {application}: {reply}")]
    Refused {
        application: &'static str,
        reply: String,
    },
    #[error("{application} did not complete within {after_ms} ms")]
    TimedOut {
        application: &'static str,
        after_ms: u64,
    },
    #[error("the call's mailbox overflowed")]
    Overflow,
    #[error(transparent)]
    Unwritable(#[from] crate::esl::CommandError),
}

/// How a bridge attempt ended: read from the CHANNEL_EXECUTE_COMPLETE of `bridge`
/// (`originate_disposition`, `originate_failed_cause`, `last_bridge_proto_specific_hangup_cause`; capture fact 36).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BridgeOutcome {
    /// Answered, and the conversation is over (or left to the switch).
    Answered,
    /// No leg was joined.
    Failed {
        cause: HangupCause,
        /// The far end's SIP status if it sent one for this attempt.
        sip_status: Option<u16>,
    },
}

/// What was found of the leg that a caller hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// It has sent early media and no answer; it was hung up.
    Ended,
    /// It has answered.
    Talks,
    /// The caller is joined to nobody.
    Alone,
}

/// A leg that we control: the A-leg of a call.
///
/// Every method resolves at the latest when the leg hangs up or its node is lost, and may be
/// dropped at any await without harm to other callers.
pub trait Leg: Send + Sync {
    /// Runs the application and waits for its CHANNEL_EXECUTE_COMPLETE. Applications of one
    /// leg run in the order of the calls (event-lock).
    fn execute(&self, application: Application) -> BoxFuture<'_, Result<Completed, CallError>>;

    /// Several applications in one write; resolves with the last one's completion.
    fn execute_all(
        &self,
        applications: Vec<Application>,
    ) -> BoxFuture<'_, Result<Completed, CallError>>;

    /// `bridge`, with its outcome read out of the completion event. `dial_string` comes from
    /// `routing::DialString`'s writer only.
    fn bridge(&self, dial_string: String) -> BoxFuture<'_, Result<BridgeOutcome, CallError>>;

    /// [`Leg::bridge`] with an end of its own: a leg that is joined by early media and still not
    /// answered after `rings` is ended, and the attempt fails with NO_ANSWER. FreeSWITCH's own timers
    /// stop at the first 183 with SDP (devices specification 2.8). None: they are trusted.
    fn bridge_within(
        &self,
        dial_string: String,
        rings: Option<Duration>,
    ) -> BoxFuture<'_, Result<BridgeOutcome, CallError>> {
        let _ = rings;
        self.bridge(dial_string)
    }

    /// Hangs up the leg that this one is joined to, unless it has answered: with early media
    /// FreeSWITCH's own timers are over (trunkstore specification 2.6). The caller stays.
    fn end_unanswered(&self, cause: HangupCause) -> BoxFuture<'_, Result<Unanswered, CallError>>;

    /// Hangs up at once (`uuid_kill`), whatever runs.
    fn hangup(&self, cause: HangupCause) -> BoxFuture<'_, Result<(), CallError>>;

    /// Cancelled when the leg has hung up or can no longer be controlled.
    fn gone(&self) -> CancellationToken;

    /// How it ended; resolves on CHANNEL_HANGUP_COMPLETE (or its stand-ins).
    fn ended(&self) -> BoxFuture<'_, Ended>;

    /// The leg has been answered (2xx sent).
    fn is_answered(&self) -> bool;
}
