//! Whose a number is.

use std::fmt;

use serde::Serialize;

use super::explain::store_error;
use super::world::Documents;
use crate::callflow::explain::{Note, Notes};
use crate::callflow::{Context, ExplainError};
use crate::routing::numbers::Normalizer;
use crate::routing::trunk::numbers::{Owner, class};
use crate::types::AccountId;

/// Whose a number is, and where its calls go.
#[derive(Debug, Clone, Serialize)]
pub struct NumberOwner {
    /// Normalised.
    pub number: String,
    pub class: &'static str,
    pub account_id: Option<AccountId>,
    pub state: Option<String>,
    pub used_by: Option<String>,
    /// PBXs that list it, in the order in which they are tried.
    pub servers: Vec<String>,
    /// Callflows that list it, by account.
    pub callflows: Vec<String>,
    pub notes: Vec<Note>,
}

/// Says who owns a number and where it goes.
///
/// # Errors
/// The store can't be read.
pub fn who(context: &Context, number: &str) -> Result<NumberOwner, ExplainError> {
    let world = Documents::new(context);
    let number = Normalizer::us().e164(number);
    let mut notes = Notes::default();
    let owner = Owner::of(&number, &world, &mut notes).map_err(store_error)?;
    let (account_id, used_by, places) = match owner {
        Owner::Nobody => (None, None, Vec::new()),
        Owner::Disabled(account) => (Some(account), None, Vec::new()),
        Owner::Account(owned) => {
            let used_by = owned.record.as_ref().and_then(|r| r.used_by.as_deref());
            let used_by = used_by.map(str::to_owned);
            (Some(owned.account_id), used_by, owned.places)
        }
    };
    let record = context.store.number(&number)?;
    let state = record.map(|(_, record)| format!("{:?}", record.state).to_lowercase());
    let mut servers = Vec::new();
    for place in places {
        let document = context
            .store
            .connectivity(&place.account, &place.connectivity)?;
        let server = document.as_ref().and_then(|d| d.servers.get(place.server));
        let name = server.and_then(|s| s.name.as_deref()).unwrap_or_default();
        servers.push(format!("{}/{} {name}", place.connectivity, place.server));
    }
    let mut callflows = Vec::new();
    for account in context.store.accounts_by_number(&number)? {
        for id in context.store.callflows_by_number(&account, &number)? {
            callflows.push(format!("{account}/{id}"));
        }
    }
    Ok(NumberOwner {
        class: class(&number),
        number,
        account_id,
        state,
        used_by,
        servers,
        callflows,
        notes: notes.0,
    })
}

impl fmt::Display for NumberOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({})", self.number, self.class)?;
        match &self.account_id {
            Some(account) => writeln!(f, "  {:<10} {account}", "account")?,
            None => writeln!(f, "  nobody's here, or out of service")?,
        }
        let known = [("state", &self.state), ("used by", &self.used_by)];
        for (name, value) in known {
            if let Some(value) = value {
                writeln!(f, "  {name:<10} {value}")?;
            }
        }
        for (name, list) in [("server", &self.servers), ("callflow", &self.callflows)] {
            for entry in list {
                writeln!(f, "  {name:<10} {entry}")?;
            }
        }
        Ok(())
    }
}
