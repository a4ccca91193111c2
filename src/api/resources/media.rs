//! `/media`: sounds of accounts and of the installation, as documents and as bytes (API specification 4.10).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::attaching::{Described, attach, detach};
use crate::api::listing::Row;
use crate::api::reply::{Outcome, Refusal, Reply, unreadable};
use crate::api::request::{Asked, Request};
use crate::api::resource::{
    Draft, Mode, StoredResource, create, fetch, insert, remove, rows, save,
};
use crate::api::routes::{Access, Gives, On, Routes, Takes};
use crate::api::sound;
use crate::documents::DocumentType;

const LOCAL: StoredResource = StoredResource {
    summary: |_, row| Ok(Some(summary(row))),
    normalise: |_, data| {
        if let Some(Value::String(language)) = data.get_mut("language") {
            *language = language.to_lowercase();
        }
    },
    view: |_, stored, shown| {
        let id = public_id(stored.document.key.id.as_str());
        shown.insert("id".to_owned(), id.into());
        Ok(())
    },
    saved: detach,
    ..StoredResource::plain(DocumentType::Media, "media")
};

/// The installation's own sounds.
const SYSTEM: StoredResource = StoredResource {
    read: Access::Superduper,
    write: Access::Superduper,
    ..LOCAL
};

pub(super) fn routes(routes: &mut Routes) {
    let places: [(&'static StoredResource, [&'static str; 7]); 2] = [
        (
            &LOCAL,
            [
                "/accounts/{account}/media",
                "/accounts/{account}/media/{media}",
                "/accounts/{account}/media/{media}/raw",
                "/accounts/{account}/media/languages",
                "/accounts/{account}/media/languages/{language}",
                "/accounts/{account}/media/prompts",
                "/accounts/{account}/media/prompts/{prompt}",
            ],
        ),
        (
            &SYSTEM,
            [
                "/media",
                "/media/{media}",
                "/media/{media}/raw",
                "/media/languages",
                "/media/languages/{language}",
                "/media/prompts",
                "/media/prompts/{prompt}",
            ],
        ),
    ];
    for (resource, paths) in places {
        add(routes, resource, paths);
    }
}

