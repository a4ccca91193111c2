//! What a document was before, and going back to it.

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::public::private;
use super::save::store;
use super::{Draft, StoredResource, matches, public, remove, revision};
use crate::api::files::{ATTACHMENT, Attachment};
use crate::api::reply::{Outcome, Refusal, Reply, unreadable};
use crate::api::request::{Asked, Request};
use crate::api::routes::{Access, Gives, On, Routes};
use crate::api::time;
use crate::documents::DocumentKey;
use crate::store::{Author, DocumentChange, HistoryEntry, Revision};

/// Writes that are shown.
const SHOWN: usize = 200;

/// Makes the parameter of a path the id of a document, where it is not that already.
pub type Named = fn(Asked) -> Result<Asked, Refusal>;

impl StoredResource {
    /// Gives items their history, and a way back in it; [`StoredResource::routes`] does so, too.
    pub fn history_routes(
        &'static self,
        routes: &mut Routes,
        item: &'static str,
        parameter: &'static str,
    ) {
        self.history_routes_of(routes, item, parameter, Ok);
    }

    /// The same for paths with another name of the document than its id.
    pub fn history_routes_of(
        &'static self,
        routes: &mut Routes,
        item: &'static str,
        parameter: &'static str,
        named: Named,
    ) {
        self.history_shown_of(routes, item, parameter, named);
        routes.below(item, "history/{sequence}").post(
            On::new(
                "Make it what it was after one of its changes",
                move |asked| async move { undo(self, named(asked)?, parameter).await },
            )
            .access(self.historians())
            .gives(Gives::Item(self.schema)),
        );
    }

    /// Who may see what was: it tells who did what from where.
    fn historians(&self) -> Access {
        match self.write {
            Access::Superduper => Access::Superduper,
            _ => Access::Admin,
        }
    }

    /// Gives items their history to be read.
    pub fn history_shown(
        &'static self,
        routes: &mut Routes,
        item: &'static str,
        parameter: &'static str,
    ) {
        self.history_shown_of(routes, item, parameter, Ok);
    }

    /// The same for paths with another name of the document than its id.
    pub fn history_shown_of(
        &'static self,
        routes: &mut Routes,
        item: &'static str,
        parameter: &'static str,
        named: Named,
    ) {
        routes.below(item, "history").get(
            On::new("Who changed it, when and how", move |asked| async move {
                told(self, named(asked)?, parameter).await
            })
            .access(self.historians())
            .gives(Gives::Rows),
        );
    }
}

fn key(
    resource: &StoredResource,
    asked: &Request,
    parameter: &str,
) -> Result<DocumentKey, Refusal> {
    asked.key(resource.kind, asked.parameter(parameter))
}

async fn told(resource: &StoredResource, asked: Asked, parameter: &str) -> Outcome {
    let key = key(resource, &asked, parameter)?;
    let context = asked.context.clone();
    let id = key.clone();
    let read = tokio::task::spawn_blocking(move || context.store.document_changes(&id, SHOWN));
    let changes = read.await.map_err(|_| Refusal::unspecified_fault())?;
    let changes = changes.map_err(unreadable)?;
    // An import leaves no history, but a document.
    if changes.is_empty()
        && asked
            .context
            .store
            .stored(&key)
            .map_err(unreadable)?
            .is_none()
    {
        return Err(Refusal::bad_identifier(asked.parameter(parameter)));
    }
    let rows = changes.iter().map(|change| row(&asked, &key, change));
    Ok(Reply::rows(rows.collect()))
}

fn row(asked: &Request, key: &DocumentKey, change: &DocumentChange) -> Value {
    let fields: Vec<Value> = change
        .fields
        .iter()
        .filter(|field| !field.field.starts_with("pvt_"))
        .map(|field| json!({"field": field.field, "before": field.before, "after": field.after}))
        .collect();
    json!({
        "sequence": change.revision.sequence,
        "revision": revision(&asked.context, key, change.revision),
        "timestamp": time::gregorian_of(change.at),
        "action": match (change.created, change.deleted) {
            (true, _) => "create",
            (_, true) => "delete",
            _ => "change",
        },
        "author": change.author.as_ref().map(author),
        "fields": fields,
    })
}

