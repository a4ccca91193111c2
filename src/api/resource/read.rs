//! Reading a resource: one document, or a page of summaries.

use super::{StoredResource, revision, shown};
use crate::api::listing::list;
use crate::api::reply::{Outcome, Reply};
use crate::api::request::{Asked, Request};

/// The document that the path names.
///
/// # Errors
/// 404, or the store.
pub fn fetch(resource: &StoredResource, asked: &Request, parameter: &str) -> Outcome {
    let stored = asked.document(resource.kind, parameter)?;
    let revision = revision(&asked.context, &stored.document.key, stored.revision);
    let shown = shown(resource, asked, &stored)?;
    Ok(Reply::ok(shown).with_revision(revision))
}

/// A page of the account's documents.
///
/// # Errors
/// As [`list`].
pub async fn rows(resource: &StoredResource, asked: &Asked) -> Outcome {
    let (kind, owner) = (resource.kind, asked.owner());
    let summary = resource.summary;
    list(
        asked,
        move |store, from, ascending| store.page(kind, &owner, from, ascending),
        summary,
    )
    .await
}
