//! Room on the disk. sled does not survive a write that fails for want of room, so room is looked for before each write.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Always left free: sled's next segments, the next manifest, the log of who fills the disk. Less on a small disk.
const RESERVE_MIN: u64 = 2 << 20;
const RESERVE_MAX: u64 = 32 << 20;
const RESERVE_SHARE: u64 = 16;

/// Bytes that a write of `wanted` bytes may cost: sled writes pages, and rewrites what shares a segment.
fn cost(wanted: u64) -> u64 {
    wanted.saturating_mul(4)
}

/// `Err` with what is there and what is needed, in words. A disk that does not tell is taken to have room. `aside` bytes are spoken for.
pub(super) fn room_for(folder: &Path, wanted: u64, aside: u64) -> Result<(), String> {
    let (Ok(free), Ok(total)) = (fs2::available_space(folder), fs2::total_space(folder)) else {
        return Ok(());
    };
    let reserve = (total / RESERVE_SHARE).clamp(RESERVE_MIN, RESERVE_MAX);
    let needed = reserve.saturating_add(cost(wanted)).saturating_add(aside);
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

const BALLAST: &str = "ballast";
/// Enough for what sled writes when it is opened, its snapshot above all; more if that is larger. Less on a small disk.
const BALLAST_MIN: u64 = 4 << 20;
const BALLAST_SHARE: u64 = 8;

fn ballast(store: &Path) -> PathBuf {
    store.join(BALLAST)
}

fn ballast_size(store: &Path, database: &Path) -> u64 {
    let entries = fs::read_dir(database).into_iter().flatten().flatten();
    let small = entries.filter(|entry| entry.file_name() != "db");
    let small: u64 = small
        .filter_map(|entry| entry.metadata().ok())
        .map(|file| file.len())
        .sum();
    let share = fs2::total_space(store).unwrap_or(u64::MAX) / BALLAST_SHARE;
    (BALLAST_MIN + 2 * small).min(share)
}

/// What is to be kept free until there is ballast again.
pub(super) fn lacking_ballast(store: &Path) -> u64 {
    let share = fs2::total_space(store).unwrap_or(u64::MAX) / BALLAST_SHARE;
    BALLAST_MIN.min(share)
}

/// Takes some room in good times, so that the store can be opened on a disk that somebody else has filled. False when there is not enough.
pub(super) fn lay_ballast(store: &Path, database: &Path) -> bool {
    let path = ballast(store);
    let wanted = ballast_size(store, database);
    let there = fs::metadata(&path).map_or(0, |file| file.len());
    if there >= wanted {
        return true;
    }
    if room_for(store, 0, wanted).is_err() {
        return false;
    }
    let laid = File::create(&path).and_then(|mut file| {
        let block = vec![0x5a; 1 << 16];
        for _ in 0..wanted.div_ceil(block.len() as u64) {
            file.write_all(&block)?;
        }
        file.sync_all()
    });
    if let Err(error) = &laid {
        tracing::debug!(%error, "no ballast was laid");
        drop_ballast(store);
    }
    laid.is_ok()
}

/// Gives the room back. False when there was none.
pub(super) fn drop_ballast(store: &Path) -> bool {
    fs::remove_file(ballast(store)).is_ok()
}

/// Whether the disk has no room, by the error of a write: full, a quota, a limit on file sizes.
pub(super) fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}
