//! A request, parsed once: its path, verb, query, body, and who asks.

mod body;
mod envelope;
mod json;
mod multipart;
mod path;
mod query;
mod verb;

use std::net::IpAddr;
use std::sync::Arc;

use hyper::HeaderMap;
use serde_json::{Map, Value};

pub use body::{Content, Upload, read as read_body};
pub use envelope::Envelope;
pub use path::Path;
pub use query::Query;
pub use verb::Verb;

use super::auth::{AccountFacts, Caller};
use super::context::Context;
use super::reply::{Refusal, unreadable};
use crate::documents::{DocumentKey, DocumentType};
use crate::store::{Author, Stored, Via};
use crate::types::{AccountId, DocumentId};

/// What a handler is given; cheap to clone.
pub type Asked = Arc<Request>;

/// A request that may be answered: authenticated if its path wants that, and within the caller's reach.
#[derive(Clone)]
pub struct Request {
    pub context: Context,
    pub verb: Verb,
    /// The decoded segments behind `/v2`.
    pub path: Vec<String>,
    /// What stands for the `{names}` of the route.
    pub parameters: Vec<(&'static str, String)>,
    pub query: Query,
    pub headers: HeaderMap,
    pub envelope: Envelope,
    pub uploads: Vec<Upload>,
    /// None only on paths that need no token.
    pub caller: Option<Arc<Caller>>,
    /// The account in the path.
    pub account: Option<Arc<AccountFacts>>,
    pub client: IpAddr,
    pub request_id: String,
}

impl Request {
    /// What stands in the path for `{name}` of the route.
    #[must_use]
    pub fn parameter(&self, name: &str) -> &str {
        let found = self.parameters.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// A parameter of the protocol, out of the query or the envelope (API specification 1.5).
    #[must_use]
    pub fn option(&self, name: &str) -> Option<String> {
        if let Some(value) = self.query.last(name) {
            return Some(value.to_owned());
        }
        match self.envelope.member(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        }
    }

    /// Whether a parameter says yes; None when it isn't there.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        let text = self.option(name)?;
        Some(matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "1" | "yes" | ""
        ))
    }

    /// Whose documents are meant: the account in the path, else the installation.
    #[must_use]
    pub fn owner(&self) -> AccountId {
        let account = self.account.as_ref();
        account.map_or_else(AccountId::installation, |account| account.id.clone())
    }

    /// The account in the path.
    ///
    /// # Errors
    /// The route has none.
    pub fn account(&self) -> Result<&Arc<AccountFacts>, Refusal> {
        self.account.as_ref().ok_or_else(Refusal::not_found)
    }

    /// Who asks.
    ///
    /// # Errors
    /// Nobody whom we know.
    pub fn caller(&self) -> Result<&Arc<Caller>, Refusal> {
        self.caller
            .as_ref()
            .ok_or_else(Refusal::invalid_credentials)
    }

    #[must_use]
    pub fn is_superduper(&self) -> bool {
        self.caller
            .as_ref()
            .is_some_and(|caller| caller.superduper())
    }

    /// Whether the caller counts as an admin of the account in the path, or of his own.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.caller.as_ref().is_some_and(|caller| {
            let account = self.account.as_ref().unwrap_or(&caller.account);
            caller.administers(account)
        })
    }

    /// The data of the envelope; `{}` without a body.
    ///
    /// # Errors
    /// It is no object, or missing.
    pub fn data(&self) -> Result<Map<String, Value>, Refusal> {
        self.envelope.object()
    }

    /// The key of a document of the account in the path.
    ///
    /// # Errors
    /// 404: the text is no id.
    pub fn key(&self, kind: DocumentType, id: &str) -> Result<DocumentKey, Refusal> {
        let account = self.owner();
        let id = DocumentId::new(id).map_err(|_| Refusal::bad_identifier(id))?;
        Ok(DocumentKey { kind, account, id })
    }

    /// The document that a parameter of the path names.
    ///
    /// # Errors
    /// 404: there is none of this kind in this account.
    pub fn document(&self, kind: DocumentType, parameter: &str) -> Result<Stored, Refusal> {
        let id = self.parameter(parameter);
        let key = self.key(kind, id)?;
        let found = self.context.store.stored(&key).map_err(unreadable)?;
        found.ok_or_else(|| Refusal::bad_identifier(id))
    }

    /// Whom the store remembers for a change.
    #[must_use]
    pub fn author(&self) -> Author {
        let mut author = Author::via(Via::Api);
        author.account = self.caller.as_ref().map(|caller| caller.account.id.clone());
        author.user = self.caller.as_ref().and_then(|caller| caller.user.clone());
        author.from = Some(self.client);
        author.request_id = Some(self.request_id.clone());
        author
    }
}
