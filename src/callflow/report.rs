//! What became of a call: for the log's last line, `linefinder call` and the demo's table.

use serde::Serialize;

use crate::types::{AccountId, CallId, DocumentId, HangupCause, NodeName};

/// A call from its arrival to its end.
#[derive(Debug, Clone, Serialize)]
pub struct CallReport {
    pub call_id: CallId,
    pub sip_call_id: Option<String>,
    pub node: NodeName,
    pub caller: String,
    pub dialed: String,
    pub account_id: Option<AccountId>,
    /// The calling device.
    pub device_id: Option<DocumentId>,
    pub decision: Verdict,
    /// The actions that ran, in order.
    pub path: Vec<Step>,
    /// Everybody that was rung, or could not be.
    pub attempts: Vec<Attempt>,
    pub ending: Ending,
    /// Microseconds from the arrival to the first dial string or refusal: the time that
    /// Linefinder itself took to decide.
    pub decided_us: Option<u64>,
    pub elapsed_ms: u64,
}

/// Where the call was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    Callflow {
        id: DocumentId,
        /// `number`, `pattern` or `no_match`.
        by: &'static str,
    },
    /// A sister node decided; this device was to be rung.
    HandedOver { device: DocumentId },
    Refused {
        refusal: &'static str,
        why: String,
        cause: HangupCause,
    },
    /// A call of a carrier or of a customer's PBX.
    Trunk {
        /// `pbx`, `onnet`, `offnet`, `uri`, or `reject`.
        route: &'static str,
        /// Normalised.
        number: String,
    },
    /// The caller left before anything was decided.
    None,
}

/// One action of the path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    pub module: String,
    /// The child key that led to it; None at the top of a flow.
    pub key: Option<String>,
    /// Milliseconds after the arrival at which it began.
    pub at_ms: u64,
    pub took_ms: u64,
    /// What went wrong inside it, if something did; the flow then went on at `_`.
    pub error: Option<String>,
}

/// One attempt to ring somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// The server, gateway or URI that was tried; None: devices.
    pub to: Option<String>,
    /// The argument of `bridge`; None when nobody could be rung.
    pub dial_string: Option<String>,
    /// Devices that were rung.
    pub devices: Vec<DocumentId>,
    /// Devices that were not, with the reason.
    pub skipped: Vec<(DocumentId, &'static str)>,
    pub outcome: AttemptOutcome,
    pub at_ms: u64,
    pub took_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum AttemptOutcome {
    Answered,
    Failed {
        cause: HangupCause,
        sip_status: Option<u16>,
    },
    /// Nobody could be rung.
    NoLeg {
        error: &'static str,
        cause: HangupCause,
    },
    /// The caller left, or the switch did, before it was over.
    Unfinished,
}

impl std::fmt::Display for AttemptOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AttemptOutcome::Answered => f.write_str("answered"),
            AttemptOutcome::Failed { cause, sip_status } => match sip_status {
                Some(status) => write!(f, "{cause} (SIP {status})"),
                None => write!(f, "{cause}"),
            },
            AttemptOutcome::NoLeg { error, .. } => write!(f, "nobody to ring: {error}"),
            AttemptOutcome::Unfinished => f.write_str("unfinished"),
        }
    }
}

/// Who ended the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    Caller,
    Callee,
    Linefinder,
    /// FreeSWITCH, for a reason of its own (its shutdown, an operator, a timer).
    Switch,
    /// Nobody yet: another application or the daemon's successor has the channel.
    Nobody,
}

impl EndedBy {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            EndedBy::Caller => "caller",
            EndedBy::Callee => "callee",
            EndedBy::Linefinder => "linefinder",
            EndedBy::Switch => "switch",
            EndedBy::Nobody => "nobody",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ending {
    pub by: EndedBy,
    pub cause: Option<HangupCause>,
    pub why: String,
    /// Seconds since the answer, if the caller's leg was answered.
    pub billed_s: Option<u64>,
}
