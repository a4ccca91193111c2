//! Room on the disk. sled does not survive a write that fails for want of room, so room is looked for before each write.

use std::path::Path;

/// Always left free: sled's next segments, the next manifest, the log of who fills the disk. Less on a small disk.
const RESERVE_MIN: u64 = 2 << 20;
const RESERVE_MAX: u64 = 32 << 20;
const RESERVE_SHARE: u64 = 16;

/// Bytes that a write of `wanted` bytes may cost: sled writes pages, and rewrites what shares a segment.
fn cost(wanted: u64) -> u64 {
    wanted.saturating_mul(4)
}

/// `Err` with what is there and what is needed, in words. A disk that does not tell is taken to have room.
pub(super) fn room_for(folder: &Path, wanted: u64) -> Result<(), String> {
    let (Ok(free), Ok(total)) = (fs2::available_space(folder), fs2::total_space(folder)) else {
        return Ok(());
    };
    let reserve = (total / RESERVE_SHARE).clamp(RESERVE_MIN, RESERVE_MAX);
    let needed = reserve.saturating_add(cost(wanted));
    if free >= needed {
        return Ok(());
    }
    Err(format!(
        "{} kB are free on the disk of {}, {} kB are needed",
        free / 1024,
        folder.display(),
        needed / 1024
    ))
}

/// Whether the disk has no room, by the error of a write: full, a quota, a limit on file sizes.
pub(super) fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}
