//! `/registrations`: which phones and PBXs of the account are reachable, and where (API specification 4.9).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::contact;
use super::phones::{self, Address};
use crate::api::auth::AccountFacts;
use crate::api::reply::{Outcome, Refusal, Reply, unreadable};
use crate::api::request::{Asked, Request};
use crate::api::routes::{Gives, On, Routes};
use crate::api::time;
use crate::documents::{DocumentKey, DocumentType, Registration};
use crate::types::{AccountId, DocumentId};

const ALL: &str = "/accounts/{account}/registrations";

pub(super) fn routes(routes: &mut Routes) {
    routes
        .at(ALL)
        .get(On::new("What is registered", list).gives(Gives::Rows))
        .delete(On::new("Drop all registrations of the account", flush));
    routes
        .at("/accounts/{account}/registrations/count")
        .get(On::new("How many contacts are registered", count));
    routes
        .at("/accounts/{account}/registrations/{username}")
        .delete(On::new(
            "Drop what is registered under a user name",
            flush_one,
        ));
}

/// Who stands behind a registration.
struct Behind {
    id: DocumentId,
    kind: &'static str,
    owner: Option<String>,
}

/// A registration of the account.
struct Held {
    registration: Registration,
    behind: Option<Behind>,
}

/// The account's registrations, in order of their addresses. A device may register within a realm of its own.
fn held(request: &Request, account: &AccountFacts) -> Result<Vec<Held>, Refusal> {
    let mut found: Vec<Held> = Vec::new();
    let mut last: Option<(String, String, bool)> = None;
    for registration in request.context.store.all_registrations() {
        if !phones::is_live(&registration) {
            continue;
        }
        let same = last.as_ref().is_some_and(|(user, realm, _)| {
            *user == registration.user && *realm == registration.realm
        });
        let ours = match &last {
            Some((.., ours)) if same => *ours,
            _ => belongs(request, account, &registration)?,
        };
        last = Some((registration.user.clone(), registration.realm.clone(), ours));
        if ours {
            let behind = behind(request, account, &registration)?;
            found.push(Held {
                registration,
                behind,
            });
        }
    }
    Ok(found)
}

fn belongs(
    request: &Request,
    account: &AccountFacts,
    registration: &Registration,
) -> Result<bool, Refusal> {
    let store = &request.context.store;
    let (user, realm) = (&registration.user, &registration.realm);
    if let Some((owner, _)) = store.device_by_address(user, realm).map_err(unreadable)? {
        return Ok(owner == account.id);
    }
    Ok(*realm == account.realm)
}

fn behind(
    request: &Request,
    account: &AccountFacts,
    registration: &Registration,
) -> Result<Option<Behind>, Refusal> {
    let store = &request.context.store;
    let (user, realm) = (&registration.user, &registration.realm);
    if let Some((_, id)) = store.device_by_address(user, realm).map_err(unreadable)? {
        let owner = owner_of(request, &account.id, &id)?;
        let kind = "device";
        return Ok(Some(Behind { id, kind, owner }));
    }
    let server = store.server_by_address(user, realm).map_err(unreadable)?;
    Ok(server.map(|(_, id, _)| Behind {
        id,
        kind: "sys_info",
        owner: None,
    }))
}

fn owner_of(
    request: &Request,
    account: &AccountId,
    device: &DocumentId,
) -> Result<Option<String>, Refusal> {
    let key = DocumentKey {
        kind: DocumentType::Device,
        account: account.clone(),
        id: device.clone(),
    };
    let document = request.context.store.document(&key).map_err(unreadable)?;
    Ok(document.and_then(|device| {
        let owner = device.body.get("owner_id").and_then(Value::as_str);
        owner.map(str::to_owned)
    }))
}

