//! Keys of index entries: a tag, then parts with a zero byte between them. What the parts are stands in one table, so that building,
//! reading, caching and describing them can't disagree.

use std::net::IpAddr;

use super::keys::{join, kind_of, parse_owned};
use crate::documents::{DocumentKey, DocumentType};
use crate::types::{AccountId, DocumentId};

/// Kind of the document that an entry was made for.
enum Kind {
    Is(DocumentType),
    /// The first byte behind the tag says it.
    InKey,
}

/// Where an entry says whose it is.
enum Owner {
    /// In the payload, `account 0 id`: the key itself is what only one document may have.
    Payload,
    /// In these parts of the key.
    Parts { account: usize, id: usize },
}

/// One index.
struct Layout {
    tag: u8,
    kind: Kind,
    owner: Owner,
    /// Leading parts that a look-up knows; a cached answer is filed under them. None: the whole key, or nobody caches.
    known: Option<usize>,
}

const fn shared(
    tag: u8,
    kind: DocumentType,
    account: usize,
    id: usize,
    known: Option<usize>,
) -> Layout {
    Layout {
        tag,
        kind: Kind::Is(kind),
        owner: Owner::Parts { account, id },
        known,
    }
}

const fn single(tag: u8, kind: DocumentType) -> Layout {
    Layout {
        tag,
        kind: Kind::Is(kind),
        owner: Owner::Payload,
        known: None,
    }
}

pub(super) const REALM: u8 = b'R';
pub(super) const ACCOUNT_USERNAME: u8 = b'a';
pub(super) const REALM_USERNAME: u8 = b'A';
pub(super) const DEVICE_IP: u8 = b'I';
pub(super) const NUMBER: u8 = b'N';
pub(super) const NUMBER_ANYWHERE: u8 = b'G';
pub(super) const PATTERNS: u8 = b'P';
pub(super) const PATTERN: u8 = b'Q';
pub(super) const OWNED: u8 = b'O';
pub(super) const NAME: u8 = b'M';
pub(super) const API_KEY: u8 = b'K';
pub(super) const MASTER: u8 = b'X';
pub(super) const TREE: u8 = b'T';
pub(super) const ORDER: u8 = b'S';
pub(super) const USERNAME: u8 = b'U';
pub(super) const HOTDESK: u8 = b'H';
pub(super) const CREDENTIALS: u8 = b'C';
pub(super) const MAC: u8 = b'E';
pub(super) const OWN_REALM_USERNAME: u8 = b'W';
pub(super) const SERVER_USER: u8 = b'V';
pub(super) const SERVER_REALM_USER: u8 = b'v';
pub(super) const SERVER_IP: u8 = b'J';
pub(super) const DID: u8 = b'D';
pub(super) const RECORD: u8 = b'n';
pub(super) const MAILBOX: u8 = b'B';
pub(super) const CONFERENCE: u8 = b'F';
pub(super) const GATEWAY: u8 = b'g';
pub(super) const MESSAGE: u8 = b'Y';

