//! `PUT /api_auth`: a token for an account's API key.

use serde_json::{Map, Value};

use crate::api::auth::{Login, are_sound, description, with_api_key};
use crate::api::reply::{Outcome, Refusal, Reply};
use crate::api::request::{Asked, Request};
use crate::api::routes::{Access, On, Routes, Takes};
use crate::documents::schema;

pub(super) fn routes(routes: &mut Routes) {
    routes.at("/api_auth").put(
        On::new("Log in with an account's API key", log_in)
            .access(Access::Open)
            .takes(Takes::Data("api_auth"))
            .status(201),
    );
}

async fn log_in(asked: Asked) -> Outcome {
    let data = schema::accept("api_auth", asked.data()?).map_err(Refusal::invalid)?;
    let key = data
        .get("api_key")
        .and_then(Value::as_str)
        .unwrap_or_default();
    // Keys are too long to be guessed, so that all failures of an address count together.
    let login = super::user_auth::guarded(&asked, "api_key", || with_api_key(&asked.context, key))?;
    granted(&asked, &login, &data)
}

/// The answer to a login.
pub(super) fn granted(asked: &Request, login: &Login, data: &Map<String, Value>) -> Outcome {
    let restrictions = data.get("restrictions").filter(|given| !given.is_null());
    if restrictions.is_some_and(|given| !are_sound(given)) {
        let message = "Value did not match type(s): object of lists of patterns";
        let fault = serde_json::json!({"message": message, "target": "object"});
        return Err(Refusal::fault("restrictions", "type", fault));
    }
    let token = login.token(&asked.context, restrictions.cloned())?;
    let mut reply = Reply::created(description(&login.account, login.user.as_ref()));
    reply.auth_token = Some(token);
    reply.audit.account = Some(login.account.id.to_string());
    reply.audit.user = login.user.as_ref().map(ToString::to_string);
    Ok(reply)
}
