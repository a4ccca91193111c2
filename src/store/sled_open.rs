//! Opening sled where it can do no harm: it panics, or waits for ever, on some kinds of damage.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use super::error::StoreError;

/// How often sled looks for garbage and writes what nobody waits for (registrations), in milliseconds. Each round costs an fsync, so that
/// sled's half second would keep an idle disk awake for nothing.
const BACKGROUND_FLUSH_MS: u64 = 2_000;

/// What opening may take: this, and a second for each of these bytes. A database that takes longer will never be open.
const PATIENCE: Duration = Duration::from_secs(60);
const BYTES_PER_SECOND: u64 = 10 << 20;

/// # Errors
/// In use, not accessible, damaged.
pub(super) fn open(folder: &Path, cache_bytes: u64) -> Result<sled::Db, StoreError> {
    let size = std::fs::metadata(folder.join("db")).map_or(0, |file| file.len());
    let patience = PATIENCE + Duration::from_secs(size / BYTES_PER_SECOND);
    let path = PathBuf::from(folder);
    let (sender, opened) = mpsc::sync_channel(1);
    // Not joined if it hangs: there is no way to end it.
    std::thread::Builder::new()
        .name("store-open".to_owned())
        .spawn(move || {
            let result = std::panic::catch_unwind(AssertUnwindSafe(|| {
                let config = sled::Config::new()
                    .path(path)
                    .cache_capacity(cache_bytes)
                    .flush_every_ms(Some(BACKGROUND_FLUSH_MS));
                config.open()
            }));
            let _ = sender.send(result);
        })?;
    let damaged = |why: String| StoreError::damaged(folder.display().to_string(), why);
    match opened.recv_timeout(patience) {
        Ok(Ok(Ok(tree))) => Ok(tree),
        // sled has no variant of its own for this
        Ok(Ok(Err(sled::Error::Io(error)))) if error.to_string().contains("acquire lock") => {
            Err(StoreError::Locked {
                path: PathBuf::from(folder),
                holder: String::new(),
            })
        }
        Ok(Ok(Err(sled::Error::Io(error)))) if super::space::is_full(&error) => {
            Err(StoreError::DiskFull(error.to_string()))
        }
        Ok(Ok(Err(sled::Error::Io(error))))
            if error.kind() == std::io::ErrorKind::UnexpectedEof =>
        {
            Err(damaged(error.to_string()))
        }
        Ok(Ok(Err(sled::Error::Io(error)))) => Err(StoreError::Open {
            path: PathBuf::from(folder),
            why: error.to_string(),
        }),
        Ok(Ok(Err(error))) => Err(damaged(error.to_string())),
        Ok(Err(_)) => Err(damaged("the database can't be read".to_owned())),
        Err(_) => Err(damaged(format!(
            "the database was not open after {} s",
            patience.as_secs()
        ))),
    }
}
