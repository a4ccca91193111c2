//! Whose a number is.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::explain::store_error;
use super::world::Documents;
use crate::callflow::explain::{Note, Notes};
use crate::callflow::{Context, ExplainError};
use crate::documents::{DocumentKey, DocumentType, NumberRecord};
use crate::routing::numbers::Normalizer;
use crate::routing::trunk::numbers::{Owned, Owner, class};
use crate::routing::trunk::{Place, World};
use crate::types::{AccountId, DocumentId};

/// What the number's document calls its state, and what it is without a word.
const STATE: [&str; 2] = ["state", "pvt_state"];
const IN_SERVICE: &str = "in_service";

/// Whose a number is, and where its calls go.
#[derive(Debug, Clone, Serialize)]
pub struct NumberOwner {
    /// Normalised.
    pub number: String,
    pub class: &'static str,
    /// Who has it, be it in service or not.
    pub account_id: Option<AccountId>,
    pub account_name: Option<String>,
    /// As its document says.
    pub state: Option<String>,
    pub used_by: Option<String>,
    pub goes_to: GoesTo,
    /// PBXs that list it, in the order in which they are tried.
    pub servers: Vec<String>,
    /// Callflows that list it, by account.
    pub callflows: Vec<String>,
    /// Where calls go that no PBX takes.
    pub failover: Option<String>,
    pub notes: Vec<Note>,
}

/// Who takes the calls of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GoesTo {
    Nobody,
    /// Its state is none in which calls reach it.
    OutOfService,
    AccountDisabled,
    /// It is here, and calls to it leave all the same.
    Carriers,
    Servers,
    Callflows,
}

impl GoesTo {
    fn of(owned: &Owned, context: &Context) -> Self {
        if owned.is_forced_out(&context.routing.trunk) {
            Self::Carriers
        } else if owned.is_elsewhere() {
            Self::Callflows
        } else {
            Self::Servers
        }
    }

    const fn told(self) -> &'static str {
        match self {
            Self::Nobody => "nobody here",
            Self::OutOfService => "nobody: it is not in service",
            Self::AccountDisabled => "nobody: the account is disabled",
            Self::Carriers => "carriers: the number is forced out",
            Self::Servers => "the servers that list it",
            Self::Callflows => "the account's callflows",
        }
    }
}

/// Says who owns a number and where it goes.
///
/// # Errors
/// The store can't be read.
pub fn who(context: &Context, number: &str) -> Result<NumberOwner, ExplainError> {
    let store = &context.store;
    let world = Documents::new(context);
    // As it is written on a letterhead, too.
    let bare: String = number.chars().filter(|c| !" ().-/".contains(*c)).collect();
    let number = Normalizer::us().e164(&bare);
    let mut notes = Notes::default();
    let record = world.number(&number).map_err(store_error)?;
    let owner = Owner::of(&number, &world, &mut notes).map_err(store_error)?;
    let (account_id, goes_to, places) = match (owner, &record) {
        (Owner::Nobody, None) => (None, GoesTo::Nobody, Vec::new()),
        (Owner::Nobody, Some((account, _))) => {
            (Some(account.clone()), GoesTo::OutOfService, Vec::new())
        }
        (Owner::Disabled(account), _) => (Some(account), GoesTo::AccountDisabled, Vec::new()),
        (Owner::Account(owned), _) => {
            let goes_to = GoesTo::of(&owned, context);
            (Some(owned.account_id), goes_to, owned.places)
        }
    };
    let account = match &account_id {
        Some(id) => store.account(id)?,
        None => None,
    };
    let servers = places.iter().map(|place| server(context, place));
    let mut callflows = Vec::new();
    for account in store.accounts_by_number(&number)? {
        for id in store.callflows_by_number(&account, &number)? {
            callflows.push(format!("{account}/{id}"));
        }
    }
    let servers = servers.collect::<Result<_, _>>()?;
    let account_name = account.and_then(|account| Some(account.name.as_deref()?.to_owned()));
    let record = record.map(|(_, record)| record);
    Ok(NumberOwner {
        class: class(&number),
        state: state(context, account_id.as_ref(), &number)?,
        used_by: record
            .as_ref()
            .and_then(|r| Some(r.used_by.as_deref()?.to_owned())),
        failover: record.as_deref().and_then(failover),
        number,
        account_id,
        account_name,
        goes_to,
        servers,
        callflows,
        notes: notes.0,
    })
}

/// The word in the document, which may be one that the decisions don't know.
fn state(
    context: &Context,
    account: Option<&AccountId>,
    number: &str,
) -> Result<Option<String>, ExplainError> {
    let (Some(account), Ok(id)) = (account, DocumentId::new(number)) else {
        return Ok(None);
    };
    let key = DocumentKey {
        kind: DocumentType::Number,
        account: account.clone(),
        id,
    };
    let document = context.store.document(&key)?;
    Ok(document.map(|document| {
        let mut words = STATE.iter().filter_map(|name| document.body.get(*name));
        words
            .find_map(Value::as_str)
            .unwrap_or(IN_SERVICE)
            .to_owned()
    }))
}

fn server(context: &Context, place: &Place) -> Result<String, ExplainError> {
    let document = context
        .store
        .connectivity(&place.account, &place.connectivity)?;
    let server = document.as_ref().and_then(|d| d.servers.get(place.server));
    let name = server.and_then(|server| server.name.as_deref());
    Ok(match name {
        Some(name) => format!("{}/{} {name}", place.connectivity, place.server),
        None => format!("{}/{}", place.connectivity, place.server),
    })
}

fn failover(record: &NumberRecord) -> Option<String> {
    let failover = record.failover.as_ref()?;
    let to = failover.e164.as_deref().or(failover.sip.as_deref())?;
    Some(to.to_owned())
}

impl fmt::Display for NumberOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({})", self.number, self.class)?;
        if let Some(account) = &self.account_id {
            match &self.account_name {
                Some(name) => writeln!(f, "  {:<10} {account} ({name})", "account")?,
                None => writeln!(f, "  {:<10} {account}", "account")?,
            }
        }
        let known = [("state", &self.state), ("used by", &self.used_by)];
        for (name, value) in known {
            if let Some(value) = value {
                writeln!(f, "  {name:<10} {value}")?;
            }
        }
        writeln!(f, "  {:<10} {}", "goes to", self.goes_to.told())?;
        for (name, list) in [("server", &self.servers), ("callflow", &self.callflows)] {
            for entry in list {
                writeln!(f, "  {name:<10} {entry}")?;
            }
        }
        if let Some(failover) = &self.failover {
            writeln!(f, "  {:<10} {failover}", "failover")?;
        }
        Ok(())
    }
}
