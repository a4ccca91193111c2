//! sled's file never shrinks. A store is made small again by copying its records into a new database.

use std::path::Path;

use super::digest::Digest;
use super::disk::{Batch, Disk};
use super::error::StoreError;
use super::fresh;
use super::manifest::Manifest;
use super::record;
use super::{digest, space};

/// Records written at once.
const BATCH: usize = 2_000;

const CACHE_BYTES: u64 = 64 << 20;

/// A file that is so many times as large as what is in it is copied at the start,
const RATIO: u64 = 4;
/// but only if that makes it so much smaller,
const GAIN_MIN: u64 = if cfg!(test) { 4 << 20 } else { 256 << 20 };
/// and only if there is so little to copy that the start is not held up for long (some 10 s).
const LIVE_MAX: u64 = 128 << 20;

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes of the database's file.
    pub before: u64,
    pub after: u64,
}

/// Whether a start should compact, by the size of the file and of what is in it.
pub(super) fn worth_it(file: u64, live: u64) -> bool {
    let large = file > live.saturating_mul(RATIO) && file.saturating_sub(live) > GAIN_MIN;
    if large && live > LIVE_MAX {
        tracing::warn!(
            file_mib = file >> 20,
            live_mib = live >> 20,
            "the store's file is many times as large as what is in it: `linefinder compact`, with the daemon stopped, makes it smaller"
        );
    }
    large && live <= LIVE_MAX
}

/// Copies every record into a new database beside, and puts that in the place of the old one. `disk` is closed afterwards.
///
/// # Errors
/// No room; damage; the disk. The old database is in place then.
pub(super) fn compact(
    store: &Path,
    disk: &Disk,
    manifest: &Manifest,
) -> Result<Compacted, StoreError> {
    let before = disk.file_size();
    space::room_for(store, before / 8, 0).map_err(StoreError::DiskFull)?;
    let place = fresh::begin(store)?;
    let copied = copy(&place, disk).inspect_err(|_| fresh::forget(store))?;
    fresh::complete(store, manifest)?;
    disk.close();
    let aside = fresh::old(store);
    fresh::swap(store, &aside)?;
    fresh::finish(store)?;
    Ok(Compacted {
        before,
        after: copied,
    })
}

fn copy(place: &Path, disk: &Disk) -> Result<u64, StoreError> {
    let fresh = Disk::open(place, CACHE_BYTES, true)?;
    fresh.set_digest(Digest::default());
    let mut batch = Batch::new();
    for item in disk.raw(b"") {
        let (key, framed) = item?;
        let payload = record::unframe(&key, &framed)?;
        if *key != *digest::KEY {
            batch.insert(key.to_vec(), Some(payload.to_vec()));
        }
        if batch.len() >= BATCH {
            fresh.write(&batch)?;
            batch.clear();
        }
    }
    fresh.write(&batch)?;
    fresh.flush()?;
    let (then, now) = (disk.known_digest(), fresh.known_digest());
    if then.is_some() && then != now {
        let why = "the copy does not hold what the database should hold";
        return Err(StoreError::damaged("the database", why));
    }
    fresh.close();
    Ok(fresh.file_size())
}
