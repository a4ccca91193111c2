//! A call as its flow sees it, and what decisions about it may look at.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{LiveCalls, Settings};
use crate::documents::Account;
use crate::routing;
use crate::store::Store;
use crate::types::{AccountId, CallId, DocumentId, NodeName};

/// What is known of a call once it is admitted (callflow specification 1.5).
#[derive(Debug, Clone)]
pub struct Call {
    pub id: CallId,
    pub sip_call_id: Option<String>,
    pub node: NodeName,
    /// The sofia profile of the A-leg.
    pub profile: Option<String>,
    pub account_id: AccountId,
    pub account: Arc<Account>,
    pub caller: routing::Caller,
    /// The user part of the Request-URI, as dialled.
    pub dialed: String,
    /// What the winning pattern captured.
    pub capture_group: Option<String>,
    pub capture_groups: BTreeMap<String, String>,
    /// The callflow was found by the literal `no_match` only.
    pub no_match: bool,
    /// Ids of the devices that forwarded this call so far.
    pub forward_chain: Vec<DocumentId>,
    /// The A-leg came through a loopback.
    pub behind_loopback: bool,
    /// The far side of a forwarded leg whose callee has to press a key.
    pub confirmed: bool,
    /// The device that transferred the call here, as FreeSWITCH itself noted it: by its rights the call goes on.
    pub referred_by: Option<DocumentId>,
    /// A sister node began this decision.
    pub second_hop: Option<SecondHop>,
}

/// What the first node decided for the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondHop {
    /// The action that rings.
    pub source: routing::Source,
    /// The forwarded leg, if there is one, is the first node's.
    pub forwarded: bool,
    /// What the action asked for.
    pub options: routing::HandedOptions,
}

/// Everything that a decision reads beside the call itself.
#[derive(Clone, Copy)]
pub struct Office<'a> {
    pub store: &'a Store,
    pub routing: &'a routing::Settings,
    pub settings: &'a Settings,
    pub live: &'a LiveCalls,
    /// Unix time, seconds: read once for a decision, so that the same question has one answer.
    pub now: i64,
    /// Drawn at the edge, for random strategies.
    pub seed: u64,
}
