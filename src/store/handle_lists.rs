//! What the API and trunks ask of the store.

use tokio::sync::watch;

use super::change::{Applied, Author, Change, HistoryEntry, Stored, Tree, Write};
use super::error::StoreError;
use super::handle::Store;
use super::listing::Rows;
use crate::documents::{DocumentKey, DocumentType};
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

    /// Documents of a kind in an account.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn count(&self, kind: DocumentType, account: &AccountId) -> Result<usize, StoreError> {
        self.core().count(kind, account)
    }

    /// Accounts below one, all levels.
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
    pub fn did(&self, number: &str) -> Result<Vec<(AccountId, DocumentId, usize)>, StoreError> {
        self.core().did(number)
    }

    /// Writes of a document, newest first, as far back as they are kept.
    /// # Errors
    /// The disk, or a damaged record.
    pub fn history(
        &self,
        _key: &DocumentKey,
        _limit: usize,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        Ok(Vec::new())
    }

    /// Deletes an account and everything of it.
    /// # Errors
    /// There are accounts below it; the disk.
    pub async fn delete_account(
        &self,
        account: &AccountId,
        author: Author,
    ) -> Result<Applied, StoreError> {
        let mut writes = Vec::new();
        for kind in DocumentType::ALL {
            if *kind == DocumentType::Registration {
                continue;
            }
            for document in self.scan(*kind, Some(account)) {
                writes.push(Write::Delete(document?.key));
            }
        }
        self.apply(Change::from(writes).by(author)).await
    }

    /// Tells the number of the last write that reached the disk, for those who follow with [`Store::changes_after`].
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.core().changes()
    }
}
