//! Who is registered where. Kept in memory, because every call asks and every REGISTER changes it; written behind, because
//! FreeSWITCH is the registrar and a resync repairs what a crash loses.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};

use super::keys;
use crate::documents::Registration;
use crate::types::NodeName;

const SHARDS: usize = 64;

/// Contacts kept for one address of record. A phone that makes up a new Call-ID and contact for each REGISTER would otherwise fill the memory.
pub(super) const CONTACTS_MAX: usize = 32;

/// Longest address of record, in bytes.
const ADDRESS_MAX: usize = keys::TEXT_MAX;

/// Seconds that a lapsed registration is kept: FreeSWITCH reports the expiry up to 60 s and a sweep late (devices spec 3.6), a node that is away later.
const LAPSED_KEPT_S: i64 = 3600;

type Shard = RwLock<HashMap<Box<str>, Vec<Registration>>>;

pub(super) struct Registrations {
    shards: Vec<Shard>,
    hasher: RandomState,
    behind: Mutex<Behind>,
    pub(super) changed: Condvar,
}

/// What the writer behind has still to do.
#[derive(Default)]
pub(super) struct Behind {
    pub(super) dirty: HashSet<Box<str>>,
    pub(super) stop: bool,
}

impl Default for Registrations {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            hasher: RandomState::new(),
            behind: Mutex::default(),
            changed: Condvar::new(),
        }
    }
}

/// `None` when it is no address that could be stored.
pub(super) fn address_of_record(user: &str, realm: &str) -> Option<Box<str>> {
    if user.is_empty() || user.len() + realm.len() >= ADDRESS_MAX {
        return None;
    }
    let mut address = String::with_capacity(user.len() + realm.len() + 1);
    address.push_str(user);
    address.push('@');
    address.push_str(realm);
    if address.is_ascii() {
        address.make_ascii_lowercase();
        return Some(address.into_boxed_str());
    }
    Some(address.to_lowercase().into_boxed_str())
}

/// One phone that refreshes, not two phones.
fn same_binding(a: &Registration, b: &Registration) -> bool {
    let same_call = !a.call_id.is_empty() && a.call_id == b.call_id;
    a.node == b.node && a.profile == b.profile && (same_call || a.contact == b.contact)
}

fn newest_first(contacts: &mut Vec<Registration>) {
    contacts.sort_by_key(|r| std::cmp::Reverse(r.updated_ms));
    contacts.truncate(CONTACTS_MAX);
}

pub(super) fn add(contacts: &mut Vec<Registration>, registration: Registration) {
    contacts.retain(|known| !same_binding(known, &registration));
    contacts.insert(0, registration);
    newest_first(contacts);
}

impl Registrations {
    pub(super) fn shard(&self, address: &str) -> Option<&Shard> {
        let hash = self.hasher.hash_one(address);
        self.shards
            .get(usize::try_from(hash % SHARDS as u64).unwrap_or_default())
    }

    /// Changes the contacts of an address; notes the address if `change` says that it did something.
    fn change(&self, address: Box<str>, change: impl FnOnce(&mut Vec<Registration>) -> bool) {
        let Some(shard) = self.shard(&address) else {
            return;
        };
        let mut map = shard.write().unwrap_or_else(PoisonError::into_inner);
        let contacts = map.entry(address.clone()).or_default();
        let changed = change(contacts);
        if contacts.is_empty() {
            map.remove(&address);
        }
        drop(map);
        if changed {
            self.note([address]);
        }
    }

