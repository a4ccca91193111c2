//! Which index entries a document stands for: pure, so that writing, verifying and rebuilding can't disagree.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Map, Value};

use super::keys;
use crate::documents::{DocumentKey, DocumentType};

/// Patterns as JSON that fit into the index; of more only a mark is kept, which changes with them.
const PATTERNS_INLINE: usize = 2048;

const ELSEWHERE: char = '#';

/// The patterns in a `P` entry; `None` when they are to be read from the document.
pub(super) fn inline_patterns(payload: &[u8]) -> Option<Vec<String>> {
    serde_json::from_slice(payload).ok()
}

/// A callflow's patterns in document order.
pub(super) fn patterns_of(body: &Map<String, Value>) -> Vec<String> {
    strings(body, "patterns").map(str::to_owned).collect()
}

/// One index entry that a document stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    /// Field and value as the operator wrote them, if the entry may have one owner only.
    pub unique: Option<(&'static str, String)>,
}

impl IndexEntry {
    fn shared(key: Vec<u8>) -> Self {
        Self {
            key,
            value: Vec::new(),
            unique: None,
        }
    }
}

fn text<'a>(body: &'a Map<String, Value>, path: &[&str]) -> Option<&'a str> {
    let (last, above) = path.split_last()?;
    let mut at = body;
    for part in above {
        at = at.get(*part)?.as_object()?;
    }
    at.get(*last)?.as_str()
}

/// An address as documents write it: with or without port, IPv6 with or without brackets.
pub(super) fn parse_ip(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    text.parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|a| a.ip()))
        .or_else(|| {
            let inner = text.strip_prefix('[')?.strip_suffix(']')?;
            inner.parse().ok()
        })
        .map(|ip| ip.to_canonical())
}

/// The realm that an account or a device names, as indexes compare it.
pub(super) fn realm_of(kind: DocumentType, body: &Map<String, Value>) -> Option<String> {
    let realm = match kind {
        DocumentType::Account => text(body, &["realm"]),
        DocumentType::Device => text(body, &["sip", "realm"]),
        _ => None,
    }?;
    keys::indexable(realm).then(|| realm.to_lowercase())
}

/// The user name under which a device registers, as indexes compare it.
pub(super) fn username_of(body: &Map<String, Value>) -> Option<String> {
    let username = text(body, &["sip", "username"])?;
    keys::indexable(username).then(|| username.to_lowercase())
}

/// Whom a device belongs to: the hotdesked users if there are any, otherwise the owner (devices spec 1.1).
fn users_of(body: &Map<String, Value>) -> Vec<&str> {
    let hotdesked = body
        .get("hotdesk")
        .and_then(|h| h.get("users"))
        .and_then(Value::as_object)
        .filter(|users| !users.is_empty());
    match hotdesked {
        Some(users) => users.keys().map(String::as_str).collect(),
        None => text(body, &["owner_id"]).into_iter().collect(),
    }
}

fn strings<'a>(body: &'a Map<String, Value>, field: &str) -> impl Iterator<Item = &'a str> {
    let list = body.get(field).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

fn device(key: &DocumentKey, body: &Map<String, Value>, entries: &mut Vec<IndexEntry>) {
    let (account, id) = (key.account.as_str(), key.id.as_str());
    if let Some(username) = username_of(body) {
        let (key, address) = match realm_of(DocumentType::Device, body) {
            Some(realm) => (
                keys::realm_username(&realm, &username),
                format!("{username}@{realm}"),
            ),
            None => (keys::account_username(account, &username), username),
        };
        entries.push(IndexEntry {
            key,
            value: keys::owner_value(account, id),
            unique: Some(("sip.username", address)),
        });
    }
    if let Some(ip) = text(body, &["sip", "ip"]).and_then(parse_ip) {
        let enabled = body.get("enabled").and_then(Value::as_bool).unwrap_or(true);
        entries.push(IndexEntry {
            key: keys::ip(ip, enabled, account, id),
            value: Vec::new(),
            unique: enabled.then(|| ("sip.ip", ip.to_string())),
        });
    }
    for user in users_of(body).into_iter().filter(|u| keys::indexable(u)) {
        entries.push(IndexEntry::shared(keys::owned(account, user, id)));
    }
}

