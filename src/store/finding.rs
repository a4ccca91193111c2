//! Look-ups of the API and of trunks.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::change::Tree;
use super::core::Core;
use super::error::StoreError;
use super::index_keys::{
    self, API_KEY, CREDENTIALS, DID, MASTER, NAME, RECORD, SERVER_REALM_USER, SERVER_USER, TREE,
    USERNAME,
};
use super::indexes;
use super::lookups::Lookup;
use super::{counts, keys, reads};
use crate::documents::{Connectivity, DocumentType, NumberRecord, Resource};
use crate::types::{AccountId, DocumentId};

/// A server of a connectivity document: account, document, position.
pub type ServerAt = (AccountId, DocumentId, usize);

/// Where an account stands among the others, as its private fields say.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Topmost first.
    pub ancestors: Vec<AccountId>,
    pub reseller: Option<AccountId>,
}

impl Standing {
    fn of(body: &Map<String, Value>) -> Self {
        let id = |value: &Value| value.as_str().and_then(|id| AccountId::new(id).ok());
        let tree = body.get("pvt_tree").and_then(Value::as_array);
        Self {
            ancestors: tree.into_iter().flatten().filter_map(id).collect(),
            reseller: body.get("pvt_reseller_id").and_then(id),
        }
    }
}

impl Core {
    pub(super) fn standing(&self, account: &AccountId) -> Result<Arc<Standing>, StoreError> {
        let (kind, id) = (DocumentType::Account, account.as_str());
        let key = keys::document_parts(kind, id, id);
        let found = self.lookups.or_load(&key, || {
            let standing = match reads::raw(&self.disk, &key)? {
                Some(raw) => Standing::of(&raw.body(&key)?),
                None => Standing::default(),
            };
            Ok((Lookup::Standing(Arc::new(standing)), 1))
        })?;
        match found {
            Lookup::Standing(standing) => Ok(standing),
            _ => Ok(Arc::default()),
        }
    }

    /// Ids of all documents of a kind in an account.
    fn ids_of(
        &self,
        kind: DocumentType,
        account: &AccountId,
    ) -> Result<Arc<[DocumentId]>, StoreError> {
        let prefix = keys::documents_of(kind, Some(account));
        let found = self.lookups.or_load(&prefix, || {
            let mut ids = Vec::new();
            for item in self.disk.prefix(&prefix) {
                let (key, _) = item?;
                ids.extend(keys::parse_document(&key).map(|document| document.id));
            }
            let weight = u32::try_from(1 + ids.len() / 16).unwrap_or(u32::MAX);
            Ok((Lookup::Documents(ids.into()), weight))
        })?;
        match found {
            Lookup::Documents(ids) => Ok(ids),
            _ => Ok(Arc::default()),
        }
    }

    pub(super) fn resources(
        &self,
        account: &AccountId,
    ) -> Result<Vec<(DocumentId, Arc<Resource>)>, StoreError> {
        let mut found = Vec::new();
        for id in self.ids_of(DocumentType::Resource, account)?.iter() {
            let resource = self.resource(account.as_str(), id.as_str())?;
            found.extend(resource.map(|resource| (id.clone(), resource)));
        }
        Ok(found)
    }

    pub(super) fn connectivities(
        &self,
        account: &AccountId,
    ) -> Result<Vec<(DocumentId, Arc<Connectivity>)>, StoreError> {
        let mut found = Vec::new();
        for id in self.ids_of(DocumentType::Connectivity, account)?.iter() {
            let connectivity = self.connectivity(account.as_str(), id.as_str())?;
            found.extend(connectivity.map(|connectivity| (id.clone(), connectivity)));
        }
        Ok(found)
    }

    /// The record of a number and the account that has it.
    pub(super) fn number(
        &self,
        number: &str,
    ) -> Result<Option<(AccountId, Arc<NumberRecord>)>, StoreError> {
        if !keys::indexable(number) {
            return Ok(None);
        }
        let Some((account, id)) = self.owner(&index_keys::entry(RECORD, &[number]))? else {
            return Ok(None);
        };
        let record = self.number_record(account.as_str(), id.as_str())?;
        Ok(record.map(|record| (account, record)))
    }

    /// Accounts of the entries under a prefix.
    fn accounts_under(&self, prefix: &[u8]) -> Result<Vec<AccountId>, StoreError> {
        let mut found = Vec::new();
        for item in self.disk.prefix(prefix) {
            let (key, _) = item?;
            found.extend(index_keys::document_of(&key, &[]).map(|d| d.account));
        }
        Ok(found)
    }

    pub(super) fn account_by_name(&self, name: &str) -> Result<Vec<AccountId>, StoreError> {
        match indexes::normal_name(name) {
            Some(normal) => self.accounts_under(&index_keys::under(NAME, &[&normal])),
            None => Ok(Vec::new()),
        }
    }

    pub(super) fn account_by_api_key(&self, hash: &str) -> Result<Option<AccountId>, StoreError> {
        if !keys::indexable(hash) {
            return Ok(None);
        }
        let found = self.accounts_under(&index_keys::under(API_KEY, &[hash]))?;
        Ok(found.into_iter().next())
    }

