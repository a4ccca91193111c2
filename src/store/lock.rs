//! One process at a time, and who it is.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::error::StoreError;

const FILE: &str = "lock";

/// Held as long as it lives.
pub(super) struct Lock {
    _file: File,
}

/// Who holds it, for people: the number that the holder left, if there still is such a process.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    if file.read_to_string(&mut text).is_err() {
        return String::new();
    }
    let Ok(pid) = text.trim().parse::<u32>() else {
        return String::new();
    };
    match std::fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(name) => format!(" (pid {pid}, {})", name.trim()),
        Err(_) => format!(" (pid {pid})"),
    }
}

/// # Errors
/// Another process has it; the folder can't be written.
pub(super) fn take(store: &Path) -> Result<Lock, StoreError> {
    let path = PathBuf::from(store);
    let refused = |error: std::io::Error| StoreError::Open {
        path: path.clone(),
        why: error.to_string(),
    };
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(store.join(FILE))
        .map_err(refused)?;
    match file.try_lock() {
        Ok(()) => {
            // Only for the message to others: a full disk is no reason not to start.
            let noted = file
                .set_len(0)
                .and_then(|()| file.rewind())
                .and_then(|()| writeln!(file, "{}", std::process::id()));
            if let Err(error) = noted {
                tracing::debug!(%error, "the lock has no pid");
            }
            Ok(Lock { _file: file })
        }
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked {
            holder: holder(&mut file),
            path,
        }),
        Err(TryLockError::Error(error)) => Err(refused(error)),
    }
}
