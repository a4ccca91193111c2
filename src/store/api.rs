//! Contract of the store (bodies follow).

use std::io::{BufRead, Write as IoWrite};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::documents::{
    Account, Callflow, Device, Document, DocumentKey, DocumentType, Registration, User,
};
use crate::types::{AccountId, DocumentId, NodeName};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    pub path: PathBuf,
    /// Documents held decoded.
    pub cache_documents: usize,
    /// Bytes of sled's page cache.
    pub cache_bytes: u64,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            path: PathBuf::from("/var/lib/linefinder/store"),
            cache_documents: 100_000,
            cache_bytes: 64 << 20,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "the store {path} is in use by another process; stop that linefinder or choose another [store] path"
    )]
    Locked { path: PathBuf },
    #[error("the store {path} can't be opened: {why}")]
    Open { path: PathBuf, why: String },
    #[error("the store is damaged at {at}: {why}; restore from a backup or an export")]
    Damaged { at: String, why: String },
    #[error("{key}: {field}: {expected}")]
    Invalid {
        key: String,
        field: String,
        expected: String,
    },
    #[error("{key}: {field} {value:?} already belongs to {owner}")]
    Duplicate {
        key: String,
        field: String,
        value: String,
        owner: String,
    },
    #[error("the disk is full or failing: {0}")]
    Disk(String),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// One change of one document.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    Put(Document),
    Delete(DocumentKey),
}

/// What goes through the one door: all of it or none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Change {
    pub writes: Vec<Write>,
}

/// A change that has reached the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// Number of the change in the change log.
    pub sequence: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportProblem {
    pub line: usize,
    pub field: String,
    pub expected: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    pub imported: usize,
    pub problems: Vec<ImportProblem>,
}

/// Cheap to clone; all clones are one store. Reads are local and synchronous (a cached decoded
/// document, or one sled look-up); writes are acknowledged after a flush shared by all that wait.
#[derive(Clone)]
pub struct Store {
    _inner: Arc<()>,
}

impl Store {
    /// Opens or creates; blocking, call it before serving.
    /// # Errors
    /// Locked by another process, unreadable, damaged.
    pub fn open(_settings: &StoreSettings) -> Result<Store, StoreError> {
        unimplemented!()
    }
    /// A store in a temporary folder that is removed on drop: demos and tests.
    pub fn temporary() -> Result<Store, StoreError> {
        unimplemented!()
    }
    /// Validates, writes documents and indexes in one transaction, appends to the change log,
    /// waits for the flush (group commit).
    pub async fn apply(&self, _change: Change) -> Result<Applied, StoreError> {
        unimplemented!()
    }
    /// The same for callers without a runtime (import, tests).
    pub fn apply_blocking(&self, _change: Change) -> Result<Applied, StoreError> {
        unimplemented!()
    }
    pub fn document(&self, _key: &DocumentKey) -> Result<Option<Document>, StoreError> {
        unimplemented!()
    }
    pub fn account(&self, _id: &AccountId) -> Result<Option<Arc<Account>>, StoreError> {
        unimplemented!()
    }
    pub fn user(
        &self,
        _account: &AccountId,
        _id: &DocumentId,
    ) -> Result<Option<Arc<User>>, StoreError> {
        unimplemented!()
    }
    pub fn device(
        &self,
        _account: &AccountId,
        _id: &DocumentId,
    ) -> Result<Option<Arc<Device>>, StoreError> {
        unimplemented!()
    }
    pub fn callflow(
        &self,
        _account: &AccountId,
        _id: &DocumentId,
    ) -> Result<Option<Arc<Callflow>>, StoreError> {
        unimplemented!()
    }
    /// Realms compare without case.
    pub fn account_by_realm(&self, _realm: &str) -> Result<Option<AccountId>, StoreError> {
        unimplemented!()
    }
    /// The device whose credentials are `username@realm` (realm of the device, else of its account).
    pub fn device_by_address(
        &self,
        _username: &str,
        _realm: &str,
    ) -> Result<Option<(AccountId, DocumentId)>, StoreError> {
        unimplemented!()
    }
    /// The device with this `sip.ip` (port ignored).
    pub fn device_by_ip(
        &self,
        _ip: std::net::IpAddr,
    ) -> Result<Option<(AccountId, DocumentId)>, StoreError> {
        unimplemented!()
    }
    /// All callflows of the account with this exact number, in id order.
    pub fn callflows_by_number(
        &self,
        _account: &AccountId,
        _number: &str,
    ) -> Result<Vec<DocumentId>, StoreError> {
        unimplemented!()
    }
    /// The account's patterns, compiled and cached, in id order then document order; the ones that don't compile are left out (logged once).
    pub fn patterns(
        &self,
        _account: &AccountId,
    ) -> Result<Arc<Vec<(DocumentId, regex::Regex)>>, StoreError> {
        unimplemented!()
    }
    /// Ids of the devices owned by, or hotdesked to, a user.
    pub fn devices_of(
        &self,
        _account: &AccountId,
        _user: &DocumentId,
    ) -> Result<Vec<DocumentId>, StoreError> {
        unimplemented!()
    }
    /// Accounts that have a callflow with this exact number (a DID is unique system-wide; more than one is the caller's to report).
    pub fn accounts_by_number(&self, _number: &str) -> Result<Vec<AccountId>, StoreError> {
        unimplemented!()
    }
    /// In key order; an error ends the scan.
    pub fn scan(
        &self,
        _kind: DocumentType,
        _account: Option<&AccountId>,
    ) -> Box<dyn Iterator<Item = Result<Document, StoreError>> + '_> {
        unimplemented!()
    }

    // Registrations: kept in memory for reading, written behind without waiting for the disk
    // (FreeSWITCH is the registrar; a resync repairs what a crash loses).
    /// Contacts of an address of record, newest first, lapsed ones included until removed.
    #[must_use]
    pub fn registrations(&self, _user: &str, _realm: &str) -> Vec<Registration> {
        unimplemented!()
    }
    /// Insert or refresh; the binding is (node, profile, call_id), or (node, profile, contact).
    pub fn register(&self, _registration: Registration) {
        unimplemented!()
    }
    /// Removes the bindings of the address of record on this node that match `call_id` or `contact` (both None: all).
    pub fn unregister(
        &self,
        _node: &NodeName,
        _user: &str,
        _realm: &str,
        _call_id: Option<&str>,
        _contact: Option<&str>,
    ) {
        unimplemented!()
    }
    /// Replaces everything that `node` holds by what a resync read from it.
    pub fn replace_registrations(&self, _node: &NodeName, _registrations: Vec<Registration>) {
        unimplemented!()
    }
    #[must_use]
    pub fn all_registrations(&self) -> Vec<Registration> {
        unimplemented!()
    }

    /// JSON lines (`{"type","account_id","id",...document}`): validates every line; with a problem nothing is
    /// imported unless `keep_going`. Blocking.
    pub fn import(
        &self,
        _lines: &mut dyn BufRead,
        _keep_going: bool,
    ) -> Result<ImportReport, StoreError> {
        unimplemented!()
    }
    /// The same lines out, accounts first. Returns how many.
    pub fn export(&self, _out: &mut dyn IoWrite) -> Result<u64, StoreError> {
        unimplemented!()
    }
    /// Reads everything back: records, checksums, indexes. Returns what is wrong, one text a finding.
    pub fn verify(&self) -> Result<Vec<String>, StoreError> {
        unimplemented!()
    }
    #[must_use]
    pub fn path(&self) -> &Path {
        unimplemented!()
    }
}
