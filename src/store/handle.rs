//! The store as others see it.

use std::io::{BufRead, Write as IoWrite};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;

use regex::Regex;

use super::change::{Applied, Change, ImportReport, LoggedWrite, Revision};
use super::core::Core;
use super::error::StoreError;
use super::open::{For, Inner};
use super::settings::StoreSettings;
use super::{committer, export, import, log, prepare, verify};
use crate::documents::{
    Account, Callflow, Device, Document, DocumentKey, DocumentType, Registration, User,
};
use crate::types::{AccountId, DocumentId, NodeName};

/// Cheap to clone; all clones are one store. Reads are local and synchronous (a cached decoded
/// document, or one sled look-up); writes are acknowledged after a flush shared by all that wait.
///
/// A read never returns less than what was acknowledged before it began. It may return a write that is still on its way to the disk.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

impl Store {
    /// Opens or creates; blocking, call it before serving.
    /// # Errors
    /// Locked by another process, unreadable, damaged.
    pub fn open(settings: &StoreSettings) -> Result<Store, StoreError> {
        let inner = Arc::new(Inner::open(settings, For::Command)?);
        Ok(Store { inner })
    }

    /// A store in a temporary folder that is removed on drop: demos and tests. It does not wait for the disk.
    /// # Errors
    /// The temporary folder can't be written.
    pub fn temporary() -> Result<Store, StoreError> {
        let inner = Arc::new(Inner::temporary()?);
        Ok(Store { inner })
    }

    pub(super) fn of(inner: Arc<Inner>) -> Store {
        Store { inner }
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.inner
    }

    pub(super) fn core(&self) -> &Core {
        &self.inner.core
    }

    fn submit(&self, change: Change, reply: committer::Reply) -> Result<(), StoreError> {
        let prepared = prepare::prepare(change)?;
        match &self.inner.committer {
            Some(committer) => committer.submit(prepared, reply),
            None => reply(Err(committer::stopped())),
        }
        Ok(())
    }

