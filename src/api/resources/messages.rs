//! `/vmboxes/{vmbox}/messages`: what lies in a voicemail box (API specification 4.10).

use serde_json::{Map, Value, json};

use super::attaching::{Described, attach};
use crate::api::listing::{Row, list};
use crate::api::reply::{Outcome, Refusal, Reply, of_store};
use crate::api::request::{Asked, Request};
use crate::api::resource::{Draft, Mode, StoredResource, fetch, fresh_id, insert, pick, save};
use crate::api::routes::{Gives, On, Routes, Takes};
use crate::api::{sound, time};
use crate::documents::{Document, DocumentType};
use crate::store::{Change, Expect, Stored, Write};

const MESSAGES: StoredResource = StoredResource {
    view: |_, stored, shown| {
        shown.insert(
            "media_id".to_owned(),
            stored.document.key.id.as_str().into(),
        );
        Ok(())
    },
    ..StoredResource::plain(DocumentType::VoicemailMessage, "voicemail_messages")
};

const ALL: &str = "/accounts/{account}/vmboxes/{vmbox}/messages";
const ITEM: &str = "/accounts/{account}/vmboxes/{vmbox}/messages/{message}";

/// The field that says whose box a message lies in.
const BOX: &str = "vmbox_id";

pub(super) fn routes(routes: &mut Routes) {
    let item = Gives::Item("voicemail_messages");
    routes
        .at(ALL)
        .get(On::new("Messages in the box", listed).gives(Gives::Rows))
        .put(
            On::new("Leave a message", put)
                .takes(Takes::Upload)
                .gives(item)
                .status(201),
        )
        .post(On::new("Move messages to a folder", move_several).takes(Takes::Anything))
        .delete(
            On::new("Delete messages, or all of them", |asked| async move {
                moved(&asked, "deleted").await
            })
            .takes(Takes::Anything),
        );
    routes
        .at(ITEM)
        .get(
            On::new("A message", |asked| async move {
                found(&asked)?;
                fetch(&MESSAGES, &asked, "message")
            })
            .gives(item),
        )
        .post(
            On::new("Move a message to a folder", |asked| async move {
                found(&asked)?;
                let folder = folder(&asked.data()?)?;
                move_one(asked, &folder).await
            })
            .takes(Takes::Anything)
            .gives(item),
        )
        .delete(
            On::new(
                "Move a message to those that are deleted",
                |asked| async move {
                    found(&asked)?;
                    move_one(asked, "deleted").await
                },
            )
            .gives(item),
        );
    routes
        .at("/accounts/{account}/vmboxes/{vmbox}/messages/{message}/raw")
        .get(
            On::new("The message's sound", |asked| async move {
                let stored = found(&asked)?;
                sound::told(&asked, &stored).await
            })
            .gives(Gives::Bytes),
        )
        .put(
            On::new("Upload the message's sound", |asked| async move {
                found(&asked)?;
                let (kind, bytes) = sound::uploaded(&asked)?;
                let mut reply = attach(
                    &MESSAGES,
                    &asked,
                    "message",
                    &kind,
                    bytes,
                    Described::InDocument,
                )
                .await?;
                reply.status = hyper::StatusCode::CREATED;
                Ok(reply)
            })
            .takes(Takes::Upload)
            .gives(item)
            .status(201),
        );
}

/// The message in the path, which lies in the box in the path.
fn found(asked: &Request) -> Result<Stored, Refusal> {
    let vmbox = asked.document(DocumentType::Vmbox, "vmbox")?;
    let stored = asked.document(DocumentType::VoicemailMessage, "message")?;
    let lies_in = stored.document.body.get(BOX).and_then(Value::as_str);
    if lies_in != Some(vmbox.document.key.id.as_str()) {
        return Err(Refusal::bad_identifier(asked.parameter("message")));
    }
    Ok(stored)
}

/// Those that are deleted are listed only to who asks for them.
async fn listed(asked: Asked) -> Outcome {
    let vmbox = asked.document(DocumentType::Vmbox, "vmbox")?;
    let vmbox = vmbox.document.key.id.as_str().to_owned();
    let deleted = asked.query.last("filter_folder") == Some("deleted");
    let owner = asked.owner();
    let summary = move |_: &Request, row: &Row<'_>| {
        let fields = [
            "folder",
            "caller_id_name",
            "caller_id_number",
            "from",
            "to",
            "call_id",
            "length",
            "timestamp",
        ];
        let mut shown = pick(row, &fields);
        if let Value::Object(shown) = &mut shown {
            shown.insert("media_id".to_owned(), row.id.into());
        }
        Ok(Some(shown))
    };
    list(
        &asked,
        move |store, from, ascending| store.messages(&owner, &vmbox, deleted, from, ascending),
        summary,
    )
    .await
}

