//! `/token_auth`: whom a token belongs to, and its end.

use crate::api::auth::{description, digest};
use crate::api::reply::{Outcome, Refusal, Reply};
use crate::api::request::Asked;
use crate::api::routes::{On, Routes};
use crate::api::time;

pub(super) fn routes(routes: &mut Routes) {
    routes
        .at("/token_auth")
        .get(On::new("Whom the token belongs to", fetch))
        .delete(On::new("End the token", end));
}

async fn fetch(asked: Asked) -> Outcome {
    let caller = asked.caller()?;
    let mut told = description(&caller.account, caller.user.as_ref());
    told.insert("method".to_owned(), caller.method.as_str().into());
    if let Some(token) = &caller.token {
        told.insert("id".to_owned(), token.id.as_str().into());
    }
    Ok(Reply::ok(told))
}

async fn end(asked: Asked) -> Outcome {
    let token = asked.caller()?.token.clone();
    let token = token.ok_or_else(Refusal::invalid_credentials)?;
    let context = asked.context.clone();
    let written = tokio::task::spawn_blocking(move || {
        context
            .revoked
            .add(&digest(&token.text), token.expires, time::unix())
    });
    match written.await {
        Ok(Ok(())) => Ok(Reply::ok(serde_json::json!({}))),
        Ok(Err(error)) => {
            tracing::error!(%error, "a revoked token can't be remembered: it is dead until the next restart only");
            Err(Refusal::datastore_fault(
                "the token is ended until the next restart only",
            ))
        }
        Err(_) => Err(Refusal::unspecified_fault()),
    }
}
