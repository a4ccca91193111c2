//! Who is calling, and for which account: from an arrival to a call with a flow.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lookup::{self, Dialed, Found, Rule};
use super::walk::Walk;
use super::{Call, Flow, Office, Refusal, Settings, numbers, people, trust};
use crate::documents::{Account, Callflow};
use crate::routing::{Caller, Explain, Network, Privacy};
use crate::store::{Store, StoreError};
use crate::switch::Arrival;
use crate::types::{AccountId, DocumentId};

/// A call that may run its flow.
#[derive(Debug, Clone)]
pub struct Admitted {
    pub call: Call,
    pub found: Found,
    /// The account's flow that goes first.
    pub preflow: Option<Arc<Callflow>>,
}

impl Admitted {
    /// The flow, ready to be walked.
    #[must_use]
    pub fn walk(&self, settings: &Settings) -> Walk {
        let mut walk = Walk::new(Flow::Callflow(self.found.callflow.clone()), settings);
        if let Some(preflow) = &self.preflow {
            walk.precede(Flow::Callflow(preflow.clone()));
        }
        walk
    }
}

/// Finds the account, the caller's documents and the callflow. Nothing but reads of the store:
/// the live call, the explanation and the benchmark all ask here.
///
/// # Errors
/// Why the call is turned away.
pub fn admit(
    office: &Office<'_>,
    arrival: &Arrival,
    explain: &mut dyn Explain,
) -> Result<Admitted, Refusal> {
    let store = office.store;
    let (account_id, device_id) = match trust::calling_device(store, arrival, explain)? {
        Some((account, device)) => (account, Some(device)),
        None => (account_of(store, arrival, explain)?, None),
    };
    let account = enabled_account(store, &account_id)?;
    let caller = caller_of(store, &account_id, device_id, arrival)?;
    let dialed = arrival.destination.as_str();
    if dialed.is_empty() {
        return Err(Refusal::NothingDialed);
    }
    let found = callflow_of(store, &account_id, &account, &caller, arrival, explain)?;
    let captured = match &found.by {
        Rule::Pattern(captured) => Some(captured),
        Rule::Number | Rule::NoMatch => None,
    };
    let call = Call {
        id: arrival.call.clone(),
        sip_call_id: arrival.sip_call_id.clone(),
        node: arrival.node.clone(),
        profile: arrival.profile.clone(),
        dialed: dialed.to_owned(),
        capture_group: captured.map(|c| c.group.clone()),
        capture_groups: captured.map_or_else(BTreeMap::new, |c| c.named.clone()),
        no_match: found.by == Rule::NoMatch,
        forward_chain: trust::forward_chain(arrival),
        behind_loopback: trust::is_behind_loopback(arrival),
        account_id,
        account,
        caller,
    };
    Ok(Admitted {
        preflow: preflow_of(store, &call)?,
        call,
        found,
    })
}

fn preflow_of(store: &Store, call: &Call) -> Result<Option<Arc<Callflow>>, StoreError> {
    let Some(id) = call.account.preflow.as_deref() else {
        return Ok(None);
    };
    let preflow = match DocumentId::new(id) {
        Ok(id) => store.callflow(&call.account_id, &id)?,
        Err(_) => None,
    };
    if preflow.is_none() {
        tracing::warn!(call_id = %call.id, account_id = %call.account_id, preflow = id,
            "the account's preflow is no callflow; it is left out");
    }
    Ok(preflow)
}

/// The account of a caller who is no device: the dialled number's, else the request's realm's.
fn account_of(
    store: &Store,
    arrival: &Arrival,
    explain: &mut dyn Explain,
) -> Result<AccountId, Refusal> {
    let dialed = arrival.destination.as_str();
    let realm = arrival.variable("sip_req_host").unwrap_or_default();
    let of_realm = if realm.is_empty() {
        None
    } else {
        store.account_by_realm(realm)?
    };
    if let Some(account) = account_of_did(store, dialed, of_realm.as_ref())? {
        explain.note("account", format_args!("{dialed} is a number of {account}"));
        return Ok(account);
    }
    let Some(account) = of_realm else {
        explain.note("account", format_args!("{realm:?} is nobody's realm"));
        return Err(Refusal::NoAccount {
            dialed: dialed.to_owned(),
            realm: realm.to_owned(),
        });
    };
    explain.note("account", format_args!("{realm} is the realm of {account}"));
    Ok(account)
}

