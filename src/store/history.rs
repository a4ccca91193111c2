//! What a document was before each of its writes, who wrote and when: in the same batch as the write, bounded per document.
//!
//! ```text
//! part 0:      length of the header (2, LE) | header as JSON | first part of the document before, as JSON
//! other parts: the rest of it
//! ```
//! A record is no larger than a document's (see [`record::CHUNK`]). What was deleted keeps its history until as many others were deleted as
//! [`DELETED_KEPT`] says, so that what comes and goes does not fill the disk.

use serde::{Deserialize, Serialize};

use super::change::{Author, HistoryEntry, Revision};
use super::core::Core;
use super::disk::Disk;
use super::error::StoreError;
use super::view::View;
use super::{keys, record};
use crate::documents::{DocumentKey, DocumentType, json};

/// Deleted documents that can still be brought back.
pub(super) const DELETED_KEPT: u64 = if cfg!(test) { 20 } else { 10_000 };

#[derive(Serialize, Deserialize)]
struct Header {
    sequence: u64,
    at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    author: Option<Author>,
    deleted: bool,
    /// There was a document before.
    before: bool,
    /// Records behind the first.
    parts: u16,
}

/// A write to be remembered.
pub(super) struct Event<'a> {
    pub revision: Revision,
    /// Unix seconds.
    pub at: i64,
    pub author: Option<&'a Author>,
    pub deleted: bool,
    pub before: Option<&'a [u8]>,
}

/// Calls write recordings and messages, in great numbers; their files are gone when they are.
pub(super) const fn is_kept(kind: DocumentType) -> bool {
    !matches!(
        kind,
        DocumentType::Recording | DocumentType::VoicemailMessage | DocumentType::Registration
    )
}

/// How often a document that is not there was written, as far as its history tells.
///
/// # Errors
/// The disk, or a damaged record.
pub(super) fn last_count(disk: &Disk, document: &[u8]) -> Result<u64, StoreError> {
    Ok(last(disk, document)?.map_or(0, |(count, _)| count))
}

fn last(disk: &Disk, document: &[u8]) -> Result<Option<(u64, u16)>, StoreError> {
    let prefix = keys::history(document);
    let found = disk.range(keys::range_of(&prefix), false).next();
    let found = found.transpose()?;
    Ok(found.and_then(|(key, _)| keys::count_and_part(&prefix, &key)))
}

/// Adds a write to the history of the document under a `d` key, and drops what is older than the last `kept` writes.
///
/// # Errors
/// The disk, or a damaged record.
pub(super) fn remember(
    view: &mut View<'_>,
    document: &[u8],
    event: &Event<'_>,
    kept: u64,
) -> Result<(), StoreError> {
    let prefix = keys::history(document);
    let before = event.before.unwrap_or_default();
    let header = |parts: u16| Header {
        sequence: event.revision.sequence,
        at: event.at,
        author: event.author.cloned(),
        deleted: event.deleted,
        before: event.before.is_some(),
        parts,
    };
    let encoded = |parts: u16| serde_json::to_vec(&header(parts)).unwrap_or_default();
    // the number of parts takes five digits at most
    let room = record::CHUNK.saturating_sub(encoded(u16::MAX).len() + 2);
    let (first, rest) = before.split_at_checked(room).unwrap_or((before, &[]));
    let parts: Vec<&[u8]> = rest.chunks(record::CHUNK).collect();
    let header = encoded(u16::try_from(parts.len()).unwrap_or(u16::MAX));
    let mut payload = Vec::with_capacity(2 + header.len() + first.len());
    let length = u16::try_from(header.len()).unwrap_or(u16::MAX);
    payload.extend_from_slice(&length.to_le_bytes());
    payload.extend_from_slice(&header);
    payload.extend_from_slice(first);
    let count = event.revision.count;
    view.put(keys::history_part(&prefix, count, 0), payload);
    for (number, part) in (1..).zip(parts) {
        view.put(keys::history_part(&prefix, count, number), part.to_vec());
    }
    forget_older(view, &prefix, count.saturating_sub(kept))
}

