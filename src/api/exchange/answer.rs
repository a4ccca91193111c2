//! What is known of an exchange while it goes on, and the response that is made of it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Response, StatusCode};
use md5::{Digest as _, Md5};
use tokio::time::Instant;

use crate::api::audit;
use crate::api::auth::{Caller, hex};
use crate::api::context::Context;
use crate::api::reply::{self, Closing, Data, Form, Outcome, Refusal, Reply, Tokens};
use crate::api::request::Verb;
use crate::api::time;
use crate::types::AccountId;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest request id that is taken over from the client, in bytes.
const REQUEST_ID_MAX: usize = 128;

const JSON: &str = "application/json";

/// What has been found out so far.
pub(super) struct Known {
    pub request_id: String,
    pub client: IpAddr,
    pub verb: Option<Verb>,
    pub caller: Option<Arc<Caller>>,
    pub tokens: Option<Tokens>,
    /// The path's verbs, once the path is known.
    pub allow: Option<String>,
    pub pretty: bool,
    pub form: Form,
    started: Instant,
}

/// The answer to OPTIONS.
pub(super) fn nothing() -> Reply {
    Reply::bytes("", Bytes::new())
}

impl Known {
    pub(super) fn of(context: &Context, head: &Parts, peer: IpAddr) -> Known {
        let pretty = head.headers.get("x-pretty-print");
        Known {
            request_id: request_id(&head.headers),
            client: client(context, &head.headers, peer),
            verb: Verb::of(&head.method),
            caller: None,
            tokens: None,
            allow: None,
            pretty: pretty.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true")),
            form: Form::Json,
            started: Instant::now(),
        }
    }

    pub(super) fn identify(&mut self, caller: &Arc<Caller>) {
        self.caller = Some(Arc::clone(caller));
    }

    /// Takes the request's cost out of the client's bucket.
    ///
    /// # Errors
    /// 429.
    pub(super) fn pay(
        &mut self,
        context: &Context,
        account: Option<AccountId>,
        cost: u32,
    ) -> Result<(), Refusal> {
        let Some(limiter) = &context.limiter else {
            return Ok(());
        };
        let taken = limiter.take((self.client, account), cost, Instant::now());
        let tokens = taken.map_err(|fast| Refusal::too_many_requests(fast.retry_after_s))?;
        self.tokens = Some(tokens);
        Ok(())
    }

