//! Trunks in use against what was sold, for operators.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Serialize, Serializer};

use super::explain::store_error;
use super::room::InUse;
use super::world::Documents;
use crate::callflow::{Context, ExplainError};
use crate::documents::{DocumentType, Limits, Trunks};
use crate::routing::trunk::limits;
use crate::types::AccountId;

/// One account. A reseller's units are those of its accounts, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrunksInUse {
    pub account_id: AccountId,
    pub in_use: InUse,
    /// None: it is not limited.
    pub limits: Option<SoldTrunks>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SoldTrunks {
    pub inbound: Sold,
    pub outbound: Sold,
    pub twoway: Sold,
    pub burst: Sold,
    pub calls: Option<u32>,
    pub resource_consuming_calls: Option<u32>,
}

/// A number of trunks; -1 in JSON for any number, as in the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sold(pub Trunks);

impl Serialize for Sold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Trunks::Unlimited => serializer.serialize_i64(-1),
            Trunks::Of(count) => serializer.serialize_u32(count),
        }
    }
}

impl fmt::Display for Sold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Trunks::Unlimited => f.write_str("any"),
            Trunks::Of(count) => write!(f, "{count}"),
        }
    }
}

impl From<&Limits> for SoldTrunks {
    fn from(limits: &Limits) -> Self {
        Self {
            inbound: Sold(limits.inbound()),
            outbound: Sold(limits.outbound()),
            twoway: Sold(limits.twoway()),
            burst: Sold(limits.burst()),
            calls: limits.calls(),
            resource_consuming_calls: limits.resource_consuming_calls(),
        }
    }
}

/// The account, or all that have limits or hold units, by id.
///
/// # Errors
/// There is no such account, or the store can't be read.
pub fn trunks_in_use(
    context: &Context,
    account: Option<&AccountId>,
) -> Result<Vec<TrunksInUse>, ExplainError> {
    let world = Documents::new(context);
    let accounts: BTreeSet<AccountId> = match account {
        Some(account) => {
            if context.store.account(account)?.is_none() {
                return Err(ExplainError::UnknownAccount(account.clone()));
            }
            BTreeSet::from([account.clone()])
        }
        None => {
            let mut accounts: BTreeSet<AccountId> = context.ledger.accounts().into_iter().collect();
            for kind in [DocumentType::Limits, DocumentType::Connectivity] {
                for document in context.store.scan(kind, None) {
                    accounts.insert(document?.key.account);
                }
            }
            accounts
        }
    };
    let mut rows = Vec::new();
    for account_id in accounts {
        let sold = limits::of_account(&account_id, &world).map_err(store_error)?;
        let sold = sold.filter(|limits| limits.is_enabled());
        let usage = context.ledger.usage(&account_id);
        if account.is_none() && sold.is_none() && usage.calls == 0 {
            continue;
        }
        rows.push(TrunksInUse {
            in_use: InUse {
                inbound: usage.inbound,
                outbound: usage.outbound,
                calls: usage.calls,
                resource_consuming_calls: usage.consuming,
            },
            limits: sold.as_deref().map(SoldTrunks::from),
            account_id,
        });
    }
    Ok(rows)
}
