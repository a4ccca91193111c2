//! `/accounts`: tenants, their tree, their keys.

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::tree;
use crate::api::auth::{self, API_KEY_HASH, API_KEY_NONCE, RESELLER, SUPERDUPER, TREE};
use crate::api::context::Context;
use crate::api::reply::{Audit, Outcome, Refusal, Reply, of_store, unreadable};
use crate::api::request::{Asked, Request, Verb};
use crate::api::resource::{
    After, Draft, Mode, Saved, StoredResource, fetch, fresh_id, insert, matches, pick, revision,
    save, shown,
};
use crate::api::routes::{Access, Gives, On, Routes, Takes};
use crate::documents::{DocumentKey, DocumentType};
use crate::store::Stored;
use crate::types::{AccountId, DocumentId};

const ACCOUNTS: StoredResource = StoredResource {
    summary: |_, row| Ok(Some(pick(row, &["id", "name", "realm"]))),
    normalise,
    rules,
    view,
    saved,
    ..StoredResource::plain(DocumentType::Account, "accounts")
};

/// What is shown of an account and can't be written.
const COMPUTED: &[&str] = &[
    "created",
    "reseller_id",
    "is_reseller",
    "superduper_admin",
    "knm_allow_additions",
    "wnm_allow_additions",
    "descendants_count",
    "available_apps",
    "blacklists",
    "billing_mode",
    "api_key",
];

pub(super) fn routes(routes: &mut Routes) {
    let creates = || {
        On::new("Create an account below", create)
            .access(Access::Admin)
            .takes(Takes::Data("accounts"))
            .gives(Gives::Item("accounts"))
            .status(201)
    };
    routes.at("/accounts").put(creates());
    ACCOUNTS.history_shown(routes, "/accounts/{account}", "account");
    let item = |on: On| on.gives(Gives::Item("accounts"));
    routes
        .at("/accounts/{account}")
        .put(creates())
        .get(item(On::new("Fetch an account", |asked| async move {
            fetch(&ACCOUNTS, &asked, "account")
        })))
        .post(item(
            On::new("Replace an account", |asked| {
                save(&ACCOUNTS, asked, Mode::Replace("account"))
            })
            .takes(Takes::Data("accounts")),
        ))
        .patch(item(
            On::new("Change some fields of an account", |asked| {
                save(&ACCOUNTS, asked, Mode::Patch("account"))
            })
            .takes(Takes::Anything),
        ))
        .delete(item(
            On::new("Delete an account and everything of it", delete).access(Access::Admin),
        ));
    routes
        .at("/accounts/{account}/api_key")
        .get(On::new("The account's API key", api_key).access(Access::Admin))
        .put(
            On::new("A new API key; the old one and its tokens are void", rotate)
                .access(Access::Admin)
                .status(201),
        );
    tree::routes(routes);
}

fn normalise(request: &Request, data: &mut Map<String, Value>) {
    for name in COMPUTED {
        data.shift_remove(*name);
    }
    if let Some(Value::String(realm)) = data.get_mut("realm") {
        let plain: String = realm.chars().filter(|c| !c.is_whitespace()).collect();
        *realm = plain.to_lowercase();
    }
    // Whether an account works is for those above it to say.
    let own = request.verb != Verb::Put
        && !request
            .caller
            .as_ref()
            .zip(request.account.as_ref())
            .is_some_and(|(caller, account)| caller.is_above(account));
    if own {
        data.shift_remove("enabled");
    }
}

fn rules(request: &Request, draft: &mut Draft) -> Result<(), Refusal> {
    let before = |name: &str| {
        draft
            .before
            .as_ref()
            .and_then(|before| before.document.body.get(name).cloned())
    };
    if draft.text("realm").unwrap_or_default().is_empty() && !draft.body.contains_key("realm") {
        // Phones register with it: a replaced account keeps its own.
        let realm = match before("realm") {
            Some(realm) => realm,
            None => generated_realm(&request.context)?.into(),
        };
        draft.body.insert("realm".to_owned(), realm);
    }
    let above = request.caller.as_ref().zip(request.account.as_ref());
    let above = above.is_some_and(|(caller, account)| caller.is_above(account));
    if !draft.is_new()
        && !above
        && let Some(enabled) = before("enabled")
    {
        draft.body.insert("enabled".to_owned(), enabled);
    }
    Ok(())
}

/// Phones of an account that is disabled, or has another realm now, lose their registrations.
fn saved(asked: Asked, saved: Saved) -> After {
    Box::pin(async move {
        let serves = |stored: &Option<Stored>| {
            let body = &stored.as_ref()?.document.body;
            let enabled = body.get("enabled").and_then(Value::as_bool).unwrap_or(true);
            let realm = body.get("realm").and_then(Value::as_str)?.to_lowercase();
            enabled.then_some(realm)
        };
        if let Some(realm) = serves(&saved.before)
            && serves(&saved.after).as_ref() != Some(&realm)
        {
            super::phones::drop_realm(&asked.context, &realm).await;
        }
    })
}

fn generated_realm(context: &Context) -> Result<String, Refusal> {
    let start: String = fresh_id()?.chars().take(6).collect();
    Ok(format!("{start}.{}", context.settings.realm_suffix))
}

