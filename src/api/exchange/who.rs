//! Who asks, and whether he may.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use serde_json::Value;

use super::answer::Known;
use super::{Api, Arrived};
use crate::api::auth::{self, AccountFacts, Caller};
use crate::api::context::Context;
use crate::api::reply::{Refusal, unreadable};
use crate::api::request::{Request, Verb};
use crate::api::routes::{Access, Match, Route};
use crate::documents::{DocumentKey, DocumentType};
use crate::types::{AccountId, DocumentId};

/// What a request shows of its caller; the first that is present counts, and a bad one is not made up for by the next.
pub(super) enum Shown {
    Nothing,
    Token(String),
    /// `account:digest` of the Authorization header.
    Basic(String),
}

/// `X-Auth-Token`, then `auth_token` of envelope or query, then `Authorization` (API specification 1.6).
pub(super) fn token(arrived: &Arrived<'_>) -> Shown {
    let headers = &arrived.head.headers;
    if let Some(token) = text(headers, "x-auth-token") {
        return Shown::Token(token.trim().to_owned());
    }
    let envelope = arrived.read.as_ref().ok();
    let told = envelope.and_then(|content| content.envelope.text("auth_token"));
    if let Some(token) = told.or_else(|| arrived.query.last("auth_token")) {
        return Shown::Token(token.to_owned());
    }
    let Some(authorization) = text(headers, AUTHORIZATION.as_str()) else {
        return Shown::Nothing;
    };
    match authorization.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Shown::Token(token.trim().to_owned())
        }
        Some((scheme, pair)) if scheme.eq_ignore_ascii_case("basic") => {
            Shown::Basic(pair.trim().to_owned())
        }
        _ => Shown::Nothing,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Who that is; None when nothing was shown.
///
/// # Errors
/// 401, or the store.
pub(super) fn caller(context: &Context, shown: Shown) -> Result<Option<Arc<Caller>>, Refusal> {
    match shown {
        Shown::Nothing => Ok(None),
        Shown::Token(token) => context.callers.by_token(context, &token).map(Some),
        Shown::Basic(pair) => {
            let decoded = STANDARD.decode(pair).ok();
            let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
            let pair = decoded.as_deref().and_then(|text| text.split_once(':'));
            let (account, digest) = pair.ok_or_else(Refusal::invalid_credentials)?;
            auth::with_credentials(context, account, digest).map(Some)
        }
    }
}

/// Lets a request through to its handler: credentials, rate, the account in the path, restrictions, roles; then the
/// body, whose faults nobody else is told.
pub(super) fn admit(
    api: &Api,
    arrived: Arrived<'_>,
    (route, parameters): Match<'_>,
    verb: Verb,
    caller: Result<Option<Arc<Caller>>, Refusal>,
    known: &mut Known,
) -> Result<Request, Refusal> {
    let context = &api.context;
    let access = route.verbs.get(&verb).map_or(Access::Token, |on| on.access);
    let caller = match (access, caller) {
        (Access::Open, caller) => caller.ok().flatten(),
        (_, Ok(Some(caller))) => Some(caller),
        (_, other) => return Err(api.unknown_caller(other.err(), known)),
    };
    let account = caller.as_ref().map(|caller| caller.account.id.clone());
    known.pay(context, account, cost(context, verb, route.endpoint))?;
    let named = parameters.iter().find(|(name, _)| *name == "account");
    let account = match named {
        Some((_, id)) => Some(account_in_path(context, id)?),
        None => None,
    };
    if let Some(caller) = &caller {
        permitted(
            context,
            caller,
            account.as_deref(),
            access,
            verb,
            &arrived.path,
        )?;
    }
    let content = arrived.read?;
    let request = Request {
        context: context.clone(),
        verb,
        path: arrived.path,
        parameters,
        query: arrived.query,
        headers: arrived.head.headers.clone(),
        envelope: content.envelope,
        uploads: content.uploads,
        caller,
        account,
        client: known.client,
        request_id: known.request_id.clone(),
    };
    role(context, &request, route)?;
    Ok(request)
}

/// What a request takes out of its client's bucket.
fn cost(context: &Context, verb: Verb, endpoint: &str) -> u32 {
    const LOGIN: u32 = 35;
    let costs = &context.settings.rate_costs;
    if costs.is_empty() && !matches!(endpoint, "user_auth" | "api_auth") {
        return 1;
    }
    let own = costs
        .get(&format!("{verb} {endpoint}"))
        .or_else(|| costs.get(endpoint));
    match own {
        Some(cost) => *cost,
        None if verb == Verb::Put && matches!(endpoint, "user_auth" | "api_auth") => LOGIN,
        None => 1,
    }
}

/// Ids of 32 hexadecimal digits; imported accounts may have others.
fn account_in_path(context: &Context, id: &str) -> Result<Arc<AccountFacts>, Refusal> {
    let found = match AccountId::new(id) {
        Ok(account) if !account.is_installation() => context.account(&account)?,
        _ => None,
    };
    found.ok_or_else(|| {
        let digits = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if id.len() == 32 && id.chars().all(digits) {
            Refusal::bad_identifier(id)
        } else {
            Refusal::malformed_account(id)
        }
    })
}

fn permitted(
    context: &Context,
    caller: &Caller,
    account: Option<&AccountFacts>,
    access: Access,
    verb: Verb,
    path: &[String],
) -> Result<(), Refusal> {
    if access == Access::Open {
        return Ok(());
    }
    let within = account.unwrap_or(&caller.account);
    let may = match access {
        Access::Open | Access::Token => caller.reaches(within),
        Access::Admin => caller.administers(within),
        Access::Superduper => caller.superduper(),
    };
    let narrowed = caller.restrictions.as_ref();
    let left = narrowed.is_none_or(|restrictions| auth::allow(restrictions, verb, path));
    if may && left {
        return Ok(());
    }
    tracing::debug!(account_id = %caller.account.id, node = context.node, %verb, "out of the caller's reach");
    Err(Refusal::forbidden())
}

/// With `enforce_user_roles`: who is no admin reads everything and changes himself and his own devices only.
fn role(context: &Context, request: &Request, route: &Route) -> Result<(), Refusal> {
    let Some(caller) = &request.caller else {
        return Ok(());
    };
    let Some(user) = caller
        .user
        .as_ref()
        .filter(|_| context.settings.enforce_user_roles)
    else {
        return Ok(());
    };
    let own_account = request
        .account
        .as_ref()
        .is_none_or(|account| account.id == caller.account.id);
    if caller.admin || !own_account || caller.superduper() || request.verb == Verb::Get {
        return Ok(());
    }
    if route.endpoint == "token_auth" {
        return Ok(());
    }
    let own = match request.verb {
        Verb::Post | Verb::Patch => {
            request.parameter("user") == user.as_str() || owns_device(context, request, user)?
        }
        _ => false,
    };
    if own {
        Ok(())
    } else {
        Err(Refusal::forbidden())
    }
}

fn owns_device(context: &Context, request: &Request, user: &DocumentId) -> Result<bool, Refusal> {
    let Ok(id) = DocumentId::new(request.parameter("device")) else {
        return Ok(false);
    };
    let key = DocumentKey {
        kind: DocumentType::Device,
        account: request.owner(),
        id,
    };
    let device = context.store.document(&key).map_err(unreadable)?;
    let owner = device.and_then(|device| {
        let owner = device.body.get("owner_id").and_then(Value::as_str);
        owner.map(str::to_owned)
    });
    Ok(owner.as_deref() == Some(user.as_str()))
}