/// Removes the writes up to a count.
fn forget_older(view: &mut View<'_>, prefix: &[u8], up_to: u64) -> Result<(), StoreError> {
    if up_to == 0 {
        return Ok(());
    }
    let mut gone = Vec::new();
    for item in view.disk().prefix(prefix) {
        let (key, _) = item?;
        match keys::count_and_part(prefix, &key) {
            Some((count, _)) if count > up_to => break,
            _ => gone.push(key.to_vec()),
        }
    }
    for key in gone {
        view.remove(key);
    }
    Ok(())
}

/// Takes note that a document was deleted; the one whose turn it is loses its history.
///
/// # Errors
/// The disk, or a damaged record.
pub(super) fn note_deleted(
    view: &mut View<'_>,
    document: &[u8],
    sequence: u64,
) -> Result<(), StoreError> {
    let counter = view.payload(keys::DELETED)?;
    let counter = counter.as_deref().and_then(<[u8]>::first_chunk::<8>);
    let counter = counter.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let slot = keys::deleted(counter % DELETED_KEPT);
    if let Some(old) = view.payload(&slot)?
        && let Some((sequence, document)) = old.split_first_chunk::<8>()
    {
        forget_deleted(view, document, u64::from_le_bytes(*sequence))?;
    }
    let payload = [&sequence.to_le_bytes(), document].concat();
    view.put(slot, payload);
    let counter = (counter + 1).to_le_bytes();
    view.put(keys::DELETED.to_vec(), counter.to_vec());
    Ok(())
}

/// Unless it was written again since.
fn forget_deleted(view: &mut View<'_>, document: &[u8], sequence: u64) -> Result<(), StoreError> {
    if view.holds(document)? {
        return Ok(());
    }
    let Some((count, _)) = last(view.disk(), document)? else {
        return Ok(());
    };
    let prefix = keys::history(document);
    let newest = view.payload(&keys::history_part(&prefix, count, 0))?;
    let newest = newest.as_deref().and_then(decode);
    if newest.is_some_and(|(header, _)| header.sequence != sequence) {
        return Ok(());
    }
    forget_older(view, &prefix, count)
}

fn decode(payload: &[u8]) -> Option<(Header, &[u8])> {
    let (length, rest) = payload.split_first_chunk::<2>()?;
    let (header, first) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
    Some((serde_json::from_slice(header).ok()?, first))
}

/// What is wrong with a record of a history; the check that follows a restart.
pub(super) fn finding(key: &[u8], payload: &[u8]) -> Option<&'static str> {
    let Some(document) = keys::parse_document(key) else {
        return Some("it belongs to no document");
    };
    let prefix = keys::history(&keys::document(&document));
    match keys::count_and_part(&prefix, key) {
        None => Some("the key is cut short"),
        Some((_, 0)) if decode(payload).is_none() => Some("it is not readable"),
        Some(_) => None,
    }
}

impl Core {
    /// Writes of a document, newest first.
    pub(super) fn history(
        &self,
        key: &DocumentKey,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        let prefix = keys::history(&keys::document(key));
        let mut found = Vec::new();
        let mut parts: Vec<Vec<u8>> = Vec::new();
        for item in self.disk.range(keys::range_of(&prefix), false) {
            if found.len() == limit {
                break;
            }
            let (stored, value) = item?;
            let Some((count, part)) = keys::count_and_part(&prefix, &stored) else {
                continue;
            };
            if part > 0 {
                parts.push(value.payload().to_vec());
                continue;
            }
            let rest: Vec<u8> = parts.drain(..).rev().flatten().collect();
            let damaged = |why: String| StoreError::damaged(keys::describe(&stored), why);
            let Some((header, first)) = decode(value.payload()) else {
                return Err(damaged("not readable".to_owned()));
            };
            let before = match header.before {
                false => None,
                true => {
                    let text = [first, &rest].concat();
                    Some(json::object(&text).map_err(|e| damaged(e.to_string()))?)
                }
            };
            found.push(HistoryEntry {
                revision: Revision {
                    sequence: header.sequence,
                    count,
                },
                at: header.at,
                author: header.author,
                deleted: header.deleted,
                before,
            });
        }
        Ok(found)
    }
}
