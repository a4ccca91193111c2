//! Users: login name, hotdesk id, credentials, place in lists.

use serde_json::{Map, Value};

use super::entry::{IndexEntry, Rivals};
use super::fields::{digits, sort_text, strings, text, word};
use crate::documents::DocumentKey;
use crate::store::index_keys::{self, CREDENTIALS, HOTDESK, USERNAME};
use crate::store::keys;

pub(super) fn entries(key: &DocumentKey, body: &Map<String, Value>, entries: &mut Vec<IndexEntry>) {
    let (account, id) = (key.account.as_str(), key.id.as_str());
    let mut unique = |tag: u8, field: &'static str, value: String| {
        let rivals = Rivals::Under(index_keys::under(tag, &[account, &value]));
        let entry = index_keys::entry(tag, &[account, &value, id]);
        entries.push(IndexEntry::by_rule(entry, field, value, vec![rivals]));
    };
    if let Some(username) = word(body, &["username"]) {
        unique(USERNAME, "username", username.to_lowercase());
    }
    if let Some(hotdesk) = digits(body, &["hotdesk", "id"]) {
        unique(HOTDESK, "hotdesk.id", hotdesk);
    }
    for hash in strings(body, &["pvt_credentials"]).filter(|hash| keys::indexable(hash)) {
        let entry = index_keys::entry(CREDENTIALS, &[account, hash, id]);
        entries.push(IndexEntry::shared(entry));
    }
    let name = |field: &str| text(body, &[field]).unwrap_or_default();
    let sort = format!("{} {}", name("last_name"), name("first_name"));
    entries.push(super::listed(key, &sort_text(&sort)));
}
