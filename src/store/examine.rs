//! What is looked at when a store is opened: every record's checksum, that every document reads, that none is missing or an older version
//! of itself, and that indexes and documents say the same. Two threads; one pass, no look-ups.

use std::collections::BTreeMap;

use super::digest::{self, Digest};
use super::disk::Disk;
use super::error::StoreError;
use super::{counts, indexes, keys, reads, record};
use crate::documents::json;

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Every checksum, and the sum over all documents: for a database that is bit for bit what was closed. Whether its indexes agree was
    /// settled when they were written.
    Records,
    /// Also that each document reads, and that the indexes say what the documents say.
    Everything,
}

/// What a pass over all records found.
#[derive(Debug, Default)]
pub(super) struct Examined {
    pub(super) digest: Digest,
    /// Bytes of keys and values.
    pub(super) live: u64,
    /// Indexes and documents say the same.
    pub(super) indexes_agree: bool,
}

/// One thread's part.
#[derive(Default)]
struct Part {
    digest: Digest,
    live: u64,
    /// Index entries as the documents ask for them, less those that are there; counts too.
    entries: Digest,
    counts: Counts,
}

/// Counts as the documents ask for them.
#[derive(Default)]
struct Counts {
    /// Documents come in the order of their accounts: the count that grows at present.
    growing: Vec<u8>,
    count: u64,
    /// Accounts come in any order.
    below: BTreeMap<Vec<u8>, u64>,
}

/// A sum of the records that should be, and of those that are: order and place don't matter.
fn entry_weight(key: &[u8], payload: &[u8]) -> u64 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(&[0]);
    hasher.update(payload);
    digest::spread(u64::from(hasher.finalize()) | (payload.len() as u64) << 32)
}

impl Part {
    fn entry_wanted(&mut self, key: &[u8], payload: &[u8]) {
        self.entries.count = self.entries.count.wrapping_add(1);
        self.entries.sum = self.entries.sum.wrapping_add(entry_weight(key, payload));
    }

    fn entry_there(&mut self, key: &[u8], payload: &[u8]) {
        self.entries.count = self.entries.count.wrapping_sub(1);
        self.entries.sum = self.entries.sum.wrapping_sub(entry_weight(key, payload));
    }

    fn note(&mut self, key: &[u8], framed: &[u8]) {
        self.live += (key.len() + framed.len()) as u64;
        if digest::covers(key) {
            self.digest.add(framed);
        }
    }

    fn counted(&mut self, stored: &[u8]) {
        let counts = &mut self.counts;
        let same = counts.growing.get(1..).is_some_and(|growing| {
            let rest = stored.get(1..).and_then(|rest| rest.strip_prefix(growing));
            rest.is_some_and(|rest| rest.first() == Some(&0))
        });
        if !same {
            self.count_is_whole();
            self.counts.growing = counts::counted_by(stored).unwrap_or_default();
        }
        self.counts.count += 1;
    }

    fn count_is_whole(&mut self) {
        let key = std::mem::take(&mut self.counts.growing);
        let count = std::mem::take(&mut self.counts.count);
        if !key.is_empty() && count > 0 {
            self.entry_wanted(&key, &counts::payload(count));
        }
    }

    fn counts_are_whole(&mut self) {
        self.count_is_whole();
        for (key, count) in std::mem::take(&mut self.counts.below) {
            self.entry_wanted(&key, &counts::payload(count));
        }
    }

    fn documents(disk: &Disk, depth: Depth) -> Result<Self, StoreError> {
        let mut part = Self::default();
        for item in disk.raw(keys::DOCUMENTS) {
            let (key, framed) = item?;
            let payload = record::unframe(&key, &framed)?;
            part.note(&key, &framed);
            if depth == Depth::Everything {
                part.document(disk, &key, payload)?;
            }
        }
        part.counts_are_whole();
        Ok(part)
    }

    fn document(&mut self, disk: &Disk, key: &[u8], payload: &[u8]) -> Result<(), StoreError> {
        let damaged = |why: String| StoreError::damaged(keys::describe(key), why);
        let Some(document) = keys::parse_document(key) else {
            return Err(damaged("the key names no document".to_owned()));
        };
        let head = record::read_head(key, payload)?;
        let whole;
        let text = match head.chunks {
            0 => head.json,
            _ => {
                whole = reads::with_chunks(disk, key, payload)?
                    .ok_or_else(|| damaged("parts of it are missing".to_owned()))?;
                whole.json.as_slice()
            }
        };
        let body = json::object(text).map_err(|e| damaged(format!("not readable: {e}")))?;
        self.counted(key);
        for entry in indexes::entries_of(&document, &body) {
            self.entry_wanted(&entry.key, &entry.value);
            if let Some(below) = counts::counted_by(&entry.key) {
                *self.counts.below.entry(below).or_default() += 1;
            }
        }
        Ok(())
    }

    fn others(disk: &Disk) -> Result<Self, StoreError> {
        let mut part = Self::default();
        for tag in (0..=u8::MAX).filter(|tag| [*tag] != *keys::DOCUMENTS) {
            let is_index = keys::is_derived(tag);
            for item in disk.raw(&[tag]) {
                let (key, framed) = item?;
                part.note(&key, &framed);
                match record::unframe(&key, &framed) {
                    Ok(payload) if is_index => part.entry_there(&key, payload),
                    Ok(_) => {}
                    // it won't agree, and is made anew
                    Err(_) if is_index => part.entry_there(&key, b"damaged"),
                    // a resync brings it back, which reading them does
                    Err(_) if tag == b'r' => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(part)
    }
}

/// Reads every record.
///
/// # Errors
/// Damage that costs a document, or may; that documents are missing; the disk.
pub(super) fn examine(disk: &Disk, depth: Depth) -> Result<Examined, StoreError> {
    let (documents, others) = std::thread::scope(|scope| {
        let others = scope.spawn(|| Part::others(disk));
        let documents = Part::documents(disk, depth);
        (documents, others.join())
    });
    let failed = |_| StoreError::damaged("the database", "it can't be read");
    let (documents, others) = (documents?, others.map_err(failed)??);
    let entries = documents.entries.plus(others.entries);
    let examined = Examined {
        digest: documents.digest.plus(others.digest),
        live: documents.live + others.live,
        indexes_agree: depth == Depth::Records || entries == Digest::default(),
    };
    match disk.known_digest() {
        // from before there was a sum
        None => Ok(examined),
        Some(known) if known == examined.digest => Ok(examined),
        Some(known) => Err(StoreError::damaged(
            "the database",
            format!(
                "it should hold {} records of documents and holds {}, or some are not the latest",
                known.count, examined.digest.count
            ),
        )),
    }
}
