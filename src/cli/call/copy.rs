//! What of a store a simulated call needs: its account's documents, and a phone for each device.

use super::super::exit::Failure;
use super::super::simulation::Phone;
use super::address_of;
use crate::documents::DocumentType;
use crate::sim::PhoneScript;
use crate::store::{Change, Store, Write};
use crate::types::{AccountId, DocumentId};

/// Documents written at once.
const BATCH: usize = 1_000;
/// Devices of one account that get a phone. More are not needed to see where a call goes, and each takes a moment.
const PHONES: usize = 2_000;
/// Device ids that a remark names.
const NAMED: usize = 8;
/// The first port of simulated contacts; nothing listens there.
const FIRST_PORT: usize = 20_000;

/// A temporary store with the account's documents.
pub fn account(store: &Store, account: &AccountId) -> Result<Store, Failure> {
    let copy = Store::temporary()?;
    let kinds = DocumentType::ALL.iter();
    // Registrations are told by the simulated node.
    let kinds = kinds.filter(|kind| **kind != DocumentType::Registration);
    for kind in kinds {
        let mut writes = Vec::new();
        for document in store.scan(*kind, Some(account)) {
            writes.push(Write::Put(document?));
            if writes.len() == BATCH {
                let writes = std::mem::take(&mut writes);
                copy.apply_blocking(Change::imported(writes))?;
            }
        }
        copy.apply_blocking(Change::imported(writes))?;
    }
    Ok(copy)
}

/// A phone for each device that registers: where it is registered, or somewhere, and then a remark says so.
pub fn phones(
    store: &Store,
    account: &AccountId,
    script: &PhoneScript,
    remarks: &mut Vec<String>,
) -> Result<Vec<Phone>, Failure> {
    let mut phones = Vec::new();
    let mut absent = Vec::new();
    for (index, document) in store
        .scan(DocumentType::Device, Some(account))
        .take(PHONES)
        .enumerate()
    {
        let id = document?.key.id;
        let Some((user, realm)) = address_of(store, account, &id)? else {
            continue;
        };
        if !registers(store, account, &id)? {
            continue;
        }
        let registrations = store.registrations(&user, &realm);
        if registrations.is_empty() {
            let host = format!("127.0.0.1:{}", FIRST_PORT + index);
            phones.push(Phone::registered(&user, &realm, &user, &host).that(script.clone()));
            absent.push(id.to_string());
        }
        for registration in registrations {
            let mut phone = Phone::registered(&user, &realm, &user, "").that(script.clone());
            phone.address = format!("{user}@{realm}");
            phone.contact = registration.contact;
            phone.profile = registration.profile;
            phones.push(phone);
        }
    }
    if !absent.is_empty() {
        let named = absent.iter().take(NAMED).cloned().collect::<Vec<_>>();
        let more = match absent.len().checked_sub(NAMED) {
            Some(more @ 1..) => format!(" and {more} more"),
            _ => String::new(),
        };
        remarks.push(format!(
            "Not registered, so simulated phones stand in: {}{more}",
            named.join(", ")
        ));
    }
    if phones.is_empty() {
        remarks.push("No device of the account registers.".to_owned());
    }
    Ok(phones)
}

/// A device with an address of its own is reached there, registered or not.
fn registers(store: &Store, account: &AccountId, device: &DocumentId) -> Result<bool, Failure> {
    let found = store.device(account, device)?;
    Ok(found.is_some_and(|found| found.sip.ip().is_none() && found.sip.route().is_none()))
}
