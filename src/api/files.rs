//! Sounds as files beside the store: a document names the file that belongs to it, so that the two change in one step.
//!
//! A file gets a name that no other ever had and is never written again. It is on disk before the document that names it;
//! what a document names no longer is removed afterwards. A crash in between leaves a file too many, never one too few.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::auth;
pub use crate::store::ATTACHMENT;
use crate::store::{FileName, Store, folder_of_account};
use crate::types::AccountId;

/// What a document says of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    file: FileName,
    pub content_type: String,
    /// Bytes.
    pub length: u64,
}

impl Attachment {
    /// None: the document has no file.
    #[must_use]
    pub fn of(body: &Map<String, Value>) -> Option<Attachment> {
        let field = body.get(ATTACHMENT)?;
        let text = |name: &str| field.get(name)?.as_str();
        Some(Attachment {
            file: FileName::new(text("file")?)?,
            content_type: text("content_type")?.to_owned(),
            length: field.get("length")?.as_u64()?,
        })
    }

    #[must_use]
    pub fn to_value(&self) -> Value {
        json!({"file": self.file.as_str(), "content_type": self.content_type, "length": self.length})
    }
}

/// The folder of all accounts' sounds.
#[derive(Debug, Clone)]
pub struct Files {
    folder: PathBuf,
    /// Copies that the backups have.
    saved: PathBuf,
}

impl Files {
    /// The folder of a store's sounds. It is made when it is needed.
    #[must_use]
    pub fn of(store: &Store) -> Files {
        Files {
            folder: store.files_folder().to_owned(),
            saved: store.saved_files_folder(),
        }
    }

    fn folder(&self, account: &AccountId) -> PathBuf {
        folder_of_account(&self.folder, account)
    }

    fn path(&self, account: &AccountId, name: &FileName) -> PathBuf {
        self.folder(account).join(name.as_str())
    }

    /// Writes a new file; it is on disk, name included, when this returns.
    ///
    /// # Errors
    /// The disk, or the system gives no random bytes.
    pub async fn keep(
        &self,
        account: &AccountId,
        content_type: &str,
        bytes: Bytes,
    ) -> io::Result<Attachment> {
        let random = auth::random::<16>().map_err(|error| io::Error::other(error.to_string()))?;
        let file = FileName::new(&auth::hex(&random));
        let file = file.ok_or_else(|| io::Error::other("no name for a file"))?;
        let (folder, path) = (self.folder(account), self.path(account, &file));
        let length = bytes.len() as u64;
        let write = move || write(&folder, &path, &bytes);
        tokio::task::spawn_blocking(write)
            .await
            .map_err(io::Error::other)??;
        Ok(Attachment {
            file,
            content_type: content_type.to_owned(),
            length,
        })
    }

    /// From the backups' copy if the file itself is gone or not whole. None: there is neither.
    ///
    /// # Errors
    /// The disk.
    pub async fn read(
        &self,
        account: &AccountId,
        attachment: &Attachment,
    ) -> io::Result<Option<Bytes>> {
        let path = self.path(account, &attachment.file);
        let saved = folder_of_account(&self.saved, account).join(attachment.file.as_str());
        let length = attachment.length;
        let read = tokio::task::spawn_blocking(move || read(&path, &saved, length));
        let bytes = read.await.map_err(io::Error::other)??;
        Ok(bytes.map(Bytes::from))
    }

    /// Whether there is a file still, or a copy of it.
    pub async fn has(&self, account: &AccountId, attachment: &Attachment) -> bool {
        let path = self.path(account, &attachment.file);
        let saved = folder_of_account(&self.saved, account).join(attachment.file.as_str());
        let there = tokio::task::spawn_blocking(move || path.exists() || saved.exists());
        there.await.unwrap_or(false)
    }

    /// Removes the file of a document that is gone or has another now.
    pub async fn forget(&self, account: &AccountId, attachment: &Attachment) {
        let path = self.path(account, &attachment.file);
        let removed = tokio::task::spawn_blocking(move || gone(fs::remove_file(path))).await;
        told(account, removed.map_err(io::Error::other));
    }

