//! Keys of the one tree. Everything lives in a single tree under a tag byte, because sled applies one batch to one
//! tree as a unit, on disk and for readers; a transaction over several trees re-runs its closure and costs several times that.
//!
//! ```text
//! m name                            what the store knows about itself
//! l slot                            change log, a ring
//! d kind account 0 id               document
//! c kind account 0 id 0 number      further chunks of a large document
//! r user@realm                      registrations of an address of record
//! h kind account 0 id 0 count part  history of a document
//! x slot                            deleted documents whose history is kept, a ring
//! k kind account                    counts, see `counts`
//! any other                         index entries, see `index_keys`
//! ```

use std::ops::Bound;

pub(super) use super::index_keys::document_of as document_of_index;
use super::{counts, index_keys};
use crate::documents::{DocumentKey, DocumentType};
use crate::types::{AccountId, DocumentId};

/// Longest number, user name or realm that an index holds, in bytes; nothing longer is stored, so nothing longer is found.
pub(super) const TEXT_MAX: usize = 256;

pub(super) const SEQUENCE: &[u8] = b"msequence";
pub(super) const STORE_ID: &[u8] = b"mid";
/// Which indexes there are; see [`super::indexes::VERSION`].
pub(super) const INDEXES: &[u8] = b"mindexes";
/// How many documents were deleted whose history was kept.
pub(super) const DELETED: &[u8] = b"mdeleted";
/// The tags of all index entries.
pub(super) const INDEX_TAGS: &[u8] = b"RaAnINGPQOMKXTSUHCEWVvJDBFgY";
pub(super) const DOCUMENTS: &[u8] = b"d";
pub(super) const REGISTRATIONS: &[u8] = b"r";

/// Whether records with this tag say only what documents say, and can be made anew from them.
pub(super) fn is_derived(tag: u8) -> bool {
    tag == counts::TAG || INDEX_TAGS.contains(&tag)
}

/// Can stand in a key: not too long and without the separator.
pub(super) fn indexable(text: &str) -> bool {
    !text.is_empty() && text.len() <= TEXT_MAX && !text.bytes().any(|b| b == 0)
}

pub(super) fn join(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
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

pub(super) fn kind_of(byte: u8) -> Option<DocumentType> {
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

/// All keys that begin with `prefix`.
pub(super) fn range_of(prefix: &[u8]) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let end = Bound::Excluded(end_of(prefix));
    (Bound::Included(prefix.to_vec()), end)
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

pub(super) fn parse_owned(kind: DocumentType, rest: &[u8]) -> Option<DocumentKey> {
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

/// Prefix of the history of the document under a `d` key.
pub(super) fn history(document: &[u8]) -> Vec<u8> {
    join(b'h', &[document.get(1..).unwrap_or_default(), b""])
}

pub(super) fn history_part(history: &[u8], count: u64, part: u16) -> Vec<u8> {
    [history, &count.to_be_bytes(), &part.to_be_bytes()].concat()
}

/// The end of a key that [`history_part`] made.
pub(super) fn count_and_part(history: &[u8], key: &[u8]) -> Option<(u64, u16)> {
    let (count, part) = key.strip_prefix(history)?.split_first_chunk::<8>()?;
    let part = <[u8; 2]>::try_from(part).ok()?;
    Some((u64::from_be_bytes(*count), u16::from_be_bytes(part)))
}

/// A place in the ring of deleted documents.
pub(super) fn deleted(slot: u64) -> Vec<u8> {
    join(b'x', &[&slot.to_be_bytes()])
}

pub(super) fn log(slot: u32) -> Vec<u8> {
    join(b'l', &[&slot.to_be_bytes()])
}

pub(super) fn registrations(address_of_record: &str) -> Vec<u8> {
    join(b'r', &[address_of_record.as_bytes()])
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

/// What a cached look-up over the record of this key is filed under: the part of the key that the look-up knows.
pub(super) fn asked_by(key: &[u8]) -> &[u8] {
    let together = [DocumentType::Resource, DocumentType::Connectivity].map(kind_byte);
    if let [b'd', kind, ..] = key
        && together.contains(kind)
    {
        // all carriers or trunks of an account are asked for at once
        let account = key.iter().position(|byte| *byte == 0);
        return account.and_then(|end| key.get(..=end)).unwrap_or(key);
    }
    index_keys::asked_by(key)
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
                b'h' => "history of",
                b'x' => "deleted document",
                b'k' => "count of",
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
    fn what_would_break_a_key_is_not_indexable() {
        assert!(indexable("+14155550100"));
        assert!(!indexable(""));
        assert!(!indexable("1\0f"));
        assert!(!indexable(&"1".repeat(TEXT_MAX + 1)));
    }
}
