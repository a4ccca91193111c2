//! Who is calling, and for which account: from an arrival to a call with a flow.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::call::SecondHop;
use super::lookup::{self, Dialed, Found, Rule};
use super::rights::Rights;
use super::trust::{Origin, Referrer};
use super::walk::Walk;
use super::{Call, Flow, Office, Refusal, Settings, numbers, people, trust};
use crate::documents::{Account, Callflow, FlowNode};
use crate::routing::caller::ForwardedCall;
use crate::routing::trunk::{Elsewhere, Party};
use crate::routing::{Caller, Explain, HandedOver, Network, Privacy};
use crate::store::{Store, StoreError};
use crate::switch::Arrival;
use crate::types::{AccountId, DocumentId};

/// A call that may run its flow.
#[derive(Debug, Clone)]
pub struct Admitted {
    pub call: Call,
    pub route: Route,
    /// The account's flow that goes first.
    pub preflow: Option<Arc<Callflow>>,
}

/// Where an admitted call is led.
#[derive(Debug, Clone)]
pub enum Route {
    Callflow(Found),
    /// A sister node has decided; what is left is to ring this device.
    HandedOver(DocumentId),
}

impl Route {
    /// The callflow, if it is one.
    #[must_use]
    pub const fn callflow(&self) -> Option<&DocumentId> {
        match self {
            Route::Callflow(found) => Some(&found.id),
            Route::HandedOver(_) => None,
        }
    }

    /// `number`, `pattern`, `no_match` or `handed_over`.
    #[must_use]
    pub const fn by(&self) -> &'static str {
        match self {
            Route::Callflow(found) => found.by.as_str(),
            Route::HandedOver(_) => "handed_over",
        }
    }
}

/// Seconds that a handed-over device may ring. The first node keeps the time; this one only sees
/// to it that nothing rings for ever.
const HANDED_OVER_RING_S: u32 = 3600;

impl Admitted {
    /// The flow, ready to be walked.
    #[must_use]
    pub fn walk(&self, settings: &Settings) -> Walk {
        let flow = match &self.route {
            Route::Callflow(found) => Flow::Callflow(found.callflow.clone()),
            Route::HandedOver(device) => Flow::Node(Arc::new(ring_node(device))),
        };
        let mut walk = Walk::new(flow, settings);
        if let Some(preflow) = &self.preflow {
            walk.precede(Flow::Callflow(preflow.clone()));
        }
        walk
    }
}

fn ring_node(device: &DocumentId) -> FlowNode {
    let mut node = FlowNode {
        module: Some("device".to_owned()),
        ..FlowNode::default()
    };
    node.data.insert("id".to_owned(), device.as_str().into());
    node.data
        .insert("timeout".to_owned(), HANDED_OVER_RING_S.into());
    // Whether a device may be called by its own owner was the first node's to decide.
    node.data.insert("can_call_self".to_owned(), true.into());
    node
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
    match trust::origin(store, office.routing, arrival, explain)? {
        Origin::Device(account, device) => {
            admit_device(office, arrival, (account, device), explain)
        }
        Origin::Outside => admit_outsider(office, arrival, explain),
        Origin::Forwarded(forwarded) => admit_forwarded(office, arrival, forwarded, explain),
        Origin::HandedOver(handed) => admit_handed_over(store, arrival, handed),
        Origin::Onnet(account) => {
            let caller = outside_caller(arrival);
            let elsewhere = Elsewhere {
                account,
                number: arrival.destination.clone(),
                caller: Party {
                    name: caller.name,
                    number: caller.number,
                },
            };
            let mut admitted = admit_elsewhere(office, arrival, elsewhere, explain)?;
            admitted.call.behind_loopback = true;
            Ok(admitted)
        }
    }
}

