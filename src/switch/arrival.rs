//! A call at the moment FreeSWITCH hands it over.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::call::Leg;
use crate::types::{CallId, NodeName};

/// How the call came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handoff {
    /// `socket HOST:PORT async full`.
    Socket,
    /// `park` on a node that we are connected to.
    Park,
}

/// What is known of a call when it arrives, out of its channel data. Texts are as the peer
/// wrote them: hostile until a typed writer has cleaned them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    pub call: CallId,
    pub node: NodeName,
    pub handoff: Handoff,
    /// `variable_sip_call_id`.
    pub sip_call_id: Option<String>,
    /// `Caller-Destination-Number` of the first CHANNEL_PARK or the connect reply.
    pub destination: String,
    pub caller_number: Option<String>,
    pub caller_name: Option<String>,
    /// `variable_sofia_profile_name`.
    pub profile: Option<String>,
    /// `variable_sip_received_ip`, else `Caller-Network-Addr`.
    pub source: Option<IpAddr>,
    /// `Core-UUID`.
    pub core: String,
    /// Other variables that routing reads (`sip_authorized`, `user_name`, `domain_name`,
    /// `sip_acl_authed_by`, `lf_*`, `Caller-Privacy-*`, ...): those of `WANTED_VARIABLES`, without the `variable_` prefix.
    pub variables: HashMap<Box<str>, Box<str>>,
}

impl Arrival {
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(AsRef::as_ref)
    }
}

/// A call for the callflow engine: what it is, and the handle to drive it.
pub struct IncomingCall {
    pub arrival: Arrival,
    pub leg: Arc<dyn Leg>,
}
