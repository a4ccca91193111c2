//! What a file of documents must satisfy as a whole, found out line by line without holding the documents: every key once, nothing unique
//! twice, every account there. The file is judged by the state it leads to, so its order is free.
//!
//! A million lines are kept as hashes of their keys (128 bits: a clash would be a false alarm, and will not happen).

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use super::change::ImportProblem;
use super::disk::Disk;
use super::error::StoreError;
use super::index_keys::{self, ACCOUNT_USERNAME, REALM, REALM_USERNAME};
use super::indexes::{self, IndexEntry, Rivals, Unique};
use super::prepare::PreparedDocument;
use super::{keys, reads};
use crate::documents::{DocumentKey, DocumentType};

type Hash = u128;

/// A device that names its realm.
struct OwnRealm {
    line: Option<usize>,
    realm: String,
    username: String,
    owner: Vec<u8>,
}

/// Something unique that the store holds for another document.
struct Taken {
    line: usize,
    claim: Vec<u8>,
    field: Cow<'static, str>,
    value: String,
    owner: String,
}

struct FileAccount {
    name: String,
    /// Set by its line in the file.
    line: Option<usize>,
    realm: Option<String>,
    stored: bool,
}

pub(super) struct FileChecks<'a> {
    disk: &'a Disk,
    hashers: [RandomState; 2],
    documents: HashMap<Hash, usize>,
    claims: HashMap<Hash, usize>,
    freed: HashSet<Hash>,
    taken: Vec<Taken>,
    own_realms: Vec<OwnRealm>,
    accounts: Vec<FileAccount>,
    account_numbers: HashMap<String, usize>,
    /// Line and account of the documents whose account is not in the store.
    waiting: Vec<(usize, usize)>,
    problems: Vec<ImportProblem>,
}

/// What only one document may have, in whatever documents; none if any number may have it.
fn claim(entry: &IndexEntry) -> Option<&[u8]> {
    match entry.always()?.1 {
        Rivals::At(key) | Rivals::Under(key) | Rivals::Outside { prefix: key, .. } => Some(key),
    }
}

fn own_realm(line: Option<usize>, key: &[u8], owner: &[u8]) -> OwnRealm {
    let mut parts = index_keys::parts(key).map(str::to_owned);
    OwnRealm {
        line,
        realm: parts.next().unwrap_or_default(),
        username: parts.next().unwrap_or_default(),
        owner: owner.to_vec(),
    }
}

impl<'a> FileChecks<'a> {
    pub(super) fn new(disk: &'a Disk) -> Self {
        Self {
            disk,
            hashers: [RandomState::new(), RandomState::new()],
            documents: HashMap::new(),
            claims: HashMap::new(),
            freed: HashSet::new(),
            taken: Vec::new(),
            own_realms: Vec::new(),
            accounts: Vec::new(),
            account_numbers: HashMap::new(),
            waiting: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn hash(&self, key: &[u8]) -> Hash {
        let [high, low] = &self.hashers;
        Hash::from(high.hash_one(key)) << 64 | Hash::from(low.hash_one(key))
    }

    fn problem(&mut self, line: usize, field: &str, expected: String) {
        self.problems.push(ImportProblem {
            line,
            field: field.to_owned(),
            expected,
        });
    }

    fn account(&mut self, name: &str) -> Result<usize, StoreError> {
        if let Some(number) = self.account_numbers.get(name) {
            return Ok(*number);
        }
        let key = keys::document_parts(DocumentType::Account, name, name);
        let number = self.accounts.len();
        self.accounts.push(FileAccount {
            name: name.to_owned(),
            line: None,
            realm: None,
            stored: self.disk.holds(&key)?,
        });
        self.account_numbers.insert(name.to_owned(), number);
        Ok(number)
    }

    /// Takes note of a line's document. False when the same key was on an earlier line.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn add(
        &mut self,
        line: usize,
        key: &DocumentKey,
        document: &PreparedDocument,
    ) -> Result<bool, StoreError> {
        let stored = keys::document(key);
        let hash = self.hash(&stored);
        if let Some(first) = self.documents.get(&hash) {
            let expected = format!("an id that no other line has; line {first} is {key} too");
            self.problem(line, "id", expected);
            return Ok(false);
        }
        self.documents.insert(hash, line);
        let account = self.account(key.account.as_str())?;
        match self.accounts.get_mut(account) {
            Some(known) if key.kind == DocumentType::Account => {
                known.line = Some(line);
                known.realm.clone_from(&document.realm);
            }
            Some(known) if !known.stored && !key.account.is_installation() => {
                self.waiting.push((line, account));
            }
            _ => {}
        }
        if let Some(old) = reads::raw(self.disk, &stored)? {
            let before = indexes::entries_of(key, &old.body(&stored)?);
            let gone = before.iter().filter(|b| !document.entries.contains(b));
            for claim in gone.filter_map(claim) {
                let hash = self.hash(claim);
                self.freed.insert(hash);
            }
        }
        for entry in &document.entries {
            if let Some((unique, _)) = entry.always() {
                self.claim(line, entry, unique)?;
            }
        }
        Ok(true)
    }

    fn claim(
        &mut self,
        line: usize,
        entry: &IndexEntry,
        unique: &Unique,
    ) -> Result<(), StoreError> {
        let claim = claim(entry).unwrap_or(&entry.key);
        let (field, value) = (&unique.field, &unique.value);
        let hash = self.hash(claim);
        if let Some(first) = self.claims.get(&hash) {
            let expected = format!("a value of its own; {value:?} is on line {first} already");
            self.problem(line, field, expected);
            return Ok(());
        }
        self.claims.insert(hash, line);
        if let Some(owner) = self.other_owner(entry, claim)? {
            self.taken.push(Taken {
                line,
                claim: claim.to_vec(),
                field: field.clone(),
                value: value.clone(),
                owner,
            });
        }
        if entry.key.first() == Some(&REALM_USERNAME) {
            let own = own_realm(Some(line), &entry.key, &entry.value);
            self.own_realms.push(own);
        }
        Ok(())
    }

    /// Who else has it in the store.
    fn other_owner(&self, entry: &IndexEntry, claim: &[u8]) -> Result<Option<String>, StoreError> {
        let text = |key: &[u8], payload: &[u8]| match index_keys::document_of(key, payload) {
            Some(document) => document.to_string(),
            None => "a damaged index entry".to_owned(),
        };
        if claim == entry.key {
            let found = self.disk.read(claim)?;
            let other = found.filter(|owner| owner.payload() != entry.value);
            return Ok(other.map(|owner| text(claim, owner.payload())));
        }
        for other in self.disk.prefix(claim) {
            let (other, payload) = other?;
            if other.as_ref() != entry.key.as_slice() {
                return Ok(Some(text(&other, payload.payload())));
            }
        }
        Ok(None)
    }

    /// The problems that only the whole file shows; `bad` are the lines that have one already, and gets the others.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn finish(
        mut self,
        bad: &mut BTreeSet<usize>,
    ) -> Result<Vec<ImportProblem>, StoreError> {
        for taken in std::mem::take(&mut self.taken) {
            if !self.freed.contains(&self.hash(&taken.claim)) {
                let Taken { value, owner, .. } = &taken;
                let expected = format!("a value of its own; {value:?} already belongs to {owner}");
                self.problem(taken.line, &taken.field, expected);
            }
        }
        self.same_addresses()?;
        bad.extend(self.problems.iter().map(|p| p.line));
        for (line, account) in std::mem::take(&mut self.waiting) {
            let Some(account) = self.accounts.get(account) else {
                continue;
            };
            if account.line.is_none_or(|l| bad.contains(&l)) {
                let expected = format!(
                    "the id of an account; there is no valid account {} in the store or in this file",
                    account.name
                );
                self.problem(line, "account_id", expected);
            }
        }
        bad.extend(self.problems.iter().map(|p| p.line));
        Ok(self.problems)
    }

