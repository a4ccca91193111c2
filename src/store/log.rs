//! The change log: a ring of the latest writes, each in the batch that it tells of. A follower that fell behind the ring reads everything anew.

use super::error::StoreError;
use super::keys;
use super::{change::LoggedWrite, disk::Disk};
use crate::documents::DocumentKey;

/// Writes that the log remembers. Slots are overwritten in turn, so that the log takes a fixed place and never needs sweeping.
pub(super) const KEPT: u64 = if cfg!(test) { 1_000 } else { 100_000 };

pub(super) fn slot(sequence: u64) -> u32 {
    u32::try_from(sequence % KEPT).unwrap_or_default()
}

/// Today a document's revision is the number of the write that made it; a replica will have its leader's, so both are stored.
pub(super) fn entry(key: &DocumentKey, sequence: u64, revision: u64, deleted: bool) -> Vec<u8> {
    let document = keys::document(key);
    let mut payload = Vec::with_capacity(17 + document.len());
    payload.extend_from_slice(&sequence.to_le_bytes());
    payload.extend_from_slice(&revision.to_le_bytes());
    payload.push(u8::from(deleted));
    payload.extend_from_slice(&document);
    payload
}

pub(super) fn parse(payload: &[u8]) -> Option<LoggedWrite> {
    let (sequence, rest) = payload.split_first_chunk::<8>()?;
    let (revision, rest) = rest.split_first_chunk::<8>()?;
    let (deleted, document) = rest.split_first()?;
    Some(LoggedWrite {
        sequence: u64::from_le_bytes(*sequence),
        revision: u64::from_le_bytes(*revision),
        deleted: *deleted != 0,
        key: keys::parse_document(document)?,
    })
}

/// Up to `limit` writes behind `sequence`, oldest first; `None` when the log no longer reaches back that far.
///
/// # Errors
/// The disk, or a damaged record.
pub(super) fn after(
    disk: &Disk,
    sequence: u64,
    last: u64,
    limit: usize,
) -> Result<Option<Vec<LoggedWrite>>, StoreError> {
    let mut found = Vec::new();
    if last.saturating_sub(sequence) > KEPT {
        return Ok(None);
    }
    for wanted in (sequence + 1..=last).take(limit) {
        let key = keys::log(slot(wanted));
        let value = disk.read(&key)?;
        match value.as_ref().and_then(|v| parse(v.payload())) {
            Some(write) if write.sequence == wanted => found.push(write),
            // overwritten meanwhile
            Some(write) if write.sequence > wanted => return Ok(None),
            _ => {
                return Err(StoreError::damaged(
                    keys::describe(&key),
                    format!("write {wanted} is missing"),
                ));
            }
        }
    }
    Ok(Some(found))
}