const LAYOUTS: &[Layout] = &[
    // R realm -> owner
    single(REALM, DocumentType::Account),
    // a account, username -> owner; a device without a realm of its own
    single(ACCOUNT_USERNAME, DocumentType::Device),
    // A realm, username -> owner; a device with a realm of its own
    single(REALM_USERNAME, DocumentType::Device),
    // n number -> owner
    single(RECORD, DocumentType::Number),
    // I ip, state and account, id; state 0: a call from there is this device's, 1: not
    shared(DEVICE_IP, DocumentType::Device, 1, 2, Some(1)),
    // N account, number, id
    shared(NUMBER, DocumentType::Callflow, 0, 2, Some(2)),
    // G number, account, id
    shared(NUMBER_ANYWHERE, DocumentType::Callflow, 1, 2, Some(1)),
    // P account, id: all patterns of a callflow in the payload
    shared(PATTERNS, DocumentType::Callflow, 0, 1, Some(1)),
    // Q account, pattern, id
    shared(PATTERN, DocumentType::Callflow, 0, 2, None),
    // O account, user, id: devices of a user
    shared(OWNED, DocumentType::Device, 0, 2, Some(2)),
    // M normal name, account
    shared(NAME, DocumentType::Account, 1, 1, Some(1)),
    // K hash, account
    shared(API_KEY, DocumentType::Account, 1, 1, Some(1)),
    // X account
    shared(MASTER, DocumentType::Account, 0, 0, Some(0)),
    // T ancestor, depth, name, account
    shared(TREE, DocumentType::Account, 3, 3, None),
    // S kind and account, sort, id
    Layout {
        tag: ORDER,
        kind: Kind::InKey,
        owner: Owner::Parts { account: 0, id: 2 },
        known: None,
    },
    // U account, username, id
    shared(USERNAME, DocumentType::User, 0, 2, Some(2)),
    // H account, hotdesk id, id
    shared(HOTDESK, DocumentType::User, 0, 2, Some(2)),
    // C account, hash, id
    shared(CREDENTIALS, DocumentType::User, 0, 2, Some(2)),
    // E account, MAC, id
    shared(MAC, DocumentType::Device, 0, 2, None),
    // W account, username, id; a device with a realm of its own
    shared(OWN_REALM_USERNAME, DocumentType::Device, 0, 2, None),
    // V account, username, id, server
    shared(SERVER_USER, DocumentType::Connectivity, 0, 2, Some(2)),
    // v realm, username, account, id, server
    shared(SERVER_REALM_USER, DocumentType::Connectivity, 2, 3, Some(2)),
    // J ip, account, id, server
    shared(SERVER_IP, DocumentType::Connectivity, 1, 2, Some(1)),
    // D number, account, id, server
    shared(DID, DocumentType::Connectivity, 1, 2, Some(1)),
    // B account, mailbox, id
    shared(MAILBOX, DocumentType::Vmbox, 0, 2, Some(2)),
    // F account, number, id
    shared(CONFERENCE, DocumentType::Conference, 0, 2, Some(2)),
    // g server, account, id
    shared(GATEWAY, DocumentType::Resource, 1, 2, None),
    // Y account, mailbox's id, deleted or not, id
    shared(MESSAGE, DocumentType::VoicemailMessage, 0, 3, None),
];

fn layout(key: &[u8]) -> Option<&'static Layout> {
    let tag = key.first()?;
    LAYOUTS.iter().find(|layout| layout.tag == *tag)
}

/// The tags of all indexes.
pub(super) fn tags() -> impl Iterator<Item = u8> {
    LAYOUTS.iter().map(|layout| layout.tag)
}

pub(super) fn is_index(key: &[u8]) -> bool {
    layout(key).is_some()
}

/// A whole key.
pub(super) fn entry(tag: u8, parts: &[&str]) -> Vec<u8> {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    join(tag, &parts)
}

/// What all keys with these first parts begin with.
pub(super) fn under(tag: u8, parts: &[&str]) -> Vec<u8> {
    let mut key = entry(tag, parts);
    if !parts.is_empty() {
        key.push(0);
    }
    key
}

/// The parts of a key, as text.
pub(super) fn parts(key: &[u8]) -> impl DoubleEndedIterator<Item = &str> {
    let rest = key.get(1..).unwrap_or_default();
    rest.split(|byte| *byte == 0)
        .map(|part| std::str::from_utf8(part).unwrap_or_default())
}

/// The document that an index entry was made for.
pub(super) fn document_of(key: &[u8], payload: &[u8]) -> Option<DocumentKey> {
    let layout = layout(key)?;
    let (kind, key) = match layout.kind {
        Kind::Is(kind) => (kind, key),
        Kind::InKey => (kind_of(*key.get(1)?)?, key.get(1..)?),
    };
    let (account, id) = match layout.owner {
        Owner::Payload => return parse_owned(kind, payload),
        Owner::Parts { account, id } => (parts(key).nth(account)?, parts(key).nth(id)?),
    };
    // the state of an address stands before its account
    let account = match layout.tag {
        DEVICE_IP => account.get(1..)?,
        _ => account,
    };
    Some(DocumentKey {
        kind,
        account: AccountId::new(account).ok()?,
        id: DocumentId::new(id).ok()?,
    })
}

/// What a cached look-up over this index entry is filed under: the part of the key that the look-up knows.
pub(super) fn asked_by(key: &[u8]) -> &[u8] {
    let Some(known) = layout(key).and_then(|layout| layout.known) else {
        return key;
    };
    if known == 0 {
        return key.get(..1).unwrap_or(key);
    }
    let separators = key.iter().enumerate().filter(|(_, byte)| **byte == 0);
    let end = separators.map(|(position, _)| position + 1).nth(known - 1);
    end.and_then(|end| key.get(..end)).unwrap_or(key)
}

fn address(ip: IpAddr) -> String {
    ip.to_canonical().to_string()
}

