//! Devices: the address under which they register or from which they call, MAC address, owners.

use serde_json::{Map, Value};

use super::entry::{IndexEntry, Rivals, Unique};
use super::fields::{parse_ip, text, word};
use crate::documents::{DocumentKey, DocumentType};
use crate::store::index_keys::{
    self, ACCOUNT_USERNAME, MAC, OWN_REALM_USERNAME, OWNED, REALM_USERNAME, SERVER_USER,
};
use crate::store::keys;

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

/// The twelve digits of a MAC address in any notation; anything else is compared by no one (api spec 4.3).
fn mac_of(text: &str) -> Option<String> {
    let separators = [':', '-', '.', ' '];
    let digits: String = text
        .chars()
        .filter(|c| !separators.contains(c))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let is_mac = digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_mac.then_some(digits)
}

pub(super) fn entries(key: &DocumentKey, body: &Map<String, Value>, entries: &mut Vec<IndexEntry>) {
    let (account, id) = (key.account.as_str(), key.id.as_str());
    address(key, body, entries);
    if let Some(ip) = text(body, &["sip", "ip"]).and_then(parse_ip) {
        let enabled = body.get("enabled").and_then(Value::as_bool).unwrap_or(true);
        let method = text(body, &["sip", "method"]).unwrap_or_default();
        let trusted = enabled && method.trim().eq_ignore_ascii_case("ip");
        let unique = trusted.then(|| {
            Box::new(Unique {
                field: "sip.ip".into(),
                value: ip.to_string(),
                always: Some(Rivals::Under(index_keys::trusted_at(ip))),
                api: vec![Rivals::Under(index_keys::server_ips(ip))],
            })
        });
        entries.push(IndexEntry {
            key: index_keys::device_ip(ip, trusted, account, id),
            value: Vec::new(),
            unique,
        });
    }
    if let Some(mac) = text(body, &["mac_address"]).and_then(mac_of) {
        let rivals = Rivals::Under(index_keys::under(MAC, &[account, &mac]));
        let entry = index_keys::entry(MAC, &[account, &mac, id]);
        let value = text(body, &["mac_address"]).unwrap_or_default();
        entries.push(IndexEntry::by_rule(
            entry,
            "mac_address",
            value,
            vec![rivals],
        ));
    }
    for user in users_of(body).into_iter().filter(|u| keys::indexable(u)) {
        let entry = index_keys::entry(OWNED, &[account, user, id]);
        entries.push(IndexEntry::shared(entry));
    }
}

/// A device that takes its realm from the account is filed under the account, so that a change of the account's realm moves one entry and not
/// one for each device.
fn address(key: &DocumentKey, body: &Map<String, Value>, entries: &mut Vec<IndexEntry>) {
    let (account, id) = (key.account.as_str(), key.id.as_str());
    let Some(written) = word(body, &["sip", "username"]) else {
        return;
    };
    let username = &written.to_lowercase();
    let owner = keys::owner_value(account, id);
    let in_account = index_keys::entry(ACCOUNT_USERNAME, &[account, username]);
    let own_realms = Rivals::Under(index_keys::under(OWN_REALM_USERNAME, &[account, username]));
    let servers = Rivals::Under(index_keys::under(SERVER_USER, &[account, username]));
    match super::realm_of(DocumentType::Device, body) {
        None => entries.push(IndexEntry::single(
            in_account,
            owner,
            "sip.username",
            written,
            vec![own_realms, servers],
        )),
        Some(realm) => {
            entries.push(IndexEntry::single(
                index_keys::entry(REALM_USERNAME, &[&realm, username]),
                owner,
                "sip.username",
                written,
                Vec::new(),
            ));
            let rivals = vec![Rivals::At(in_account), own_realms, servers];
            let entry = index_keys::entry(OWN_REALM_USERNAME, &[account, username, id]);
            entries.push(IndexEntry::by_rule(entry, "sip.username", written, rivals));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_address_in_any_notation() {
        for text in [
            "00:04:F2:ab:7e:fd",
            "0004f2ab7efd",
            "00-04-F2-AB-7E-FD",
            "0004.f2ab.7efd",
        ] {
            assert_eq!(mac_of(text).as_deref(), Some("0004f2ab7efd"), "{text}");
        }
        for text in ["", "0004f2ab7ef", "0004f2ab7efdx", "00:04:f2:ab:7e:fg"] {
            assert_eq!(mac_of(text), None, "{text}");
        }
    }
}
