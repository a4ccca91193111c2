//! What a call asks of the carriers, and what it gets.

use std::sync::Arc;

use super::Carrier;
use crate::documents::Gateway;
use crate::types::{AccountId, DocumentId};

/// What a call asks of the carriers.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Normalised: E.164, or a short number such as 911.
    pub number: &'a str,
    /// The number's class, by the same classifiers as the table was compiled with.
    pub class: &'a str,
    pub flags: &'a [String],
    pub account: &'a AccountId,
    /// The account's ancestors, in any order.
    pub ancestors: &'a [AccountId],
    /// `hunt_account_id`: its local carriers and nothing else. None: the installation's carriers only.
    pub hunt_account: Option<&'a AccountId>,
    /// What `cid_rules` look at: the outbound caller number, or the first diverting number where the settings say so.
    /// Empty: anonymous, which no such rule matches.
    pub caller_number: &'a str,
    /// The resource that delivered this call: it is not to get it back (trunkstore specification 2.7).
    pub except: Option<&'a DocumentId>,
    /// Shuffles the gateways of carriers with `gateway_strategy` random.
    pub seed: u64,
}

/// One gateway that may be tried.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub resource: Arc<Carrier>,
    /// Place in the resource's `gateways`.
    pub gateway: usize,
    /// What the rule left of the number, without the gateway's prefix and suffix.
    pub number_sent: String,
    /// 1 to 100; candidates come in this order.
    pub weight: u8,
    /// The gateway wants the emergency caller id.
    pub emergency: bool,
}

impl Candidate {
    /// The gateway as its document has it. None can't be seen: the table holds no such candidate.
    #[must_use]
    pub fn gateway(&self) -> Option<&Gateway> {
        self.resource.gateway(self.gateway)
    }
}