/// Everything filed under an address of a device.
pub(super) fn device_ips(ip: IpAddr) -> Vec<u8> {
    under(DEVICE_IP, &[&address(ip)])
}

/// Devices whose calls come from an address.
pub(super) fn trusted_at(ip: IpAddr) -> Vec<u8> {
    let mut prefix = device_ips(ip);
    prefix.push(b'0');
    prefix
}

pub(super) fn device_ip(ip: IpAddr, trusted: bool, account: &str, id: &str) -> Vec<u8> {
    let state = if trusted { '0' } else { '1' };
    entry(DEVICE_IP, &[&address(ip), &format!("{state}{account}"), id])
}

/// Address and device of a `I` key, if calls from there are the device's.
pub(super) fn trusted_device(key: &[u8]) -> Option<(IpAddr, AccountId, DocumentId)> {
    let mut parts = parts(key);
    let ip = parts.next()?.parse().ok()?;
    parts.next()?.strip_prefix('0')?;
    let device = document_of(key, &[])?;
    Some((ip, device.account, device.id))
}

pub(super) fn server_ips(ip: IpAddr) -> Vec<u8> {
    under(SERVER_IP, &[&address(ip)])
}

pub(super) fn server_ip(ip: IpAddr, account: &str, id: &str, server: usize) -> Vec<u8> {
    entry(SERVER_IP, &[&address(ip), account, id, &position(server)])
}

/// The position of a server within its document, so that keys are in its order.
pub(super) fn position(server: usize) -> String {
    format!("{server:05}")
}

/// Account, document and position of the server that an entry ends with.
pub(super) fn server_of(key: &[u8]) -> Option<(AccountId, DocumentId, usize)> {
    let document = document_of(key, &[])?;
    let position = parts(key).next_back()?.parse().ok()?;
    Some((document.account, document.id, position))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tag_is_one_index_and_nothing_else() {
        let mut all: Vec<u8> = tags().collect();
        assert_eq!(all, crate::store::keys::INDEX_TAGS);
        all.extend(b"dclmrhxk");
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn an_entry_names_its_document() {
        let named = |key: &[u8]| document_of(key, b"").map(|key| key.to_string());
        let ip = "192.0.2.1".parse().unwrap();
        let cases = [
            (device_ip(ip, true, "acc", "d"), "device acc/d"),
            (server_ip(ip, "acc", "c", 3), "connectivity acc/c"),
            (entry(NUMBER, &["acc", "100", "f"]), "callflow acc/f"),
            (entry(NAME, &["myco", "acc"]), "account acc/acc"),
            (entry(MASTER, &["acc"]), "account acc/acc"),
            (
                entry(TREE, &["top", "c", "my co", "acc"]),
                "account acc/acc",
            ),
            (entry(ORDER, &["2acc", "smith john", "u"]), "user acc/u"),
            (
                entry(SERVER_REALM_USER, &["r", "u", "acc", "c", "00001"]),
                "connectivity acc/c",
            ),
        ];
        for (key, document) in cases {
            assert_eq!(named(&key).as_deref(), Some(document));
        }
        let owner = document_of(&entry(REALM, &["r"]), b"acc\0acc");
        assert_eq!(owner.unwrap().to_string(), "account acc/acc");
    }

    #[test]
    fn a_look_up_is_filed_under_what_it_knows() {
        let ip = "192.0.2.1".parse().unwrap();
        let cases = [
            (entry(NUMBER, &["a", "1", "f"]), under(NUMBER, &["a", "1"])),
            (
                entry(NUMBER_ANYWHERE, &["1", "a", "f"]),
                under(NUMBER_ANYWHERE, &["1"]),
            ),
            (entry(PATTERNS, &["a", "f"]), under(PATTERNS, &["a"])),
            (device_ip(ip, true, "a", "d"), device_ips(ip)),
            (server_ip(ip, "a", "d", 0), server_ips(ip)),
            (entry(MASTER, &["a"]), under(MASTER, &[])),
            (entry(REALM, &["r"]), entry(REALM, &["r"])),
        ];
        for (key, asked) in cases {
            assert_eq!(asked_by(&key), asked);
        }
    }

    #[test]
    fn an_ipv4_address_in_ipv6_clothes_is_the_same_address() {
        assert_eq!(
            device_ips("::ffff:192.0.2.1".parse().unwrap()),
            device_ips("192.0.2.1".parse().unwrap())
        );
    }
}