    /// Devices that name their realm against devices that take the same realm from their account.
    fn same_addresses(&mut self) -> Result<(), StoreError> {
        let mut own = std::mem::take(&mut self.own_realms);
        for item in self.disk.prefix(&[REALM_USERNAME]) {
            let (key, value) = item?;
            let hash = self.hash(&key);
            if !self.freed.contains(&hash) && !self.claims.contains_key(&hash) {
                own.push(own_realm(None, &key, value.payload()));
            }
        }
        if own.is_empty() {
            return Ok(());
        }
        let realms: HashMap<String, (String, usize)> = self
            .accounts
            .iter()
            .filter_map(|a| Some((a.realm.clone()?, (a.name.clone(), a.line?))))
            .collect();
        for device in own {
            let (account, account_line) = match realms.get(&device.realm) {
                Some((account, line)) => (account.clone(), Some(*line)),
                None => match self.stored_account(&device.realm)? {
                    Some(account) => (account, None),
                    None => continue,
                },
            };
            let key = index_keys::entry(ACCOUNT_USERNAME, &[&account, &device.username]);
            let hash = self.hash(&key);
            let claimed = self.claims.get(&hash).copied();
            let stored = match claimed.is_none() && !self.freed.contains(&hash) {
                true => self.disk.read(&key)?.map(|v| v.payload().to_vec()),
                false => None,
            };
            let clash = claimed.is_some() || stored.is_some_and(|owner| owner != device.owner);
            let line = device.line.max(claimed).or(account_line);
            if let (true, Some(line)) = (clash, line) {
                let OwnRealm {
                    username, realm, ..
                } = &device;
                let expected = format!(
                    "an address of its own; two devices would be {username}@{realm}, one by its own realm, one by its account's"
                );
                let field = if device.line.max(claimed).is_some() {
                    "sip.username"
                } else {
                    "realm"
                };
                self.problem(line, field, expected);
            }
        }
        Ok(())
    }

    /// The account that has the realm in the store, and keeps it.
    fn stored_account(&self, realm: &str) -> Result<Option<String>, StoreError> {
        let key = index_keys::entry(REALM, &[realm]);
        if self.freed.contains(&self.hash(&key)) {
            return Ok(None);
        }
        let owner = self.disk.read(&key)?;
        let owner = owner.as_ref().and_then(|v| keys::owner(v.payload()));
        Ok(owner.map(|(account, _)| account.as_str().to_owned()))
    }
}