/// Whose number this is. Extensions such as 100 belong to every tenant and say nothing; only a
/// number that is E.164 as it is, or becomes it, does.
fn account_of_did(
    store: &Store,
    dialed: &str,
    of_realm: Option<&AccountId>,
) -> Result<Option<AccountId>, StoreError> {
    let Some(number) = numbers::did(dialed) else {
        return Ok(None);
    };
    for key in [dialed, &number] {
        let accounts = store.accounts_by_number(key)?;
        if let Some(account) = of_realm.filter(|account| accounts.contains(account)) {
            return Ok(Some(account.clone()));
        }
        let Some(account) = accounts.first() else {
            continue;
        };
        if accounts.len() > 1 {
            tracing::warn!(number = key, account_id = %account,
                "several accounts have this number and the request's realm is none of theirs; the first is used");
        }
        return Ok(Some(account.clone()));
    }
    Ok(None)
}

fn enabled_account(store: &Store, id: &AccountId) -> Result<Arc<Account>, Refusal> {
    let account = store.account(id)?;
    let account = account.ok_or_else(|| Refusal::AccountMissing(id.clone()))?;
    if account.is_enabled() {
        Ok(account)
    } else {
        Err(Refusal::AccountDisabled(id.clone()))
    }
}

fn caller_of(
    store: &Store,
    account: &AccountId,
    device_id: Option<DocumentId>,
    arrival: &Arrival,
) -> Result<Caller, Refusal> {
    let mut caller = Caller {
        number: arrival.caller_number.clone().unwrap_or_default(),
        name: arrival.caller_name.clone().unwrap_or_default(),
        network: Network::Offnet,
        privacy: privacy_of(arrival),
        device_id: None,
        owner_id: None,
        device: None,
        owner: None,
        diversion: arrival.variable("sip_h_Diversion").map(str::to_owned),
    };
    let Some(id) = device_id else {
        return Ok(caller);
    };
    caller.network = Network::Onnet;
    if let Some(device) = store.device(account, &id)? {
        if !device.is_enabled() {
            return Err(Refusal::DeviceDisabled(id));
        }
        if let Some((owner_id, owner)) = people::effective_owner(store, account, &device)? {
            if !owner.is_enabled() {
                return Err(Refusal::OwnerDisabled(owner_id));
            }
            caller.owner_id = Some(owner_id);
            caller.owner = Some(owner);
        }
        caller.device = Some(device);
    }
    caller.device_id = Some(id);
    Ok(caller)
}

/// What the caller asked to hide: FreeSWITCH's flags, or a Privacy header that it kept.
fn privacy_of(arrival: &Arrival) -> Privacy {
    let is_true = |name| arrival.variable(name) == Some("true");
    let header = arrival.variable("sip_Privacy").unwrap_or_default();
    let asked = header.split([';', ',', ' ']).any(|token| {
        let token = token.trim();
        ["id", "full", "user", "header"]
            .iter()
            .any(|t| t.eq_ignore_ascii_case(token))
    });
    Privacy {
        hide_name: asked || is_true("Caller-Privacy-Hide-Name"),
        hide_number: asked || is_true("Caller-Privacy-Hide-Number"),
    }
}

fn callflow_of(
    store: &Store,
    account_id: &AccountId,
    account: &Account,
    caller: &Caller,
    arrival: &Arrival,
    explain: &mut dyn Explain,
) -> Result<Found, Refusal> {
    let dialed = arrival.destination.as_str();
    let normalized = numbers::normalized(account, dialed);
    let key = Dialed {
        raw: dialed,
        normalized: normalized.as_deref(),
    };
    let Some(found) = lookup::find(store, account_id, key, explain)? else {
        return Err(Refusal::NoCallflow {
            account: account_id.clone(),
            dialed: dialed.to_owned(),
        });
    };
    // An outsider who could use it would be calling the world at the account's expense.
    if found.by == Rule::NoMatch && caller.device_id.is_none() {
        explain.note("no_match", format_args!("refused: the caller is no device"));
        return Err(Refusal::NoMatchForOutsiders {
            account: account_id.clone(),
            dialed: dialed.to_owned(),
            source_ip: arrival.source,
        });
    }
    Ok(found)
}
