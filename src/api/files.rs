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
use crate::types::AccountId;

/// The private field of a document that has a file.
pub const ATTACHMENT: &str = "pvt_attachment";

/// What a document says of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    file: FileName,
    pub content_type: String,
    /// Bytes.
    pub length: u64,
}

/// 32 hexadecimal digits: whatever a document says, it names no file elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileName(String);

impl FileName {
    fn new(text: &str) -> Option<FileName> {
        let digits = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        (text.len() == 32 && text.chars().all(digits)).then(|| FileName(text.to_owned()))
    }
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
        json!({"file": self.file.0, "content_type": self.content_type, "length": self.length})
    }
}

/// The folder of all accounts' sounds.
#[derive(Debug, Clone)]
pub struct Files(PathBuf);

impl Files {
    /// The folder beside a store: the store's name and `.media`. It is made when it is needed.
    #[must_use]
    pub fn beside(store: &Path) -> Files {
        Files(auth::beside(store, "media"))
    }

    fn folder(&self, account: &AccountId) -> PathBuf {
        // `.` and `..` are ids, too.
        self.0.join(format!("account-{account}"))
    }

    fn path(&self, account: &AccountId, name: &FileName) -> PathBuf {
        self.folder(account).join(&name.0)
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
        let file = FileName(auth::hex(&random));
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

    /// None: the file is gone.
    ///
    /// # Errors
    /// The disk.
    pub async fn read(
        &self,
        account: &AccountId,
        attachment: &Attachment,
    ) -> io::Result<Option<Bytes>> {
        let path = self.path(account, &attachment.file);
        let read = tokio::task::spawn_blocking(move || fs::read(path));
        match read.await.map_err(io::Error::other)? {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
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
        let files = Files::beside(&folder.path().join("store"));
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
        let left: Vec<_> = fs::read_dir(&files.0).unwrap().collect();
        assert!(left.is_empty());
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
