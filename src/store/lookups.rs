//! Finding documents by what calls carry: realms, addresses, numbers.

use std::net::IpAddr;
use std::sync::Arc;

use regex::Regex;

use super::core::Core;
use super::error::StoreError;
use super::finding::{ServerAt, Standing};
use super::index_keys::{
    self, ACCOUNT_USERNAME, DEVICE_IP, NUMBER, NUMBER_ANYWHERE, OWNED, PATTERNS, REALM,
    REALM_USERNAME,
};
use super::{indexes, keys, reads};
use crate::documents::{DocumentKey, DocumentType};
use crate::types::{AccountId, DocumentId};

/// Compiled size that a pattern may take. Patterns come from tenants; the engine is linear in time, this bounds its memory.
const PATTERN_BYTES: usize = 1 << 20;

/// What the look-up cache holds.
#[derive(Clone)]
pub(super) enum Lookup {
    Nothing,
    Owner(AccountId, DocumentId),
    Documents(Arc<[DocumentId]>),
    Accounts(Arc<[AccountId]>),
    Patterns(Arc<Vec<(DocumentId, Regex)>>),
    Servers(Arc<[ServerAt]>),
    Standing(Arc<Standing>),
}

impl Core {
    pub(super) fn owner(&self, key: &[u8]) -> Result<Option<(AccountId, DocumentId)>, StoreError> {
        let found = self.lookups.or_load(key, || {
            let Some(value) = self.disk.read(key)? else {
                return Ok((Lookup::Nothing, 1));
            };
            match keys::owner(value.payload()) {
                Some((account, id)) => Ok((Lookup::Owner(account, id), 1)),
                None => Err(StoreError::damaged(
                    keys::describe(key),
                    "the index entry names no document",
                )),
            }
        })?;
        match found {
            Lookup::Owner(account, id) => Ok(Some((account, id))),
            _ => Ok(None),
        }
    }

    pub(super) fn account_by_realm(&self, realm: &str) -> Result<Option<AccountId>, StoreError> {
        if !keys::indexable(realm) {
            return Ok(None);
        }
        let found = self.owner(&index_keys::entry(REALM, &[&realm.to_lowercase()]))?;
        Ok(found.map(|(account, _)| account))
    }

    pub(super) fn device_by_address(
        &self,
        username: &str,
        realm: &str,
    ) -> Result<Option<(AccountId, DocumentId)>, StoreError> {
        if !keys::indexable(username) || !keys::indexable(realm) {
            return Ok(None);
        }
        let (username, realm) = (username.to_lowercase(), realm.to_lowercase());
        if let Some((account, _)) = self.owner(&index_keys::entry(REALM, &[&realm]))? {
            let own = index_keys::entry(ACCOUNT_USERNAME, &[account.as_str(), &username]);
            if let Some(found) = self.owner(&own)? {
                return Ok(Some(found));
            }
        }
        self.owner(&index_keys::entry(REALM_USERNAME, &[&realm, &username]))
    }

    /// A device whose calls come from the address before others: a call from a disabled device is refused by that name, not as a stranger.
    pub(super) fn device_by_ip(
        &self,
        ip: IpAddr,
    ) -> Result<Option<(AccountId, DocumentId)>, StoreError> {
        let prefix = index_keys::device_ips(ip);
        let found = self.lookups.or_load(&prefix, || {
            let Some(first) = self.disk.prefix(&prefix).next() else {
                return Ok((Lookup::Nothing, 1));
            };
            let (key, _) = first?;
            match index_keys::document_of(&key, &[]) {
                Some(device) => Ok((Lookup::Owner(device.account, device.id), 1)),
                None => Err(StoreError::damaged(
                    keys::describe(&key),
                    "the index entry names no document",
                )),
            }
        })?;
        match found {
            Lookup::Owner(account, id) => Ok(Some((account, id))),
            _ => Ok(None),
        }
    }

    /// Enabled devices that are known by their address, by address.
    pub(super) fn devices_with_ip(
        &self,
    ) -> Result<Vec<(IpAddr, AccountId, DocumentId)>, StoreError> {
        let mut found = Vec::new();
        for item in self.disk.prefix(&[DEVICE_IP]) {
            let (key, _) = item?;
            found.extend(index_keys::trusted_device(&key));
        }
        Ok(found)
    }

