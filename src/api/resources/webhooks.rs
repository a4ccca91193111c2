//! Webhooks: servers that are told what happens.

use hyper::Uri;
use serde_json::{Value, json};

use super::private_networks;
use crate::api::reply::{Outcome, Refusal, Reply, unreadable};
use crate::api::request::{Asked, Request};
use crate::api::resource::{Draft, StoredResource, pick};
use crate::api::routes::{Access, Gives, On, Routes, Takes};
use crate::documents::{Document, DocumentType};
use crate::store::{Change, StoreError, Write};

const WEBHOOKS: StoredResource = StoredResource {
    summary: |_, row| {
        let fields = [
            "id",
            "name",
            "hook",
            "uri",
            "http_verb",
            "enabled",
            "disable_reason",
        ];
        Ok(Some(pick(row, &fields)))
    },
    rules,
    ..StoredResource::plain(DocumentType::Webhook, "webhooks")
};

/// What can be told of: id, name, description.
const HOOKS: &[(&str, &str, &str)] = &[
    ("all", "All events", "Every event of a call."),
    ("channel_create", "New channel", "A leg begins."),
    ("channel_answer", "Answered channel", "A leg is answered."),
    (
        "channel_bridge",
        "Bridged channel",
        "Two legs are connected.",
    ),
    ("channel_destroy", "Ended channel", "A leg ends."),
    (
        "callflow",
        "Callflow",
        "A callflow says so, by its action webhook.",
    ),
    (
        "object",
        "Documents",
        "A document is created, changed or deleted.",
    ),
    (
        "notifications",
        "Notifications",
        "Voicemail, fax, low balance and the like.",
    ),
    (
        "parking",
        "Parking",
        "A call is parked, taken out, or abandoned.",
    ),
];

pub(super) fn routes(routes: &mut Routes) {
    const ALL: &str = "/accounts/{account}/webhooks";
    WEBHOOKS.routes(routes, ALL, "/accounts/{account}/webhooks/{webhook}");
    routes.at("/webhooks").get(
        On::new("List what can be told of", |_| async {
            Ok(Reply::rows(hooks()))
        })
        .access(Access::Open)
        .gives(Gives::Rows),
    );
    routes.at("/webhooks/samples").get(
        On::new("List the events that have samples", |_| async {
            Ok(Reply::rows(Vec::new()))
        })
        .access(Access::Open)
        .gives(Gives::Rows),
    );
    routes.at(ALL).patch(
        On::new(
            "Switch hooks on again that were switched off for failing",
            enable,
        )
        .takes(Takes::Anything),
    );
    let attempts = || On::new("List attempts to reach the servers", attempts).gives(Gives::Rows);
    routes
        .at("/accounts/{account}/webhooks/attempts")
        .get(attempts());
    routes
        .at("/accounts/{account}/webhooks/{webhook}/attempts")
        .get(attempts());
}

fn hooks() -> Vec<Value> {
    let hook = |(id, name, description): &(&str, &str, &str)| json!({"id": id, "name": name, "description": description});
    HOOKS.iter().map(hook).collect()
}

/// Servers are told of events by later parts; there has been no attempt yet.
async fn attempts(asked: Asked) -> Outcome {
    if asked.parameters.iter().any(|(name, _)| *name == "webhook") {
        asked.document(DocumentType::Webhook, "webhook")?;
    }
    Ok(Reply::rows(Vec::new()))
}

fn rules(asked: &Request, draft: &mut Draft) -> Result<(), Refusal> {
    // a uri that is none was told of by the schema
    let told = draft.faults.iter().any(|fault| fault.field == "uri");
    let Some(text) = draft.text("uri").filter(|_| !told).map(str::to_owned) else {
        return Ok(());
    };
    let uri = text.parse::<Uri>().ok();
    let Some(host) = uri.as_ref().and_then(Uri::host) else {
        draft.fault_about("uri", "invalid", "Not a URL with a host", text);
        return Ok(());
    };
    if !asked.context.settings.allow_private_webhooks && private_networks::holds(host) {
        let message = "Private and loopback networks are not allowed";
        draft.fault_about("uri", "invalid", message, text.clone());
    }
    Ok(())
}

/// `{"re-enable": true}`: every hook of the account that is switched off is switched on.
async fn enable(asked: Asked) -> Outcome {
    // Beside the data, too, where names are written with underscores by then.
    let beside = asked
        .option("re_enable")
        .or_else(|| asked.option("re-enable"));
    if beside.as_deref() != Some("true")
        && asked.data()?.get("re-enable").and_then(Value::as_bool) != Some(true)
    {
        return Err(Refusal::required("re-enable"));
    }
    let store = &asked.context.store;
    let mut change = Change::default().by(asked.author());
    let mut enabled = Vec::new();
    for row in store.page(DocumentType::Webhook, &asked.owner(), None, true) {
        let (_, stored) = row.map_err(unreadable)?;
        let Document { key, mut body } = stored.document;
        if body.get("enabled") != Some(&Value::Bool(false)) {
            continue;
        }
        body.insert("enabled".to_owned(), true.into());
        body.shift_remove("disable_reason");
        enabled.push(json!(key.id.as_str()));
        change.writes.push(Write::Put(Document { key, body }));
    }
    if !enabled.is_empty() {
        let refused = |error: StoreError| crate::api::reply::of_store(DocumentType::Webhook, error);
        store.apply(change).await.map_err(refused)?;
    }
    Ok(Reply::ok(json!({"re-enabled": enabled})))
}
