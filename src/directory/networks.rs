//! Devices that are known by their address instead of a password, as FreeSWITCH's address lists want them.

use std::collections::BTreeSet;

use super::answer::{Answer, Network, cidr};
use super::xml::Value;
use crate::documents::AuthMethod;
use crate::store::{Store, StoreError};

/// Replies beyond this are refused by FreeSWITCH (event socket specification 6.3).
const LARGEST: usize = 1 << 20;

/// Bytes of one entry in a reply, at least.
const ENTRY: usize = 40;

/// An enabled device with `sip.method` `ip`.
struct Known {
    ip: std::net::IpAddr,
    username: Option<String>,
    realm: String,
}

/// The users of a domain with their addresses. A list that names the domain takes them in; a call from there gets the
/// user's variables, his dialplan context among them.
///
/// # Errors
/// The store can't be read.
pub fn of_domain(store: &Store, domain: &str) -> Result<Answer, StoreError> {
    let Ok(name) = Value::new(domain) else {
        return Ok(Answer::NotFound);
    };
    let wanted = domain.to_lowercase();
    let mut users = Vec::new();
    for device in known(store)? {
        let Some(username) = device
            .username
            .filter(|_| device.realm.to_lowercase() == wanted)
        else {
            continue;
        };
        match Network::new(&username, device.ip) {
            Ok(user) => users.push(user),
            Err(unfit) => {
                tracing::warn!(username, realm = domain, error = %unfit, "left out of the address list")
            }
        }
    }
    if users.is_empty() && store.account_by_realm(domain)?.is_none() {
        return Ok(Answer::NotFound);
    }
    warn_if_long(users.len());
    Ok(Answer::Networks {
        domain: name,
        users,
    })
}

/// The lists of all of them, and of trunks. Devices: by domain, so that FreeSWITCH asks for the users; devices without a user name by address.
///
/// # Errors
/// The store can't be read.
pub fn lists(store: &Store, trunks: &[std::net::IpAddr]) -> Result<Answer, StoreError> {
    let (mut domains, mut alone) = (BTreeSet::new(), Vec::new());
    for device in known(store)? {
        if device.username.is_some() {
            domains.insert(device.realm.to_lowercase());
        } else {
            alone.push(cidr(device.ip));
        }
    }
    let domains: Vec<Value> = domains
        .iter()
        .filter_map(|domain| Value::new(domain).ok())
        .collect();
    warn_if_long(domains.len() + alone.len() + trunks.len());
    Ok(Answer::AddressLists {
        domains,
        alone,
        trunks: trunks.iter().copied().map(cidr).collect(),
    })
}

fn warn_if_long(entries: usize) {
    if entries > LARGEST / ENTRY {
        tracing::warn!(entries, "an address list is longer than FreeSWITCH reads");
    }
}

fn known(store: &Store) -> Result<Vec<Known>, StoreError> {
    let mut found = Vec::new();
    for (ip, account, id) in store.devices_with_ip()? {
        let Some(device) = store.device(&account, &id)? else {
            continue;
        };
        let Some(account) = store.account(&account)? else {
            continue;
        };
        let by_address = device.is_enabled() && device.sip.method == AuthMethod::Ip;
        if !by_address || !account.is_enabled() {
            continue;
        }
        let realm = device.sip.realm().or(account.realm.as_deref());
        found.push(Known {
            ip,
            // Without a realm nobody can be asked for.
            username: device
                .sip
                .username()
                .filter(|_| realm.is_some())
                .map(str::to_owned),
            realm: realm.unwrap_or_default().to_owned(),
        });
    }
    Ok(found)
}