    /// Removes everything of an account that is gone.
    pub async fn forget_account(&self, account: &AccountId) {
        let folder = self.folder(account);
        let removed = tokio::task::spawn_blocking(move || gone(fs::remove_dir_all(folder))).await;
        told(account, removed.map_err(io::Error::other));
    }
}

fn read(path: &Path, saved: &Path, length: u64) -> io::Result<Option<Vec<u8>>> {
    let whole = |bytes: &Vec<u8>| bytes.len() as u64 == length;
    let found = match fs::read(path) {
        Ok(bytes) if whole(&bytes) => return Ok(Some(bytes)),
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    match fs::read(saved) {
        Ok(bytes) if whole(&bytes) => {
            tracing::warn!(file = %path.display(), "a sound is gone or cut; it is taken from the backup");
            Ok(Some(bytes))
        }
        _ => found,
    }
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// A file too many does no harm but to the disk.
fn told(account: &AccountId, removed: io::Result<io::Result<()>>) {
    if let Err(error) = removed.and_then(|removed| removed) {
        tracing::warn!(account_id = %account, %error, "a sound that nothing names any more was not removed");
    }
}

/// Under a temporary name first: a file under its own name is whole.
fn write(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let part = path.with_extension("part");
    let written = File::create(&part).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    });
    if let Err(error) = written {
        let _ = fs::remove_file(&part);
        return Err(error);
    }
    // The names, too: this folder's, and that of the folder itself.
    for holder in [
        Some(folder),
        folder.parent(),
        folder.parent().and_then(Path::parent),
    ] {
        match holder {
            Some(holder) if !holder.as_os_str().is_empty() => File::open(holder)?.sync_all()?,
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str) -> AccountId {
        AccountId::new(id).unwrap()
    }

    #[tokio::test]
    async fn files_come_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files {
            folder: folder.path().join("store.media"),
            saved: folder.path().join("saved"),
        };
        let acme = account("acme");
        let bytes = Bytes::from_static(b"RIFF");
        let kept = files.keep(&acme, "audio/wav", bytes.clone()).await.unwrap();
        assert_eq!(kept.length, 4);
        let named: Map<String, Value> = Map::from_iter([(ATTACHMENT.to_owned(), kept.to_value())]);
        assert_eq!(Attachment::of(&named), Some(kept.clone()));
        assert_eq!(files.read(&acme, &kept).await.unwrap(), Some(bytes.clone()));
        assert_eq!(files.read(&account("other"), &kept).await.unwrap(), None);
        files.forget(&acme, &kept).await;
        files.forget(&acme, &kept).await;
        assert_eq!(files.read(&acme, &kept).await.unwrap(), None);
        let kept = files.keep(&acme, "audio/wav", bytes).await.unwrap();
        files.forget_account(&acme).await;
        assert_eq!(files.read(&acme, &kept).await.unwrap(), None);
        let left: Vec<_> = fs::read_dir(&files.folder).unwrap().collect();
        assert!(left.is_empty());
    }

    #[tokio::test]
    async fn what_is_gone_or_cut_comes_from_the_backup() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files {
            folder: folder.path().join("live"),
            saved: folder.path().join("saved"),
        };
        let acme = account("acme");
        let bytes = Bytes::from_static(b"RIFF");
        let kept = files.keep(&acme, "audio/wav", bytes.clone()).await.unwrap();
        let live = files.path(&acme, &kept.file);
        let saved = folder_of_account(&files.saved, &acme);
        fs::create_dir_all(&saved).unwrap();
        fs::copy(&live, saved.join(kept.file.as_str())).unwrap();
        fs::write(&live, "RI").unwrap();
        assert_eq!(files.read(&acme, &kept).await.unwrap(), Some(bytes.clone()));
        fs::remove_file(&live).unwrap();
        assert_eq!(files.read(&acme, &kept).await.unwrap(), Some(bytes));
    }

    #[test]
    fn a_document_names_no_file_elsewhere() {
        let hostile = [
            "../../../etc/passwd",
            "",
            "..",
            "/etc/passwd",
            &"A".repeat(32),
            &"a".repeat(31),
        ];
        for file in hostile {
            let field = json!({"file": file, "content_type": "audio/wav", "length": 1});
            let body = Map::from_iter([(ATTACHMENT.to_owned(), field)]);
            assert_eq!(Attachment::of(&body), None, "{file}");
        }
    }
}
