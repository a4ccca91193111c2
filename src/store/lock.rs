//! One process at a time, and who it is. The file also remembers which store lives in the folder: it is what is left when everything else is
//! gone.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::error::StoreError;

const FILE: &str = "lock";

/// A holder leaves less.
const TEXT_MAX: u64 = 256;

/// Held as long as it lives.
pub(super) struct Lock {
    file: File,
    /// The store that lived here when the folder was locked before.
    pub(super) known: Option<String>,
}

impl Lock {
    /// Takes note of which store lives here.
    pub(super) fn remember(&mut self, store_id: &str) {
        if self.known.as_deref() != Some(store_id) {
            self.known = Some(store_id.to_owned());
            self.note();
        }
    }

    /// Only for messages, and for the worst day: a full disk is no reason not to start.
    fn note(&mut self) {
        let id = self.known.as_deref().unwrap_or_default();
        let text = format!("{}\n{id}\n", std::process::id());
        let file = &mut self.file;
        let noted = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()));
        if let Err(error) = noted {
            tracing::debug!(%error, "the lock has no pid");
        }
    }
}

/// What its last holder left: a process number, and the id of a store.
fn left(file: &mut File) -> (Option<u32>, Option<String>) {
    let mut text = Vec::new();
    if file.take(TEXT_MAX).read_to_end(&mut text).is_err() {
        return (None, None);
    }
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines();
    let pid = lines.next().and_then(|line| line.trim().parse().ok());
    let id = lines
        .next()
        .and_then(|line| uuid::Uuid::parse_str(line).ok());
    (pid, id.map(|id| id.to_string()))
}

/// Who holds it, for people: the number that the holder left, if there still is such a process.
fn holder(file: &mut File) -> String {
    let (Some(pid), _) = left(file) else {
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
            let (_, known) = left(&mut file);
            let mut lock = Lock { file, known };
            lock.note();
            Ok(lock)
        }
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked {
            holder: holder(&mut file),
            path,
        }),
        Err(TryLockError::Error(error)) => Err(refused(error)),
    }
}