    /// Validates, writes documents and indexes in one transaction, appends to the change log,
    /// waits for the flush (group commit). Dropping the future does not undo the change.
    /// # Errors
    /// Invalid, a duplicate of another document's address, a document whose account does not exist, the disk. Nothing was changed then,
    /// unless it is [`StoreError::Disk`]: that change may or may not be there after a restart.
    pub async fn apply(&self, change: Change) -> Result<Applied, StoreError> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.submit(
            change,
            Box::new(move |result| {
                let _ = reply.send(result);
            }),
        )?;
        answer.await.unwrap_or_else(|_| Err(committer::stopped()))
    }

    /// The same for callers without a runtime (import, tests).
    /// # Errors
    /// As [`Store::apply`].
    pub fn apply_blocking(&self, change: Change) -> Result<Applied, StoreError> {
        let (reply, answer) = mpsc::sync_channel(1);
        self.submit(
            change,
            Box::new(move |result| {
                let _ = reply.send(result);
            }),
        )?;
        answer.recv().unwrap_or_else(|_| Err(committer::stopped()))
    }

    /// As stored, unknown fields included; not cached.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn document(&self, key: &DocumentKey) -> Result<Option<Document>, StoreError> {
        self.core().document(key)
    }

    /// Which state of the document is stored.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn revision(&self, key: &DocumentKey) -> Result<Option<Revision>, StoreError> {
        self.core().revision(key)
    }

    /// # Errors
    /// The disk, or a damaged record.
    pub fn account(&self, id: &AccountId) -> Result<Option<Arc<Account>>, StoreError> {
        self.core().account(id.as_str())
    }

    /// # Errors
    /// The disk, or a damaged record.
    pub fn user(
        &self,
        account: &AccountId,
        id: &DocumentId,
    ) -> Result<Option<Arc<User>>, StoreError> {
        self.core().user(account.as_str(), id.as_str())
    }

    /// # Errors
    /// The disk, or a damaged record.
    pub fn device(
        &self,
        account: &AccountId,
        id: &DocumentId,
    ) -> Result<Option<Arc<Device>>, StoreError> {
        self.core().device(account.as_str(), id.as_str())
    }

    /// # Errors
    /// The disk, or a damaged record.
    pub fn callflow(
        &self,
        account: &AccountId,
        id: &DocumentId,
    ) -> Result<Option<Arc<Callflow>>, StoreError> {
        self.core().callflow(account.as_str(), id.as_str())
    }

    /// Realms compare without case.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn account_by_realm(&self, realm: &str) -> Result<Option<AccountId>, StoreError> {
        self.core().account_by_realm(realm)
    }

    /// The device whose credentials are `username@realm` (realm of the device, else of its account); both compare without case.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn device_by_address(
        &self,
        username: &str,
        realm: &str,
    ) -> Result<Option<(AccountId, DocumentId)>, StoreError> {
        self.core().device_by_address(username, realm)
    }

    /// The device with this `sip.ip` (port ignored), an enabled one of the method `ip` before others.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn device_by_ip(&self, ip: IpAddr) -> Result<Option<(AccountId, DocumentId)>, StoreError> {
        self.core().device_by_ip(ip)
    }

    /// All enabled devices of the method `ip` with a `sip.ip`, by address. Goes through the whole index: for seldom use, off the runtime.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn devices_with_ip(&self) -> Result<Vec<(IpAddr, AccountId, DocumentId)>, StoreError> {
        self.core().devices_with_ip()
    }

    /// All callflows of the account with this exact number, in id order.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn callflows_by_number(
        &self,
        account: &AccountId,
        number: &str,
    ) -> Result<Vec<DocumentId>, StoreError> {
        self.core().callflows_by_number(account.as_str(), number)
    }

    /// The account's patterns, compiled and cached, in id order then document order; the ones that don't compile are left out (logged when read).
    /// # Errors
    /// The disk, or a damaged record.
    pub fn patterns(
        &self,
        account: &AccountId,
    ) -> Result<Arc<Vec<(DocumentId, Regex)>>, StoreError> {
        self.core().patterns(account.as_str())
    }

    /// Ids of the devices hotdesked to a user, and of those owned that are hotdesked to nobody (devices spec 1.1).
    /// # Errors
    /// The disk, or a damaged record.
    pub fn devices_of(
        &self,
        account: &AccountId,
        user: &DocumentId,
    ) -> Result<Vec<DocumentId>, StoreError> {
        self.core().devices_of(account.as_str(), user.as_str())
    }

    /// Accounts that have a callflow with this exact number (a DID is unique system-wide; more than one is the caller's to report).
    /// # Errors
    /// The disk, or a damaged record.
    pub fn accounts_by_number(&self, number: &str) -> Result<Vec<AccountId>, StoreError> {
        self.core().accounts_by_number(number)
    }

    /// In key order; an error ends the scan.
    pub fn scan(
        &self,
        kind: DocumentType,
        account: Option<&AccountId>,
    ) -> Box<dyn Iterator<Item = Result<Document, StoreError>> + Send + '_> {
        self.core().scan(kind, account)
    }

    /// Number of the last write.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.core().last()
    }

    /// Up to `limit` writes behind `sequence`, oldest first; `None` when the log no longer reaches back that far: read everything anew.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn changes_after(
        &self,
        sequence: u64,
        limit: usize,
    ) -> Result<Option<Vec<LoggedWrite>>, StoreError> {
        log::after(&self.core().disk, sequence, self.sequence(), limit)
    }

    // Registrations: kept in memory for reading, written behind without waiting for the disk
    // (FreeSWITCH is the registrar; a resync repairs what a crash loses).

    /// Contacts of an address of record, newest first, lapsed ones included until removed (an hour after they lapsed at the latest).
    #[must_use]
    pub fn registrations(&self, user: &str, realm: &str) -> Vec<Registration> {
        self.core().registrations.of(user, realm)
    }

    /// Insert or refresh; the binding is (node, profile, call_id), or (node, profile, contact).
    pub fn register(&self, registration: Registration) {
        self.core().registrations.register(registration);
    }

    /// Removes the bindings of the address of record on this node that match `call_id` or `contact` (both None: all).
    pub fn unregister(
        &self,
        node: &NodeName,
        user: &str,
        realm: &str,
        call_id: Option<&str>,
        contact: Option<&str>,
    ) {
        let registrations = &self.core().registrations;
        registrations.unregister(node, user, realm, call_id, contact);
    }

    /// Replaces everything that `node` holds by what a resync read from it.
    pub fn replace_registrations(&self, node: &NodeName, registrations: Vec<Registration>) {
        self.core().registrations.replace(node, registrations);
    }

    /// In order of their addresses, newest first within one.
    #[must_use]
    pub fn all_registrations(&self) -> Vec<Registration> {
        self.core().registrations.all()
    }

    /// JSON lines (`{"type","account_id","id",...document}`): validates every line, and the file as a whole; with a problem nothing is
    /// imported unless `keep_going`. Blocking; other writers wait. A crash or a full disk in the middle of a large file leaves its
    /// first part: import it again.
    /// # Errors
    /// The lines can't be read, or the disk. Bad lines are in the report, not an error.
    pub fn import(
        &self,
        lines: &mut dyn BufRead,
        keep_going: bool,
    ) -> Result<ImportReport, StoreError> {
        let report = import::import(self.core(), lines, keep_going)?;
        if report.imported > 0 {
            self.inner.note_progress()?;
        }
        Ok(report)
    }

    /// The same lines out, accounts first. Returns how many.
    /// # Errors
    /// The store's or the writer's.
    pub fn export(&self, out: &mut dyn IoWrite) -> Result<u64, StoreError> {
        export::export(self.core(), out)
    }

    /// Reads everything back: records, checksums, indexes. Returns what is wrong, one text a finding.
    /// # Errors
    /// The disk.
    pub fn verify(&self) -> Result<Vec<String>, StoreError> {
        verify::verify(self.core())
    }

    /// Makes all indexes anew from the documents. Blocking; other writers wait.
    /// # Errors
    /// The disk, or a damaged document.
    pub fn rebuild_indexes(&self) -> Result<(), StoreError> {
        verify::rebuild(self.core())
    }

    /// Names this store, and no other, for as long as it exists.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.inner.store_id
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.home
    }

    /// Folder of the files that documents name, by account: see [`super::folder_of_account`]. It is made when it is needed.
    #[must_use]
    pub fn files_folder(&self) -> &Path {
        &self.core().files
    }

    /// Folder of the backups; it is made with the first.
    #[must_use]
    pub fn backups_folder(&self) -> &Path {
        &self.core().backups
    }

    /// Where the copy of the server's secret belongs: without it the backups' passwords are of no use.
    #[must_use]
    pub fn secret_copy(&self) -> std::path::PathBuf {
        super::backup::secret_of(&self.core().backups, self.id())
    }

    /// Where the backups have their copies of those files, by account too.
    #[must_use]
    pub fn saved_files_folder(&self) -> std::path::PathBuf {
        super::backup::copies_of(&self.core().backups, self.id())
    }

    #[cfg(test)]
    pub(super) fn internals(&self) -> &Core {
        self.core()
    }
}
