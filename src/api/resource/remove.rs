//! DELETE on an item.

use hyper::header::IF_MATCH;
use serde_json::json;

use super::{Saved, StoredResource, matches, revision, shown};
use crate::api::reply::{Audit, Outcome, Refusal, Reply, of_store};
use crate::api::request::Asked;
use crate::store::{Change, Expect, StoreError, Write};

/// How often it is tried again because somebody else changed the document in between.
const TRIES: usize = 20;

/// Deletes the document that the path names, and answers with it.
///
/// # Errors
/// 404, a document that may not go, or the store.
pub async fn remove(resource: &StoredResource, asked: Asked, parameter: &str) -> Outcome {
    for _ in 0..TRIES {
        let stored = asked.document(resource.kind, parameter)?;
        let key = stored.document.key.clone();
        let old = revision(&asked.context, &key, stored.revision);
        if !matches(&asked.headers, &old) {
            return Err(Refusal::precondition_failed());
        }
        (resource.deletable)(&asked, &stored)?;
        let mut last = shown(resource, &asked, &stored)?;
        let change = Change::from(Write::Delete(key.clone()))
            .by(asked.author())
            .expecting(key.clone(), Expect::Revision(stored.revision.sequence));
        let applied = match asked.context.store.apply(change).await {
            Ok(applied) => applied,
            Err(StoreError::Conflict { .. }) => continue,
            Err(error) => return Err(of_store(key.kind, error)),
        };
        let new = applied.stored.iter().find(|(deleted, _)| *deleted == key);
        let new = new.map_or(old.clone(), |(_, new)| revision(&asked.context, &key, *new));
        last.insert("_read_only".to_owned(), json!({"deleted": true}));
        let saved = Saved {
            before: Some(stored),
            after: None,
        };
        (resource.saved)(Asked::clone(&asked), saved).await;
        let mut reply = Reply::ok(last).with_revision(new.clone());
        reply.audit = Audit {
            document: Some(key.to_string()),
            old: Some(old),
            new: Some(new),
            ..Audit::default()
        };
        return Ok(reply);
    }
    if asked.headers.contains_key(IF_MATCH) {
        return Err(Refusal::precondition_failed());
    }
    Err(Refusal::conflict())
}
