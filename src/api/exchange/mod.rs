//! One exchange: from a request's head and body to the response, in the order that the protocol wants
//! (API specification 1). What is common to all resources happens here and nowhere else.

mod answer;
mod arrive;
mod who;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};

use self::answer::Known;
use super::context::Context;
use super::reply::{Form, Outcome, Refusal};
use super::request::{self, Content, Path, Query, Verb};
use super::routes::{Gives, Match, On, Routes, Takes};

/// The API as a whole: its routes over what they share.
pub struct Api {
    pub context: Context,
    pub routes: Routes,
}

/// Longest URL, in bytes.
const URL_MAX: usize = 8192;

impl Api {
    /// Answers one request; never fails and never panics.
    pub async fn answer(
        self: Arc<Self>,
        peer: IpAddr,
        request: Request<Incoming>,
    ) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let mut known = Known::of(&self.context, &head, peer);
        let outcome = self.outcome(&head, body, &mut known).await;
        known.respond(&self.context, &head, outcome)
    }

    async fn outcome(&self, head: &Parts, body: Incoming, known: &mut Known) -> Outcome {
        if head
            .uri
            .path_and_query()
            .is_some_and(|url| url.as_str().len() > URL_MAX)
        {
            return Err(Refusal::uri_too_long());
        }
        let path = match Path::parse(head.uri.path()) {
            Path::Current(path) => path,
            Path::Gone => return Err(Refusal::gone()),
            Path::Nobody => return Err(Refusal::malformed_account("")),
            Path::Unknown => return Err(Refusal::not_found()),
        };
        if head.method == Method::OPTIONS {
            known.allow = self.routes.find(&path).map(|(route, _)| route.allow());
            return Ok(answer::nothing());
        }
        let query = Query::parse(head.uri.query().unwrap_or_default());
        known.pretty |= query.last("pretty_print") == Some("true");
        let method = Verb::of(&head.method);
        let takes = self.takes(&path, method);
        // What a GET or DELETE carries means nothing, and is not read; but for the few DELETEs of a part of something,
        // which must not take the whole for want of it.
        let partial = method == Some(Verb::Delete) && takes != Takes::Nothing;
        let read = if partial || method.is_some_and(Verb::takes_body) {
            let upload = takes == Takes::Upload;
            let kind = head
                .headers
                .get(CONTENT_TYPE)
                .filter(|_| !partial)
                .and_then(|kind| kind.to_str().ok());
            let body = arrive::body(&self.context, head, body).await;
            body.and_then(|body| request::read_body(kind, &body, upload))
        } else {
            Ok(Content::default())
        };
        let arrived = Arrived {
            head,
            path,
            query,
            method,
            read,
        };
        self.handle(arrived, known).await
    }

    fn takes(&self, path: &[String], method: Option<Verb>) -> Takes {
        let on = self
            .routes
            .find(path)
            .and_then(|(route, _)| route.verbs.get(&method?).map(|on| on.takes));
        on.unwrap_or_default()
    }

    async fn handle(&self, mut arrived: Arrived<'_>, known: &mut Known) -> Outcome {
        let verb = arrived.verb();
        known.verb = verb;
        let token = who::token(&arrived);
        let caller = who::caller(&self.context, token);
        if let Ok(Some(caller)) = &caller {
            known.identify(caller);
        }
        if arrived.path.first().is_some_and(|first| first == "account") {
            let own = match &caller {
                Ok(Some(caller)) => caller.account.id.to_string(),
                _ => return Err(self.unknown_caller(caller.err(), known)),
            };
            arrived.path.splice(0..1, ["accounts".to_owned(), own]);
        }
        let Some((route, parameters)) = self.routes.find(&arrived.path) else {
            return match caller {
                Ok(Some(_)) => Err(Refusal::not_found()),
                other => Err(self.unknown_caller(other.err(), known)),
            };
        };
        known.allow = Some(route.allow());
        let Some((verb, on)) = verb.and_then(|verb| Some((verb, route.verbs.get(&verb)?))) else {
            return Err(Refusal::invalid_method(&route.allow()));
        };
        let matched: Match<'_> = (route, parameters);
        let asked = who::admit(self, arrived, matched, verb, caller, known)?;
        known.form = self.form(&asked, on)?;
        let asked = Arc::new(asked);
        let answering = std::panic::AssertUnwindSafe(on.answer(asked));
        match answering.catch_unwind().await {
            Ok(outcome) => outcome,
            // The panic's own text went to the log by the hook.
            Err(_) => {
                tracing::error!(
                    request_id = known.request_id,
                    path = route.path,
                    "a handler panicked; please report it"
                );
                Err(Refusal::unspecified_fault())
            }
        }
    }

    fn form(&self, asked: &request::Request, on: &On) -> Result<Form, Refusal> {
        if on.gives == Gives::Bytes {
            return Ok(Form::Json);
        }
        let overriding = asked.option("accept");
        let header = asked.headers.get(hyper::header::ACCEPT);
        let header = header.and_then(|accept| accept.to_str().ok());
        Form::wanted(overriding.as_deref().or(header), on.gives == Gives::Rows)
    }

    /// 401, paid for by the address: guessing tokens is not free.
    fn unknown_caller(&self, why: Option<Refusal>, known: &mut Known) -> Refusal {
        match known.pay(&self.context, None, 1) {
            Err(refusal) => refusal,
            Ok(()) => why.unwrap_or_else(Refusal::invalid_credentials),
        }
    }
}

/// What came over the wire.
struct Arrived<'a> {
    head: &'a Parts,
    path: Vec<String>,
    query: Query,
    /// None: no verb of ours.
    method: Option<Verb>,
    read: Result<Content, Refusal>,
}

impl Arrived<'_> {
    /// A POST may carry another verb, in the query or the envelope; never within the data.
    fn verb(&self) -> Option<Verb> {
        if self.method != Some(Verb::Post) {
            return self.method;
        }
        let envelope = self.read.as_ref().ok();
        let carried = self.query.last("verb");
        let carried =
            carried.or_else(|| envelope.and_then(|content| content.envelope.text("verb")));
        carried.and_then(Verb::tunnelled).or(self.method)
    }
}
