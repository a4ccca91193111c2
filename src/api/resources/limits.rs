//! Limits: one document an account, written by those above it.

use serde_json::{Map, Value};

use crate::api::reply::{Outcome, Refusal, Reply, unreadable};
use crate::api::request::{Asked, Request};
use crate::api::resource::{Draft, StoredResource, insert, matches, revision, shown};
use crate::api::routes::{Gives, On, Routes, Takes};
use crate::documents::{DocumentType, schema};
use crate::store::Stored;

const LIMITS: StoredResource = StoredResource::plain(DocumentType::Limits, "limits");

/// The id of the only one.
const ID: &str = "limits";

/// How often a change is tried again because somebody else changed the limits in between.
const TRIES: usize = 20;

pub(super) fn routes(routes: &mut Routes) {
    LIMITS.history_shown_of(routes, "/accounts/{account}/limits", "limits", |asked| {
        // the path does not say it, as there is one
        let mut request = Request::clone(&asked);
        request.parameters.push(("limits", ID.to_owned()));
        Ok(Asked::new(request))
    });
    routes
        .at("/accounts/{account}/limits")
        .get(
            On::new("Fetch the limits", |asked| async move { fetch(&asked) })
                .gives(Gives::Item("limits")),
        )
        .post(
            On::new("Replace the limits", replace)
                .takes(Takes::Data("limits"))
                .gives(Gives::Item("limits")),
        );
}

fn stored(asked: &Request) -> Result<Option<Stored>, Refusal> {
    let key = asked.key(DocumentType::Limits, ID)?;
    asked.context.store.stored(&key).map_err(unreadable)
}

/// An account without limits has the defaults.
fn fetch(asked: &Request) -> Outcome {
    let mut limits = schema::accept("limits", Map::new()).map_err(Refusal::invalid)?;
    let Some(stored) = stored(asked)? else {
        limits.insert("id".to_owned(), ID.into());
        return Ok(Reply::ok(limits));
    };
    limits.extend(shown(&LIMITS, asked, &stored)?);
    let revision = revision(&asked.context, &stored.document.key, stored.revision);
    Ok(Reply::ok(limits).with_revision(revision))
}

async fn replace(asked: Asked) -> Outcome {
    let (caller, account) = (asked.caller()?, asked.account()?);
    if !caller.is_above(account) {
        let words = "Please contact your phone provider to add limits.";
        return Err(Refusal::forbidden_because(words));
    }
    let data = asked.data()?;
    for _ in 0..TRIES {
        let before = stored(&asked)?;
        if let Some(before) = &before {
            let found = revision(&asked.context, &before.document.key, before.revision);
            if !matches(&asked.headers, &found) {
                return Err(Refusal::precondition_failed());
            }
        }
        let draft = Draft {
            key: asked.key(DocumentType::Limits, ID)?,
            private: before.as_ref().map(private).unwrap_or_default(),
            before,
            body: data.clone(),
            also: Vec::new(),
            faults: Vec::new(),
        };
        match insert(&LIMITS, &asked, draft, "").await {
            Err(refusal) if refusal.status() == hyper::StatusCode::CONFLICT => {}
            outcome => {
                let mut reply = outcome?;
                reply.status = hyper::StatusCode::OK;
                reply.headers.clear();
                return Ok(reply);
            }
        }
    }
    Err(Refusal::conflict())
}

/// What the operator has set beside the public limits survives.
fn private(stored: &Stored) -> Map<String, Value> {
    let body = stored.document.body.iter();
    let private = body.filter(|(name, _)| name.starts_with("pvt_"));
    private
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
