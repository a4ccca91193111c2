//! Devices with the people behind them, as a decision needs them: read from the store.

use std::sync::Arc;

use super::live::{Party, Seated};
use super::{Call, Office, Wanted};
use crate::documents::{Account, Device, User};
use crate::routing::Member;
use crate::store::{Store, StoreError};
use crate::types::{AccountId, DocumentId};

/// The user who stands for a device (device specification 1.1): the only one that is hotdesked
/// to it; else, without any hotdesking, the nominal owner. An id without a document is no owner.
///
/// # Errors
/// The store can't be read.
pub fn effective_owner(
    store: &Store,
    account: &AccountId,
    device: &Device,
) -> Result<Option<(DocumentId, Arc<User>)>, StoreError> {
    let id = match &*device.hotdesk_users {
        [] => device.owner_id.as_deref(),
        [user] => Some(&**user),
        _ => None,
    };
    user(store, account, id)
}

fn user(
    store: &Store,
    account: &AccountId,
    id: Option<&str>,
) -> Result<Option<(DocumentId, Arc<User>)>, StoreError> {
    let Some(id) = id.and_then(|id| DocumentId::new(id).ok()) else {
        return Ok(None);
    };
    Ok(store.user(account, &id)?.map(|user| (id, user)))
}

/// The user documents that exist for a device: its owner's, or those of the hotdesked users.
pub(super) fn users_of(
    store: &Store,
    account: &AccountId,
    device: &Device,
) -> Result<Vec<(DocumentId, Arc<User>)>, StoreError> {
    let ids = match &*device.hotdesk_users {
        [] => device.owner_id.as_slice(),
        hotdesked => hotdesked,
    };
    let mut users = Vec::with_capacity(ids.len());
    for id in ids {
        users.extend(user(store, account, Some(id))?);
    }
    Ok(users)
}

/// A device that an action names, with everything that bears on ringing it.
pub(super) fn member(
    call: &Call,
    office: &Office<'_>,
    wanted: &Wanted,
) -> Result<Member, StoreError> {
    let (store, account) = (office.store, &call.account_id);
    let device = store.device(account, &wanted.device_id)?;
    let mut member = Member {
        device_id: wanted.device_id.clone(),
        device: None,
        users: Vec::new(),
        registrations: Vec::new(),
        on_a_call: false,
        timeout_s: wanted.timeout_s,
        delay_s: wanted.delay_s,
        weight: wanted.weight,
    };
    let Some(device) = device else {
        return Ok(member);
    };
    member.users = users_of(store, account, &device)?;
    if let Some((username, realm)) = address_of(&device, &call.account) {
        member.registrations = store.registrations(username, realm);
    }
    let owner = match member.users.as_slice() {
        [(id, _)] => Some(id),
        _ => None,
    };
    let party = Party::of(&wanted.device_id, owner);
    // On a second hop the device is on the call that the first node is just making.
    member.on_a_call = call.second_hop.is_none() && office.live.is_busy(account, party, &call.id);
    member.device = Some(device);
    Ok(member)
}

/// The address of record under which a device registers.
fn address_of<'a>(device: &'a Device, account: &'a Account) -> Option<(&'a str, &'a str)> {
    let realm = device.sip.realm().or(account.realm.as_deref())?;
    Some((device.sip.username()?, realm))
}

/// Takes the places of everybody who is about to be rung, for as long as the guards live.
pub(super) fn seat_all<'a>(
    call: &Call,
    office: &Office<'_>,
    devices: impl Iterator<Item = &'a DocumentId>,
) -> Result<Vec<Seated>, StoreError> {
    let mut seats = Vec::new();
    for id in devices {
        let Some(device) = office.store.device(&call.account_id, id)? else {
            continue;
        };
        let owner = effective_owner(office.store, &call.account_id, &device)?;
        let party = Party::of(id, owner.as_ref().map(|(id, _)| id));
        seats.push(office.live.seat(&call.account_id, party, &call.id));
    }
    Ok(seats)
}
