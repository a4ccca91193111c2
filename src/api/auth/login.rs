//! Logging in: with an account's key, or with a digest of a user's name and password.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::account::AccountFacts;
use super::caller::{Caller, of_api_key, of_user};
use super::secrets::{hex, random};
use super::token::{self, Claims, Method};
use crate::api::context::Context;
use crate::api::reply::{Refusal, unreadable};
use crate::api::time;
use crate::documents::{DocumentKey, DocumentType};
use crate::routing::numbers::Normalizer;
use crate::types::{AccountId, DocumentId};

/// Somebody who showed the right credentials.
#[derive(Debug, Clone)]
pub struct Login {
    pub account: Arc<AccountFacts>,
    pub user: Option<DocumentId>,
    pub method: Method,
    fingerprint: String,
    admin: bool,
}

/// By the account's key.
///
/// # Errors
/// 401 for a key of nobody, 423 for a locked account, the store.
pub fn with_api_key(context: &Context, key: &str) -> Result<Login, Refusal> {
    let hash = token::digest(&key.to_ascii_lowercase());
    let found = context
        .store
        .account_by_api_key(&hash)
        .map_err(unreadable)?;
    let account = match found {
        Some(id) => context.account(&id)?,
        None => None,
    };
    let account = account.ok_or_else(Refusal::invalid_credentials)?;
    open(&account)?;
    Ok(Login {
        fingerprint: of_api_key(&account),
        account,
        user: None,
        method: Method::ApiKey,
        admin: true,
    })
}

/// By `digest` of `username:password` in one of the accounts.
///
/// # Errors
/// 401 when it is nobody's, 423 for a locked account, the store.
pub fn log_in(
    context: &Context,
    accounts: &[AccountId],
    digest: &str,
    method: Method,
) -> Result<Login, Refusal> {
    let peppered = context.secrets.peppered(digest);
    for id in accounts {
        let Some(account) = context.account(id)? else {
            continue;
        };
        let users = context
            .store
            .users_by_credentials(id, &peppered)
            .map_err(unreadable)?;
        for user in users {
            let key = DocumentKey {
                kind: DocumentType::User,
                account: id.clone(),
                id: user.clone(),
            };
            let document = context.store.document(&key).map_err(unreadable)?;
            let facts = document.and_then(|document| of_user(&document.body));
            let Some((fingerprint, admin)) = facts else {
                continue;
            };
            open(&account)?;
            return Ok(Login {
                account,
                user: Some(user),
                method,
                fingerprint,
                admin,
            });
        }
    }
    Err(Refusal::invalid_credentials())
}

fn open(account: &AccountFacts) -> Result<(), Refusal> {
    if !account.enabled {
        return Err(Refusal::locked("disabled"));
    }
    let now = u64::try_from(time::gregorian()).unwrap_or_default();
    if account.expires.is_some_and(|expires| expires <= now) {
        return Err(Refusal::locked("expired"));
    }
    Ok(())
}

/// The accounts that a login names: by number, realm or name, in this order (API specification 1.6).
///
/// # Errors
/// The store.
pub fn accounts_named(
    context: &Context,
    data: &Map<String, Value>,
) -> Result<Vec<AccountId>, Refusal> {
    let text = |name: &str| {
        let text = data.get(name).and_then(Value::as_str);
        text.map(str::trim).filter(|text| !text.is_empty())
    };
    if let Some(number) = text("phone_number") {
        let number = Normalizer::default().e164(number);
        // The number's own record says whose it is; without one, whoever has it in a callflow.
        if let Some((owner, _)) = context.store.number(&number).map_err(unreadable)? {
            return Ok(vec![owner]);
        }
        let found = context
            .store
            .accounts_by_number(&number)
            .map_err(unreadable)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    if let Some(realm) = text("account_realm").or_else(|| text("realm")) {
        let found = context.store.account_by_realm(realm).map_err(unreadable)?;
        if let Some(found) = found {
            return Ok(vec![found]);
        }
    }
    match text("account_name") {
        Some(name) => context.store.account_by_name(name).map_err(unreadable),
        None => Ok(Vec::new()),
    }
}

/// The caller behind `Authorization: Basic`, who gets no token.
///
/// # Errors
/// 401, 423, the store.
pub fn with_credentials(
    context: &Context,
    account: &str,
    digest: &str,
) -> Result<Arc<Caller>, Refusal> {
    let account = AccountId::new(account).map_err(|_| Refusal::invalid_credentials())?;
    let login = log_in(context, &[account], digest, Method::Basic)?;
    Ok(Arc::new(Caller {
        account: login.account,
        user: login.user,
        method: login.method,
        admin: login.admin,
        restrictions: None,
        token: None,
    }))
}

impl Login {
    /// A token for him, for as long as the settings say.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn token(&self, context: &Context, restrictions: Option<Value>) -> Result<String, Refusal> {
        let id = random::<16>().map_err(|error| {
            tracing::error!(%error, "no token can be made");
            Refusal::unspecified_fault()
        })?;
        let life = i64::try_from(context.settings.token_auth_expiry_s).unwrap_or(i64::MAX);
        let claims = Claims {
            account: self.account.id.clone(),
            user: self.user.clone(),
            method: self.method,
            expires: time::unix().saturating_add(life),
            id: hex(&id),
            fingerprint: self.fingerprint.clone(),
            restrictions,
        };
        Ok(token::issue(&context.secrets, &claims))
    }
}

/// What a login, and a question about a token, are answered with.
#[must_use]
pub fn description(account: &AccountFacts, user: Option<&DocumentId>) -> Map<String, Value> {
    let mut told = Map::new();
    told.insert("account_id".to_owned(), account.id.as_str().into());
    if let Some(user) = user {
        told.insert("owner_id".to_owned(), user.as_str().into());
    }
    told.insert("account_name".to_owned(), account.name.as_str().into());
    told.insert(
        "reseller_id".to_owned(),
        account.reseller_id.as_str().into(),
    );
    told.insert("is_reseller".to_owned(), account.reseller.into());
    told.insert("language".to_owned(), account.language.as_str().into());
    told.insert("apps".to_owned(), json!([]));
    told
}
