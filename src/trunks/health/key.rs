//! Which gateway is meant.

use std::fmt;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::routing::carriers::Candidate;
use crate::types::{AccountId, DocumentId};

/// What our names for FreeSWITCH's gateways begin with; others are not touched.
const PREFIX: &str = "lf.";

/// Names longer than this are not written in full.
const LONGEST: usize = 96;

/// A gateway: its carrier, and its place in the carrier's list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct GatewayKey {
    pub account_id: AccountId,
    pub resource_id: DocumentId,
    pub gateway: usize,
}

impl GatewayKey {
    #[must_use]
    pub fn new(account: &AccountId, resource: &DocumentId, gateway: usize) -> Self {
        Self {
            account_id: account.clone(),
            resource_id: resource.clone(),
            gateway,
        }
    }

    #[must_use]
    pub fn of(candidate: &Candidate) -> Self {
        let carrier = &candidate.resource;
        Self::new(&carrier.account, &carrier.document_id, candidate.gateway)
    }

    /// What FreeSWITCH knows it by: `lf.ACCOUNT.RESOURCE.PLACE`, or a hash of that if the ids have characters that could
    /// end the name in a command or a dial string.
    #[must_use]
    pub fn switch_name(&self) -> String {
        let (account, resource) = (self.account_id.as_str(), self.resource_id.as_str());
        let plain = |id: &str| {
            id.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        let full = format!("{PREFIX}{account}.{resource}.{}", self.gateway);
        if plain(account) && plain(resource) && full.len() <= LONGEST {
            return full;
        }
        let hash = Sha256::digest(format!("{account}\0{resource}\0{}", self.gateway));
        let mut name = PREFIX.to_owned();
        for byte in hash.iter().take(16) {
            name.push_str(&format!("{byte:02x}"));
        }
        name
    }

    /// The name is one of ours.
    #[must_use]
    pub fn is_ours(name: &str) -> bool {
        name.starts_with(PREFIX)
    }
}

impl fmt::Display for GatewayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{} gateway {}",
            self.account_id, self.resource_id, self.gateway
        )
    }
}
