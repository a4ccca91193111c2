//! From a request and the documents it names to the legs that ring.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;

use super::record::Recording;
use super::{DialString, Settings, Variables};
use crate::documents::{Account, Device, Registration, User};
use crate::types::{AccountId, DocumentId, HangupCause, NodeName};

/// Where a caller is: a device of the account, or beyond a carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    Onnet,
    Offnet,
}

/// What of its identity the caller asked to hide.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Privacy {
    pub hide_name: bool,
    pub hide_number: bool,
}

/// The calling side as routing needs it.
#[derive(Debug, Clone)]
pub struct Caller {
    pub number: String,
    pub name: String,
    pub network: Network,
    pub privacy: Privacy,
    /// The authenticated device and its effective owner, with their documents if they exist.
    pub device_id: Option<DocumentId>,
    pub owner_id: Option<DocumentId>,
    pub device: Option<Arc<Device>>,
    pub owner: Option<Arc<User>>,
    /// A Diversion header that the call already has (from our own forward chain or a carrier).
    pub diversion: Option<String>,
}

/// Which action asks; forwarding depends on it (`direct_calls_only`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Device,
    User,
    RingGroup,
    Queue,
    Page,
    Menu,
    Feature,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    #[default]
    Simultaneous,
    Single,
    WeightedRandom,
}

/// One device to ring, with everything that bears on it.
#[derive(Debug, Clone)]
pub struct Member {
    pub device_id: DocumentId,
    /// None: the id is unknown, another account's, or deleted.
    pub device: Option<Arc<Device>>,
    /// User documents by id: the owner and the hotdesked users that exist.
    pub users: Vec<(DocumentId, Arc<User>)>,
    /// Live and recently lapsed registrations of the device's address of record.
    pub registrations: Vec<Registration>,
    /// The owner (without owner: the device) has a live channel that is not part of this call.
    pub on_a_call: bool,
    /// Seconds; None: the action's.
    pub timeout_s: Option<u32>,
    pub delay_s: u32,
    /// 1 to 100, for weighted_random.
    pub weight: u32,
}

/// The options that a call action carries.
#[derive(Debug, Clone, Default)]
pub struct ActionOptions {
    pub timeout_s: Option<u32>,
    pub delay_s: Option<u32>,
    pub static_invite: Option<String>,
    pub suppress_clid: bool,
    pub can_call_self: bool,
    pub custom_sip_headers: IndexMap<String, String>,
    pub alert_info: Option<String>,
    pub ringback: Option<String>,
    pub fail_on_single_reject: bool,
    /// Devices ring whether or not they are forwarded.
    pub ignore_forward: bool,
    /// Media before the answer is not for the caller, who hears ringing.
    pub ignore_early_media: bool,
    /// A phone that answers with a redirection (302) has failed; it doesn't move the caller.
    pub ignore_redirects: bool,
    /// This is the far side of a forwarded leg whose callee has to press a key: a refusal ends the
    /// attempt and is not retried over the next carrier (devices specification 4.5).
    pub confirmed_leg: bool,
}

/// A request to ring devices.
#[derive(Debug, Clone)]
pub struct DialRequest<'a> {
    pub settings: &'a Settings,
    pub account_id: &'a AccountId,
    pub account: &'a Account,
    pub members: &'a [Member],
    pub caller: &'a Caller,
    /// The dialled user part, raw.
    pub dialed: &'a str,
    pub source: Source,
    pub strategy: Strategy,
    pub options: &'a ActionOptions,
    /// The node and sofia profile of the A-leg.
    pub node: &'a NodeName,
    pub aleg_profile: Option<&'a str>,
    /// Ids of the devices that forwarded this call so far.
    pub forward_chain: &'a [DocumentId],
    /// The A-leg came through a loopback: legs need codecs (device specification 4.2).
    pub behind_loopback: bool,
    /// Unix time, seconds.
    pub now: i64,
    /// A random number for weighted_random, drawn by the caller so that the decision stays pure.
    pub seed: u64,
}

/// Why a member got no leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LegError {
    NotFound,
    AccountDisabled,
    EndpointDisabled,
    OwnerDisabled,
    OwnerCalledSelf,
    EndpointCalledSelf,
    DoNotDisturb,
    ExcludeFromQueues,
    ForwardLoop,
    ForwardHopLimit,
    UserBusy,
    NoRoute,
    InvalidUri,
    InvalidForwardNumber,
    NotRegistered,
    /// A user without a device of their own.
    NoDevices,
    /// A member of a group that is left out for a time (`disable_until`).
    DisabledForNow,
    /// A kind of member that can't be rung.
    UnknownKind,
    /// A group that is a member of itself, or groups nested beyond reason.
    GroupLoop,
}

