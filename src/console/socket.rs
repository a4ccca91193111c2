//! The socket's file: beside the database, for its owner alone.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Its name in the store's folder.
pub const FILE: &str = "control.sock";

/// Bytes of a path that a Unix socket's address holds on every system that we run on.
const PATH_MAX: usize = 100;

/// Why there is no console.
#[derive(Debug, thiserror::Error)]
#[error("no console at {path}: {error}; commands will need the daemon stopped")]
pub struct ConsoleError {
    pub path: PathBuf,
    #[source]
    pub error: io::Error,
}

/// A name for a file in the folder that is short enough for a socket's address, as long as the folder is held open.
struct Address {
    path: PathBuf,
    _folder: Option<File>,
}

impl Address {
    fn of(folder: &Path, name: &str) -> io::Result<Self> {
        let path = folder.join(name);
        if path.as_os_str().len() <= PATH_MAX {
            return Ok(Self {
                path,
                _folder: None,
            });
        }
        let open = File::open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", open.as_raw_fd()));
        Ok(Self {
            path,
            _folder: Some(open),
        })
    }
}

/// A listener whose file goes away with it.
pub(super) struct Bound {
    listener: UnixListener,
    file: PathBuf,
    /// Device and number of the file: another that has the name since is not ours to remove.
    identity: (u64, u64),
}

impl Bound {
    /// Listens in the store's folder. A file that a killed daemon left there is replaced: whoever has the store open is the
    /// only one who may listen.
    pub(super) fn bind(store: &Path) -> Result<Self, ConsoleError> {
        let path = store.join(FILE);
        bind(store, &path).map_err(|error| ConsoleError { path, error })
    }

    pub(super) fn listener(&self) -> io::Result<UnixListener> {
        let listener = self.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }
}

fn bind(store: &Path, path: &Path) -> io::Result<Bound> {
    // It gets its name when it has its rights, so that there is no moment in which others may connect.
    let unnamed = format!(".{FILE}.new");
    let new = store.join(&unnamed);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(Address::of(store, &unnamed)?.path)?;
    fs::set_permissions(&new, Permissions::from_mode(0o600))?;
    fs::rename(&new, path)?;
    let found = fs::symlink_metadata(path)?;
    Ok(Bound {
        listener,
        file: path.to_owned(),
        identity: (found.dev(), found.ino()),
    })
}

impl Drop for Bound {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.file)
            .is_ok_and(|found| (found.dev(), found.ino()) == self.identity);
        if ours {
            // Nothing is lost if it stays: the next daemon replaces it.
            let _ = fs::remove_file(&self.file);
        }
    }
}

/// Connects to the daemon that has the store open.
///
/// # Errors
/// There is none, it has no console, or it is another user's.
pub(super) fn connect(store: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(Address::of(store, FILE)?.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_its_owner_alone_and_gone_with_its_listener() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let bound = Bound::bind(folder.path()).unwrap();
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{mode:o}");
        connect(folder.path()).unwrap();
        drop(bound);
        assert!(!file.exists());
        assert!(connect(folder.path()).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_daemon_left_is_replaced_and_a_successors_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = Bound::bind(folder.path()).unwrap();
        let second = Bound::bind(folder.path()).unwrap();
        drop(first);
        connect(folder.path()).unwrap();
        drop(second);
        fs::write(folder.path().join(FILE), "left").unwrap();
        let _third = Bound::bind(folder.path()).unwrap();
        connect(folder.path()).unwrap();
    }

    #[test]
    fn a_path_that_is_too_long_for_an_address() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("x".repeat(120)).join("y".repeat(120));
        fs::create_dir_all(&deep).unwrap();
        let bound = Bound::bind(&deep).unwrap();
        connect(&deep).unwrap();
        drop(bound);
        assert!(connect(&deep).is_err());
    }
}
