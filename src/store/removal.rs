//! Deleting an account with everything in it.

use super::change::{Applied, Author, Change, Write};
use super::core::Core;
use super::error::StoreError;
use super::handle::Store;
use super::keys;
use crate::documents::{DocumentKey, DocumentType};
use crate::types::{AccountId, DocumentId};

/// Documents that go at once: other writers, and readers, wait for a batch.
const BATCH: usize = 2_000;

/// How often documents that came meanwhile are looked for anew.
const ROUNDS: usize = 20;

fn account_key(account: &AccountId) -> Option<DocumentKey> {
    Some(DocumentKey {
        kind: DocumentType::Account,
        account: account.clone(),
        id: DocumentId::new(account.as_str()).ok()?,
    })
}

impl Core {
    /// Up to `limit` documents of an account, itself not among them.
    fn belongings(&self, account: &AccountId, limit: usize) -> Result<Vec<Write>, StoreError> {
        let kinds = DocumentType::ALL.iter();
        let owned = kinds.filter(|kind| **kind != DocumentType::Account);
        let mut found = Vec::new();
        for kind in owned {
            let left = limit - found.len();
            for item in self
                .disk
                .prefix(&keys::documents_of(*kind, Some(account)))
                .take(left)
            {
                let (key, _) = item?;
                found.extend(keys::parse_document(&key).map(Write::Delete));
            }
        }
        Ok(found)
    }
}

impl Store {
    /// Deletes an account and everything of it, registrations too: in one change, or one with more than 2,000 documents in several, the
    /// account itself in the last. A crash in the middle of those leaves an account that can be deleted again. An account that does
    /// not exist is a change that changed nothing.
    /// # Errors
    /// [`StoreError::Descendants`] when there are accounts below it; the disk.
    pub async fn delete_account(
        &self,
        account: &AccountId,
        author: Author,
    ) -> Result<Applied, StoreError> {
        if self.core().has_children(account)? {
            return Err(StoreError::Descendants {
                account: account.clone(),
            });
        }
        let realm = self.account(account)?.and_then(|a| a.realm.clone());
        let mut stored = Vec::new();
        let mut rounds = 0;
        let mut applied = loop {
            let mut writes = self.core().belongings(account, BATCH)?;
            let last = writes.len() < BATCH;
            if last {
                writes.extend(account_key(account).map(Write::Delete));
            }
            match self.apply(Change::from(writes).by(author.clone())).await {
                Ok(applied) if last => break applied,
                Ok(applied) => stored.extend(applied.stored),
                // a document came in between
                Err(StoreError::Invalid { .. }) if rounds < ROUNDS => rounds += 1,
                Err(error) => return Err(error),
            }
        };
        stored.append(&mut applied.stored);
        applied.stored = stored;
        if let Some(realm) = realm {
            self.core().registrations.forget_realm(&realm);
        }
        Ok(applied)
    }
}