    pub(super) fn behind(&self) -> MutexGuard<'_, Behind> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, addresses: impl IntoIterator<Item = Box<str>>) {
        let mut behind = self.behind();
        let before = behind.dirty.len();
        behind.dirty.extend(addresses);
        if before == 0 && !behind.dirty.is_empty() {
            self.changed.notify_one();
        }
    }

    pub(super) fn of(&self, user: &str, realm: &str) -> Vec<Registration> {
        let Some(address) = address_of_record(user, realm) else {
            return Vec::new();
        };
        self.at(&address)
    }

    pub(super) fn at(&self, address: &str) -> Vec<Registration> {
        let Some(shard) = self.shard(address) else {
            return Vec::new();
        };
        let map = shard.read().unwrap_or_else(PoisonError::into_inner);
        map.get(address).cloned().unwrap_or_default()
    }

    pub(super) fn register(&self, mut registration: Registration) {
        let Some(address) = address_of_record(&registration.user, &registration.realm) else {
            tracing::warn!(node = %registration.node, "a registration without a usable address of record is ignored");
            return;
        };
        registration.user = registration.user.to_lowercase();
        registration.realm = registration.realm.to_lowercase();
        self.change(address, |contacts| {
            add(contacts, registration);
            true
        });
    }

    pub(super) fn unregister(
        &self,
        node: &NodeName,
        user: &str,
        realm: &str,
        call_id: Option<&str>,
        contact: Option<&str>,
    ) {
        let Some(address) = address_of_record(user, realm) else {
            return;
        };
        let leaves = |r: &Registration| {
            let all = call_id.is_none() && contact.is_none();
            let by_call = call_id.is_some_and(|c| !c.is_empty() && c == r.call_id);
            let by_contact = contact.is_some_and(|c| c == r.contact);
            r.node == *node && (all || by_call || by_contact)
        };
        self.change(address, |contacts| {
            let before = contacts.len();
            contacts.retain(|r| !leaves(r));
            contacts.len() != before
        });
    }

    /// Keeps of every address what `keep` says.
    fn retain(&self, keep: impl Fn(&Registration) -> bool) {
        let mut touched = Vec::new();
        for shard in &self.shards {
            let mut map = shard.write().unwrap_or_else(PoisonError::into_inner);
            map.retain(|address, contacts| {
                let before = contacts.len();
                contacts.retain(&keep);
                if contacts.len() != before {
                    touched.push(address.clone());
                }
                !contacts.is_empty()
            });
        }
        self.note(touched);
    }

    pub(super) fn replace(&self, node: &NodeName, registrations: Vec<Registration>) {
        // What the node still holds stays in place meanwhile: a call that comes during a resync must not miss it.
        let mut named: HashSet<(Box<str>, String, String)> = HashSet::new();
        for registration in registrations {
            if registration.node != *node {
                continue;
            }
            let Some(address) = address_of_record(&registration.user, &registration.realm) else {
                continue;
            };
            named.insert((
                address,
                registration.call_id.clone(),
                registration.contact.clone(),
            ));
            self.register(registration);
        }
        self.retain(|r| {
            let address = address_of_record(&r.user, &r.realm).unwrap_or_default();
            r.node != *node || named.contains(&(address, r.call_id.clone(), r.contact.clone()))
        });
    }

    /// In order of their addresses, newest first within one.
    pub(super) fn all(&self) -> Vec<Registration> {
        let mut found: Vec<(Box<str>, Vec<Registration>)> = Vec::new();
        for shard in &self.shards {
            let map = shard.read().unwrap_or_else(PoisonError::into_inner);
            found.extend(map.iter().map(|(a, c)| (a.clone(), c.clone())));
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found.into_iter().flat_map(|(_, c)| c).collect()
    }

    /// Everything is to be written again: what was to be written may not have been.
    pub(super) fn note_all(&self) {
        let all = self.all();
        self.note(
            all.iter()
                .filter_map(|r| address_of_record(&r.user, &r.realm)),
        );
    }

    /// Removes what is registered in a realm that is gone.
    pub(super) fn forget_realm(&self, realm: &str) {
        self.retain(|r| !r.realm.eq_ignore_ascii_case(realm));
    }

    pub(super) fn sweep(&self, now_s: i64) {
        self.retain(|r| r.expires_at.saturating_add(LAPSED_KEPT_S) > now_s);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration(node: &str, user: &str, call_id: &str, updated_ms: i64) -> Registration {
        Registration {
            node: NodeName::new(node).unwrap(),
            profile: "internal".into(),
            user: user.into(),
            realm: "Acme.Example.COM".into(),
            contact: format!("<sip:{user}@192.0.2.{}:5060>", updated_ms % 200),
            call_id: call_id.into(),
            network_ip: None,
            network_port: None,
            user_agent: None,
            expires_at: 1_000,
            updated_ms,
        }
    }

    #[test]
    fn newest_first_and_a_refresh_replaces() {
        let all = Registrations::default();
        all.register(registration("fs1", "2001", "a", 1));
        all.register(registration("fs1", "2001", "b", 3));
        all.register(registration("fs1", "2001", "a", 2));
        let found = all.of("2001", "acme.example.com");
        let seen: Vec<_> = found
            .iter()
            .map(|r| (r.call_id.as_str(), r.updated_ms))
            .collect();
        assert_eq!(seen, [("b", 3), ("a", 2)]);
        assert_eq!(found[0].realm, "acme.example.com");
    }

    #[test]
    fn nodes_do_not_touch_each_other() {
        let all = Registrations::default();
        let (one, two) = (NodeName::new("fs1").unwrap(), NodeName::new("fs2").unwrap());
        all.register(registration("fs1", "2001", "a", 1));
        all.register(registration("fs2", "2001", "a", 2));
        all.unregister(&one, "2001", "acme.example.com", None, None);
        assert_eq!(all.of("2001", "acme.example.com").len(), 1);
        all.replace(&two, vec![registration("fs2", "2002", "c", 5)]);
        assert!(all.of("2001", "acme.example.com").is_empty());
        assert_eq!(all.of("2002", "ACME.example.com").len(), 1);
        all.replace(&one, vec![registration("fs2", "2003", "c", 5)]);
        assert!(all.of("2003", "acme.example.com").is_empty());
        assert_eq!(all.all().len(), 1);
    }

    #[test]
    fn unregister_names_its_binding() {
        let all = Registrations::default();
        let node = NodeName::new("fs1").unwrap();
        all.register(registration("fs1", "2001", "a", 1));
        all.register(registration("fs1", "2001", "b", 2));
        all.unregister(&node, "2001", "acme.example.com", Some("zz"), None);
        assert_eq!(all.of("2001", "acme.example.com").len(), 2);
        all.unregister(&node, "2001", "acme.example.com", Some("a"), None);
        assert_eq!(all.of("2001", "acme.example.com")[0].call_id, "b");
        let contact = all.of("2001", "acme.example.com")[0].contact.clone();
        all.unregister(&node, "2001", "acme.example.com", None, Some(&contact));
        assert!(all.all().is_empty());
    }

    #[test]
    fn lapsed_ones_stay_an_hour() {
        let all = Registrations::default();
        all.register(registration("fs1", "2001", "a", 1));
        all.sweep(1_000 + LAPSED_KEPT_S - 1);
        assert_eq!(all.all().len(), 1);
        all.sweep(1_000 + LAPSED_KEPT_S);
        assert!(all.all().is_empty());
    }

    #[test]
    fn a_restless_phone_fills_no_memory() {
        let all = Registrations::default();
        for number in 0..10_000 {
            let mut restless = registration("fs1", "2001", &number.to_string(), number);
            restless.contact = format!("<sip:{number}@192.0.2.1>");
            all.register(restless);
        }
        let found = all.of("2001", "acme.example.com");
        assert_eq!(found.len(), CONTACTS_MAX);
        assert_eq!(found[0].call_id, "9999");
    }

    #[test]
    fn odd_addresses_are_left_out() {
        let all = Registrations::default();
        all.register(registration("fs1", "", "a", 1));
        all.register(registration("fs1", &"x".repeat(ADDRESS_MAX), "a", 1));
        assert!(all.all().is_empty());
    }
}
