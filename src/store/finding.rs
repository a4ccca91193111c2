//! Look-ups of the API and of trunks.

use serde_json::{Map, Value};

use super::change::Tree;
use super::core::Core;
use super::error::StoreError;
use crate::documents::{Document, DocumentType};
use crate::types::{AccountId, DocumentId};

/// How account names compare (api spec 1.6): "My Co." is "myco".
pub(super) fn normal_name(name: &str) -> String {
    let letters = name.chars().flat_map(char::to_lowercase);
    letters.filter(char::is_ascii_alphanumeric).collect()
}

fn text<'a>(body: &'a Map<String, Value>, field: &str) -> &'a str {
    body.get(field).and_then(Value::as_str).unwrap_or_default()
}

impl Core {
    fn accounts_where(
        &self,
        wanted: impl Fn(&Document) -> bool,
    ) -> Result<Vec<AccountId>, StoreError> {
        let mut found = Vec::new();
        for document in self.scan(DocumentType::Account, None) {
            let document = document?;
            if wanted(&document) {
                found.push(document.key.account);
            }
        }
        Ok(found)
    }

    pub(super) fn account_by_name(&self, name: &str) -> Result<Vec<AccountId>, StoreError> {
        let wanted = normal_name(name);
        self.accounts_where(|d| !wanted.is_empty() && normal_name(text(&d.body, "name")) == wanted)
    }

    pub(super) fn account_by_api_key(&self, hash: &str) -> Result<Option<AccountId>, StoreError> {
        let found = self.accounts_where(|d| text(&d.body, "pvt_api_key_hash") == hash)?;
        Ok(found.into_iter().next())
    }

    pub(super) fn master_account(&self) -> Result<Option<AccountId>, StoreError> {
        let master = |d: &Document| d.body.get("pvt_superduper_admin") == Some(&Value::Bool(true));
        Ok(self.accounts_where(master)?.into_iter().next())
    }

    pub(super) fn users_by_credentials(
        &self,
        account: &AccountId,
        hash: &str,
    ) -> Result<Vec<DocumentId>, StoreError> {
        let mut found = Vec::new();
        for document in self.scan(DocumentType::User, Some(account)) {
            let Document { key, body } = document?;
            let credentials = body.get("pvt_credentials").and_then(Value::as_array);
            if credentials.is_some_and(|list| list.iter().any(|c| c.as_str() == Some(hash))) {
                found.push(key.id);
            }
        }
        Ok(found)
    }

    /// Connectivity documents, and the servers in them, that list the number.
    pub(super) fn did(
        &self,
        number: &str,
    ) -> Result<Vec<(AccountId, DocumentId, usize)>, StoreError> {
        let mut found = Vec::new();
        for document in self.scan(DocumentType::Connectivity, None) {
            let Document { key, body } = document?;
            let servers = body.get("servers").and_then(Value::as_array);
            for (index, server) in servers.into_iter().flatten().enumerate() {
                let dids = server.get("DIDs").and_then(Value::as_object);
                if dids.is_some_and(|dids| dids.contains_key(number)) {
                    found.push((key.account.clone(), key.id.clone(), index));
                }
            }
        }
        found.sort_by(|a, b| (&a.1, a.2).cmp(&(&b.1, b.2)));
        Ok(found)
    }

    pub(super) fn count(
        &self,
        kind: DocumentType,
        account: &AccountId,
    ) -> Result<usize, StoreError> {
        let mut count = 0;
        for item in self
            .disk
            .prefix(&super::keys::documents_of(kind, Some(account)))
        {
            item?;
            count += 1;
        }
        Ok(count)
    }

    pub(super) fn descendants_count(&self, of: &AccountId) -> Result<usize, StoreError> {
        let mut count = 0;
        for row in self.below(Tree::Descendants, of, None, true) {
            row?;
            count += 1;
        }
        Ok(count)
    }

    pub(super) fn any_account(&self) -> Result<bool, StoreError> {
        let prefix = super::keys::documents_of(DocumentType::Account, None);
        self.disk
            .prefix(&prefix)
            .next()
            .transpose()
            .map(|found| found.is_some())
    }
}
