//! Who is registered where. Kept in memory, because every call asks and every REGISTER changes it; written behind, because
//! FreeSWITCH is the registrar and a resync repairs what a crash loses.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::core::Core;
use super::disk::{Batch, Disk};
use super::error::StoreError;
use super::{keys, record};
use crate::documents::{Document, DocumentKey, DocumentType, Registration};
use crate::types::{AccountId, DocumentId, NodeName};

const SHARDS: usize = 64;

/// Contacts kept for one address of record. A phone that makes up a new Call-ID and contact for each REGISTER would otherwise fill the memory.
const CONTACTS_MAX: usize = 32;

/// Longest address of record, in bytes.
const ADDRESS_MAX: usize = keys::TEXT_MAX;

/// Seconds that a lapsed registration is kept: FreeSWITCH reports the expiry up to 60 s and a sweep late (devices spec 3.6), a node that is away later.
const LAPSED_KEPT_S: i64 = 3600;

/// How long changes are gathered before they are written.
const GATHER: Duration = Duration::from_millis(250);

/// How often lapsed registrations are looked for.
const SWEEP: Duration = Duration::from_secs(60);

/// Stands for the account of a registration whose realm no account has.
const NO_ACCOUNT: &str = "-";

type Shard = RwLock<HashMap<Box<str>, Vec<Registration>>>;

pub(super) struct Registrations {
    shards: Vec<Shard>,
    hasher: RandomState,
    behind: Mutex<Behind>,
    changed: Condvar,
}

