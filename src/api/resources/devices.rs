//! `/devices`: phones, and what is told to them (API specification 4.3).

use serde_json::{Map, Value, json};

use super::device_data::{canonical_mac, normalise, rules};
use super::phones::{self, Address};
use crate::api::listing::Row;
use crate::api::reply::{Outcome, Refusal, Reply};
use crate::api::request::{Asked, Request, Verb};
use crate::api::resource::{After, Mode, Saved, StoredResource, pick, save};
use crate::api::routes::{Gives, On, Routes, Takes};
use crate::documents::DocumentType;
use crate::store::Stored;
use crate::switch::{Notification, NotifyError};

pub(super) const DEVICES: StoredResource = StoredResource {
    verbs: &[Verb::Get, Verb::Patch, Verb::Delete],
    summary: |_, row| Ok(Some(summary(row))),
    normalise,
    rules,
    view,
    saved,
    ..StoredResource::plain(DocumentType::Device, "devices")
};

const ITEM: &str = "/accounts/{account}/devices/{device}";

/// What stands for a password that is not shown.
pub(super) const REDACTED: &str = "********";

pub(super) fn routes(routes: &mut Routes) {
    DEVICES.routes(routes, "/accounts/{account}/devices", ITEM);
    routes
        .at(ITEM)
        .post(
            On::new("Replace a device, or notify it", post)
                .takes(Takes::Data("devices"))
                .gives(Gives::Item("devices"))
                .also(202),
        )
        .put(
            On::new("Notify a device", notify)
                .takes(Takes::Anything)
                .status(202),
        );
    routes
        .at("/accounts/{account}/devices/{device}/notify")
        .post(
            On::new("Notify a device", notify)
                .takes(Takes::Anything)
                .status(202),
        );
    routes
        .at("/accounts/{account}/devices/{device}/sync")
        .post(On::new("Have a device fetch its configuration", sync).status(202));
    routes
        .at("/accounts/{account}/devices/status")
        .get(On::new("Devices that are registered", status).gives(Gives::Rows));
}

pub(super) fn summary(row: &Row<'_>) -> Value {
    let names = [
        "id",
        "name",
        "sip.username",
        "owner_id",
        "enabled",
        "device_type",
        "call_recording",
        "flags",
    ];
    let mut summary = pick(row, &names);
    if let Value::Object(members) = &mut summary {
        let mac = row
            .body
            .get("mac_address")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mac = canonical_mac(mac).unwrap_or_else(|| mac.to_owned());
        members.insert("mac_address".to_owned(), mac.into());
        members.entry("enabled").or_insert(json!(true));
        members.entry("device_type").or_insert(json!("sip_device"));
        members.entry("flags").or_insert(json!([]));
    }
    summary
}

fn view(
    request: &Request,
    _stored: &Stored,
    shown: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    if request.context.settings.redact_sip_passwords
        && !request.is_admin()
        && let Some(password) = shown.get_mut("sip").and_then(|sip| sip.get_mut("password"))
    {
        *password = REDACTED.into();
    }
    Ok(())
}

/// A device that may not register any more, or must with other credentials, loses what it holds; `"sync": true` has it
/// fetch its configuration.
fn saved(asked: Asked, saved: Saved) -> After {
    Box::pin(async move {
        let Some(account) = &asked.account else {
            return;
        };
        let registers = |stored: &Option<Stored>| {
            let body = &stored.as_ref()?.document.body;
            let enabled = body.get("enabled").and_then(Value::as_bool).unwrap_or(true);
            let address = Address::of_device(body, &account.realm)?;
            let sip = body.get("sip");
            let part = |name: &str| sip.and_then(|sip| sip.get(name)).cloned();
            // Imported documents lack the defaults that the API fills in; that alone changes no credentials.
            let method = part("method").unwrap_or_else(|| "password".into());
            let proof = (part("password"), method, part("ip"));
            Some((address, enabled, proof))
        };
        let (before, after) = (registers(&saved.before), registers(&saved.after));
        if let Some((address, true, proof)) = &before
            && after.as_ref() != Some(&(address.clone(), true, proof.clone()))
        {
            phones::drop_registrations(&asked.context, address).await;
        }
        let wanted = asked
            .data()
            .ok()
            .and_then(|data| data.get("sync").and_then(Value::as_bool));
        if let Some((address, true, _)) = &after
            && wanted == Some(true)
        {
            told(phones::notify(&asked.context, address, &Notification::check_sync()).await);
        }
    })
}