async fn put(asked: Asked) -> Outcome {
    let vmbox = asked.document(DocumentType::Vmbox, "vmbox")?;
    let sound = match asked.uploads.is_empty() {
        true => None,
        false => Some(sound::uploaded(&asked)?),
    };
    let id = fresh_id()?;
    let mut body = asked.data()?;
    body.insert(BOX.to_owned(), vmbox.document.key.id.as_str().into());
    body.entry("folder").or_insert(json!("new"));
    body.entry("length").or_insert(json!(0));
    body.entry("timestamp").or_insert(time::gregorian().into());
    body.insert("media_id".to_owned(), id.as_str().into());
    let draft = Draft {
        key: asked.key(DocumentType::VoicemailMessage, &id)?,
        before: None,
        body,
        private: Map::new(),
        also: Vec::new(),
        faults: Vec::new(),
    };
    let location = format!("/v2/{}/{id}", asked.path.join("/"));
    let created = insert(&MESSAGES, &asked, draft, &location).await?;
    let Some((kind, bytes)) = sound else {
        return Ok(created);
    };
    let mut request = Request::clone(&asked);
    request.parameters.push(("message", id));
    let mut reply = attach(
        &MESSAGES,
        &Asked::new(request),
        "message",
        &kind,
        bytes,
        Described::InDocument,
    )
    .await?;
    reply.status = created.status;
    reply.headers = created.headers;
    Ok(reply)
}

fn folder(data: &Map<String, Value>) -> Result<String, Refusal> {
    match data.get("folder") {
        None | Some(Value::Null) => Err(Refusal::required("folder")),
        Some(Value::String(folder)) if ["new", "saved", "deleted"].contains(&folder.as_str()) => {
            Ok(folder.clone())
        }
        Some(other) => {
            let message = "Value not found in enumerated list of values";
            let target = ["new", "saved", "deleted"];
            let body = json!({"message": message, "target": target, "value": other});
            Err(Refusal::fault("folder", "enum", body))
        }
    }
}

async fn move_one(asked: Asked, folder: &str) -> Outcome {
    let patch = json!({"data": {"folder": folder}});
    let mut request = Request::clone(&asked);
    request.envelope = crate::api::request::Envelope::of(patch)?;
    save(&MESSAGES, Asked::new(request), Mode::Patch("message")).await
}

async fn move_several(asked: Asked) -> Outcome {
    let folder = folder(&asked.data()?)?;
    moved(&asked, &folder).await
}

/// Moves the messages that the data names, or all of the box, to a folder; says of each whether that was done.
async fn moved(asked: &Asked, folder: &str) -> Outcome {
    let vmbox = asked.document(DocumentType::Vmbox, "vmbox")?;
    let vmbox = vmbox.document.key.id.as_str().to_owned();
    let named: Option<Vec<String>> =
        asked
            .data()?
            .get("messages")
            .and_then(Value::as_array)
            .map(|ids| {
                let texts = ids.iter().filter_map(Value::as_str);
                texts.map(str::to_owned).collect()
            });
    let (named, folder) = (named, folder.to_owned());
    let ids = match named {
        Some(ids) => ids,
        None => in_box(asked, vmbox.clone()).await?,
    };
    let (mut succeeded, mut failed) = (Vec::new(), Vec::new());
    for id in ids {
        match move_to(asked, &vmbox, &id, &folder).await {
            Ok(()) => succeeded.push(Value::String(id)),
            Err(refusal) => failed.push(json!({ id: refusal.message() })),
        }
    }
    Ok(Reply::ok(json!({"succeeded": succeeded, "failed": failed})))
}

/// Ids of the messages of a box that are not deleted.
async fn in_box(asked: &Asked, vmbox: String) -> Result<Vec<String>, Refusal> {
    let asked = Asked::clone(asked);
    let read = tokio::task::spawn_blocking(move || {
        let kind = DocumentType::VoicemailMessage;
        let store = &asked.context.store;
        let rows = store.messages(&asked.owner(), &vmbox, false, None, true);
        let id = |stored: Stored| stored.document.key.id.as_str().to_owned();
        let ids = rows.map(|row| row.map(|(_, stored)| id(stored)));
        ids.collect::<Result<Vec<_>, _>>()
            .map_err(|error| of_store(kind, error))
    });
    read.await
        .unwrap_or_else(|_| Err(Refusal::unspecified_fault()))
}

async fn move_to(asked: &Asked, vmbox: &str, id: &str, folder: &str) -> Result<(), Refusal> {
    let kind = DocumentType::VoicemailMessage;
    let key = asked.key(kind, id)?;
    let stored = asked.context.store.stored(&key);
    let stored = stored.map_err(|error| of_store(kind, error))?;
    let stored = stored
        .filter(|stored| stored.document.body.get(BOX).and_then(Value::as_str) == Some(vmbox));
    let stored = stored.ok_or_else(|| Refusal::bad_identifier(id))?;
    let mut body = stored.document.body;
    body.insert("folder".to_owned(), folder.into());
    body.insert("pvt_modified".to_owned(), time::gregorian().into());
    let document = Document {
        key: key.clone(),
        body,
    };
    let change = Change::from(Write::Put(document))
        .by(asked.author())
        .expecting(key, Expect::Revision(stored.revision.sequence));
    let applied = asked.context.store.apply(change).await;
    applied.map(drop).map_err(|error| of_store(kind, error))
}
