//! Who did what, when and from where: JSON lines, one for each request that may have changed something and for each
//! login. A thread of its own writes them, so that no request waits for the disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use serde::Serialize;

/// Lines that may wait for the disk; more are dropped, and counted.
const WAITING: usize = 10_000;

/// A line.
#[derive(Debug, Clone, Serialize)]
pub struct Entry<'a> {
    pub time: &'a str,
    pub request_id: &'a str,
    pub client: IpAddr,
    /// The caller's account and user, or those of the login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<&'a str>,
    pub verb: &'a str,
    /// Without the query, which may hold a token.
    pub path: &'a str,
    pub status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_revision: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_revision: Option<&'a str>,
    /// Of a refusal: its message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
}

/// Where entries go.
pub struct Audit {
    writer: Option<Writer>,
    dropped: AtomicU64,
}

struct Writer {
    /// None once it is to end.
    lines: Option<SyncSender<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Audit {
    /// Nothing is kept.
    #[must_use]
    pub fn none() -> Audit {
        Audit {
            writer: None,
            dropped: AtomicU64::new(0),
        }
    }

    /// Appends to the file; made for its owner's eyes only.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn open(path: &Path) -> io::Result<Audit> {
        let log = Log::open(path)?;
        let (lines, waiting) = sync_channel(WAITING);
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || log.run(&waiting))?;
        Ok(Audit {
            writer: Some(Writer {
                lines: Some(lines),
                thread: Some(thread),
            }),
            dropped: AtomicU64::new(0),
        })
    }

    /// Never waits. What a slow disk can't take is dropped, and the log says how much.
    pub fn note(&self, entry: &Entry<'_>) {
        let Some(lines) = self
            .writer
            .as_ref()
            .and_then(|writer| writer.lines.as_ref())
        else {
            return;
        };
        let Ok(mut line) = serde_json::to_vec(entry) else {
            return;
        };
        line.push(b'\n');
        if let Err(TrySendError::Full(_)) = lines.try_send(line) {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            if dropped.is_power_of_two() {
                tracing::error!(dropped, "the audit log's disk is too slow: lines are lost");
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The thread writes what waits, and ends.
        self.lines = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Log {
    path: PathBuf,
    file: File,
    failing: bool,
}

impl Log {
    fn open(path: &Path) -> io::Result<Log> {
        Ok(Log {
            path: path.to_owned(),
            file: appending(path)?,
            failing: false,
        })
    }

    fn run(mut self, waiting: &Receiver<Vec<u8>>) {
        let mut text = Vec::new();
        while let Ok(line) = waiting.recv() {
            text.clear();
            text.extend_from_slice(&line);
            while let Ok(line) = waiting.try_recv() {
                text.extend_from_slice(&line);
            }
            match self.write(&text) {
                Ok(()) => self.failing = false,
                Err(error) if !self.failing => {
                    self.failing = true;
                    tracing::error!(path = %self.path.display(), %error, "the audit log can't be written");
                }
                Err(_) => {}
            }
        }
        let _ = self.file.sync_all();
    }

    /// logrotate renames the file and expects a new one under the name.
    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let own = self.file.metadata()?;
        let named = std::fs::metadata(&self.path).ok();
        if named.is_none_or(|named| (named.dev(), named.ino()) != (own.dev(), own.ino())) {
            self.file = appending(&self.path)?;
        }
        self.file.write_all(text)
    }
}

fn appending(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str) -> Entry<'_> {
        Entry {
            time: "2026-01-01T00:00:00Z",
            request_id: id,
            client: IpAddr::from([127, 0, 0, 1]),
            account_id: Some("acme"),
            user_id: None,
            verb: "PUT",
            path: "/v2/accounts/acme/devices",
            status: 201,
            document: Some("device acme/1"),
            old_revision: None,
            new_revision: Some("1-ab"),
            reason: None,
        }
    }

    fn ids(path: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        let line = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value["request_id"].as_str().unwrap().to_owned()
        };
        text.lines().map(line).collect()
    }

    #[test]
    fn lines_are_written_and_a_new_file_after_rotation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let audit = Audit::open(&path).unwrap();
        audit.note(&entry("a"));
        audit.note(&entry("b"));
        drop(audit);
        assert_eq!(ids(&path), ["a", "b"]);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);

        let mut log = Log::open(&path).unwrap();
        let old = folder.path().join("audit.jsonl.1");
        std::fs::rename(&path, &old).unwrap();
        log.write(b"{\"request_id\":\"c\"}\n").unwrap();
        assert_eq!(ids(&path), ["c"]);
        assert_eq!(ids(&old).len(), 2);
    }
}