/// A call that came over a trunk, for an account's callflows: from a carrier or a PBX.
///
/// # Errors
/// Why the call is turned away.
pub(super) fn admit_elsewhere(
    office: &Office<'_>,
    arrival: &Arrival,
    elsewhere: Elsewhere,
    explain: &mut dyn Explain,
) -> Result<Admitted, Refusal> {
    let account = enabled_account(office.store, &elsewhere.account)?;
    let mut caller = outside_caller(arrival);
    caller.name = elsewhere.caller.name;
    caller.number = elsewhere.caller.number;
    let mut call = new_call(arrival, elsewhere.account, account, caller);
    call.dialed = elsewhere.number;
    lead(office, call, None, arrival, explain)
}

fn admit_device(
    office: &Office<'_>,
    arrival: &Arrival,
    (account_id, device): (AccountId, DocumentId),
    explain: &mut dyn Explain,
) -> Result<Admitted, Refusal> {
    let store = office.store;
    let account = enabled_account(store, &account_id)?;
    let mut caller = device_caller(store, &account_id, device.clone(), arrival)?;
    let mut rights = Rights::of(store, &account_id, &device)?;
    let mut dialed = arrival.destination.clone();
    if let Some(rights) = &rights {
        rights.format(&account, &mut dialed, &mut caller, explain);
    }
    let referrer = trust::referrer(store, arrival, explain)?;
    match &referrer {
        Referrer::None => {}
        Referrer::Device(of, by) if *of == account_id => {
            rights = Rights::of(store, &account_id, by)?;
        }
        // By whose rights it would go on nobody can say: it goes on as an outsider's (callflow specification 1.2).
        Referrer::Device(..) | Referrer::Unknown => {
            (caller.device_id, caller.owner_id) = (None, None);
            (caller.device, caller.owner) = (None, None);
        }
    }
    let mut call = new_call(arrival, account_id, account, caller);
    call.dialed = dialed;
    call.referred_by = referrer.into_device();
    lead(office, call, rights.as_ref(), arrival, explain)
}

fn admit_outsider(
    office: &Office<'_>,
    arrival: &Arrival,
    explain: &mut dyn Explain,
) -> Result<Admitted, Refusal> {
    let store = office.store;
    // What a device has transferred stays in its account, whatever number the caller first dialled.
    let referrer = trust::referrer(store, arrival, explain)?;
    let (account_id, rights) = match &referrer {
        Referrer::Device(account, by) => (account.clone(), Rights::of(store, account, by)?),
        Referrer::None | Referrer::Unknown => (account_of(store, arrival, explain)?, None),
    };
    let account = enabled_account(store, &account_id)?;
    let mut call = new_call(arrival, account_id, account, outside_caller(arrival));
    call.referred_by = referrer.into_device();
    lead(office, call, rights.as_ref(), arrival, explain)
}

/// The call goes on as one of the forwarding device: its account, its rights. Whom the next phone
/// is shown is on the leg already (device specification 4.2), so no document of the device may
/// override it.
fn admit_forwarded(
    office: &Office<'_>,
    arrival: &Arrival,
    forwarded: ForwardedCall,
    explain: &mut dyn Explain,
) -> Result<Admitted, Refusal> {
    let store = office.store;
    let account = enabled_account(store, &forwarded.account)?;
    let rights = Rights::of(store, &forwarded.account, &forwarded.device)?;
    let mut caller = device_caller(store, &forwarded.account, forwarded.device, arrival)?;
    (caller.device, caller.owner) = (None, None);
    caller.network = forwarded.network;
    let mut call = new_call(arrival, forwarded.account, account, caller);
    call.forward_chain = forwarded.chain;
    call.behind_loopback = true;
    call.confirmed = forwarded.confirmed;
    lead(office, call, rights.as_ref(), arrival, explain)
}

