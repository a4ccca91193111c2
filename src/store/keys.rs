//! Keys of the one tree. Everything lives in a single tree under a tag byte, because sled applies one batch to one
//! tree as a unit, on disk and for readers; a transaction over several trees re-runs its closure and costs several times that.
//!
//! ```text
//! m name                            what the store knows about itself
//! l slot                            change log, a ring
//! d kind account 0 id               document
//! c kind account 0 id 0 number      further chunks of a large document
//! r user@realm                      registrations of an address of record
//! R realm                           account of a realm
//! a account 0 username              device without a realm of its own
//! A realm 0 username                device with a realm of its own
//! I ip 0 state account 0 id         devices with a static address; state 0 enabled, 1 not
//! N account 0 number 0 id           callflows of a number
//! G number 0 account 0 id           accounts of a number
//! P account 0 id                    patterns of a callflow
//! O account 0 user 0 id             devices of a user
//! ```
//! A device that takes its realm from the account is kept under the account, so that a change of the account's realm
//! moves one entry and not one for each device.

use std::net::IpAddr;

use crate::documents::{DocumentKey, DocumentType};
use crate::types::{AccountId, DocumentId};

/// Longest number, user name or realm that an index holds, in bytes; nothing longer is stored, so nothing longer is found.
pub(super) const TEXT_MAX: usize = 256;

pub(super) const SEQUENCE: &[u8] = b"msequence";
pub(super) const STORE_ID: &[u8] = b"mid";
pub(super) const INDEX_TAGS: &[u8] = b"RaAINGPO";
pub(super) const DOCUMENTS: &[u8] = b"d";
pub(super) const REGISTRATIONS: &[u8] = b"r";

/// Can stand in a key: not too long and without the separator.
pub(super) fn indexable(text: &str) -> bool {
    !text.is_empty() && text.len() <= TEXT_MAX && !text.bytes().any(|b| b == 0)
}

fn join(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|p| p.len() + 1).sum::<usize>();
    let mut key = Vec::with_capacity(1 + length);
    key.push(tag);
    for (position, part) in parts.iter().enumerate() {
        if position > 0 {
            key.push(0);
        }
        key.extend_from_slice(part);
    }
    key
}

pub(super) const fn kind_byte(kind: DocumentType) -> u8 {
    match kind {
        DocumentType::Account => b'1',
        DocumentType::User => b'2',
        DocumentType::Device => b'3',
        DocumentType::Callflow => b'4',
        DocumentType::Connectivity => b'5',
        DocumentType::Number => b'6',
        DocumentType::Resource => b'7',
        DocumentType::Limits => b'8',
        DocumentType::Menu => b'A',
        DocumentType::TemporalRule => b'B',
        DocumentType::Conference => b'C',
        DocumentType::Vmbox => b'D',
        DocumentType::VoicemailMessage => b'E',
        DocumentType::Media => b'F',
        DocumentType::Recording => b'G',
        DocumentType::Directory => b'H',
        DocumentType::List => b'I',
        DocumentType::Group => b'J',
        DocumentType::Webhook => b'K',
        DocumentType::Registration => b'9',
    }
}

fn kind_of(byte: u8) -> Option<DocumentType> {
    DocumentType::ALL
        .iter()
        .copied()
        .find(|kind| kind_byte(*kind) == byte)
}

pub(super) fn document(key: &DocumentKey) -> Vec<u8> {
    document_parts(key.kind, key.account.as_str(), key.id.as_str())
}

