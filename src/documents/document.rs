//! A document as it is stored and exchanged: type, tenant, id, and its JSON.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::types::{AccountId, DocumentId};

/// The kinds of document. Adding one is a line here, a schema and a typed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentType {
    Account,
    User,
    Device,
    Callflow,
    Connectivity,
    Number,
    Resource,
    Limits,
    Menu,
    TemporalRule,
    Conference,
    Vmbox,
    VoicemailMessage,
    Media,
    Recording,
    Directory,
    List,
    Group,
    Webhook,
    Registration,
}

impl DocumentType {
    pub const ALL: &'static [DocumentType] = &[
        DocumentType::Account,
        DocumentType::User,
        DocumentType::Device,
        DocumentType::Callflow,
        DocumentType::Connectivity,
        DocumentType::Number,
        DocumentType::Resource,
        DocumentType::Limits,
        DocumentType::Menu,
        DocumentType::TemporalRule,
        DocumentType::Conference,
        DocumentType::Vmbox,
        DocumentType::VoicemailMessage,
        DocumentType::Media,
        DocumentType::Recording,
        DocumentType::Directory,
        DocumentType::List,
        DocumentType::Group,
        DocumentType::Webhook,
        DocumentType::Registration,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            DocumentType::Account => "account",
            DocumentType::User => "user",
            DocumentType::Device => "device",
            DocumentType::Callflow => "callflow",
            DocumentType::Connectivity => "connectivity",
            DocumentType::Number => "number",
            DocumentType::Resource => "resource",
            DocumentType::Limits => "limits",
            DocumentType::Menu => "menu",
            DocumentType::TemporalRule => "temporal_rule",
            DocumentType::Conference => "conference",
            DocumentType::Vmbox => "vmbox",
            DocumentType::VoicemailMessage => "voicemail_message",
            DocumentType::Media => "media",
            DocumentType::Recording => "recording",
            DocumentType::Directory => "directory",
            DocumentType::List => "list",
            DocumentType::Group => "group",
            DocumentType::Webhook => "webhook",
            DocumentType::Registration => "registration",
        }
    }
}

impl fmt::Display for DocumentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DocumentType {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|t| t.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is no document type"))
    }
}

/// Where a document lives. An account document has its own id as `account`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentKey {
    pub kind: DocumentType,
    pub account: AccountId,
    pub id: DocumentId,
}

impl fmt::Display for DocumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.account, self.id)
    }
}

/// A document: its key and its JSON object, without `type`, `account_id` and `id`. Key order is kept
/// (dial plans and classifiers depend on it).
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub key: DocumentKey,
    pub body: Map<String, Value>,
}