impl LegError {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            LegError::NotFound => "not_found",
            LegError::AccountDisabled => "account_disabled",
            LegError::EndpointDisabled => "endpoint_disabled",
            LegError::OwnerDisabled => "owner_disabled",
            LegError::OwnerCalledSelf => "owner_called_self",
            LegError::EndpointCalledSelf => "endpoint_called_self",
            LegError::DoNotDisturb => "do_not_disturb",
            LegError::ExcludeFromQueues => "exclude_from_queues",
            LegError::ForwardLoop => "forward_loop",
            LegError::ForwardHopLimit => "forward_hop_limit",
            LegError::UserBusy => "user_busy",
            LegError::NoRoute => "no_route",
            LegError::InvalidUri => "invalid_uri",
            LegError::InvalidForwardNumber => "invalid_forward_number",
            LegError::NotRegistered => "not_registered",
            LegError::NoDevices => "no_devices",
            LegError::DisabledForNow => "disabled_for_now",
            LegError::UnknownKind => "unknown_kind",
            LegError::GroupLoop => "group_loop",
        }
    }

    /// The cause if the call ends here (device specification 7).
    #[must_use]
    pub const fn cause(self) -> HangupCause {
        match self {
            LegError::NotFound => HangupCause::UnallocatedNumber,
            LegError::AccountDisabled
            | LegError::EndpointDisabled
            | LegError::OwnerDisabled
            | LegError::ExcludeFromQueues
            | LegError::NoDevices
            | LegError::DisabledForNow
            | LegError::UnknownKind
            | LegError::GroupLoop => HangupCause::SubscriberAbsent,
            LegError::OwnerCalledSelf | LegError::EndpointCalledSelf => HangupCause::CallRejected,
            LegError::DoNotDisturb | LegError::UserBusy => HangupCause::UserBusy,
            LegError::ForwardLoop | LegError::ForwardHopLimit => HangupCause::ExchangeRoutingError,
            LegError::NoRoute | LegError::InvalidUri | LegError::InvalidForwardNumber => {
                HangupCause::InvalidUrl
            }
            LegError::NotRegistered => HangupCause::UserNotRegistered,
        }
    }
}

impl fmt::Display for LegError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The device; of a member that led to none, the member.
    pub device_id: DocumentId,
    pub reason: LegError,
}

/// One leg of the plan, for logs and explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedLeg {
    pub device_id: DocumentId,
    pub forwarded: bool,
    /// How the leg is recorded once it is answered, if it is.
    pub recording: Option<Box<Recording>>,
}

/// What to do with the A-leg and whom to ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgePlan {
    /// Set on the A-leg before `bridge`.
    pub aleg: Variables,
    /// Execute `ring_ready` before the bridge (several legs rung together).
    pub ring_ready: bool,
    pub dial: DialString,
    pub legs: Vec<PlannedLeg>,
    pub skipped: Vec<Skipped>,
}

/// Seconds beyond the last of FreeSWITCH's own timers, each of which may be a second late.
const WATCH_SLACK_S: u32 = 3;

impl BridgePlan {
    /// Seconds after which an attempt without an answer is over. Where early media is let through FreeSWITCH can't be
    /// trusted to end it: the first 183 with SDP stops all of its timers (devices specification 2.8). None: its
    /// timers hold.
    #[must_use]
    pub fn watched_for_s(&self) -> Option<u32> {
        if self.dial.global.get("ignore_early_media") == Some("true") {
            return None;
        }
        let group: u32 = self.aleg.get("call_timeout")?.parse().ok()?;
        let groups = u32::try_from(self.dial.groups.len()).unwrap_or(u32::MAX);
        let delay_ms = self.dial.global.get("originate_delay_start");
        let delay_ms: u32 = delay_ms.and_then(|ms| ms.parse().ok()).unwrap_or(0);
        let rings = group.saturating_mul(groups);
        Some(rings.saturating_add(delay_ms / 1000 + WATCH_SLACK_S))
    }
}

/// Nobody can be rung.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoLeg {
    pub error: LegError,
    pub cause: HangupCause,
    pub skipped: Vec<Skipped>,
}

/// Takes the steps of a decision. The live call passes [`Silent`], which formats nothing.
pub trait Explain {
    /// One rule tried and what came of it.
    fn note(&mut self, rule: &'static str, outcome: fmt::Arguments<'_>);

    /// False: nobody reads the notes, so that work which only they need may be left out.
    fn is_heard(&self) -> bool {
        true
    }
}

/// Explains nothing, costs nothing.
pub struct Silent;

impl Explain for Silent {
    fn note(&mut self, _rule: &'static str, _outcome: fmt::Arguments<'_>) {}

    fn is_heard(&self) -> bool {
        false
    }
}
