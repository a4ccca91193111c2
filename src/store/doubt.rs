//! Whether sled may be let near its files. A database that was closed in good order must be bit for bit what it was; one that was not is
//! read as far as it takes to tell a crash from damage.

use std::fs;
use std::path::Path;

use super::error::StoreError;
use super::fresh::DATABASE;
use super::manifest::Manifest;
use super::sled_log::{Reading, SledLog};
use super::sums;

/// How sure one can be of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Files {
    /// There are none.
    New,
    AsClosed,
    /// Nothing that a crash does not explain.
    AfterCrash,
}

/// sled names its snapshots so.
const SNAPSHOT: &str = "snap.";

fn snapshots(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let named = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(SNAPSHOT) && !name.ends_with(".generating")
    };
    paths.filter(named).collect()
}

pub(super) fn has_snapshot(store: &Path) -> bool {
    !snapshots(&store.join(DATABASE)).is_empty()
}

/// The checksum of what comes before it, `behind` bytes before the end and little endian.
fn ends_in_checksum(text: &[u8], behind: usize) -> bool {
    let Some((content, end)) = text
        .len()
        .checked_sub(behind)
        .and_then(|at| text.split_at_checked(at))
    else {
        return false;
    };
    let stored = end.last_chunk::<4>().map(|sum| u32::from_le_bytes(*sum));
    stored == Some(crc32fast::hash(content))
}

/// What is wrong with sled's small files, which its log does not cover.
fn small_files(folder: &Path, snapshot_expected: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    match fs::read(folder.join("conf")) {
        Ok(text) if ends_in_checksum(&text, 4) => {}
        Ok(_) => wrong.push("the file conf is damaged".to_owned()),
        Err(error) => wrong.push(format!("the file conf: {error}")),
    }
    let snapshots = snapshots(folder);
    if snapshots.is_empty() && snapshot_expected {
        wrong.push("the snapshot file is gone".to_owned());
    }
    for path in snapshots {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match fs::read(&path) {
            Ok(text) if ends_in_checksum(&text, 12) => {}
            Ok(_) => wrong.push(format!("the file {name} is damaged")),
            Err(error) => wrong.push(format!("the file {name}: {error}")),
        }
    }
    wrong
}

/// Looks at the files without changing them.
///
/// # Errors
/// [`StoreError::Damaged`]: sled must not open them.
pub(super) fn look(store: &Path, manifest: Option<&Manifest>) -> Result<Files, StoreError> {
    let folder = store.join(DATABASE);
    let damaged =
        |why: Vec<String>| StoreError::damaged(folder.display().to_string(), why.join("; "));
    if let Some(closed) = manifest.and_then(|m| m.closed.as_deref()) {
        let changes = sums::changes(&folder, closed)?;
        return match changes.is_empty() {
            true => Ok(Files::AsClosed),
            false => Err(damaged(changes)),
        };
    }
    if !folder.join("db").exists() {
        return match manifest {
            Some(_) => Err(damaged(vec![
                "there is a manifest, but the database is gone".to_owned(),
            ])),
            None => Ok(Files::New),
        };
    }
    let mut wrong = SledLog::read(&folder, Reading::Judging)?.findings;
    wrong.extend(small_files(&folder, manifest.is_some_and(|m| m.snapshot)));
    match wrong.is_empty() {
        true => Ok(Files::AfterCrash),
        false => Err(damaged(wrong)),
    }
}