/// What is known of an account beyond its document (API specification 4.1).
fn view(request: &Request, stored: &Stored, shown: &mut Map<String, Value>) -> Result<(), Refusal> {
    let body = &stored.document.body;
    let id = &stored.document.key.account;
    // A document that was just written has facts of its own; those of a deleted account are gone.
    let facts = request.context.account(id)?;
    let created = body.get("pvt_created").cloned().unwrap_or_else(|| json!(0));
    shown.insert("created".to_owned(), created);
    shown.entry("enabled").or_insert(json!(true));
    shown.entry("language").or_insert(json!("en-US"));
    shown
        .entry("timezone")
        .or_insert(json!("America/Los_Angeles"));
    let flag = |name: &str| body.get(name).and_then(Value::as_bool).unwrap_or(false);
    let superduper = flag(SUPERDUPER);
    let reseller = facts.as_ref().map_or(id, |facts| &facts.reseller_id);
    let count = request
        .context
        .store
        .descendants_count(id)
        .map_err(unreadable)?;
    let computed = [
        ("superduper_admin", json!(superduper)),
        ("is_reseller", json!(superduper || flag(RESELLER))),
        ("reseller_id", json!(reseller.as_str())),
        ("knm_allow_additions", json!(superduper)),
        ("wnm_allow_additions", json!(superduper)),
        ("descendants_count", json!(count)),
        ("available_apps", json!([])),
        ("blacklists", json!([])),
        ("billing_mode", json!("manual")),
    ];
    for (name, value) in computed {
        shown.insert(name.to_owned(), value);
    }
    if request.flag("include_api_key") == Some(true)
        && request.is_admin()
        && let Some(key) = key_of(&request.context, stored)
    {
        shown.insert("api_key".to_owned(), key.into());
    }
    Ok(())
}

async fn create(asked: Asked) -> Outcome {
    let parent = match &asked.account {
        Some(account) => std::sync::Arc::clone(account),
        None => std::sync::Arc::clone(&asked.caller()?.account),
    };
    let mut data = asked.data()?;
    data.shift_remove("id");
    let id = fresh_id()?;
    let mut above: Vec<Value> = parent.tree.iter().map(|id| id.as_str().into()).collect();
    above.push(parent.id.as_str().into());
    let (nonce, key) = new_key(&asked.context, &id)?;
    let mut private = Map::new();
    private.insert(TREE.to_owned(), above.into());
    private.insert(API_KEY_NONCE.to_owned(), nonce.into());
    private.insert(API_KEY_HASH.to_owned(), auth::digest(&key).into());
    let draft = Draft {
        key: account_key(&id)?,
        before: None,
        body: data,
        private,
        also: Vec::new(),
        faults: Vec::new(),
    };
    insert(&ACCOUNTS, &asked, draft, &format!("/v2/accounts/{id}")).await
}

pub(super) fn account_key(id: &str) -> Result<DocumentKey, Refusal> {
    let malformed = |_| Refusal::malformed_account(id);
    Ok(DocumentKey {
        kind: DocumentType::Account,
        account: AccountId::new(id).map_err(malformed)?,
        id: DocumentId::new(id).map_err(malformed)?,
    })
}

async fn delete(asked: Asked) -> Outcome {
    let stored = asked.document(DocumentType::Account, "account")?;
    let account = asked.account()?;
    let key = stored.document.key.clone();
    let old = revision(&asked.context, &key, stored.revision);
    if account.superduper {
        return Err(Refusal::invalid_method("GET, PUT, POST, PATCH"));
    }
    if !matches(&asked.headers, &old) {
        return Err(Refusal::precondition_failed());
    }
    if asked
        .context
        .store
        .descendants_count(&account.id)
        .map_err(unreadable)?
        > 0
    {
        return Err(Refusal::has_descendants());
    }
    let mut last = shown(&ACCOUNTS, &asked, &stored)?;
    let realm = account.realm.clone();
    let deleted = asked
        .context
        .store
        .delete_account(&account.id, asked.author())
        .await;
    deleted.map_err(|error| of_store(DocumentType::Account, error))?;
    asked.context.files.forget_account(&account.id).await;
    super::phones::drop_realm(&asked.context, &realm).await;
    last.insert("_read_only".to_owned(), json!({"deleted": true}));
    let mut reply = Reply::ok(last);
    reply.audit = Audit {
        document: Some(key.to_string()),
        old: Some(old),
        ..Audit::default()
    };
    Ok(reply)
}

/// A number to make a key of, and the key.
fn new_key(context: &Context, account: &str) -> Result<(String, String), Refusal> {
    let nonce = fresh_id()?;
    let key = context.secrets.api_key(account, &nonce);
    Ok((nonce, key))
}

/// The key, if it is one that this server's secret makes.
fn key_of(context: &Context, stored: &Stored) -> Option<String> {
    let text = |name: &str| stored.document.body.get(name).and_then(Value::as_str);
    let key = context
        .secrets
        .api_key(stored.document.key.id.as_str(), text(API_KEY_NONCE)?);
    (text(API_KEY_HASH) == Some(auth::digest(&key).as_str())).then_some(key)
}

async fn api_key(asked: Asked) -> Outcome {
    let stored = asked.document(DocumentType::Account, "account")?;
    match key_of(&asked.context, &stored) {
        Some(key) => Ok(Reply::ok(json!({"api_key": key}))),
        // An imported account, or another server's: only a digest is known, if that.
        None => Err(Refusal::not_found()),
    }
}

async fn rotate(asked: Asked) -> Outcome {
    let id = asked.account()?.id.to_string();
    let (nonce, key) = new_key(&asked.context, &id)?;
    let hash = auth::digest(&key);
    let mut reply = super::tree::change(&asked, |private| {
        private.insert(API_KEY_NONCE.to_owned(), nonce.as_str().into());
        private.insert(API_KEY_HASH.to_owned(), hash.as_str().into());
        Ok(())
    })
    .await?;
    reply.status = StatusCode::CREATED;
    reply.data = crate::api::reply::Data::Json(json!({"api_key": key}));
    Ok(reply)
}

/// The account as [`view`] shows it.
pub(super) fn shown_account(
    asked: &Request,
    stored: &Stored,
) -> Result<Map<String, Value>, Refusal> {
    shown(&ACCOUNTS, asked, stored)
}
