//! What requests need to know of an account.

use serde_json::{Map, Value};

use crate::documents::{DocumentKey, DocumentType};
use crate::store::{Store, StoreError};
use crate::types::{AccountId, DocumentId};

/// Private fields of an account document.
pub const TREE: &str = "pvt_tree";
pub const SUPERDUPER: &str = "pvt_superduper_admin";
pub const RESELLER: &str = "pvt_reseller";
pub const API_KEY_HASH: &str = "pvt_api_key_hash";
pub const API_KEY_NONCE: &str = "pvt_api_key_nonce";
pub const EXPIRES: &str = "pvt_trial_expires";

/// An account as the protocol sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountFacts {
    pub id: AccountId,
    pub name: String,
    pub realm: String,
    pub language: String,
    /// Ids of the ancestors, topmost first.
    pub tree: Vec<AccountId>,
    pub enabled: bool,
    /// Gregorian seconds.
    pub expires: Option<u64>,
    /// The master account.
    pub superduper: bool,
    pub reseller: bool,
    /// The nearest account above, or this one, that is a reseller; else the topmost.
    pub reseller_id: AccountId,
    pub api_key_hash: Option<String>,
}

impl AccountFacts {
    /// # Errors
    /// The disk, or a damaged record.
    pub fn load(store: &Store, id: &AccountId) -> Result<Option<AccountFacts>, StoreError> {
        let Some(body) = body(store, id)? else {
            return Ok(None);
        };
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let flag = |name: &str| body.get(name).and_then(Value::as_bool).unwrap_or(false);
        let tree = tree(&body);
        let reseller = flag(RESELLER) || flag(SUPERDUPER);
        let reseller_id = if reseller {
            id.clone()
        } else {
            reseller_above(store, id, &tree)?
        };
        Ok(Some(AccountFacts {
            name: text("name").to_owned(),
            realm: text("realm").to_lowercase(),
            language: match text("language") {
                "" => "en-US".to_owned(),
                language => language.to_owned(),
            },
            enabled: body.get("enabled").and_then(Value::as_bool).unwrap_or(true),
            expires: body.get(EXPIRES).and_then(Value::as_u64),
            superduper: flag(SUPERDUPER),
            reseller,
            reseller_id,
            api_key_hash: body
                .get(API_KEY_HASH)
                .and_then(Value::as_str)
                .map(str::to_owned),
            id: id.clone(),
            tree,
        }))
    }

    /// Whether `other` is this account or one above it.
    #[must_use]
    pub fn is_within(&self, other: &AccountId) -> bool {
        self.id == *other || self.tree.contains(other)
    }
}

fn body(store: &Store, id: &AccountId) -> Result<Option<Map<String, Value>>, StoreError> {
    let Ok(own) = DocumentId::new(id.as_str()) else {
        return Ok(None);
    };
    let key = DocumentKey {
        kind: DocumentType::Account,
        account: id.clone(),
        id: own,
    };
    Ok(store.document(&key)?.map(|document| document.body))
}

/// Ids of the ancestors as an account document has them, topmost first.
#[must_use]
pub fn tree(account: &Map<String, Value>) -> Vec<AccountId> {
    let ids = account.get(TREE).and_then(Value::as_array);
    let ids = ids.into_iter().flatten().filter_map(Value::as_str);
    ids.filter_map(|id| AccountId::new(id).ok()).collect()
}

fn reseller_above(
    store: &Store,
    id: &AccountId,
    tree: &[AccountId],
) -> Result<AccountId, StoreError> {
    for above in tree.iter().rev() {
        let Some(body) = body(store, above)? else {
            continue;
        };
        let flag = |name: &str| body.get(name).and_then(Value::as_bool).unwrap_or(false);
        if flag(RESELLER) || flag(SUPERDUPER) {
            return Ok(above.clone());
        }
    }
    Ok(tree.first().unwrap_or(id).clone())
}
