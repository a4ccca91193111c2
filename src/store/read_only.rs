//! A store in a folder that can't be written: a disk that the kernel has made read-only, rights that somebody has taken away. Its documents are
//! served from a copy; changes are refused until a restart on a folder that can be written.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::fresh::DATABASE;
use super::manifest::Manifest;
use super::space;

/// Where a copy is.
pub(super) struct Copy {
    /// To be removed with everything in it.
    pub(super) around: PathBuf,
    pub(super) store: PathBuf,
}

/// Somebody else's folder is a mistake of who started the daemon.
fn is_ours(folder: &Path) -> bool {
    let (Ok(folder), Ok(own)) = (fs::metadata(folder), fs::metadata("/proc/self")) else {
        return false;
    };
    folder.uid() == own.uid()
}

/// Why nothing can be written in the folder of a store that is there. None: it can, or there is no store.
pub(super) fn why(store: &Path) -> Option<String> {
    let database = store.join(DATABASE);
    if !database.join("db").exists() {
        return None;
    }
    [store, &database].into_iter().find_map(|folder| {
        let probe = folder.join(format!("probe.{}", std::process::id()));
        match File::create_new(&probe) {
            Ok(_) => {
                let _ = fs::remove_file(probe);
                None
            }
            Err(error) => {
                let read_only = match error.kind() {
                    ErrorKind::ReadOnlyFilesystem => true,
                    ErrorKind::PermissionDenied => is_ours(folder),
                    _ => false,
                };
                read_only.then(|| format!("{} can't be written: {error}", folder.display()))
            }
        }
    })
}

/// Copies database and manifest to where temporary files go.
///
/// # Errors
/// There is no room, or they can't be read.
pub(super) fn copied(store: &Path) -> io::Result<Copy> {
    let around = std::env::temp_dir().join(format!("linefinder-{}", uuid::Uuid::new_v4()));
    fs::DirBuilder::new().mode(0o700).create(&around)?;
    let copy = Copy {
        store: around.join("store"),
        around,
    };
    let made = fill(store, &copy.store);
    if made.is_err() {
        let _ = fs::remove_dir_all(&copy.around);
    }
    made.map(|()| copy)
}

fn fill(from: &Path, to: &Path) -> io::Result<()> {
    copy_folder(&from.join(DATABASE), &to.join(DATABASE))?;
    match fs::copy(Manifest::path(from), Manifest::path(to)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
            continue;
        }
        // it is written no further than this
        space::room_for(to, entry.metadata()?.len() / 4, 0).map_err(io::Error::other)?;
        // rights are not copied: what could not be written there must be here
        io::copy(&mut File::open(entry.path())?, &mut File::create(target)?)?;
    }
    Ok(())
}
