//! Putting one database in the place of another, so that a crash at any moment leaves one of the two whole.
//!
//! The new one is built in `fresh/db`. When it is whole and on the disk `fresh/complete` says so; then the old one moves away and the new
//! one moves in. Whoever opens a store first finishes or forgets what was begun.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::manifest::Manifest;

const FRESH: &str = "fresh";
const COMPLETE: &str = "complete";
/// Where compaction leaves the old database until the new one is in its place.
const OLD: &str = "old";
pub(super) const DATABASE: &str = "db";

pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// An empty place for a new database.
pub(super) fn begin(store: &Path) -> io::Result<PathBuf> {
    let fresh = store.join(FRESH);
    remove(&fresh)?;
    fs::create_dir(&fresh)?;
    Ok(fresh.join(DATABASE))
}

/// Forgets what was begun.
pub(super) fn forget(store: &Path) {
    if let Err(error) = remove(&store.join(FRESH)) {
        tracing::warn!(%error, "an unfinished database can't be removed");
    }
}

fn sync_files(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => sync_files(&path)?,
            false => File::open(&path)?.sync_all()?,
        }
    }
    sync(folder)
}

/// The new database is closed and whole: from now on it counts.
pub(super) fn complete(store: &Path, manifest: &Manifest) -> Result<(), StoreError> {
    let fresh = store.join(FRESH);
    manifest.write(&fresh)?;
    sync_files(&fresh)?;
    File::create(fresh.join(COMPLETE))?.sync_all()?;
    sync(&fresh)?;
    Ok(sync(store)?)
}

/// Moves the old database and its manifest to `aside`, and the new one in.
pub(super) fn swap(store: &Path, aside: &Path) -> io::Result<()> {
    fs::create_dir_all(aside)?;
    // A manifest tells what the database must be, so it goes first: without one a database is only doubted.
    move_to(&Manifest::path(store), aside)?;
    sync(store)?;
    move_to(&store.join(DATABASE), aside)?;
    sync(aside)?;
    move_in(store)
}

fn move_to(path: &Path, folder: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default();
    match fs::rename(path, folder.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn move_in(store: &Path) -> io::Result<()> {
    let fresh = store.join(FRESH);
    fs::rename(fresh.join(DATABASE), store.join(DATABASE))?;
    move_to(&Manifest::path(&fresh), store)?;
    sync(store)?;
    remove(&fresh)
}

/// Where compaction moves the old database.
pub(super) fn old(store: &Path) -> PathBuf {
    store.join(OLD)
}

/// Finishes a swap that was interrupted, or forgets what never became whole.
pub(super) fn finish(store: &Path) -> io::Result<()> {
    let fresh = store.join(FRESH);
    let database = store.join(DATABASE);
    if !database.exists() {
        if fresh.join(COMPLETE).exists() && fresh.join(DATABASE).exists() {
            tracing::warn!(store = %store.display(), "an interrupted change of the database is finished");
            move_in(store)?;
        } else if old(store).join(DATABASE).exists() {
            fs::rename(old(store).join(DATABASE), &database)?;
            sync(store)?;
        }
    }
    remove(&fresh)?;
    match database.exists() {
        true => remove(&old(store)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(steps: usize) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path();
        fs::create_dir(store.join(DATABASE)).unwrap();
        fs::write(store.join("db/what"), "old").unwrap();
        let fresh = begin(store).unwrap();
        fs::create_dir(&fresh).unwrap();
        fs::write(fresh.join("what"), "new").unwrap();
        if steps > 0 {
            complete(store, &Manifest::new("x".into(), 7)).unwrap();
        }
        if steps > 1 {
            fs::create_dir(old(store)).unwrap();
            fs::rename(store.join(DATABASE), old(store).join(DATABASE)).unwrap();
        }
        if steps > 2 {
            fs::rename(fresh, store.join(DATABASE)).unwrap();
        }
        folder
    }

    #[test]
    fn a_crash_at_any_step_leaves_one_whole_database() {
        for (steps, expected) in [(0, "old"), (1, "old"), (2, "new"), (3, "new")] {
            let folder = made(steps);
            finish(folder.path()).unwrap();
            let found = fs::read_to_string(folder.path().join("db/what")).unwrap();
            assert_eq!(found, expected, "after {steps} steps");
            assert!(!folder.path().join(FRESH).exists() && !folder.path().join(OLD).exists());
            let has_manifest = Manifest::path(folder.path()).exists();
            assert_eq!(has_manifest, steps == 2, "after {steps} steps");
        }
    }

    #[test]
    fn an_old_database_alone_comes_back() {
        let folder = made(2);
        fs::remove_file(folder.path().join("fresh/complete")).unwrap();
        finish(folder.path()).unwrap();
        let found = fs::read_to_string(folder.path().join("db/what")).unwrap();
        assert_eq!(found, "old");
    }
}