pub(super) fn document_parts(kind: DocumentType, account: &str, id: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(3 + account.len() + id.len());
    bytes.push(b'd');
    bytes.push(kind_byte(kind));
    bytes.extend_from_slice(account.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(id.as_bytes());
    bytes
}

/// Prefix of the documents of a kind, or of those of one account.
pub(super) fn documents_of(kind: DocumentType, account: Option<&AccountId>) -> Vec<u8> {
    let mut prefix = vec![b'd', kind_byte(kind)];
    if let Some(account) = account {
        prefix.extend_from_slice(account.as_str().as_bytes());
        prefix.push(0);
    }
    prefix
}

/// The first key behind all that begin with `prefix`.
pub(super) fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

/// The document that a `d` or `c` key belongs to.
pub(super) fn parse_document(key: &[u8]) -> Option<DocumentKey> {
    let (_, rest) = key.split_first()?;
    let (kind, rest) = rest.split_first()?;
    parse_owned(kind_of(*kind)?, rest)
}

fn parse_owned(kind: DocumentType, rest: &[u8]) -> Option<DocumentKey> {
    let mut parts = rest.splitn(3, |b| *b == 0);
    let account = std::str::from_utf8(parts.next()?).ok()?;
    let id = std::str::from_utf8(parts.next()?).ok()?;
    Some(DocumentKey {
        kind,
        account: AccountId::new(account).ok()?,
        id: DocumentId::new(id).ok()?,
    })
}

pub(super) fn chunk(document: &[u8], number: u16) -> Vec<u8> {
    let mut key = Vec::with_capacity(document.len() + 3);
    key.push(b'c');
    key.extend_from_slice(document.get(1..).unwrap_or_default());
    key.push(0);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

pub(super) fn log(slot: u32) -> Vec<u8> {
    join(b'l', &[&slot.to_be_bytes()])
}

pub(super) fn registrations(address_of_record: &str) -> Vec<u8> {
    join(b'r', &[address_of_record.as_bytes()])
}

pub(super) fn realm(realm: &str) -> Vec<u8> {
    join(b'R', &[realm.as_bytes()])
}

pub(super) fn account_username(account: &str, username: &str) -> Vec<u8> {
    join(b'a', &[account.as_bytes(), username.as_bytes()])
}

pub(super) fn realm_username(realm: &str, username: &str) -> Vec<u8> {
    join(b'A', &[realm.as_bytes(), username.as_bytes()])
}

/// Prefix of the devices that name this realm themselves.
pub(super) fn realm_usernames(realm: &str) -> Vec<u8> {
    join(b'A', &[realm.as_bytes(), b""])
}

pub(super) fn ip_prefix(ip: IpAddr) -> Vec<u8> {
    join(b'I', &[ip.to_canonical().to_string().as_bytes(), b""])
}

/// Prefix of all static addresses.
pub(super) fn ips() -> Vec<u8> {
    vec![b'I']
}

/// The address and the device of an `I` key whose device is enabled.
pub(super) fn enabled_at_ip(key: &[u8]) -> Option<(IpAddr, AccountId, DocumentId)> {
    let rest = key.strip_prefix(b"I")?;
    let (ip, rest) = rest.split_at_checked(rest.iter().position(|byte| *byte == 0)?)?;
    let (account, id) = owner(rest.strip_prefix(b"\x000")?)?;
    Some((std::str::from_utf8(ip).ok()?.parse().ok()?, account, id))
}

pub(super) fn ip(ip: IpAddr, enabled: bool, account: &str, id: &str) -> Vec<u8> {
    let mut key = ip_prefix(ip);
    key.push(if enabled { b'0' } else { b'1' });
    key.extend_from_slice(account.as_bytes());
    key.push(0);
    key.extend_from_slice(id.as_bytes());
    key
}

pub(super) fn number_prefix(account: &str, number: &str) -> Vec<u8> {
    join(b'N', &[account.as_bytes(), number.as_bytes(), b""])
}

pub(super) fn number(account: &str, number: &str, id: &str) -> Vec<u8> {
    join(
        b'N',
        &[account.as_bytes(), number.as_bytes(), id.as_bytes()],
    )
}

pub(super) fn global_number_prefix(number: &str) -> Vec<u8> {
    join(b'G', &[number.as_bytes(), b""])
}

pub(super) fn global_number(number: &str, account: &str, id: &str) -> Vec<u8> {
    join(
        b'G',
        &[number.as_bytes(), account.as_bytes(), id.as_bytes()],
    )
}

pub(super) fn patterns_prefix(account: &str) -> Vec<u8> {
    join(b'P', &[account.as_bytes(), b""])
}

pub(super) fn patterns(account: &str, id: &str) -> Vec<u8> {
    join(b'P', &[account.as_bytes(), id.as_bytes()])
}

pub(super) fn owned_prefix(account: &str, user: &str) -> Vec<u8> {
    join(b'O', &[account.as_bytes(), user.as_bytes(), b""])
}

pub(super) fn owned(account: &str, user: &str, id: &str) -> Vec<u8> {
    join(b'O', &[account.as_bytes(), user.as_bytes(), id.as_bytes()])
}

/// Last part of a key, as an id.
pub(super) fn last_id(key: &[u8]) -> Option<DocumentId> {
    let last = key.rsplit(|b| *b == 0).next()?;
    DocumentId::new(std::str::from_utf8(last).ok()?).ok()
}

/// Account and id at the end of a key behind `prefix`.
pub(super) fn owner_behind(prefix: &[u8], key: &[u8]) -> Option<(AccountId, DocumentId)> {
    owner(key.strip_prefix(prefix)?)
}

/// The document that an index entry was made for.
pub(super) fn document_of_index(key: &[u8], payload: &[u8]) -> Option<DocumentKey> {
    let (tag, rest) = key.split_first()?;
    let behind = |separators: usize| rest.splitn(separators + 1, |b| *b == 0).last();
    let at = |position: usize| rest.split(|b| *b == 0).nth(position);
    let named = |kind, account: &[u8], id: &[u8]| {
        let mut owner = account.to_vec();
        owner.push(0);
        owner.extend_from_slice(id);
        parse_owned(kind, &owner)
    };
    match tag {
        b'R' => parse_owned(DocumentType::Account, payload),
        b'a' | b'A' => parse_owned(DocumentType::Device, payload),
        b'I' => parse_owned(DocumentType::Device, behind(1)?.get(1..)?),
        b'N' => named(DocumentType::Callflow, at(0)?, at(2)?),
        b'G' => parse_owned(DocumentType::Callflow, behind(1)?),
        b'P' => parse_owned(DocumentType::Callflow, rest),
        b'O' => named(DocumentType::Device, at(0)?, at(2)?),
        _ => None,
    }
}

/// `account 0 id`, as the values of unique indexes hold it.
pub(super) fn owner(value: &[u8]) -> Option<(AccountId, DocumentId)> {
    let found = parse_owned(DocumentType::Device, value)?;
    Some((found.account, found.id))
}

pub(super) fn owner_value(account: &str, id: &str) -> Vec<u8> {
    let mut value = Vec::with_capacity(account.len() + id.len() + 1);
    value.extend_from_slice(account.as_bytes());
    value.push(0);
    value.extend_from_slice(id.as_bytes());
    value
}

/// What a cached look-up over this index entry is filed under: the part of the key that the look-up knows.
pub(super) fn asked_by(key: &[u8]) -> &[u8] {
    let separators = match key.first() {
        Some(b'I' | b'G' | b'P') => 1,
        Some(b'N' | b'O') => 2,
        _ => return key,
    };
    let end = key
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == 0)
        .nth(separators - 1)
        .map_or(key.len(), |(position, _)| position + 1);
    key.get(..end).unwrap_or(key)
}

/// A key for people.
pub(super) fn describe(key: &[u8]) -> String {
    match (key.first(), parse_document(key)) {
        (Some(b'd'), Some(document)) => document.to_string(),
        (Some(b'c'), Some(document)) => format!("a chunk of {document}"),
        (Some(tag), _) => {
            let rest = key.get(1..).unwrap_or_default();
            let text = String::from_utf8_lossy(rest).replace('\0', "/");
            let what = match tag {
                b'm' => "the store's own record",
                b'l' => "change log slot",
                b'r' => "registrations of",
                _ => "index entry",
            };
            format!("{what} {}", text.escape_debug())
        }
        (None, _) => "an empty key".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_key_is_read_back() {
        for kind in DocumentType::ALL {
            let key = DocumentKey {
                kind: *kind,
                account: AccountId::new("acc~1").unwrap(),
                id: DocumentId::new("a@b+c").unwrap(),
            };
            assert_eq!(parse_document(&document(&key)).as_ref(), Some(&key));
            assert_eq!(
                parse_document(&chunk(&document(&key), 256)).as_ref(),
                Some(&key)
            );
        }
    }

    #[test]
    fn a_look_up_is_filed_under_what_it_knows() {
        assert_eq!(
            asked_by(&number("a", "100", "f1")),
            number_prefix("a", "100")
        );
        assert_eq!(
            asked_by(&global_number("100", "a", "f1")),
            global_number_prefix("100")
        );
        assert_eq!(asked_by(&owned("a", "u", "d")), owned_prefix("a", "u"));
        assert_eq!(asked_by(&patterns("a", "f1")), patterns_prefix("a"));
        let address = "192.0.2.1".parse().unwrap();
        assert_eq!(asked_by(&ip(address, true, "a", "d")), ip_prefix(address));
        assert_eq!(asked_by(&realm("r")), realm("r"));
        assert_eq!(
            asked_by(&realm_username("r", "u")),
            realm_username("r", "u")
        );
    }

    #[test]
    fn what_would_break_a_key_is_not_indexable() {
        assert!(indexable("+14155550100"));
        assert!(!indexable(""));
        assert!(!indexable("1\0f"));
        assert!(!indexable(&"1".repeat(TEXT_MAX + 1)));
    }

    #[test]
    fn an_ipv4_address_in_ipv6_clothes_is_the_same_address() {
        assert_eq!(
            ip_prefix("::ffff:192.0.2.1".parse().unwrap()),
            ip_prefix("192.0.2.1".parse().unwrap())
        );
    }
}
