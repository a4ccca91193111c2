//! Why a call never gets to a flow, and what its caller is told.

use std::net::IpAddr;

use crate::routing::dialing::Denied;
use crate::store::StoreError;
use crate::types::{AccountId, DocumentId, HangupCause};

/// A call that ends before any action ran. The text says what the operator should look at.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error(
        "no account: the caller is no device of ours, {dialed:?} is nobody's number, and {realm:?} is no account's realm"
    )]
    NoAccount { dialed: String, realm: String },
    #[error("account {0} is named by an index but has no document; run linefinder check")]
    AccountMissing(AccountId),
    #[error("account {0} is disabled")]
    AccountDisabled(AccountId),
    #[error("the calling device {0} is disabled")]
    DeviceDisabled(DocumentId),
    #[error("the owner of the calling device, {0}, is disabled")]
    OwnerDisabled(DocumentId),
    #[error("nothing was dialled: the request has no user part")]
    NothingDialed,
    #[error("no callflow of account {account} has the number {dialed:?} or a pattern for it")]
    NoCallflow { account: AccountId, dialed: String },
    #[error(
        "only no_match of account {account} answers {dialed:?}, and the caller ({}) is no device of the account",
        source_of(*.source_ip)
    )]
    NoMatchForOutsiders {
        account: AccountId,
        dialed: String,
        source_ip: Option<IpAddr>,
    },
    #[error(
        "device {device} may not call {dialed:?}: {classifier} numbers are denied by the {by}'s call_restriction"
    )]
    Restricted {
        device: DocumentId,
        dialed: String,
        classifier: &'static str,
        by: Denied,
    },
    #[error(
        "device {device} may not call {dialed:?}: its groups are closed and it shares none with the callee"
    )]
    ClosedGroup { device: DocumentId, dialed: String },
    #[error("the store can't be read: {0}")]
    Store(#[from] StoreError),
}

fn source_of(ip: Option<IpAddr>) -> String {
    ip.map_or_else(|| "address unknown".to_owned(), |ip| ip.to_string())
}

impl Refusal {
    /// What the caller's leg is hung up with. FreeSWITCH's own SIP answers to these are the ones
    /// that the specifications ask for (404, 403, 484, 503), so none needs a `respond`.
    #[must_use]
    pub const fn cause(&self) -> HangupCause {
        match self {
            Refusal::NoAccount { .. }
            | Refusal::AccountMissing(_)
            | Refusal::NoCallflow { .. }
            | Refusal::NoMatchForOutsiders { .. } => HangupCause::NoRouteDestination,
            Refusal::AccountDisabled(_)
            | Refusal::DeviceDisabled(_)
            | Refusal::OwnerDisabled(_)
            | Refusal::Restricted { .. }
            | Refusal::ClosedGroup { .. } => HangupCause::OutgoingCallBarred,
            Refusal::NothingDialed => HangupCause::InvalidNumberFormat,
            Refusal::Store(_) => HangupCause::NormalTemporaryFailure,
        }
    }

    /// A short name for reports and tables.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Refusal::NoAccount { .. } => "no_account",
            Refusal::AccountMissing(_) => "account_missing",
            Refusal::AccountDisabled(_) => "account_disabled",
            Refusal::DeviceDisabled(_) => "device_disabled",
            Refusal::OwnerDisabled(_) => "owner_disabled",
            Refusal::NothingDialed => "nothing_dialed",
            Refusal::NoCallflow { .. } => "no_callflow",
            Refusal::NoMatchForOutsiders { .. } => "no_match_for_outsiders",
            Refusal::Restricted { .. } => "restricted",
            Refusal::ClosedGroup { .. } => "closed_group",
            Refusal::Store(_) => "store",
        }
    }

    /// The prompt that tells the caller, before the call ends.
    #[must_use]
    pub const fn prompt(&self) -> Option<&'static str> {
        match self {
            Refusal::Restricted { .. } | Refusal::ClosedGroup { .. } => {
                Some("cf-unauthorized_call")
            }
            _ => None,
        }
    }

    /// It is the system that failed, not the caller: worth a warning.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        matches!(self, Refusal::AccountMissing(_) | Refusal::Store(_))
    }
}
