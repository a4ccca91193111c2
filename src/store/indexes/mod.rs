//! Which index entries a document stands for: pure, so that writing, verifying and rebuilding can't disagree.

mod account;
mod callflow;
mod connectivity;
mod device;
mod entry;
mod fields;
mod others;
mod user;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

pub(super) use account::{CHILD, DESCENDANT, normal_name};
pub(super) use callflow::{inline_patterns, patterns_of};
pub(super) use others::lies_in;

pub(super) use entry::{IndexEntry, Rivals, Unique};

use super::index_keys::{self, ORDER};
use super::keys;
use crate::documents::{DocumentKey, DocumentType};

/// Counts the changes of what documents stand for. A store that was written under another number gets its indexes made anew.
pub(super) const VERSION: u64 = 3;

/// The realm that an account or a device names, as indexes compare it.
pub(super) fn realm_of(kind: DocumentType, body: &Map<String, Value>) -> Option<String> {
    let realm = match kind {
        DocumentType::Account => fields::word(body, &["realm"]),
        DocumentType::Device => fields::word(body, &["sip", "realm"]),
        _ => None,
    };
    realm.map(str::to_lowercase)
}

/// Kinds that are listed by a text of theirs and not by their ids.
pub(super) const fn is_listed(kind: DocumentType) -> bool {
    matches!(
        kind,
        DocumentType::User | DocumentType::Vmbox | DocumentType::Recording
    )
}

/// First part of the keys that keep the documents of an account in order.
pub(super) fn list_of(kind: DocumentType, account: &str) -> String {
    format!("{}{account}", char::from(keys::kind_byte(kind)))
}

/// The place of a document in the lists of its kind.
fn listed(key: &DocumentKey, sort: &str) -> IndexEntry {
    let list = list_of(key.kind, key.account.as_str());
    let place = index_keys::entry(ORDER, &[&list, sort, key.id.as_str()]);
    IndexEntry::shared(place)
}

/// All entries of a document; each key once.
pub(super) fn entries_of(key: &DocumentKey, body: &Map<String, Value>) -> Vec<IndexEntry> {
    let mut entries = Vec::new();
    match key.kind {
        DocumentType::Account => account::entries(key, body, &mut entries),
        DocumentType::User => user::entries(key, body, &mut entries),
        DocumentType::Device => device::entries(key, body, &mut entries),
        DocumentType::Callflow => callflow::entries(key, body, &mut entries),
        DocumentType::Connectivity => connectivity::entries(key, body, &mut entries),
        DocumentType::Number => others::number(key, &mut entries),
        DocumentType::Resource => others::resource(key, body, &mut entries),
        DocumentType::Vmbox => others::vmbox(key, body, &mut entries),
        DocumentType::Conference => others::conference(key, body, &mut entries),
        DocumentType::Recording => others::recording(key, body, &mut entries),
        DocumentType::VoicemailMessage => others::message(key, body, &mut entries),
        DocumentType::Limits
        | DocumentType::Menu
        | DocumentType::TemporalRule
        | DocumentType::Media
        | DocumentType::Directory
        | DocumentType::List
        | DocumentType::Group
        | DocumentType::Webhook
        | DocumentType::Registration => {}
    }
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    entries.dedup_by(|a, b| a.key == b.key);
    entries
}