    /// Ids at the end of the keys under `prefix`, in order.
    pub(super) fn ids(&self, prefix: &[u8]) -> Result<Vec<DocumentId>, StoreError> {
        let found = self.lookups.or_load(prefix, || {
            let mut ids = Vec::new();
            for item in self.disk.prefix(prefix) {
                let (key, _) = item?;
                ids.extend(index_keys::document_of(&key, &[]).map(|d| d.id));
            }
            let weight = u32::try_from(1 + ids.len() / 16).unwrap_or(u32::MAX);
            Ok((Lookup::Documents(ids.into()), weight))
        })?;
        match found {
            Lookup::Documents(ids) => Ok(ids.to_vec()),
            _ => Ok(Vec::new()),
        }
    }

    pub(super) fn callflows_by_number(
        &self,
        account: &str,
        number: &str,
    ) -> Result<Vec<DocumentId>, StoreError> {
        if !keys::indexable(number) {
            return Ok(Vec::new());
        }
        self.ids(&index_keys::under(NUMBER, &[account, number]))
    }

    pub(super) fn devices_of(
        &self,
        account: &str,
        user: &str,
    ) -> Result<Vec<DocumentId>, StoreError> {
        self.ids(&index_keys::under(OWNED, &[account, user]))
    }

    pub(super) fn accounts_by_number(&self, number: &str) -> Result<Vec<AccountId>, StoreError> {
        if !keys::indexable(number) {
            return Ok(Vec::new());
        }
        let prefix = index_keys::under(NUMBER_ANYWHERE, &[number]);
        let found = self.lookups.or_load(&prefix, || {
            let mut accounts: Vec<AccountId> = Vec::new();
            for item in self.disk.prefix(&prefix) {
                let (key, _) = item?;
                accounts.extend(index_keys::document_of(&key, &[]).map(|d| d.account));
            }
            accounts.dedup();
            let weight = u32::try_from(1 + accounts.len() / 16).unwrap_or(u32::MAX);
            Ok((Lookup::Accounts(accounts.into()), weight))
        })?;
        match found {
            Lookup::Accounts(accounts) => Ok(accounts.to_vec()),
            _ => Ok(Vec::new()),
        }
    }

    pub(super) fn patterns(
        &self,
        account: &str,
    ) -> Result<Arc<Vec<(DocumentId, Regex)>>, StoreError> {
        let prefix = index_keys::under(PATTERNS, &[account]);
        let found = self.lookups.or_load(&prefix, || {
            let mut compiled = Vec::new();
            for item in self.disk.prefix(&prefix) {
                let (key, value) = item?;
                let Some(DocumentKey { id, .. }) = index_keys::document_of(&key, &[]) else {
                    continue;
                };
                let texts = match indexes::inline_patterns(value.payload()) {
                    Some(texts) => texts,
                    None => self.patterns_of(account, &id)?,
                };
                let patterns = texts.iter().filter_map(|text| compile(account, &id, text));
                compiled.extend(patterns.map(|pattern| (id.clone(), pattern)));
            }
            let weight = u32::try_from(1 + compiled.len()).unwrap_or(u32::MAX);
            Ok((Lookup::Patterns(Arc::new(compiled)), weight))
        })?;
        match found {
            Lookup::Patterns(patterns) => Ok(patterns),
            _ => Ok(Arc::default()),
        }
    }

    /// For lists too long for the index.
    fn patterns_of(&self, account: &str, id: &DocumentId) -> Result<Vec<String>, StoreError> {
        let key = keys::document_parts(DocumentType::Callflow, account, id.as_str());
        match reads::raw(&self.disk, &key)? {
            Some(raw) => Ok(indexes::patterns_of(&raw.body(&key)?)),
            None => Ok(Vec::new()),
        }
    }
}

/// # Errors
/// No regular expression, or one that is too large.
pub(super) fn regex(text: &str) -> Result<Regex, regex::Error> {
    regex::RegexBuilder::new(text)
        .size_limit(PATTERN_BYTES)
        .build()
}

fn compile(account: &str, callflow: &DocumentId, text: &str) -> Option<Regex> {
    match regex(text) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            tracing::warn!(
                account_id = account,
                callflow = callflow.as_str(),
                pattern = text,
                %error,
                "a pattern does not compile and never matches"
            );
            None
        }
    }
}
