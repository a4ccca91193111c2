//! The first account, and others made without the API: an empty store has nobody who could ask for one.

use serde_json::{Map, Value, json};

use super::auth::{
    self, API_KEY_HASH, API_KEY_NONCE, CREDENTIALS, SUPERDUPER, Secrets, SecretsError, TREE,
};
use super::time;
use crate::documents::schema::{self, FieldError};
use crate::documents::{Document, DocumentKey, DocumentType};
use crate::store::{Author, Change, Expect, Store, StoreError, Via, Write};
use crate::types::{AccountId, DocumentId, InvalidId};

/// What is wanted.
#[derive(Debug, Clone, Default)]
pub struct NewAccount {
    pub name: String,
    /// None: generated.
    pub realm: Option<String>,
    /// An admin who can log in: name and password.
    pub admin: Option<(String, String)>,
    /// The account above; None: the master account, or none for the first account of all.
    pub parent: Option<AccountId>,
    /// What a generated realm ends with.
    pub realm_suffix: String,
}

/// What became of it. The key is shown here and never again without a login.
#[derive(Debug, Clone)]
pub struct Created {
    pub account: AccountId,
    pub realm: String,
    pub api_key: String,
    pub admin: Option<DocumentId>,
    /// Whether it is the master account.
    pub master: bool,
}

/// Why there is no new account.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    #[error("{}", faults(.0))]
    Invalid(Vec<FieldError>),
    #[error("there is no account {0} to put it below")]
    NoParent(AccountId),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Id(#[from] InvalidId),
}

fn faults(errors: &[FieldError]) -> String {
    let text = |error: &FieldError| {
        let message = error
            .body
            .get("message")
            .and_then(Value::as_str)
            .unwrap_or(error.code);
        format!("{}: {message}", error.field)
    };
    errors.iter().map(text).collect::<Vec<_>>().join("; ")
}

/// Makes an account, with a user if one is wanted, in one step. Blocking. The first account of a store is the master.
///
/// # Errors
/// The data are not fit, a name or realm is taken, or the store.
pub fn create_account(
    store: &Store,
    secrets: &Secrets,
    wanted: &NewAccount,
) -> Result<Created, BootstrapError> {
    let master = !store.any_account()?;
    let parent = match &wanted.parent {
        Some(parent) => Some(parent.clone()),
        None => store.master_account()?,
    };
    let id = auth::hex(&auth::random::<16>()?);
    let nonce = auth::hex(&auth::random::<16>()?);
    let api_key = secrets.api_key(&id, &nonce);
    let realm = match &wanted.realm {
        Some(realm) => realm.trim().to_lowercase(),
        None => format!("{}.{}", id.get(..6).unwrap_or(&id), wanted.realm_suffix),
    };
    let mut body = accepted("accounts", json!({"name": wanted.name, "realm": realm}))?;
    body.insert(TREE.to_owned(), tree(store, parent.as_ref())?);
    body.insert(API_KEY_NONCE.to_owned(), nonce.into());
    body.insert(API_KEY_HASH.to_owned(), auth::digest(&api_key).into());
    if master {
        body.insert(SUPERDUPER.to_owned(), true.into());
    }
    let account = AccountId::new(&id)?;
    let key = DocumentKey {
        kind: DocumentType::Account,
        account: account.clone(),
        id: DocumentId::new(&id)?,
    };
    let mut writes = vec![written(key.clone(), body)];
    let admin = match &wanted.admin {
        Some((name, password)) => {
            let (user, write) = admin(secrets, &account, name, password)?;
            writes.push(write);
            Some(user)
        }
        None => None,
    };
    let change = Change::from(writes)
        .by(Author::via(Via::Cli))
        .expecting(key, Expect::Absent);
    store.apply_blocking(change)?;
    Ok(Created {
        account,
        realm,
        api_key,
        admin,
        master,
    })
}

