//! What the API and trunks ask of the store.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::watch;

use super::change::{Stored, Tree};
use super::error::StoreError;
use super::finding::ServerAt;
use super::handle::Store;
use super::index_keys::{CONFERENCE, HOTDESK, MAILBOX};
use super::listing::Rows;
use crate::documents::{Connectivity, DocumentKey, DocumentType, Limits, NumberRecord, Resource};
use crate::types::{AccountId, DocumentId};

impl Store {
    /// A document and which state of it this is; not cached. Registrations have no revision, and are none here.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn stored(&self, key: &DocumentKey) -> Result<Option<Stored>, StoreError> {
        self.core().stored(key)
    }

    /// Documents of an account in the order of lists, with their sort keys: by id; users by "last first", mailboxes by
    /// name, recordings by time. Begins with the row of the sort key `from`, or where it would be. Reads row by row.
    #[must_use]
    pub fn page(
        &self,
        kind: DocumentType,
        account: &AccountId,
        from: Option<&[u8]>,
        ascending: bool,
    ) -> Rows<'_> {
        self.core().page(kind, account, from, ascending)
    }

    /// Messages that lie in a mailbox (their `vmbox_id`), by id: those in the folder `deleted`, or all others. As [`Store::page`] otherwise.
    #[must_use]
    pub fn messages(
        &self,
        account: &AccountId,
        vmbox: &str,
        deleted: bool,
        from: Option<&[u8]>,
        ascending: bool,
    ) -> Rows<'_> {
        let core = self.core();
        core.messages(account, vmbox, deleted, from, ascending)
    }

    /// Messages in a mailbox that are not in the folder `deleted`.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn message_count(&self, account: &AccountId, vmbox: &str) -> Result<usize, StoreError> {
        self.core().message_count(account, vmbox)
    }

    /// Accounts below one, by name. What is below what, the private field `pvt_tree` says: ids of the ancestors, topmost first.
    #[must_use]
    pub fn accounts(
        &self,
        tree: Tree,
        of: &AccountId,
        from: Option<&[u8]>,
        ascending: bool,
    ) -> Rows<'_> {
        self.core().below(tree, of, from, ascending)
    }

    /// Documents of a kind in an account; one look-up.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn count(&self, kind: DocumentType, account: &AccountId) -> Result<usize, StoreError> {
        self.core().count(kind, account)
    }

    /// Accounts below one, all levels; one look-up.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn descendants_count(&self, of: &AccountId) -> Result<usize, StoreError> {
        self.core().descendants_count(of)
    }

    /// Accounts of a name, compared in lower case and without anything but letters and digits. Imported ones may share it.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn account_by_name(&self, name: &str) -> Result<Vec<AccountId>, StoreError> {
        self.core().account_by_name(name)
    }

    /// The account whose private field `pvt_api_key_hash` this is.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn account_by_api_key(&self, hash: &str) -> Result<Option<AccountId>, StoreError> {
        self.core().account_by_api_key(hash)
    }

    /// Users of the account whose private field `pvt_credentials` (a list) holds this.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn users_by_credentials(
        &self,
        account: &AccountId,
        hash: &str,
    ) -> Result<Vec<DocumentId>, StoreError> {
        self.core().users_by_credentials(account, hash)
    }

    /// Whether there is any account at all.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn any_account(&self) -> Result<bool, StoreError> {
        self.core().any_account()
    }

    /// The account whose private field `pvt_superduper_admin` is true.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn master_account(&self) -> Result<Option<AccountId>, StoreError> {
        self.core().master_account()
    }

    /// Servers of connectivity documents that list this number (in its normal form), by document, then in their order there.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn did(&self, number: &str) -> Result<Vec<ServerAt>, StoreError> {
        self.core().did(number)
    }

    /// Servers of connectivity documents with the method `ip` at this address, by document, then in their order there.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn servers_by_ip(&self, ip: IpAddr) -> Result<Vec<ServerAt>, StoreError> {
        self.core().servers_by_ip(ip)
    }

    /// All servers of the method `ip`, by address. Goes through the whole index: for seldom use, off the runtime.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn servers_with_ip(&self) -> Result<Vec<(IpAddr, ServerAt)>, StoreError> {
        self.core().servers_with_ip()
    }

    /// The server with the method `password` whose credentials are `username@realm` (realm of its account); both compare without case.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn server_by_address(
        &self,
        username: &str,
        realm: &str,
    ) -> Result<Option<ServerAt>, StoreError> {
        self.core().server_by_address(username, realm)
    }

    /// The record of a number (in its normal form), and the account that owns it.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn number(
        &self,
        number: &str,
    ) -> Result<Option<(AccountId, Arc<NumberRecord>)>, StoreError> {
        self.core().number(number)
    }

    /// # Errors
    /// The disk, or a damaged record.
    pub fn connectivity(
        &self,
        account: &AccountId,
        id: &DocumentId,
    ) -> Result<Option<Arc<Connectivity>>, StoreError> {
        self.core().connectivity(account.as_str(), id.as_str())
    }

    /// All of an account, by id.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn connectivities(
        &self,
        account: &AccountId,
    ) -> Result<Vec<(DocumentId, Arc<Connectivity>)>, StoreError> {
        self.core().connectivities(account)
    }

    /// # Errors
    /// The disk, or a damaged record.
    pub fn limits(&self, account: &AccountId) -> Result<Option<Arc<Limits>>, StoreError> {
        self.core().limits(account.as_str())
    }

    /// Carriers of an account, or of [`AccountId::installation`], by id.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn resources(
        &self,
        account: &AccountId,
    ) -> Result<Vec<(DocumentId, Arc<Resource>)>, StoreError> {
        self.core().resources(account)
    }

    /// The accounts above one, topmost first (private field `pvt_tree`).
    /// # Errors
    /// The disk, or a damaged record.
    pub fn ancestors(&self, account: &AccountId) -> Result<Vec<AccountId>, StoreError> {
        Ok(self.core().standing(account)?.ancestors.clone())
    }

    /// Who resells to the account (private field `pvt_reseller_id`).
    /// # Errors
    /// The disk, or a damaged record.
    pub fn reseller(&self, account: &AccountId) -> Result<Option<AccountId>, StoreError> {
        Ok(self.core().standing(account)?.reseller.clone())
    }

    /// Users of the account with this login name, compared without case. Imported ones may share it.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn users_by_name(
        &self,
        account: &AccountId,
        username: &str,
    ) -> Result<Vec<DocumentId>, StoreError> {
        self.core().users_by_name(account, username)
    }

    /// Users of the account with this `hotdesk.id`.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn users_by_hotdesk(
        &self,
        account: &AccountId,
        hotdesk: &str,
    ) -> Result<Vec<DocumentId>, StoreError> {
        self.core().ids_by_word(HOTDESK, account, hotdesk)
    }

    /// Mailboxes of the account with this number.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn vmboxes_by_mailbox(
        &self,
        account: &AccountId,
        mailbox: &str,
    ) -> Result<Vec<DocumentId>, StoreError> {
        self.core().ids_by_word(MAILBOX, account, mailbox)
    }

    /// Conferences of the account with this number.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn conferences_by_number(
        &self,
        account: &AccountId,
        number: &str,
    ) -> Result<Vec<DocumentId>, StoreError> {
        self.core().ids_by_word(CONFERENCE, account, number)
    }

    /// Tells the number of the last write that reached the disk, for those who follow with [`Store::changes_after`].
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.core().changes()
    }
}
