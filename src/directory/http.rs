//! From an HTTP request to a reply.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;

use super::answer::Answer;
use super::dialplan::{self, Dialplan};
use super::form::Form;
use super::question::{Proof, Question};
use super::settings::Settings;
use super::strangers::Strangers;
use super::trunks::{self, Trunks};
use super::{networks, users};
use crate::store::{Store, StoreError};

/// Bytes of a question. FreeSWITCH's largest, a channel with all its variables, has some 10 kB.
const QUESTION_LIMIT: usize = 256 * 1024;

const FORM: &str = "application/x-www-form-urlencoded";

/// What questions are answered from.
pub struct Desk {
    store: Store,
    settings: Settings,
    /// None: every call is left to the static dialplan.
    dialplan: Option<Arc<dyn Dialplan>>,
    strangers: Strangers,
    /// None: there are no carriers' gateways, and no address of a trunk is known.
    trunks: Option<Arc<dyn Trunks>>,
}

/// The service, for the server to run. Both paths answer both kinds of question: which of them FreeSWITCH asks is
/// chosen by the bindings in xml_curl.conf.xml.
pub(super) fn service(desk: Desk) -> Router {
    let nowhere = "the directory is at /v1/directory and /v1/dialplan";
    Router::new()
        .route("/v1/directory", post(directory))
        .route("/v1/dialplan", post(directory))
        .fallback(move || async move { told(StatusCode::NOT_FOUND, nowhere) })
        .with_state(Arc::new(desk))
}

async fn directory(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION);
    if let Some(credentials) = &desk.settings.credentials
        && !credentials.match_header(authorization.map(HeaderValue::as_bytes))
    {
        tracing::warn!(
            presented = authorization.is_some(),
            "a look-up without the right credentials; compare gateway-credentials in xml_curl.conf.xml with [directory]"
        );
        let mut refused = told(StatusCode::UNAUTHORIZED, "wrong or missing credentials");
        let challenge = HeaderValue::from_static("Basic realm=\"linefinder\"");
        refused
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
        return refused;
    }
    if !is_form(request.headers()) {
        return told(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "expected a form: application/x-www-form-urlencoded",
        );
    }
    let body = match axum::body::to_bytes(request.into_body(), QUESTION_LIMIT).await {
        Ok(body) => body,
        Err(error) if is_too_long(&error) => {
            return told(
                StatusCode::PAYLOAD_TOO_LARGE,
                "expected a form of at most 256 KiB",
            );
        }
        Err(_) => return told(StatusCode::BAD_REQUEST, "the form ended early"),
    };
    let answer = match Question::read(&Form::parse(&body)) {
        // All addresses are gone through: seldom asked, when lists are loaded, and long for a large system.
        Question::Networks { .. } | Question::AddressLists | Question::Gateways { .. } => {
            let task = tokio::task::spawn_blocking(move || desk.reply(&body));
            task.await
                .unwrap_or_else(|failed| Err(StoreError::Disk(failed.to_string())))
        }
        _ => desk.reply(&body),
    };
    match answer {
        Ok(text) => {
            let kind = [(header::CONTENT_TYPE, "text/xml; charset=utf-8")];
            (kind, text).into_response()
        }
        // Anything but 200 makes FreeSWITCH ask its next binding, such as another daemon.
        Err(error) => {
            tracing::error!(%error, "a look-up can't be answered");
            told(StatusCode::SERVICE_UNAVAILABLE, "the store can't be read")
        }
    }
}

/// The reply to a posted form, without a dialplan.
///
/// # Errors
/// The store can't be read.
pub fn reply(store: &Store, settings: &Settings, body: &[u8]) -> Result<String, StoreError> {
    Desk::new(store.clone(), settings.clone()).reply(body)
}

impl Desk {
    #[must_use]
    pub fn new(store: Store, settings: Settings) -> Self {
        Self {
            store,
            settings,
            dialplan: None,
            strangers: Strangers::default(),
            trunks: None,
        }
    }

