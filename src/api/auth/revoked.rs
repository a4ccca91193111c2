//! Tokens that were thrown away before their time. A line of a file for each, so that a restart does not revive them.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

/// Digests of tokens, and when each would have ended by itself.
#[derive(Default)]
pub struct Revoked {
    known: RwLock<HashMap<String, i64>>,
    file: Option<Mutex<File>>,
}

impl Revoked {
    /// Reads the file, leaving out what has ended by `now` (Unix seconds), and writes it anew.
    ///
    /// # Errors
    /// The file can't be read or written.
    pub fn open(path: &Path, now: i64) -> io::Result<Revoked> {
        let known = listed(path, now)?;
        let draft = draft(path);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        for (digest, expires) in &known {
            writeln!(file, "{digest} {expires}")?;
        }
        file.sync_all()?;
        fs::rename(&draft, path)?;
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(Revoked {
            known: RwLock::new(known),
            file: Some(Mutex::new(file)),
        })
    }

    /// What can be read of the file, which is left as it is.
    #[must_use]
    pub fn read(path: &Path, now: i64) -> Revoked {
        Revoked {
            known: RwLock::new(listed(path, now).unwrap_or_default()),
            file: None,
        }
    }

    /// In memory only: demos and tests.
    #[must_use]
    pub fn passing() -> Revoked {
        Revoked::default()
    }

    #[must_use]
    pub fn holds(&self, digest: &str) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.contains_key(digest)
    }

    /// True while nothing is revoked: then no digest is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.is_empty()
    }

    /// Dead from now on, and after a restart. Waits for the disk.
    ///
    /// # Errors
    /// The file can't be written; the token is dead until the next restart.
    pub fn add(&self, digest: &str, expires: i64, now: i64) -> io::Result<()> {
        {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.retain(|_, ends| *ends > now);
            known.insert(digest.to_owned(), expires);
        }
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(format!("{digest} {expires}\n").as_bytes())?;
        file.sync_data()
    }
}

/// What the file lists, without what has ended by `now`.
fn listed(path: &Path, now: i64) -> io::Result<HashMap<String, i64>> {
    let mut known = HashMap::new();
    match File::open(path) {
        Ok(file) => {
            for line in BufReader::new(file).split(b'\n') {
                let line = line?;
                let line = String::from_utf8_lossy(&line);
                // A line cut short by a crash was never acknowledged.
                match line.split_once(' ').map(|(d, e)| (d, e.parse::<i64>())) {
                    Some((digest, Ok(expires))) if expires > now => {
                        known.insert(digest.to_owned(), expires);
                    }
                    Some((_, Ok(_))) => {}
                    _ if line.is_empty() => {}
                    _ => tracing::error!(
                        path = %path.display(),
                        "a line of the list of revoked tokens is damaged; its token may be good again until it ends"
                    ),
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(known)
}

fn draft(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dead_stay_dead_over_a_restart_until_they_would_have_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revoked");
        let revoked = Revoked::open(&path, 100).unwrap();
        assert!(revoked.is_empty());
        revoked.add("aa", 200, 100).unwrap();
        revoked.add("bb", 300, 100).unwrap();
        fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"cc 40")
            .unwrap();
        let again = Revoked::open(&path, 250).unwrap();
        assert!(!again.holds("aa") && again.holds("bb") && !again.holds("cc"));
        again.add("dd", 400, 350).unwrap();
        assert!(!again.holds("bb") && again.holds("dd"));
    }
}