    pub(super) fn master_account(&self) -> Result<Option<AccountId>, StoreError> {
        let found = self.accounts_under(&index_keys::under(MASTER, &[]))?;
        Ok(found.into_iter().next())
    }

    pub(super) fn any_account(&self) -> Result<bool, StoreError> {
        let prefix = keys::documents_of(DocumentType::Account, None);
        let first = self.disk.prefix(&prefix).next().transpose()?;
        Ok(first.is_some())
    }

    pub(super) fn users_by_credentials(
        &self,
        account: &AccountId,
        hash: &str,
    ) -> Result<Vec<DocumentId>, StoreError> {
        self.ids_by_word(CREDENTIALS, account, hash)
    }

    pub(super) fn users_by_name(
        &self,
        account: &AccountId,
        username: &str,
    ) -> Result<Vec<DocumentId>, StoreError> {
        self.ids_by_word(USERNAME, account, &username.to_lowercase())
    }

    /// Documents of an account that are filed under a word.
    pub(super) fn ids_by_word(
        &self,
        tag: u8,
        account: &AccountId,
        word: &str,
    ) -> Result<Vec<DocumentId>, StoreError> {
        if !keys::indexable(word) {
            return Ok(Vec::new());
        }
        self.ids(&index_keys::under(tag, &[account.as_str(), word]))
    }

    /// Servers of the entries under a prefix, by document and position.
    fn servers(&self, prefix: &[u8]) -> Result<Arc<[ServerAt]>, StoreError> {
        let found = self.lookups.or_load(prefix, || {
            let mut found = Vec::new();
            for item in self.disk.prefix(prefix) {
                let (key, _) = item?;
                found.extend(index_keys::server_of(&key));
            }
            found.sort_by(|a, b| (&a.1, a.2, &a.0).cmp(&(&b.1, b.2, &b.0)));
            let weight = u32::try_from(1 + found.len() / 16).unwrap_or(u32::MAX);
            Ok((Lookup::Servers(found.into()), weight))
        })?;
        match found {
            Lookup::Servers(found) => Ok(found),
            _ => Ok(Arc::default()),
        }
    }

    pub(super) fn did(&self, number: &str) -> Result<Vec<ServerAt>, StoreError> {
        if !keys::indexable(number) {
            return Ok(Vec::new());
        }
        let found = self.servers(&index_keys::under(DID, &[number]))?;
        Ok(found.to_vec())
    }

    pub(super) fn servers_by_ip(&self, ip: IpAddr) -> Result<Vec<ServerAt>, StoreError> {
        Ok(self.servers(&index_keys::server_ips(ip))?.to_vec())
    }

    /// All servers that are known by their address.
    pub(super) fn servers_with_ip(&self) -> Result<Vec<(IpAddr, ServerAt)>, StoreError> {
        let mut found = Vec::new();
        for item in self.disk.prefix(&[index_keys::SERVER_IP]) {
            let (key, _) = item?;
            let ip = index_keys::parts(&key)
                .next()
                .and_then(|ip| ip.parse().ok());
            found.extend(ip.zip(index_keys::server_of(&key)));
        }
        Ok(found)
    }

    /// By the realm that the account has; a realm that no account has may still stand in the document itself.
    pub(super) fn server_by_address(
        &self,
        username: &str,
        realm: &str,
    ) -> Result<Option<ServerAt>, StoreError> {
        if !keys::indexable(username) || !keys::indexable(realm) {
            return Ok(None);
        }
        let (username, realm) = (username.to_lowercase(), realm.to_lowercase());
        let prefix = match self.account_by_realm(&realm)? {
            Some(account) => index_keys::under(SERVER_USER, &[account.as_str(), &username]),
            None => index_keys::under(SERVER_REALM_USER, &[&realm, &username]),
        };
        Ok(self.servers(&prefix)?.first().cloned())
    }

    fn counted(&self, key: &[u8]) -> Result<usize, StoreError> {
        let Some(value) = self.disk.read(key)? else {
            return Ok(0);
        };
        let count = counts::number(value.payload());
        let count = count.and_then(|count| usize::try_from(count).ok());
        count.ok_or_else(|| StoreError::damaged(keys::describe(key), "it is no number"))
    }

    pub(super) fn count(
        &self,
        kind: DocumentType,
        account: &AccountId,
    ) -> Result<usize, StoreError> {
        self.counted(&counts::of_kind(kind, account.as_str()))
    }

    pub(super) fn descendants_count(&self, of: &AccountId) -> Result<usize, StoreError> {
        self.counted(&counts::below(of.as_str()))
    }

    /// Whether any account has this one as its parent.
    pub(super) fn has_children(&self, of: &AccountId) -> Result<bool, StoreError> {
        let prefix = index_keys::under(TREE, &[of.as_str(), indexes::CHILD]);
        let first = self.disk.prefix(&prefix).next().transpose()?;
        Ok(first.is_some())
    }
}

impl Tree {
    pub(super) const fn depth(self) -> &'static str {
        match self {
            Tree::Children => indexes::CHILD,
            Tree::Descendants => indexes::DESCENDANT,
        }
    }
}