fn accepted(name: &str, data: Value) -> Result<Map<String, Value>, BootstrapError> {
    let Value::Object(data) = data else {
        return Ok(Map::new());
    };
    schema::accept(name, data).map_err(BootstrapError::Invalid)
}

/// Ids of the ancestors of an account below `parent`.
fn tree(store: &Store, parent: Option<&AccountId>) -> Result<Value, BootstrapError> {
    let Some(parent) = parent else {
        return Ok(json!([]));
    };
    let key = DocumentKey {
        kind: DocumentType::Account,
        account: parent.clone(),
        id: DocumentId::new(parent.as_str())?,
    };
    let document = store.document(&key)?;
    let document = document.ok_or_else(|| BootstrapError::NoParent(parent.clone()))?;
    let mut above: Vec<Value> = auth::tree(&document.body)
        .iter()
        .map(|id| id.as_str().into())
        .collect();
    above.push(parent.as_str().into());
    Ok(above.into())
}

fn admin(
    secrets: &Secrets,
    account: &AccountId,
    name: &str,
    password: &str,
) -> Result<(DocumentId, Write), BootstrapError> {
    let id = DocumentId::new(&auth::hex(&auth::random::<16>()?))?;
    let data = json!({
        "first_name": "Account",
        "last_name": "Admin",
        "username": name.trim().to_lowercase(),
        "password": password,
        "priv_level": "admin",
    });
    let mut body = accepted("users", data)?;
    body.shift_remove("password");
    let kept = auth::credentials(secrets, name.trim(), password);
    body.insert(CREDENTIALS.to_owned(), kept.into());
    let key = DocumentKey {
        kind: DocumentType::User,
        account: account.clone(),
        id: id.clone(),
    };
    Ok((id, written(key, body)))
}

fn written(key: DocumentKey, mut body: Map<String, Value>) -> Write {
    let now = time::gregorian();
    body.insert("pvt_created".to_owned(), now.into());
    body.insert("pvt_modified".to_owned(), now.into());
    Write::Put(Document { key, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str, realm: Option<&str>) -> NewAccount {
        NewAccount {
            name: name.into(),
            realm: realm.map(str::to_owned),
            realm_suffix: "sip.test".into(),
            ..NewAccount::default()
        }
    }

    #[test]
    fn the_first_account_is_the_master_and_the_next_is_below_it() {
        let store = Store::temporary().unwrap();
        let secrets = Secrets::passing().unwrap();
        let first = create_account(&store, &secrets, &wanted("Master", Some("m.test"))).unwrap();
        assert!(first.master && first.api_key.len() == 64);
        let hash = auth::digest(&first.api_key);
        assert_eq!(
            store.account_by_api_key(&hash).unwrap(),
            Some(first.account.clone())
        );
        let mut second = wanted("Acme", None);
        second.admin = Some(("Joe".into(), "secret99".into()));
        let second = create_account(&store, &secrets, &second).unwrap();
        assert!(!second.master && second.realm.ends_with(".sip.test"));
        let key = DocumentKey {
            kind: DocumentType::User,
            account: second.account.clone(),
            id: second.admin.unwrap(),
        };
        let user = store.document(&key).unwrap().unwrap().body;
        assert_eq!(user["username"], "joe");
        assert!(!user.contains_key("password") && user[CREDENTIALS].as_array().unwrap().len() == 4);
        assert_eq!(store.descendants_count(&first.account).unwrap(), 1);
    }

    #[test]
    fn what_is_taken_or_unfit_is_told() {
        let store = Store::temporary().unwrap();
        let secrets = Secrets::passing().unwrap();
        create_account(&store, &secrets, &wanted("Acme", Some("a.test"))).unwrap();
        let again = create_account(&store, &secrets, &wanted("Other", Some("A.test"))).unwrap_err();
        assert!(
            matches!(again, BootstrapError::Store(StoreError::Duplicate { .. })),
            "{again}"
        );
        let bad = create_account(&store, &secrets, &wanted("", Some("c.test"))).unwrap_err();
        assert!(bad.to_string().starts_with("name: "), "{bad}");
    }
}