fn author(author: &Author) -> Value {
    let mut told = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            told.insert(name.to_owned(), value);
        }
    };
    put(
        "account_id",
        author.account.as_ref().map(|id| id.as_str().into()),
    );
    put("user_id", author.user.as_ref().map(|id| id.as_str().into()));
    put("from", author.from.map(|from| from.to_string().into()));
    put("request_id", author.request_id.as_deref().map(Value::from));
    put("via", Some(json!(author.via)));
    Value::Object(told)
}

/// The document is as it was; or it was not there.
type Body = Option<Map<String, Value>>;

/// What a document was after a write: what the write that came next found, or what is there now. `entries` are newest
/// first. None: the history does not tell.
fn after(entries: &[HistoryEntry], now: (Option<Revision>, Body), sequence: u64) -> Option<Body> {
    let (revision, body) = now;
    if revision.is_some_and(|revision| revision.sequence == sequence) {
        return Some(body);
    }
    let at = entries
        .iter()
        .position(|entry| entry.revision.sequence == sequence)?;
    match at.checked_sub(1).and_then(|newer| entries.get(newer)) {
        Some(newer) => Some(newer.before.clone()),
        None => Some(None),
    }
}

/// The state of then is written as if a client had sent it today, so that today's rules hold for it.
async fn undo(resource: &StoredResource, asked: Asked, parameter: &str) -> Outcome {
    let key = key(resource, &asked, parameter)?;
    let wanted = asked.parameter("sequence").to_owned();
    let unknown = || Refusal::bad_identifier(&wanted);
    let sequence: u64 = wanted.parse().map_err(|_| unknown())?;
    let now = asked.context.store.stored(&key).map_err(unreadable)?;
    if let Some(now) = &now
        && !matches(
            &asked.headers,
            &revision(&asked.context, &key, now.revision),
        )
    {
        return Err(Refusal::precondition_failed());
    }
    let context = asked.context.clone();
    let id = key.clone();
    let read = tokio::task::spawn_blocking(move || context.store.history(&id, usize::MAX));
    let entries = read.await.map_err(|_| Refusal::unspecified_fault())?;
    let entries = entries.map_err(unreadable)?;
    let state = now.as_ref().map(|now| now.revision);
    let body = now.as_ref().map(|now| now.document.body.clone());
    let then = after(&entries, (state, body), sequence).ok_or_else(unknown)?;
    match (then, now) {
        (None, None) => Err(unknown()),
        (None, Some(_)) => remove(resource, asked, parameter).await,
        (Some(mut body), before) => {
            if let Some(attachment) = Attachment::of(&body)
                && !asked.context.files.has(&key.account, &attachment).await
            {
                // the file went with the document, or with the next upload
                body.shift_remove(ATTACHMENT);
            }
            let draft = Draft {
                key,
                before,
                private: private(&body),
                body: public(&body),
                also: Vec::new(),
                faults: Vec::new(),
            };
            let mut reply = store(resource, &asked, draft).await?;
            reply.status = StatusCode::OK;
            Ok(reply)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(name: &str) -> Map<String, Value> {
        Map::from_iter([("name".to_owned(), name.into())])
    }

    fn entry(sequence: u64, deleted: bool, before: Body) -> HistoryEntry {
        HistoryEntry {
            revision: Revision { sequence, count: 1 },
            at: 0,
            author: None,
            deleted,
            before,
        }
    }

    #[test]
    fn the_next_write_found_what_this_one_left() {
        let entries = [
            entry(9, false, Some(body("b"))),
            entry(7, false, Some(body("a"))),
            entry(4, false, None),
        ];
        let state = |sequence| {
            let now = Revision {
                sequence: 9,
                count: 3,
            };
            after(&entries, (Some(now), Some(body("c"))), sequence)
        };
        assert_eq!(state(9), Some(Some(body("c"))));
        assert_eq!(state(7), Some(Some(body("b"))));
        assert_eq!(state(4), Some(Some(body("a"))));
        assert_eq!(state(5), None);
    }

    #[test]
    fn what_is_deleted_can_come_back() {
        let entries = [entry(8, true, Some(body("a"))), entry(4, false, None)];
        let state = |sequence| after(&entries, (None, None), sequence);
        assert_eq!(state(8), Some(None));
        assert_eq!(state(4), Some(Some(body("a"))));
    }
}
