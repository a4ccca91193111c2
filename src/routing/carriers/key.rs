//! Which gateway is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Candidate;
use crate::types::{AccountId, DocumentId};

/// A gateway: its carrier, and its place in the carrier's list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