fn told(outcome: Result<(), NotifyError>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "a phone was not asked to fetch its configuration");
    }
}

/// POST replaces, unless it carries the action that the documents show with it (API specification 4.3, 7).
async fn post(asked: Asked) -> Outcome {
    let nested = asked.data()?.get("action").and_then(Value::as_str) == Some("notify");
    if asked.option("action").is_some() || nested {
        return notify(asked).await;
    }
    save(&DEVICES, asked, Mode::Replace("device")).await
}

/// What is asked for beside the data, or within it; and its parameters.
fn action(asked: &Request) -> Result<(Option<String>, Map<String, Value>), Refusal> {
    let mut data = asked.data()?;
    if let Some(action) = asked.option("action") {
        return Ok((Some(action), data));
    }
    let nested = data
        .get("action")
        .and_then(Value::as_str)
        .map(str::to_owned);
    match (nested, data.shift_remove("data")) {
        (Some(action), Some(Value::Object(parameters))) => Ok((Some(action), parameters)),
        (Some(action), _) => {
            data.shift_remove("action");
            Ok((Some(action), data))
        }
        (None, _) => Ok((None, Map::new())),
    }
}

async fn notify(asked: Asked) -> Outcome {
    let device = asked.document(DocumentType::Device, "device")?;
    let (action, data) = action(&asked)?;
    let own = asked.path.last().is_some_and(|last| last == "notify");
    match action.as_deref() {
        Some("notify") => {}
        None if own => {}
        None => return Err(Refusal::bad_request("action required")),
        Some(_) => return Err(Refusal::bad_request("invalid action")),
    }
    let data = if own && data.is_empty() {
        asked.data()?
    } else {
        data
    };
    let Some(event) = data
        .get("event")
        .and_then(Value::as_str)
        .filter(|event| !event.is_empty())
    else {
        return Err(Refusal::required("data.event"));
    };
    let part = |name: &str| {
        let part = data.get("body").and_then(|body| body.get(name));
        part.and_then(Value::as_str)
    };
    let mut told = Notification::event(event);
    match (part("content_type"), part("data")) {
        (Some(content_type), Some(body)) => {
            told.content_type = content_type;
            told.body = body;
        }
        (None, None) if data.get("body").is_none_or(Value::is_null) => {}
        (None, _) => return Err(Refusal::required("data.body.content_type")),
        (Some(_), None) => return Err(Refusal::required("data.body.data")),
    }
    told.check().map_err(|error| unfit(&error))?;
    let realm = &asked.account()?.realm;
    if let Some(address) = Address::of_device(&device.document.body, realm) {
        let sent = phones::notify(&asked.context, &address, &told).await;
        sent.map_err(|error| unfit(&error))?;
    }
    Ok(Reply::accepted("NOTIFY sent"))
}

fn unfit(error: &NotifyError) -> Refusal {
    let field = match error {
        NotifyError::Value {
            field: "content_type",
            ..
        } => "data.body.content_type",
        _ => "data.event",
    };
    Refusal::fault(field, "invalid", json!({"message": error.to_string()}))
}

async fn sync(asked: Asked) -> Outcome {
    let device = asked.document(DocumentType::Device, "device")?;
    let realm = &asked.account()?.realm;
    if let Some(address) = Address::of_device(&device.document.body, realm) {
        told(phones::notify(&asked.context, &address, &Notification::check_sync()).await);
    }
    Ok(Reply::accepted("sync request sent"))
}

/// A row for each device that is registered, however many contacts it has.
async fn status(asked: Asked) -> Outcome {
    let read = tokio::task::spawn_blocking(move || registered(&asked));
    read.await
        .unwrap_or_else(|_| Err(Refusal::unspecified_fault()))
}

fn registered(asked: &Request) -> Outcome {
    let owner = asked.owner();
    let store = &asked.context.store;
    let mut rows = Vec::new();
    let mut last = None;
    // In order of their addresses, so that contacts of one device follow each other.
    for registration in store.all_registrations() {
        let address = (registration.user.clone(), registration.realm.clone());
        if !phones::is_live(&registration) || last.as_ref() == Some(&address) {
            continue;
        }
        let found = store.device_by_address(&registration.user, &registration.realm);
        let found = found.map_err(crate::api::reply::unreadable)?;
        if let Some((_, device)) = found.filter(|(account, _)| *account == owner) {
            rows.push(json!({"device_id": device.as_str(), "registered": true}));
        }
        last = Some(address);
    }
    Ok(Reply::rows(rows))
}
