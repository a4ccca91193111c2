//! Accounts: realm, name, API key, place in the tree.

use serde_json::{Map, Value};

use super::entry::{IndexEntry, Rivals};
use super::fields::{sort_text, strings, text, word};
use crate::documents::{DocumentKey, DocumentType};
use crate::store::index_keys::{self, API_KEY, MASTER, NAME, REALM, TREE};
use crate::store::keys;

pub(in crate::store) const CHILD: &str = "c";
pub(in crate::store) const DESCENDANT: &str = "d";

/// How account names compare (api spec 1.6): "My Co." is "myco". None if nothing is left of it.
pub(in crate::store) fn normal_name(name: &str) -> Option<String> {
    let letters = name.chars().flat_map(char::to_lowercase);
    let normal: String = letters.filter(char::is_ascii_alphanumeric).collect();
    keys::indexable(&normal).then_some(normal)
}

pub(super) fn entries(key: &DocumentKey, body: &Map<String, Value>, entries: &mut Vec<IndexEntry>) {
    let id = key.id.as_str();
    if let Some(realm) = super::realm_of(DocumentType::Account, body) {
        let owner = keys::owner_value(id, id);
        let field = index_keys::entry(REALM, &[&realm]);
        entries.push(IndexEntry::single(field, owner, "realm", realm, Vec::new()));
    }
    let name = text(body, &["name"]).unwrap_or_default();
    if let Some(normal) = normal_name(name) {
        let rivals = Rivals::Under(index_keys::under(NAME, &[&normal]));
        let field = index_keys::entry(NAME, &[&normal, id]);
        entries.push(IndexEntry::by_rule(field, "name", name, vec![rivals]));
    }
    if let Some(hash) = word(body, &["pvt_api_key_hash"]) {
        let hash = index_keys::entry(API_KEY, &[hash, id]);
        entries.push(IndexEntry::shared(hash));
    }
    if body.get("pvt_superduper_admin") == Some(&Value::Bool(true)) {
        entries.push(IndexEntry::shared(index_keys::entry(MASTER, &[id])));
    }
    let sort = sort_text(name);
    let ancestors: Vec<&str> = strings(body, &["pvt_tree"])
        .filter(|ancestor| keys::indexable(ancestor))
        .collect();
    let mut below = |ancestor: &str, depth: &str| {
        let place = index_keys::entry(TREE, &[ancestor, depth, &sort, id]);
        entries.push(IndexEntry::shared(place));
    };
    for ancestor in &ancestors {
        below(ancestor, DESCENDANT);
    }
    if let Some(parent) = ancestors.last() {
        below(parent, CHILD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_by_letters_and_digits() {
        assert_eq!(normal_name("My Co.").as_deref(), Some("myco"));
        assert_eq!(normal_name("ACME-2").as_deref(), Some("acme2"));
        assert_eq!(normal_name("株式会社"), None);
    }
}
