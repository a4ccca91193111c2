//! Connectivity documents: who their servers are, and the numbers that lead to them.

use serde_json::{Map, Value};

use super::entry::{IndexEntry, Rivals};
use super::fields::{objects, parse_ip, text, word};
use crate::documents::DocumentKey;
use crate::store::index_keys::{
    self, ACCOUNT_USERNAME, DID, OWN_REALM_USERNAME, SERVER_REALM_USER, SERVER_USER, position,
};
use crate::store::keys;
use crate::types;

pub(super) fn entries(key: &DocumentKey, body: &Map<String, Value>, entries: &mut Vec<IndexEntry>) {
    for (index, server) in objects(body, "servers") {
        let method = text(server, &["auth", "auth_method"]).unwrap_or_default();
        match method.trim().eq_ignore_ascii_case("ip") {
            true => by_address(key, index, server, entries),
            false => by_password(key, body, index, server, entries),
        }
        let numbers = server.get("DIDs").and_then(Value::as_object);
        for number in numbers.into_iter().flat_map(Map::keys) {
            let number = types::e164(number);
            if keys::indexable(&number) {
                let (account, id) = (key.account.as_str(), key.id.as_str());
                let entry = index_keys::entry(DID, &[&number, account, id, &position(index)]);
                entries.push(IndexEntry::shared(entry));
            }
        }
    }
}

fn by_password(
    key: &DocumentKey,
    body: &Map<String, Value>,
    index: usize,
    server: &Map<String, Value>,
    entries: &mut Vec<IndexEntry>,
) {
    let (account, id) = (key.account.as_str(), key.id.as_str());
    let Some(written) = word(server, &["auth", "auth_user"]) else {
        return;
    };
    let username = &written.to_lowercase();
    let position = position(index);
    let rivals = vec![
        Rivals::Under(index_keys::under(SERVER_USER, &[account, username])),
        Rivals::At(index_keys::entry(ACCOUNT_USERNAME, &[account, username])),
        Rivals::Under(index_keys::under(OWN_REALM_USERNAME, &[account, username])),
    ];
    let entry = index_keys::entry(SERVER_USER, &[account, username, id, &position]);
    let field = format!("servers.{index}.auth.auth_user");
    entries.push(IndexEntry::by_rule(entry, field, written, rivals));
    // the account's realm as it was when the document was written; the account has the last word
    if let Some(realm) = word(body, &["account", "auth_realm"]) {
        let realm = realm.to_lowercase();
        let parts = [realm.as_str(), username, account, id, &position];
        let entry = index_keys::entry(SERVER_REALM_USER, &parts);
        entries.push(IndexEntry::shared(entry));
    }
}

/// Several servers of one account may be behind one address, told apart by their numbers; another account's may not, nor a device.
fn by_address(
    key: &DocumentKey,
    index: usize,
    server: &Map<String, Value>,
    entries: &mut Vec<IndexEntry>,
) {
    let (account, id) = (key.account.as_str(), key.id.as_str());
    let places = ["auth", "options"];
    let found = places.iter().find_map(|place| {
        let written = text(server, &[place, "ip"]).filter(|ip| !ip.trim().is_empty())?;
        Some((*place, written))
    });
    let Some((place, ip)) = found.and_then(|(place, ip)| Some((place, parse_ip(ip)?))) else {
        return;
    };
    let prefix = index_keys::server_ips(ip);
    let own = [prefix.as_slice(), account.as_bytes(), b"\0"].concat();
    let rivals = vec![
        Rivals::Outside { prefix, own },
        Rivals::Under(index_keys::trusted_at(ip)),
    ];
    let entry = index_keys::server_ip(ip, account, id, index);
    let field = format!("servers.{index}.{place}.ip");
    entries.push(IndexEntry::by_rule(entry, field, ip.to_string(), rivals));
}