fn admit_handed_over(
    store: &Store,
    arrival: &Arrival,
    handed: HandedOver,
) -> Result<Admitted, Refusal> {
    let account = enabled_account(store, &handed.account)?;
    let mut caller = outside_caller(arrival);
    caller.network = handed.network;
    caller.privacy = handed.privacy;
    if let Some(id) = &handed.caller_device {
        caller.device = store.device(&handed.account, id)?;
    }
    if let Some(id) = &handed.caller_owner {
        caller.owner = store.user(&handed.account, id)?;
    }
    caller.device_id = handed.caller_device;
    caller.owner_id = handed.caller_owner;
    let mut call = new_call(arrival, handed.account, account, caller);
    call.dialed = handed.dialed;
    call.forward_chain = handed.forward_chain;
    call.second_hop = Some(SecondHop {
        source: handed.source,
        forwarded: handed.forwarded,
        options: handed.options,
    });
    Ok(Admitted {
        call,
        route: Route::HandedOver(handed.device),
        preflow: None,
    })
}

fn new_call(
    arrival: &Arrival,
    account_id: AccountId,
    account: Arc<Account>,
    caller: Caller,
) -> Call {
    Call {
        id: arrival.call.clone(),
        sip_call_id: arrival.sip_call_id.clone(),
        node: arrival.node.clone(),
        profile: arrival.profile.clone(),
        dialed: arrival.destination.clone(),
        capture_group: None,
        capture_groups: BTreeMap::new(),
        no_match: false,
        forward_chain: Vec::new(),
        behind_loopback: false,
        confirmed: false,
        referred_by: None,
        second_hop: None,
        account_id,
        account,
        caller,
    }
}

/// Leads the call to its callflow, if that is allowed. `rights`: of the device by whose rights it goes.
fn lead(
    office: &Office<'_>,
    mut call: Call,
    rights: Option<&Rights>,
    arrival: &Arrival,
    explain: &mut dyn Explain,
) -> Result<Admitted, Refusal> {
    if call.dialed.is_empty() {
        return Err(Refusal::NothingDialed);
    }
    let store = office.store;
    let found = callflow_of(store, &call, arrival, explain)?;
    if let Some(rights) = rights {
        rights.check(office, &call, &found, explain)?;
    }
    match &found.by {
        Rule::Number => {}
        Rule::NoMatch => call.no_match = true,
        Rule::Pattern(captured) => {
            call.capture_group = Some(captured.group.clone());
            call.capture_groups.clone_from(&captured.named);
        }
    }
    Ok(Admitted {
        preflow: preflow_of(store, &call)?,
        route: Route::Callflow(found),
        call,
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

fn outside_caller(arrival: &Arrival) -> Caller {
    Caller {
        number: arrival.caller_number.clone().unwrap_or_default(),
        name: arrival.caller_name.clone().unwrap_or_default(),
        network: Network::Offnet,
        privacy: privacy_of(arrival),
        device_id: None,
        owner_id: None,
        device: None,
        owner: None,
        diversion: arrival.variable("sip_h_Diversion").map(str::to_owned),
    }
}

fn device_caller(
    store: &Store,
    account: &AccountId,
    id: DocumentId,
    arrival: &Arrival,
) -> Result<Caller, Refusal> {
    let mut caller = outside_caller(arrival);
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
pub(super) fn privacy_of(arrival: &Arrival) -> Privacy {
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
    call: &Call,
    arrival: &Arrival,
    explain: &mut dyn Explain,
) -> Result<Found, Refusal> {
    let normalized = numbers::normalized(&call.account, &call.dialed);
    let key = Dialed {
        raw: &call.dialed,
        normalized: normalized.as_deref(),
    };
    let Some(found) = lookup::find(store, &call.account_id, key, explain)? else {
        return Err(Refusal::NoCallflow {
            account: call.account_id.clone(),
            dialed: call.dialed.clone(),
        });
    };
    // An outsider who could use it would be calling the world at the account's expense.
    let trusted = call.caller.device_id.is_some() || call.referred_by.is_some();
    if found.by == Rule::NoMatch && !trusted {
        explain.note("no_match", format_args!("refused: the caller is no device"));
        return Err(Refusal::NoMatchForOutsiders {
            account: call.account_id.clone(),
            dialed: call.dialed.clone(),
            source_ip: arrival.source,
        });
    }
    Ok(found)
}