fn row(account: &AccountFacts, held: &Held) -> Value {
    let registration = &held.registration;
    let contact = contact::address(&registration.contact);
    let mut row = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            row.insert(name.to_owned(), value);
        }
    };
    put("username", json!(registration.user));
    put("realm", json!(registration.realm));
    put("contact", json!(registration.contact));
    put("contact_ip", json!(contact.map(|(host, _)| host)));
    put("contact_port", json!(contact.map(|(_, port)| port)));
    put(
        "authorizing_id",
        json!(held.behind.as_ref().map(|behind| behind.id.as_str())),
    );
    put(
        "authorizing_type",
        json!(held.behind.as_ref().map(|behind| behind.kind)),
    );
    put(
        "owner_id",
        json!(
            held.behind
                .as_ref()
                .and_then(|behind| behind.owner.as_deref())
        ),
    );
    put("account_realm", json!(account.realm));
    put("account_name", json!(account.name));
    put("user_agent", json!(registration.user_agent));
    let left = registration.expires_at.saturating_sub(time::unix());
    put("expires", json!(left.max(0)));
    let at = registration.updated_ms / 1000;
    put("event_timestamp", json!(time::gregorian_of(at)));
    put("call_id", json!(registration.call_id));
    for end in ["from", "to"] {
        put(&format!("{end}_user"), json!(registration.user));
        put(&format!("{end}_host"), json!(registration.realm));
    }
    // Where its packets come from, if that is not where it says to be: a NAT, or a proxy.
    let source = registration.network_ip.as_deref();
    if source.is_some() && source != contact.map(|(host, _)| host) {
        put("proxy_ip", json!(source));
        put("proxy_port", json!(registration.network_port));
    }
    put("node", json!(registration.node.as_str()));
    Value::Object(row)
}

/// Reads without holding up other requests: an installation may hold many registrations.
async fn read<T: Send + 'static>(
    asked: &Asked,
    make: impl FnOnce(&Request, &AccountFacts) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let asked = Asked::clone(asked);
    let read = tokio::task::spawn_blocking(move || make(&asked, asked.account()?));
    read.await
        .unwrap_or_else(|_| Err(Refusal::unspecified_fault()))
}

async fn list(asked: Asked) -> Outcome {
    let rows = read(&asked, |request, account| {
        let held = held(request, account)?;
        Ok(held.iter().map(|held| row(account, held)).collect())
    });
    Ok(Reply::rows(rows.await?))
}

async fn count(asked: Asked) -> Outcome {
    let count = read(&asked, |request, account| Ok(held(request, account)?.len()));
    Ok(Reply::ok(json!({"count": count.await?})))
}

/// The addresses under which the account has something registered.
async fn addresses(asked: &Asked) -> Result<BTreeSet<Address>, Refusal> {
    read(asked, |request, account| {
        let held = held(request, account)?.into_iter();
        Ok(held
            .map(|held| Address {
                user: held.registration.user,
                realm: held.registration.realm,
            })
            .collect())
    })
    .await
}

async fn flush(asked: Asked) -> Outcome {
    for address in addresses(&asked).await? {
        phones::drop_registrations(&asked.context, &address).await;
    }
    Ok(Reply::ok("ok"))
}

/// A user name is known if something is registered under it, or could be.
async fn flush_one(asked: Asked) -> Outcome {
    let user = asked.parameter("username").to_lowercase();
    let mut wanted: Vec<Address> = addresses(&asked).await?.into_iter().collect();
    wanted.retain(|address| address.user == user);
    if wanted.is_empty() {
        let (account, store) = (asked.account()?, &asked.context.store);
        let device = store.device_by_address(&user, &account.realm);
        let device = device.map_err(unreadable)?.map(|(owner, _)| owner);
        let server = store.server_by_address(&user, &account.realm);
        let server = server.map_err(unreadable)?.map(|(owner, ..)| owner);
        if device.or(server).as_ref() != Some(&account.id) {
            return Err(Refusal::no_such(asked.parameter("username")));
        }
    }
    for address in wanted {
        phones::drop_registrations(&asked.context, &address).await;
    }
    Ok(Reply::ok("ok"))
}
