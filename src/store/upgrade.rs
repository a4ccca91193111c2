//! A store of an earlier linefinder gets the indexes that this one relies on.

use super::core::Core;
use super::disk::Batch;
use super::error::StoreError;
use super::{indexes, keys, verify};

/// Makes the indexes anew if the store was written when there were others; says whether. Blocking; before anybody reads.
///
/// # Errors
/// The disk, or a document that is damaged.
pub(super) fn upgrade(core: &Core) -> Result<bool, StoreError> {
    let wanted = indexes::VERSION.to_le_bytes();
    let known = core.disk.read(keys::INDEXES)?;
    if known.is_some_and(|known| known.payload() == wanted) {
        return Ok(false);
    }
    let older = core.disk.prefix(keys::DOCUMENTS).next().is_some();
    if older {
        tracing::warn!(path = %core.path.display(), "the store was written by an earlier linefinder; its indexes are made anew");
        verify::rebuild(core)?;
    }
    let mut batch = Batch::new();
    batch.insert(keys::INDEXES.to_vec(), Some(wanted.to_vec()));
    match core.write(&batch) {
        // made anew once more at the next start
        Err(StoreError::DiskFull(_)) => Ok(older),
        other => other.and_then(|()| core.disk.flush()).map(|()| older),
    }
}