fn add(
    routes: &mut Routes,
    resource: &'static StoredResource,
    [all, item, raw, languages, language, prompts, prompt]: [&'static str; 7],
) {
    resource.history_routes_of(routes, item, "media", |asked| Ok(by_id(asked)));
    let reads = |on: On| on.access(resource.read);
    let writes = |on: On| on.access(resource.write);
    routes
        .at(all)
        .get(
            reads(On::new("List the sounds", move |asked| async move {
                rows(resource, &asked).await
            }))
            .gives(Gives::Rows),
        )
        .put(
            writes(On::new("Create a sound", move |asked| put(resource, asked)))
                .takes(Takes::Data("media"))
                .gives(Gives::Item("media"))
                .status(201),
        );
    routes
        .at(item)
        .get(
            reads(On::new("Fetch", move |asked| async move {
                fetch(resource, &by_id(asked), "media")
            }))
            .gives(Gives::Item("media")),
        )
        .post(
            writes(On::new("Replace", move |asked| async move {
                save(resource, by_id(asked), Mode::Replace("media")).await
            }))
            .takes(Takes::Data("media"))
            .gives(Gives::Item("media")),
        )
        .delete(
            writes(On::new("Delete", move |asked| async move {
                remove(resource, by_id(asked), "media").await
            }))
            .gives(Gives::Item("media")),
        );
    routes
        .at(raw)
        .get(
            reads(On::new("The sound itself", |asked| async move {
                let asked = by_id(asked);
                let stored = asked.document(DocumentType::Media, "media")?;
                sound::told(&asked, &stored).await
            }))
            .gives(Gives::Bytes),
        )
        .post(
            writes(On::new("Upload the sound itself", move |asked| {
                upload(resource, asked)
            }))
            .takes(Takes::Upload)
            .gives(Gives::Item("media")),
        );
    for (path, says, named, field) in [
        (
            languages,
            "How many sounds each language has",
            None,
            "language",
        ),
        (
            language,
            "Sounds of a language",
            Some("language"),
            "language",
        ),
        (
            prompts,
            "How many sounds each announcement has",
            None,
            "prompt_id",
        ),
        (
            prompt,
            "Sounds of an announcement",
            Some("prompt"),
            "prompt_id",
        ),
    ] {
        routes.at(path).get(
            reads(On::new(says, move |asked| by_field(asked, field, named))).gives(Gives::Rows),
        );
    }
}

fn summary(row: &Row<'_>) -> Value {
    let text = |name: &str| row.body.get(name).and_then(Value::as_str);
    let mut shown = Map::new();
    shown.insert("id".to_owned(), public_id(row.id).into());
    for name in ["name", "media_source"] {
        if let Some(text) = text(name) {
            shown.insert(name.to_owned(), text.into());
        }
    }
    if let Some(language) = text("language") {
        shown.insert("language".to_owned(), language.to_lowercase().into());
    }
    let prompt = text("prompt_id").is_some_and(|id| !id.is_empty());
    shown.insert("is_prompt".to_owned(), prompt.into());
    Value::Object(shown)
}

/// Announcements have ids as `en-us/vm-enter_pass`. No id of the store holds a slash; there it is a tilde, which no
/// other id that the API gives has.
fn public_id(id: &str) -> String {
    id.replacen('~', "/", 1)
}

fn by_id(asked: Asked) -> Asked {
    if !asked.parameter("media").contains('/') {
        return asked;
    }
    let mut request = Request::clone(&asked);
    for (name, value) in &mut request.parameters {
        if *name == "media" {
            *value = value.replacen('/', "~", 1);
        }
    }
    Arc::new(request)
}

async fn put(resource: &'static StoredResource, asked: Asked) -> Outcome {
    let mut data = asked.data()?;
    let text = |name: &str| {
        let text = data.get(name).and_then(Value::as_str);
        text.filter(|text| !text.is_empty()).map(str::to_lowercase)
    };
    let Some(prompt) = text("prompt_id") else {
        return create(resource, asked).await;
    };
    let language = text("language").unwrap_or_else(|| "en-us".to_owned());
    for (field, part) in [("language", &language), ("prompt_id", &prompt)] {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if part.len() > 60 || !part.chars().all(plain) {
            let target = "^[A-Za-z0-9._-]{1,60}$";
            let message = format!("Failed to match pattern '{target}'");
            let body = json!({"message": message, "target": target, "value": part});
            return Err(Refusal::fault(field, "pattern", body));
        }
    }
    data.insert("language".to_owned(), language.as_str().into());
    let draft = Draft {
        key: asked.key(DocumentType::Media, &format!("{language}~{prompt}"))?,
        before: None,
        body: data,
        private: Map::new(),
        also: Vec::new(),
        faults: Vec::new(),
    };
    let location = format!("/v2/{}/{language}%2F{prompt}", asked.path.join("/"));
    insert(resource, &asked, draft, &location).await
}

async fn upload(resource: &'static StoredResource, asked: Asked) -> Outcome {
    let asked = by_id(asked);
    asked.document(DocumentType::Media, "media")?;
    let (kind, bytes) = sound::uploaded(&asked)?;
    attach(
        resource,
        &asked,
        "media",
        &kind,
        bytes,
        Described::InDocument,
    )
    .await
}

/// Without `named`: how many sounds have each value of a field. With it: the ids of those that have the value in the path.
async fn by_field(asked: Asked, field: &'static str, named: Option<&'static str>) -> Outcome {
    let read = tokio::task::spawn_blocking(move || {
        let (store, owner) = (&asked.context.store, asked.owner());
        let wanted = named.map(|name| asked.parameter(name).to_lowercase());
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let mut ids = Vec::new();
        for row in store.page(DocumentType::Media, &owner, None, true) {
            let (_, stored) = row.map_err(unreadable)?;
            let value = stored.document.body.get(field).and_then(Value::as_str);
            let value = value.unwrap_or_default().to_lowercase();
            match &wanted {
                Some(wanted) if *wanted == value => {
                    ids.push(public_id(stored.document.key.id.as_str()).into());
                }
                Some(_) => {}
                None if value.is_empty() && field == "prompt_id" => {}
                None if value.is_empty() => *counts.entry("missing".to_owned()).or_default() += 1,
                None => *counts.entry(value).or_default() += 1,
            }
        }
        Ok(match wanted {
            Some(_) => Reply::rows(ids),
            None if counts.is_empty() => Reply::rows(Vec::new()),
            None => Reply::rows(vec![json!(counts)]),
        })
    });
    read.await
        .unwrap_or_else(|_| Err(Refusal::unspecified_fault()))
}
