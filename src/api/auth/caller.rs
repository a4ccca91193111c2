//! From a token to who asks.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::account::AccountFacts;
use super::memo::Memo;
use super::secrets::Secrets;
use super::token::{self, Claims, Method};
use crate::api::context::Context;
use crate::api::reply::{Refusal, unreadable};
use crate::api::time;
use crate::documents::{DocumentKey, DocumentType};
use crate::types::{AccountId, DocumentId};

/// Tokens whose holders are remembered.
const REMEMBERED: usize = 10_000;

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    pub account: Arc<AccountFacts>,
    pub user: Option<DocumentId>,
    pub method: Method,
    /// An admin of his account: by the account's key, or by his own privilege.
    pub admin: bool,
    pub restrictions: Option<Value>,
    /// None without a token (Basic).
    pub token: Option<TokenFacts>,
}

/// What is left of a token once it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    pub text: String,
    pub id: String,
    /// Unix seconds.
    pub expires: i64,
}

impl Caller {
    #[must_use]
    pub fn superduper(&self) -> bool {
        self.account.superduper
    }

    /// Whether the account is his own or below it.
    #[must_use]
    pub fn reaches(&self, account: &AccountFacts) -> bool {
        self.superduper() || account.is_within(&self.account.id)
    }

    /// Whether he may do in this account what only its admins may: they, and everybody from above.
    #[must_use]
    pub fn administers(&self, account: &AccountFacts) -> bool {
        self.superduper()
            || (self.reaches(account) && (self.admin || account.id != self.account.id))
    }

    /// Whether he belongs to an account above this one.
    #[must_use]
    pub fn is_above(&self, account: &AccountFacts) -> bool {
        self.superduper() || account.tree.contains(&self.account.id)
    }
}

/// Callers by their tokens.
pub struct Callers(Memo<String, Arc<Caller>>);

impl Default for Callers {
    fn default() -> Self {
        Self(Memo::new(REMEMBERED))
    }
}

impl Callers {
    /// Who holds this token.
    ///
    /// # Errors
    /// No token of ours; one that has ended, was revoked, or whose credentials have changed; the store.
    pub fn by_token(&self, context: &Context, text: &str) -> Result<Arc<Caller>, Refusal> {
        let make = || load(context, text).map(Arc::new);
        let caller = self.0.or_make(&text.to_owned(), context.state(), make)?;
        if let Some(token) = &caller.token {
            let ended = token.expires <= time::unix();
            let revoked = &context.revoked;
            if ended || (!revoked.is_empty() && revoked.holds(&token::digest(text))) {
                return Err(Refusal::stale_token());
            }
        }
        Ok(caller)
    }
}

fn load(context: &Context, text: &str) -> Result<Caller, Refusal> {
    let claims = token::read(&context.secrets, text).ok_or_else(Refusal::invalid_credentials)?;
    let account = context
        .account(&claims.account)?
        .ok_or_else(Refusal::stale_token)?;
    let (fingerprint, admin) = match &claims.user {
        None => (of_api_key(&account), true),
        Some(user) => match user_facts(context, &claims.account, user)? {
            Some(facts) => facts,
            None => return Err(Refusal::stale_token()),
        },
    };
    if fingerprint != claims.fingerprint {
        return Err(Refusal::stale_token());
    }
    let Claims {
        user,
        method,
        expires,
        id,
        restrictions,
        ..
    } = claims;
    Ok(Caller {
        account,
        user,
        method,
        admin,
        restrictions,
        token: Some(TokenFacts {
            text: text.to_owned(),
            id,
            expires,
        }),
    })
}

/// What tokens by API key hang on: the key.
#[must_use]
pub fn of_api_key(account: &AccountFacts) -> String {
    token::fingerprint([account.api_key_hash.as_deref().unwrap_or_default()])
}

/// What a user's tokens hang on, and whether he is an admin; None for one who can't log in.
fn user_facts(
    context: &Context,
    account: &AccountId,
    user: &DocumentId,
) -> Result<Option<(String, bool)>, Refusal> {
    let key = DocumentKey {
        kind: DocumentType::User,
        account: account.clone(),
        id: user.clone(),
    };
    let found = context.store.document(&key).map_err(unreadable)?;
    Ok(found.and_then(|user| of_user(&user.body)))
}

