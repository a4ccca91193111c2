//! `PUT /user_auth`: a token for a user's name and password, which come as a digest.

use serde_json::Value;
use tokio::time::Instant;

use super::api_auth::granted;
use crate::api::auth::{Login, Method, accounts_named, description, log_in};
use crate::api::reply::{Outcome, Refusal, Reply};
use crate::api::request::{Asked, Request};
use crate::api::routes::{Access, On, Routes, Takes};
use crate::documents::schema;

/// Hexadecimal digits of the digests.
const MD5_DIGITS: usize = 32;
const SHA1_DIGITS: usize = 40;

/// Characters of an account's name that failures are counted by.
const NAME_MAX: usize = 128;

pub(super) fn routes(routes: &mut Routes) {
    routes.at("/user_auth").put(
        On::new("Log in with a user's credentials", enter)
            .access(Access::Open)
            .takes(Takes::Data("user_auth"))
            .status(201),
    );
    routes.at("/user_auth/{token}").get(On::new(
        "Whom a token belongs to; it must be the one presented",
        token,
    ));
    routes
        .at("/user_auth/recovery")
        .put(recovery())
        .post(recovery());
}

fn recovery() -> On {
    // A token by mail needs mail: an honest no is better than a mail that never comes.
    On::new("Recover a lost password: not offered", |_| async {
        Err(Refusal::not_implemented())
    })
    .access(Access::Open)
    .takes(Takes::Anything)
    .status(501)
}

async fn enter(asked: Asked) -> Outcome {
    let data = schema::accept("user_auth", asked.data()?).map_err(Refusal::invalid)?;
    let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    let digest = text("credentials");
    let digits = match text("method") {
        "sha" => SHA1_DIGITS,
        _ => MD5_DIGITS,
    };
    let accounts = accounts_named(&asked.context, &data)?;
    let named = accounts
        .first()
        .map(ToString::to_string)
        .unwrap_or_else(|| {
            let named = ["phone_number", "account_realm", "realm", "account_name"].map(text);
            let named = named
                .into_iter()
                .find(|name| !name.is_empty())
                .unwrap_or_default();
            format!(
                "?{}",
                named
                    .to_lowercase()
                    .chars()
                    .take(NAME_MAX)
                    .collect::<String>()
            )
        });
    let login = guarded(&asked, &named, || {
        if digest.len() != digits {
            return Err(Refusal::invalid_credentials());
        }
        log_in(&asked.context, &accounts, digest, Method::User)
    })?;
    granted(&asked, &login, &data)
}

/// Lets somebody try to log in unless his address has failed too often for what he names.
pub(super) fn guarded(
    asked: &Request,
    named: &str,
    try_to: impl FnOnce() -> Result<Login, Refusal>,
) -> Result<Login, Refusal> {
    // Without rate limits there is no lockout either (API specification 7).
    if asked.context.limiter.is_none() {
        return try_to();
    }
    let lockout = &asked.context.lockout;
    let pair = (asked.client, named.to_owned());
    if let Some(wait) = lockout.remaining(&pair, Instant::now()) {
        return Err(Refusal::too_many_requests(wait.as_secs().saturating_add(1)));
    }
    let outcome = try_to();
    match &outcome {
        Ok(_) => lockout.succeeded(&pair),
        Err(refusal) if refusal.status() == hyper::StatusCode::UNAUTHORIZED => {
            lockout.failed(pair, Instant::now());
        }
        Err(_) => {}
    }
    outcome
}

async fn token(asked: Asked) -> Outcome {
    let caller = asked.caller()?;
    let own = caller.token.as_ref().map(|token| token.text.as_str());
    if own != Some(asked.parameter("token")) {
        return Err(Refusal::invalid_credentials());
    }
    Ok(Reply::ok(description(
        &caller.account,
        caller.user.as_ref(),
    )))
}