/// What the writer behind has still to do.
#[derive(Default)]
struct Behind {
    dirty: HashSet<Box<str>>,
    stop: bool,
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
fn address_of_record(user: &str, realm: &str) -> Option<Box<str>> {
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

fn add(contacts: &mut Vec<Registration>, registration: Registration) {
    contacts.retain(|known| !same_binding(known, &registration));
    contacts.insert(0, registration);
    newest_first(contacts);
}

impl Registrations {
    fn shard(&self, address: &str) -> Option<&Shard> {
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

    fn behind(&self) -> MutexGuard<'_, Behind> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, addresses: impl IntoIterator<Item = Box<str>>) {
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

    fn at(&self, address: &str) -> Vec<Registration> {
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

    pub(super) fn sweep(&self, now_s: i64) {
        self.retain(|r| r.expires_at.saturating_add(LAPSED_KEPT_S) > now_s);
    }

    /// Reads back what was written behind.
    ///
    /// # Errors
    /// The disk. A damaged record is dropped with a warning: a resync brings its content back.
    pub(super) fn load(&self, disk: &Disk) -> Result<(), StoreError> {
        for item in disk.raw(keys::REGISTRATIONS) {
            let (key, framed) = item?;
            let contacts = record::unframe(&key, &framed)
                .ok()
                .and_then(|payload| serde_json::from_slice::<Vec<Registration>>(payload).ok());
            let Some(contacts) = contacts else {
                tracing::warn!(record = keys::describe(&key), "a damaged record is dropped");
                let address = String::from_utf8_lossy(key.get(1..).unwrap_or_default());
                self.note([Box::from(address.as_ref())]);
                continue;
            };
            for contact in contacts.into_iter().rev() {
                if let Some(address) = address_of_record(&contact.user, &contact.realm)
                    && let Some(shard) = self.shard(&address)
                {
                    let mut map = shard.write().unwrap_or_else(PoisonError::into_inner);
                    add(map.entry(address).or_default(), contact);
                }
            }
        }
        Ok(())
    }

    /// Writes changes until told to stop; the last ones too.
    pub(super) fn write_behind(&self, core: &Core, now_s: fn() -> i64) {
        let mut swept = std::time::Instant::now();
        loop {
            let behind = self.behind();
            let waiting = |b: &mut Behind| b.dirty.is_empty() && !b.stop;
            let (behind, _) = self
                .changed
                .wait_timeout_while(behind, SWEEP, waiting)
                .unwrap_or_else(PoisonError::into_inner);
            let mut behind = match behind.dirty.is_empty() {
                true => behind,
                false => {
                    let gathered = self
                        .changed
                        .wait_timeout_while(behind, GATHER, |b| !b.stop)
                        .unwrap_or_else(PoisonError::into_inner);
                    gathered.0
                }
            };
            let stop = behind.stop;
            let dirty = std::mem::take(&mut behind.dirty);
            drop(behind);
            self.write(core, dirty);
            if stop {
                return;
            }
            if swept.elapsed() >= SWEEP {
                swept = std::time::Instant::now();
                self.sweep(now_s());
            }
        }
    }

    fn write(&self, core: &Core, dirty: HashSet<Box<str>>) {
        if dirty.is_empty() {
            return;
        }
        let mut batch = Batch::new();
        for address in dirty {
            batch.insert(keys::registrations(&address), payload(&self.at(&address)));
        }
        if let Err(error) = core.write(&batch) {
            tracing::error!(%error, "registrations are kept in memory only");
        }
    }

    pub(super) fn stop(&self) {
        self.behind().stop = true;
        self.changed.notify_all();
    }
}

/// As many of the contacts as a record holds, the newest.
fn payload(contacts: &[Registration]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    for contact in contacts {
        let json = serde_json::to_vec(contact).ok()?;
        if text.len() + json.len() + 2 > record::CHUNK {
            break;
        }
        text.push(if text.is_empty() { b'[' } else { b',' });
        text.extend_from_slice(&json);
    }
    if text.is_empty() {
        return None;
    }
    text.push(b']');
    Some(text)
}

/// A stable id for a binding.
fn id_of(registration: &Registration) -> String {
    let mut hash = Sha256::new();
    for part in [
        registration.node.as_str(),
        &registration.profile,
        &registration.user,
        &registration.realm,
        &registration.call_id,
        &registration.contact,
    ] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let mut id = String::with_capacity(32);
    for byte in hash.finalize().iter().take(16) {
        id.push_str(&format!("{byte:02x}"));
    }
    id
}

impl Core {
    fn registration_as_document(&self, registration: &Registration) -> Option<Document> {
        let account = self
            .account_by_realm(&registration.realm)
            .ok()
            .flatten()
            .or_else(|| AccountId::new(NO_ACCOUNT).ok())?;
        let body: Map<String, Value> = match serde_json::to_value(registration).ok()? {
            Value::Object(body) => body.into_iter().filter(|(_, v)| !v.is_null()).collect(),
            _ => return None,
        };
        Some(Document {
            key: DocumentKey {
                kind: DocumentType::Registration,
                account,
                id: DocumentId::new(&id_of(registration)).ok()?,
            },
            body,
        })
    }

    /// Registrations in the form in which all documents are exchanged.
    pub(super) fn registration_documents(&self) -> Vec<Document> {
        let all = self.registrations.all();
        all.iter()
            .filter_map(|r| self.registration_as_document(r))
            .collect()
    }

    pub(super) fn registration_document(&self, key: &DocumentKey) -> Option<Document> {
        let documents = self.registration_documents();
        documents.into_iter().find(|d| d.key == *key)
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
    fn a_record_holds_the_newest_and_never_too_much() {
        let mut contacts: Vec<_> = (0..CONTACTS_MAX as i64)
            .map(|number| registration("fs1", "2001", "a", 100 - number))
            .collect();
        let read = |payload: Option<Vec<u8>>| -> Vec<Registration> {
            serde_json::from_slice(&payload.unwrap()).unwrap()
        };
        let kept = read(payload(&contacts));
        assert!(kept.len() > 5 && kept.len() < contacts.len());
        assert_eq!(kept, contacts[..kept.len()]);
        assert!(payload(&contacts).unwrap().len() <= record::CHUNK);
        assert_eq!(read(payload(&contacts[..1])), contacts[..1]);
        assert_eq!(payload(&[]), None);
        contacts[0].contact = "x".repeat(record::CHUNK);
        assert_eq!(payload(&contacts), None);
    }

    #[test]
    fn odd_addresses_are_left_out() {
        let all = Registrations::default();
        all.register(registration("fs1", "", "a", 1));
        all.register(registration("fs1", &"x".repeat(ADDRESS_MAX), "a", 1));
        assert!(all.all().is_empty());
    }
}