    /// The response, and its line in the audit log.
    pub(super) fn respond(
        self,
        context: &Context,
        head: &Parts,
        outcome: Outcome,
    ) -> Response<Full<Bytes>> {
        let mut response = match &outcome {
            Ok(reply) => self.success(context, head, reply),
            Err(refusal) => self.refusal(context, refusal),
        };
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&self.request_id) {
            headers.insert(REQUEST_ID, id);
        }
        reply::cors(
            &head.headers,
            self.allow.as_deref().unwrap_or_default(),
            headers,
        );
        if head.method == Method::OPTIONS
            && let Some(Ok(allow)) = self.allow.as_deref().map(HeaderValue::from_str)
        {
            headers.insert(hyper::header::ALLOW, allow);
        }
        self.tell(context, head, &outcome, response.status());
        response
    }

    fn success(&self, context: &Context, head: &Parts, reply: &Reply) -> Response<Full<Bytes>> {
        let (data, rows): (Cow<'_, [u8]>, bool) = match &reply.data {
            Data::Bytes {
                content_type,
                bytes,
            } => return self.bytes(reply, content_type, bytes.clone()),
            Data::Rows(rows) if self.form == Form::Csv => {
                let table = reply::table(rows);
                return self.bytes(reply, "text/csv; charset=utf-8", table.into());
            }
            Data::Rows(rows) => (written(rows).into(), !rows.is_empty()),
            Data::Json(data) => (
                written(data).into(),
                data.as_array().is_some_and(|rows| !rows.is_empty()),
            ),
            Data::Written(text) => (Cow::Borrowed(text), true),
        };
        let revision = match &reply.revision {
            Some(revision) => Some(revision.clone()),
            None if rows => Some(hex(&<[u8; 16]>::from(Md5::digest(&data)))),
            None => None,
        };
        let etag = revision
            .as_deref()
            .map(|revision| format!("\"{revision}\""));
        if head.method == Method::GET
            && let Some(etag) = &etag
            && head
                .headers
                .get_all(IF_NONE_MATCH)
                .iter()
                .any(|wanted| names(wanted, etag))
        {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            set(response.headers_mut(), ETAG, etag);
            return response;
        }
        let mut closing = self.closing(context, "success");
        if let Some(token) = &reply.auth_token {
            closing.auth_token = Some(token);
        }
        closing.revision = revision.as_deref();
        closing.warnings = &reply.warnings;
        if let Some(paging) = &reply.paging {
            closing.page(paging);
        }
        let timestamp = time::iso();
        closing.timestamp = &timestamp;
        let text = reply::write(&data, &closing, self.pretty);
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = reply.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        if let Some(etag) = &etag {
            set(headers, ETAG, etag);
        }
        for (name, value) in &reply.headers {
            headers.insert(name.clone(), value.clone());
        }
        response
    }

    fn bytes(&self, reply: &Reply, content_type: &str, bytes: Bytes) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(bytes));
        *response.status_mut() = reply.status;
        let headers = response.headers_mut();
        if !content_type.is_empty() {
            set(headers, CONTENT_TYPE, content_type);
            headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        }
        for (name, value) in &reply.headers {
            headers.insert(name.clone(), value.clone());
        }
        response
    }

    fn refusal(&self, context: &Context, refusal: &Refusal) -> Response<Full<Bytes>> {
        let status = refusal.status();
        let mut response = if status == StatusCode::PRECONDITION_FAILED {
            Response::new(Full::default())
        } else {
            let mut closing = self.closing(context, "error");
            closing.message = Some(refusal.message());
            closing.error = Some(status.as_str());
            closing.warnings = refusal.warnings();
            let timestamp = time::iso();
            closing.timestamp = &timestamp;
            let text = reply::write(&written(refusal.data()), &closing, self.pretty);
            let mut response = Response::new(Full::new(Bytes::from(text)));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
            response
        };
        *response.status_mut() = status;
        for (name, value) in refusal.headers() {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response
    }

    fn closing<'a>(&'a self, context: &'a Context, status: &'static str) -> Closing<'a> {
        let caller = self.caller.as_deref();
        let token = caller.and_then(|caller| caller.token.as_ref());
        Closing {
            auth_token: token.map(|token| token.text.as_str()),
            status,
            request_id: &self.request_id,
            version: caller.map(|_| env!("CARGO_PKG_VERSION")),
            node: &context.node,
            tokens: self.tokens,
            ..Closing::default()
        }
    }

    /// The log, and the audit log for what may have changed something.
    fn tell(&self, context: &Context, head: &Parts, outcome: &Outcome, status: StatusCode) {
        let (audit, reason) = match outcome {
            Ok(reply) => (Some(&reply.audit), None),
            Err(refusal) => (None, Some(refusal.message())),
        };
        let path = told_path(head.uri.path());
        tracing::debug!(
            request_id = self.request_id,
            client = %self.client,
            account_id = self.caller.as_ref().map(|caller| caller.account.id.as_str()),
            verb = self.verb.map(Verb::as_str),
            path,
            status = status.as_u16(),
            elapsed_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            "answered"
        );
        let Some(verb) = self.verb.filter(|verb| verb.writes()) else {
            return;
        };
        let caller = self.caller.as_deref();
        let account = audit.and_then(|audit| audit.account.as_deref());
        let user = audit.and_then(|audit| audit.user.as_deref());
        context.audit.note(&audit::Entry {
            time: &time::iso(),
            request_id: &self.request_id,
            client: self.client,
            account_id: account.or_else(|| caller.map(|caller| caller.account.id.as_str())),
            user_id: user.or_else(|| caller?.user.as_ref().map(AsRef::as_ref)),
            verb: verb.as_str(),
            path,
            status: status.as_u16(),
            document: audit.and_then(|audit| audit.document.as_deref()),
            old_revision: audit.and_then(|audit| audit.old.as_deref()),
            new_revision: audit.and_then(|audit| audit.new.as_deref()),
            reason,
        });
    }
}

/// A path for the logs: a token may be part of it.
fn told_path(path: &str) -> &str {
    const TOKENS: &str = "/v2/user_auth/";
    if path.starts_with(TOKENS) {
        TOKENS
    } else {
        path
    }
}

fn written(value: &impl serde::Serialize) -> Vec<u8> {
    // JSON values can always be written.
    serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec())
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Whether a list of entity tags names this one.
fn names(list: &HeaderValue, etag: &str) -> bool {
    let list = list.to_str().unwrap_or_default();
    let mut tags = list
        .split(',')
        .map(|tag| tag.trim().trim_start_matches("W/"));
    tags.any(|tag| tag == "*" || tag == etag)
}

/// The client's own id if it may stand in a header and a log line, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let own = headers.get(REQUEST_ID).map(HeaderValue::as_bytes);
    let plain = |id: &&[u8]| {
        !id.is_empty()
            && id.len() <= REQUEST_ID_MAX
            && id.iter().all(|byte| (0x20..0x7f).contains(byte))
    };
    match own
        .filter(plain)
        .and_then(|id| std::str::from_utf8(id).ok())
    {
        Some(id) => id.to_owned(),
        None => uuid::Uuid::new_v4().simple().to_string(),
    }
}

/// The peer, or whom a trusted proxy names: the last address of the list that is no proxy's.
fn client(context: &Context, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
    let proxies = &context.settings.trusted_proxies;
    let peer = peer.to_canonical();
    if !proxies.contains(&peer) {
        return peer;
    }
    let lists = headers.get_all("x-forwarded-for").iter();
    let text: Vec<&str> = lists.filter_map(|list| list.to_str().ok()).collect();
    let text = text.join(",");
    let mut nearest = peer;
    for address in text.rsplit(',') {
        let Ok(address) = address.trim().parse::<IpAddr>() else {
            break;
        };
        nearest = address.to_canonical();
        if !proxies.contains(&nearest) {
            break;
        }
    }
    nearest
}