    /// Lets it answer for the dialplan, too.
    #[must_use]
    pub fn with_dialplan(mut self, dialplan: Arc<dyn Dialplan>) -> Self {
        self.dialplan = Some(dialplan);
        self
    }

    /// Lets it answer for gateways and for trunks' addresses, too.
    #[must_use]
    pub fn with_trunks(mut self, trunks: Arc<dyn Trunks>) -> Self {
        self.trunks = Some(trunks);
        self
    }

    /// The reply to a posted form: an XML document, "not found" for what is not ours.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn reply(&self, body: &[u8]) -> Result<String, StoreError> {
        let (store, settings) = (&self.store, &self.settings);
        let question = Question::read(&Form::parse(body));
        let answer = match &question {
            Question::Proof(proof) => users::prove(store, settings, proof)?,
            Question::User(who) => users::describe(store, settings, who)?,
            Question::Networks { domain } => networks::of_domain(store, domain)?,
            Question::AddressLists => {
                let trunks = self.trunks.as_ref().map(|trunks| trunks.trusted());
                networks::lists(store, &trunks.unwrap_or_default())?
            }
            Question::Gateways { profile } => match &self.trunks {
                Some(trunks) => trunks::gateways(&**trunks, profile, &settings.trunk_context),
                None => Answer::NotFound,
            },
            Question::Reverse(who) => users::reverse(store, who)?,
            Question::Dialplan(channel) => match (&self.dialplan, channel) {
                (Some(dialplan), Some(channel)) => {
                    dialplan::answer(&**dialplan, &settings.dialplan_contexts, channel)
                }
                _ => Answer::NotFound,
            },
            Question::Other => Answer::NotFound,
        };
        log(&question, &answer);
        if let (Question::Proof(proof), Answer::NotFound) = (&question, &answer) {
            self.nobody(proof);
        }
        Ok(answer.render())
    }

    /// Somebody gave a name that is nobody's.
    fn nobody(&self, proof: &Proof<'_>) {
        let Some(address) = proof.address.as_deref() else {
            return;
        };
        if let Some(tries) = self.strangers.tried(address, Instant::now()) {
            tracing::warn!(
                address,
                tries,
                user = %proof.who.user,
                realm = %proof.who.domain,
                "this address asks for users that aren't there, many times a minute; if it is a phone, correct its name, else block it"
            );
        }
    }
}

fn log(question: &Question<'_>, answer: &Answer) {
    let known = !matches!(answer, Answer::NotFound);
    match question {
        Question::Proof(proof) => {
            let who = &proof.who;
            tracing::debug!(user = %who.user, realm = %who.domain, known, "a password is to be checked");
        }
        Question::User(who) => {
            tracing::debug!(user = %who.user, realm = %who.domain, known, "a user is asked for")
        }
        Question::Networks { domain } => {
            tracing::debug!(realm = %domain, known, "addresses are asked for")
        }
        Question::AddressLists => tracing::debug!("address lists are asked for"),
        Question::Gateways { profile } => {
            tracing::debug!(%profile, known, "gateways are asked for")
        }
        Question::Reverse(who) => {
            tracing::debug!(user = %who.user, realm = %who.domain, known, "a far end wants a password")
        }
        Question::Dialplan(Some(channel)) => {
            let call_id = channel.field("Unique-ID");
            tracing::debug!(
                call_id,
                dialed = channel.number(),
                bridged = known,
                "a call's way is asked for"
            );
        }
        Question::Dialplan(None) => {
            tracing::warn!(
                "a call has two values for one field and is not believed; it is handed over"
            );
        }
        Question::Other => tracing::trace!("a question that is not ours"),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case(FORM)
}

/// The limit is somewhere in the chain of causes.
fn is_too_long(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if one.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = one.source();
    }
    false
}

fn told(status: StatusCode, text: &'static str) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (status, kind, Body::from(format!("{text}\n"))).into_response()
}
