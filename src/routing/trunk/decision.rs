//! What is to be done with a call.

use super::hunt::Hunting;
use super::request::Party;
use super::world::Place;
use crate::routing::{DialString, Variables};
use crate::types::{AccountId, DocumentId, HangupCause};

/// Take the units in order; the first that is refused ends the call with its own refusal. Then do
/// what `outcome` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whose call it is: the called account's for a call from a carrier, else the calling one's.
    /// None: it was refused before anybody was known.
    pub account: Option<AccountId>,
    pub units: Vec<UnitWanted>,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Route(Box<Route>),
    Reject(Reject),
    /// The number belongs to another application: the account's callflows, say.
    Elsewhere(Elsewhere),
}

/// A call that is no trunk's business; it goes on as a call of this account to this number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    pub account: AccountId,
    /// Normalised.
    pub number: String,
    pub caller: Party,
}

/// A call that ends without a leg, or after the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reject {
    pub cause: HangupCause,
    /// What the caller is sent.
    pub sip_status: u16,
    /// Why, for logs and for the status line where the daemon writes one.
    pub reason: &'static str,
}

impl Reject {
    /// A hang-up: the status follows from the cause.
    #[must_use]
    pub const fn hangup(cause: HangupCause, reason: &'static str) -> Self {
        Self {
            cause,
            sip_status: cause.sip_status(),
            reason,
        }
    }

    /// `respond 403`, which shows as CALL_REJECTED. Hung up with that cause the caller would be
    /// sent 603, which carriers take for final.
    #[must_use]
    pub const fn forbidden(reason: &'static str) -> Self {
        Self {
            cause: HangupCause::CallRejected,
            sip_status: 403,
            reason,
        }
    }

    /// The status that has to be sent by `respond`; None: a hang-up with the cause sends it.
    #[must_use]
    pub const fn respond(&self) -> Option<u16> {
        if self.cause.sip_status() == self.sip_status {
            None
        } else {
            Some(self.sip_status)
        }
    }
}

/// What kind of far end a route leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteKind {
    /// A customer's PBX, from a carrier.
    Pbx,
    /// A customer's PBX, from another one.
    Onnet,
    /// Carriers.
    Offnet,
    /// A URI of a failover.
    Uri,
}

/// Attempts, and what goes with all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub kind: RouteKind,
    /// The account whose units and bills these attempts are.
    pub account: AccountId,
    /// Normalised number that is called.
    pub number: String,
    /// Tried strictly one after the other; [`super::next`] says which comes next.
    pub attempts: Vec<Attempt>,
    /// Which outcome of an attempt lets the next be tried.
    pub hunting: Hunting,
    /// Decided by [`super::failover`] when [`super::Step::Failover`] says so; at most once a call.
    pub failover: Option<Failover>,
    /// Set on the A-leg before the first attempt.
    pub aleg: Variables,
    /// Run `privacy full` on the A-leg before the first attempt.
    pub privacy: bool,
    /// The caller is to hear ringing from now on (where the setting `ring_ready_offnet` is on).
    pub ring_ready: bool,
    /// Every start of one is notified.
    pub emergency: bool,
    /// Seconds without an answer after which routing ends, counted from the first attempt.
    pub guard_s: u32,
}

/// One leg, or what there is instead of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub to: AttemptTo,
    pub dial: Dial,
    /// Set on the A-leg before this attempt.
    pub aleg: Variables,
    /// Seconds to the answer, counted from the INVITE: a leg with early media has none of
    /// FreeSWITCH's timers left, so the daemon ends it.
    pub answer_timeout_s: Option<u32>,
    /// Seconds to ringing, early media or answer; FreeSWITCH's own timer does it.
    pub progress_timeout_s: Option<u32>,
    /// Seconds before the INVITE.
    pub delay_s: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dial {
    Call(DialString),
    /// It fails at once, with no leg placed: the PBX is not registered, say.
    Fails(HangupCause, &'static str),
}

/// What an attempt is at, for logs, health and units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptTo {
    Server {
        place: Place,
        name: String,
    },
    Gateway {
        /// Whose carrier it is; the installation's, if of no tenant.
        owner: AccountId,
        resource: DocumentId,
        /// The id with the class of a derived resource behind it.
        carrier: String,
        /// Index in `gateways`.
        gateway: usize,
    },
    Uri(String),
    /// The callflows of another account.
    Callflows(AccountId),
    /// Nobody: what was found instead says why.
    Nobody,
}

/// Where the call goes when no attempt has succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failover {
    pub to: FailoverTo,
    /// The first enabled server that the call was for; its flags and timers apply.
    pub server: Option<Place>,
    pub account: AccountId,
    /// The number that was called first.
    pub did: String,
    /// The identity to show: the original caller's.
    pub caller: Party,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailoverTo {
    E164(String),
    Sip(String),
}

/// Seen from the account: calls to it, or calls from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnitDirection {
    In,
    Out,
}

/// One unit of an account's limits that the call needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitWanted {
    pub account: AccountId,
    /// Who resells to the account, and has limits over all its accounts; never the account itself.
    pub reseller: Option<AccountId>,
    pub direction: UnitDirection,
    /// The number that is called.
    pub number: String,
    /// False: it takes no trunk and counts among the calls alone.
    pub counted: bool,
    /// It uses a carrier.
    pub consuming: bool,
    /// The number may use trunks at all (`flat_rate_whitelist`, `flat_rate_blacklist`).
    pub eligible: bool,
    /// How the call ends if there is no room.
    pub refusal: Reject,
}