fn callflow(key: &DocumentKey, body: &Map<String, Value>, entries: &mut Vec<IndexEntry>) {
    let (account, id) = (key.account.as_str(), key.id.as_str());
    for number in strings(body, "numbers").filter(|n| keys::indexable(n)) {
        entries.push(IndexEntry::shared(keys::number(account, number, id)));
        entries.push(IndexEntry::shared(keys::global_number(number, account, id)));
    }
    let patterns = patterns_of(body);
    if !patterns.is_empty() {
        let value = serde_json::to_vec(&patterns).unwrap_or_default();
        let value = match value.len() <= PATTERNS_INLINE {
            true => value,
            false => format!("{ELSEWHERE}{:08x}", crc32fast::hash(&value)).into_bytes(),
        };
        entries.push(IndexEntry {
            key: keys::patterns(account, id),
            value,
            unique: None,
        });
    }
}

/// All entries of a document; each key once.
pub(super) fn entries_of(key: &DocumentKey, body: &Map<String, Value>) -> Vec<IndexEntry> {
    let mut entries = Vec::new();
    match key.kind {
        DocumentType::Account => {
            if let Some(realm) = realm_of(key.kind, body) {
                entries.push(IndexEntry {
                    key: keys::realm(&realm),
                    value: keys::owner_value(key.account.as_str(), key.id.as_str()),
                    unique: Some(("realm", realm)),
                });
            }
        }
        DocumentType::Device => device(key, body, &mut entries),
        DocumentType::Callflow => callflow(key, body, &mut entries),
        _ => {}
    }
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    entries.dedup_by(|a, b| a.key == b.key);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{AccountId, DocumentId};

    fn entries(kind: DocumentType, json: serde_json::Value) -> Vec<Vec<u8>> {
        let key = DocumentKey {
            kind,
            account: AccountId::new("acc").unwrap(),
            id: DocumentId::new("doc").unwrap(),
        };
        let found = entries_of(&key, json.as_object().unwrap());
        found.into_iter().map(|e| e.key).collect()
    }

    #[test]
    fn addresses_are_read_with_and_without_port() {
        let v4: IpAddr = "198.51.100.9".parse().unwrap();
        let v6: IpAddr = "2001:db8::9".parse().unwrap();
        for text in ["198.51.100.9", "198.51.100.9:5070", "::ffff:198.51.100.9"] {
            assert_eq!(parse_ip(text), Some(v4), "{text}");
        }
        for text in ["2001:db8::9", "[2001:db8::9]", "[2001:db8::9]:5070"] {
            assert_eq!(parse_ip(text), Some(v6), "{text}");
        }
        assert_eq!(parse_ip("pbx.example.com"), None);
    }

    #[test]
    fn a_hotdesked_device_leaves_its_nominal_owner() {
        let owned = entries(
            DocumentType::Device,
            serde_json::json!({"owner_id": "u1", "hotdesk": {"users": {"u2": {}, "u3": {}}}}),
        );
        assert_eq!(
            owned,
            [
                keys::owned("acc", "u2", "doc"),
                keys::owned("acc", "u3", "doc")
            ]
        );
        let owned = entries(
            DocumentType::Device,
            serde_json::json!({"owner_id": "u1", "hotdesk": {"users": {}}}),
        );
        assert_eq!(owned, [keys::owned("acc", "u1", "doc")]);
    }

    #[test]
    fn a_number_twice_is_one_entry() {
        let found = entries(
            DocumentType::Callflow,
            serde_json::json!({"numbers": ["100", "100", "", 7]}),
        );
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn wrong_shapes_index_nothing() {
        for json in [
            serde_json::json!({"sip": 1}),
            serde_json::json!({"sip": {"username": 5, "ip": "pbx"}, "hotdesk": []}),
            serde_json::json!({"owner_id": null}),
        ] {
            assert!(entries(DocumentType::Device, json).is_empty());
        }
    }
}
