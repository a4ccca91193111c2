//! Giving a document its file.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::api::files::{ATTACHMENT, Attachment};
use crate::api::reply::{Outcome, Refusal};
use crate::api::request::Asked;
use crate::api::resource::{
    After, Draft, Saved, StoredResource, insert, matches, private, public, revision,
};
use crate::store::Stored;

/// How often it is tried again because somebody else changed the document in between.
const TRIES: usize = 20;

/// Where clients are told of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Described {
    /// In the document: `content_type` and `content_length`.
    InDocument,
    Nowhere,
}

/// Writes the bytes and has the document that a parameter names say so; what it had before is removed.
///
/// # Errors
/// 404, 412, the disk, the store.
pub(super) async fn attach(
    resource: &StoredResource,
    asked: &Asked,
    parameter: &str,
    content_type: &str,
    bytes: Bytes,
    described: Described,
) -> Outcome {
    let account = asked.owner();
    let files = &asked.context.files;
    let kept = files.keep(&account, content_type, bytes).await;
    let kept = kept.map_err(|error| {
        tracing::error!(account_id = %account, %error, "a sound can't be written");
        match error.kind() {
            std::io::ErrorKind::StorageFull => Refusal::disk_full(),
            _ => Refusal::datastore_fault("the sound can't be written just now"),
        }
    })?;
    let outcome = point(resource, asked, parameter, Some((&kept, described))).await;
    match &outcome {
        Ok((_, Some(old))) => files.forget(&account, old).await,
        Ok((_, None)) => {}
        // After anything else the document may name it yet.
        Err(refusal) if refusal.status().is_client_error() => files.forget(&account, &kept).await,
        Err(_) => {}
    }
    outcome.map(|(reply, _)| reply)
}

/// Takes the file from the document that a parameter names.
///
/// # Errors
/// 404: there is no such document, or it has no file; 412; the store.
pub(super) async fn unattach(resource: &StoredResource, asked: &Asked, parameter: &str) -> Outcome {
    let stored = asked.document(resource.kind, parameter)?;
    if Attachment::of(&stored.document.body).is_none() {
        return Err(Refusal::bad_identifier(asked.parameter(parameter)));
    }
    let (reply, old) = point(resource, asked, parameter, None).await?;
    if let Some(old) = old {
        asked.context.files.forget(&asked.owner(), &old).await;
    }
    Ok(reply)
}

/// After a change: a document that is gone takes its bytes along.
pub(super) fn detach(asked: Asked, saved: Saved) -> After {
    Box::pin(async move {
        if let Saved {
            before: Some(Stored { document, .. }),
            after: None,
        } = &saved
            && let Some(attachment) = Attachment::of(&document.body)
        {
            let files = &asked.context.files;
            files.forget(&document.key.account, &attachment).await;
        }
    })
}

async fn point(
    resource: &StoredResource,
    asked: &Asked,
    parameter: &str,
    kept: Option<(&Attachment, Described)>,
) -> Result<(crate::api::reply::Reply, Option<Attachment>), Refusal> {
    for _ in 0..TRIES {
        let before = asked.document(resource.kind, parameter)?;
        let found = revision(&asked.context, &before.document.key, before.revision);
        if !matches(&asked.headers, &found) {
            return Err(Refusal::precondition_failed());
        }
        let old = Attachment::of(&before.document.body);
        let mut body = public(&before.document.body);
        let mut private = private(&before.document.body);
        match kept {
            Some((kept, described)) => {
                if described == Described::InDocument {
                    describe(&mut body, kept);
                }
                private.insert(ATTACHMENT.to_owned(), kept.to_value());
            }
            None => {
                private.shift_remove(ATTACHMENT);
            }
        }
        let draft = Draft {
            key: before.document.key.clone(),
            before: Some(before),
            body,
            private,
            also: Vec::new(),
            faults: Vec::new(),
        };
        match insert(resource, asked, draft, "").await {
            Err(refusal) if refusal.status() == hyper::StatusCode::CONFLICT => {}
            Err(refusal) => return Err(refusal),
            Ok(mut reply) => {
                reply.status = hyper::StatusCode::OK;
                reply.headers.clear();
                return Ok((reply, old));
            }
        }
    }
    Err(Refusal::conflict())
}

fn describe(body: &mut Map<String, Value>, kept: &Attachment) {
    body.insert("content_type".to_owned(), kept.content_type.as_str().into());
    body.insert("content_length".to_owned(), kept.length.into());
}
