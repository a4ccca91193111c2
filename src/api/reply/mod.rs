//! Answers: what a handler returns, and how it is written.

mod accept;
mod csv;
mod envelope;
mod faults;
mod headers;
mod refusal;
mod warning;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::Value;

pub use accept::Form;
pub use csv::table;
pub use envelope::{Closing, Tokens, write};
pub use faults::{of_store, unreadable};
pub use headers::cors;
pub use refusal::Refusal;
pub use warning::Warning;

/// What a handler brings about.
pub type Outcome = Result<Reply, Refusal>;

/// What is answered.
#[derive(Debug, Clone)]
pub enum Data {
    Json(Value),
    /// Rows of a listing, which may be wanted as CSV.
    Rows(Vec<Value>),
    /// JSON that is written already.
    Written(Bytes),
    /// No envelope: bytes of a media type.
    Bytes {
        content_type: String,
        bytes: Bytes,
    },
}

/// The envelope's paging members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paging {
    pub rows: usize,
    pub start_key: Option<String>,
    pub next_start_key: Option<String>,
}

/// A success.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: StatusCode,
    pub data: Data,
    /// `<n>-<32 hex>` of a stored document; a listing gets a digest of its content instead.
    pub revision: Option<String>,
    pub paging: Option<Paging>,
    /// A token that was just issued.
    pub auth_token: Option<String>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Members of what was sent that are probably misspelt.
    pub warnings: Vec<Warning>,
    /// What the audit log says about it.
    pub audit: Audit,
}

/// What was changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// Of a login: who came in.
    pub account: Option<String>,
    pub user: Option<String>,
    pub document: Option<String>,
    pub old: Option<String>,
    pub new: Option<String>,
}

impl Reply {
    #[must_use]
    pub fn new(status: StatusCode, data: Data) -> Self {
        Self {
            status,
            data,
            revision: None,
            paging: None,
            auth_token: None,
            headers: Vec::new(),
            warnings: Vec::new(),
            audit: Audit::default(),
        }
    }

    #[must_use]
    pub fn ok(data: impl Into<Value>) -> Self {
        Self::new(StatusCode::OK, Data::Json(data.into()))
    }

    #[must_use]
    pub fn created(data: impl Into<Value>) -> Self {
        Self::new(StatusCode::CREATED, Data::Json(data.into()))
    }

    /// 202, for what is under way.
    #[must_use]
    pub fn accepted(data: impl Into<Value>) -> Self {
        Self::new(StatusCode::ACCEPTED, Data::Json(data.into()))
    }

    /// A listing that is whole.
    #[must_use]
    pub fn rows(rows: Vec<Value>) -> Self {
        Self::new(StatusCode::OK, Data::Rows(rows))
    }

    #[must_use]
    pub fn bytes(content_type: &str, bytes: impl Into<Bytes>) -> Self {
        let data = Data::Bytes {
            content_type: content_type.to_owned(),
            bytes: bytes.into(),
        };
        Self::new(StatusCode::OK, data)
    }

    #[must_use]
    pub fn with_revision(mut self, revision: String) -> Self {
        self.revision = Some(revision);
        self
    }

    /// A header whose value may not be fit for one; it is left out then.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }
}
