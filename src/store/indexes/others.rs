//! Kinds with little to find them by: mailboxes, conferences, numbers, carriers, recordings.

use serde_json::{Map, Value};

use super::entry::{IndexEntry, Rivals};
use super::fields::{digits, objects, parse_ip, sort_text, strings, text, word};
use crate::documents::DocumentKey;
use crate::store::index_keys::{self, CONFERENCE, GATEWAY, MAILBOX, MESSAGE, RECORD};
use crate::store::keys;

pub(super) fn vmbox(key: &DocumentKey, body: &Map<String, Value>, entries: &mut Vec<IndexEntry>) {
    let (account, id) = (key.account.as_str(), key.id.as_str());
    if let Some(mailbox) = digits(body, &["mailbox"]) {
        let rivals = Rivals::Under(index_keys::under(MAILBOX, &[account, &mailbox]));
        let entry = index_keys::entry(MAILBOX, &[account, &mailbox, id]);
        entries.push(IndexEntry::by_rule(entry, "mailbox", mailbox, vec![rivals]));
    }
    let name = text(body, &["name"]).unwrap_or_default();
    entries.push(super::listed(key, &sort_text(name)));
}

/// Numbers of a conference, wherever the document has them.
pub(super) fn conference(
    key: &DocumentKey,
    body: &Map<String, Value>,
    entries: &mut Vec<IndexEntry>,
) {
    let (account, id) = (key.account.as_str(), key.id.as_str());
    let places: [&[&str]; 3] = [
        &["conference_numbers"],
        &["member", "numbers"],
        &["moderator", "numbers"],
    ];
    for number in places.into_iter().flat_map(|place| strings(body, place)) {
        if keys::indexable(number) {
            let rivals = Rivals::Under(index_keys::under(CONFERENCE, &[account, number]));
            let entry = index_keys::entry(CONFERENCE, &[account, number, id]);
            entries.push(IndexEntry::by_rule(entry, "numbers", number, vec![rivals]));
        }
    }
}

/// A number belongs to one account of the installation.
pub(super) fn number(key: &DocumentKey, entries: &mut Vec<IndexEntry>) {
    let (account, id) = (key.account.as_str(), key.id.as_str());
    let owner = keys::owner_value(account, id);
    let entry = index_keys::entry(RECORD, &[id]);
    entries.push(IndexEntry::single(entry, owner, "id", id, Vec::new()));
}

/// Two carriers of the installation behind one address could not be told apart by their calls.
pub(super) fn resource(
    key: &DocumentKey,
    body: &Map<String, Value>,
    entries: &mut Vec<IndexEntry>,
) {
    let (account, id) = (key.account.as_str(), key.id.as_str());
    if !key.account.is_installation() {
        return;
    }
    for (index, gateway) in objects(body, "gateways") {
        let Some(ip) = text(gateway, &["server"]).and_then(parse_ip) else {
            continue;
        };
        let ip = ip.to_string();
        let rivals = Rivals::Under(index_keys::under(GATEWAY, &[&ip]));
        let entry = index_keys::entry(GATEWAY, &[&ip, account, id]);
        let field = format!("gateways.{index}.server");
        entries.push(IndexEntry::by_rule(entry, field, ip, vec![rivals]));
    }
}

/// What the keys of a mailbox's messages begin with, those that are deleted apart.
pub(in crate::store) fn lies_in(account: &str, vmbox: &str, deleted: bool) -> Vec<u8> {
    let state = if deleted { "1" } else { "0" };
    index_keys::under(MESSAGE, &[account, vmbox, state])
}

pub(super) fn message(key: &DocumentKey, body: &Map<String, Value>, entries: &mut Vec<IndexEntry>) {
    let deleted = text(body, &["folder"]) == Some("deleted");
    if let Some(vmbox) = word(body, &["vmbox_id"]) {
        let mut place = lies_in(key.account.as_str(), vmbox, deleted);
        place.extend_from_slice(key.id.as_str().as_bytes());
        entries.push(IndexEntry::shared(place));
    }
}

/// By the second at which it began, else at which it was filed.
pub(super) fn recording(
    key: &DocumentKey,
    body: &Map<String, Value>,
    entries: &mut Vec<IndexEntry>,
) {
    let seconds = |field: &str| body.get(field).and_then(Value::as_u64);
    let time = seconds("start").or_else(|| seconds("pvt_created"));
    let sort = format!("{:012}", time.unwrap_or_default());
    entries.push(super::listed(key, &sort));
}
