//! Registrations in the form in which all documents are exchanged.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::core::Core;
use crate::documents::{Document, DocumentKey, DocumentType, Registration};
use crate::types::{AccountId, DocumentId};

/// Stands for the account of a registration whose realm no account has.
const NO_ACCOUNT: &str = "-";

/// A stable id for a binding.
fn id_of(registration: &Registration) -> String {
    let mut hash = Sha256::new();
    for part in [
        registration.node.as_str(),
        &registration.profile,
        &registration.user,
        &registration.realm,
        &registration.call_id,
        &registration.contact,
    ] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let mut id = String::with_capacity(32);
    for byte in hash.finalize().iter().take(16) {
        id.push_str(&format!("{byte:02x}"));
    }
    id
}

impl Core {
    fn registration_as_document(&self, registration: &Registration) -> Option<Document> {
        let account = self
            .account_by_realm(&registration.realm)
            .ok()
            .flatten()
            .or_else(|| AccountId::new(NO_ACCOUNT).ok())?;
        let body: Map<String, Value> = match serde_json::to_value(registration).ok()? {
            Value::Object(body) => body.into_iter().filter(|(_, v)| !v.is_null()).collect(),
            _ => return None,
        };
        Some(Document {
            key: DocumentKey {
                kind: DocumentType::Registration,
                account,
                id: DocumentId::new(&id_of(registration)).ok()?,
            },
            body,
        })
    }

    /// Registrations in the form in which all documents are exchanged.
    pub(super) fn registration_documents(&self) -> Vec<Document> {
        let all = self.registrations.all();
        all.iter()
            .filter_map(|r| self.registration_as_document(r))
            .collect()
    }

    pub(super) fn registration_document(&self, key: &DocumentKey) -> Option<Document> {
        let documents = self.registration_documents();
        documents.into_iter().find(|d| d.key == *key)
    }
}