/// The same from the user's document.
#[must_use]
pub fn of_user(user: &Map<String, Value>) -> Option<(String, bool)> {
    let enabled = user.get("enabled").and_then(Value::as_bool).unwrap_or(true);
    let credentials = user.get(CREDENTIALS).and_then(Value::as_array)?;
    let fingerprint = token::fingerprint(credentials.iter().filter_map(Value::as_str));
    let admin = user.get("priv_level").and_then(Value::as_str) == Some("admin");
    (enabled && !credentials.is_empty()).then_some((fingerprint, admin))
}

/// Private field of a user: peppered digests of what he may present.
pub const CREDENTIALS: &str = "pvt_credentials";

/// What a user's document keeps of his name and password: each digest that clients send, peppered. The Python SDK
/// digests the name as it was typed, others in lower case.
#[must_use]
pub fn credentials(secrets: &Secrets, username: &str, password: &str) -> Vec<String> {
    use md5::{Digest as _, Md5};
    use sha1::Sha1;
    let lower = username.to_lowercase();
    let mut kept = Vec::new();
    for name in [lower.as_str(), username] {
        let text = format!("{name}:{password}");
        let md5: [u8; 16] = Md5::digest(text.as_bytes()).into();
        let sha1: [u8; 20] = Sha1::digest(text.as_bytes()).into();
        for digest in [super::secrets::hex(&md5), super::secrets::hex(&sha1)] {
            let peppered = secrets.peppered(&digest);
            if !kept.contains(&peppered) {
                kept.push(peppered);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(id: &str, tree: &[&str], superduper: bool) -> Arc<AccountFacts> {
        let id = AccountId::new(id).unwrap();
        Arc::new(AccountFacts {
            name: String::new(),
            realm: String::new(),
            language: String::new(),
            tree: tree.iter().map(|id| AccountId::new(id).unwrap()).collect(),
            enabled: true,
            expires: None,
            superduper,
            reseller: false,
            reseller_id: id.clone(),
            api_key_hash: None,
            id,
        })
    }

    fn caller(account: Arc<AccountFacts>, admin: bool) -> Caller {
        Caller {
            account,
            user: None,
            method: Method::User,
            admin,
            restrictions: None,
            token: None,
        }
    }

    #[test]
    fn the_tree_decides() {
        let (master, a) = (facts("m", &[], true), facts("a", &["m"], false));
        let (b, below) = (facts("b", &["m"], false), facts("c", &["m", "a"], false));
        let of_a = caller(Arc::clone(&a), false);
        assert!(of_a.reaches(&a) && of_a.reaches(&below));
        assert!(!of_a.reaches(&b) && !of_a.reaches(&master));
        assert!(!of_a.administers(&a) && of_a.administers(&below) && !of_a.administers(&b));
        assert!(caller(a.clone(), true).administers(&a));
        assert!(of_a.is_above(&below) && !of_a.is_above(&a));
        let of_master = caller(master, false);
        assert!(of_master.reaches(&b) && of_master.administers(&below) && of_master.is_above(&a));
    }

    #[test]
    fn both_spellings_of_a_name_log_in() {
        let secrets = Secrets::passing().unwrap();
        assert_eq!(credentials(&secrets, "john", "pw").len(), 2);
        let kept = credentials(&secrets, "John", "pw");
        assert_eq!(kept.len(), 4);
        // md5 and sha1 of "john:pw"
        for digest in [
            "dcae6d608370cd260bda2cb0da057182",
            "7aa24f02de2ee62a40b97609c9c63a4807865c3b",
        ] {
            assert!(kept.contains(&secrets.peppered(digest)));
        }
        assert!(
            credentials(&secrets, "john", "pw")
                .iter()
                .all(|one| kept.contains(one))
        );
    }

    #[test]
    fn a_disabled_user_has_no_tokens() {
        let user = json!({"pvt_credentials": ["a", "b"], "priv_level": "admin"});
        assert!(of_user(user.as_object().unwrap()).unwrap().1);
        for user in [
            json!({}),
            json!({"pvt_credentials": []}),
            json!({"pvt_credentials": ["a"], "enabled": false}),
        ] {
            assert!(of_user(user.as_object().unwrap()).is_none());
        }
    }
}
