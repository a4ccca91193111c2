//! Answers that say no: one constructor for each kind of the error table (API specification 3.1).

use std::borrow::Cow;

use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER};
use serde_json::{Map, Value, json};

use super::Warning;
use crate::documents::schema::FieldError;

/// Why something was not done, as the client reads it.
#[derive(Debug, Clone)]
pub struct Refusal(Box<Told>);

#[derive(Debug, Clone)]
struct Told {
    status: StatusCode,
    message: Cow<'static, str>,
    data: Value,
    headers: Vec<(HeaderName, HeaderValue)>,
    warnings: Vec<Warning>,
}

impl Refusal {
    #[must_use]
    pub fn new(status: StatusCode, message: impl Into<Cow<'static, str>>, data: Value) -> Self {
        Self(Box::new(Told {
            status,
            message: message.into(),
            data,
            headers: Vec::new(),
            warnings: Vec::new(),
        }))
    }

    /// The same words as message and in the data.
    fn said(status: StatusCode, message: &'static str, words: impl Into<String>) -> Self {
        Self::new(status, message, json!({"message": words.into()}))
    }

    /// With a header; one whose value is not fit for it is left out.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers.push((name, value));
        }
        self
    }

    /// 404 for an id that is not there, or is another tenant's.
    #[must_use]
    pub fn bad_identifier(id: &str) -> Self {
        let data = json!({"message": "bad identifier", "cause": id});
        Self::new(StatusCode::NOT_FOUND, "bad_identifier", data)
    }

    /// 404 for a call or a registration that is not there.
    #[must_use]
    pub fn no_such(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "bad identifier", json!([id]))
    }

    #[must_use]
    pub fn malformed_account(id: &str) -> Self {
        let words = match id {
            "" => "missing account_id".to_owned(),
            id => format!("invalid account_id '{id}'"),
        };
        Self::said(StatusCode::NOT_FOUND, "bad identifier", words)
    }

    #[must_use]
    pub fn not_found() -> Self {
        Self::said(StatusCode::NOT_FOUND, "not_found", "not found")
    }

    #[must_use]
    pub fn faulty_request(words: &str) -> Self {
        Self::said(StatusCode::NOT_FOUND, "faulty_request", words)
    }

    /// 401 without data of its own, for a token that was good once.
    #[must_use]
    pub fn stale_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid credentials", json!({}))
    }

    #[must_use]
    pub fn invalid_credentials() -> Self {
        let status = StatusCode::UNAUTHORIZED;
        Self::said(status, "invalid_credentials", "invalid credentials")
    }

    #[must_use]
    pub fn forbidden() -> Self {
        Self::said(StatusCode::FORBIDDEN, "forbidden", "forbidden")
    }

    /// 403 with words of its own.
    #[must_use]
    pub fn forbidden_because(words: impl Into<String>) -> Self {
        Self::said(StatusCode::FORBIDDEN, "forbidden", words)
    }

    /// `allow`: the verbs that would do, as `GET, PUT`.
    #[must_use]
    pub fn invalid_method(allow: &str) -> Self {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self::said(status, "invalid_method", "method not allowed").with(ALLOW, allow)
    }

    #[must_use]
    pub fn not_acceptable() -> Self {
        let status = StatusCode::NOT_ACCEPTABLE;
        Self::said(status, "not_acceptable", "not acceptable")
    }

    #[must_use]
    pub fn gone() -> Self {
        let words = "version 1 of the API is not supported; use /v2";
        Self::said(StatusCode::GONE, "gone", words)
    }

    #[must_use]
    pub fn unsupported_media_type(kind: &str) -> Self {
        let words = format!("expected application/json, found {kind}");
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::said(status, "unsupported_media_type", words)
    }

    #[must_use]
    pub fn range_not_satisfiable(words: &str) -> Self {
        let status = StatusCode::RANGE_NOT_SATISFIABLE;
        Self::said(status, "range not satisfiable", words)
    }

    /// 413 for a body over `limit` bytes.
    #[must_use]
    pub fn too_large(limit: u64) -> Self {
        let message = format!("File must not be larger than {limit} bytes");
        let data = json!({"file": {"maxSize": {"message": message, "target": limit}}});
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "validation error", data)
    }

    #[must_use]
    pub fn uri_too_long() -> Self {
        let status = StatusCode::URI_TOO_LONG;
        Self::said(
            status,
            "uri_too_long",
            "expected a URL of at most 8192 bytes",
        )
    }

    /// A body that did not arrive in time.
    #[must_use]
    pub fn request_timeout() -> Self {
        let status = StatusCode::REQUEST_TIMEOUT;
        Self::said(status, "request_timeout", "the body did not arrive in time")
    }

    #[must_use]
    pub fn conflict() -> Self {
        let status = StatusCode::CONFLICT;
        Self::said(status, "datastore_conflict", "conflicting documents")
    }

    /// 412: empty, by the specification.
    #[must_use]
    pub fn precondition_failed() -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "", Value::Null)
    }

    /// 423: `why` is `disabled` or `expired`.
    #[must_use]
    pub fn locked(why: &str) -> Self {
        let message = format!("account {why}");
        let data = json!({"account": {why: {"message": message}}});
        Self::new(StatusCode::LOCKED, "locked", data)
    }

    #[must_use]
    pub fn too_many_requests(retry_after_s: u64) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self::said(status, "too_many_requests", "too many requests")
            .with(RETRY_AFTER, &retry_after_s.max(1).to_string())
    }

    /// 500 without a word about why: the log has it.
    #[must_use]
    pub fn unspecified_fault() -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::said(status, "unspecified_fault", "unspecified fault")
    }

    /// 500, as Kazoo has it, for an account that can't go before those below it.
    #[must_use]
    pub fn has_descendants() -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::said(status, "account_has_descendants", "account has descendants")
    }

    #[must_use]
    pub fn not_implemented() -> Self {
        let status = StatusCode::NOT_IMPLEMENTED;
        Self::said(status, "not_implemented", "not implemented")
    }

    #[must_use]
    pub fn datastore_fault(words: &str) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::said(status, "datastore_fault", words)
    }

    #[must_use]
    pub fn disk_full() -> Self {
        let status = StatusCode::INSUFFICIENT_STORAGE;
        Self::said(
            status,
            "datastore_fault",
            "the disk is full; nothing was changed",
        )
    }

    /// 400 with a message that is no validation error: `action required`, `invalid action`.
    #[must_use]
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message, json!({}))
    }

    /// 400 for one field.
    #[must_use]
    pub fn fault(field: &str, code: &str, body: Value) -> Self {
        let data = json!({field: {code: body}});
        Self::new(StatusCode::BAD_REQUEST, "validation error", data)
    }

    /// 400 for one missing field.
    #[must_use]
    pub fn required(field: &str) -> Self {
        let body = json!({"message": "Field is required but missing"});
        Self::fault(field, "required", body)
    }

    /// 400 for all that is wrong with a document; of two complaints of one code about one field the last counts.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let mut data = Map::new();
        for error in errors {
            let field = data.entry(error.field);
            let codes = field.or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(codes) = codes {
                codes.insert(error.code.to_owned(), Value::Object(error.body));
            }
        }
        Self::new(
            StatusCode::BAD_REQUEST,
            "validation error",
            Value::Object(data),
        )
    }

    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    #[must_use]
    pub fn data(&self) -> &Value {
        &self.0.data
    }

    #[must_use]
    pub fn with_warnings(mut self, warnings: Vec<Warning>) -> Self {
        self.0.warnings = warnings;
        self
    }

    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.0.warnings
    }

    #[must_use]
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0.headers
    }
}
