//! Files that documents name: uploads, recordings, messages. Where they lie, and which one a document has.
//!
//! A file has a name that no other ever had and is never written again, so that a copy of it is good for ever.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::settings::StoreSettings;
use crate::types::AccountId;

/// The private field of a document that has a file.
pub const ATTACHMENT: &str = "pvt_attachment";

/// 32 hexadecimal digits: whatever a document says, it names no file elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileName(String);

impl FileName {
    #[must_use]
    pub fn new(text: &str) -> Option<FileName> {
        let digits = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        (text.len() == 32 && text.chars().all(digits)).then(|| FileName(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The files of an account, below the folder of all.
#[must_use]
pub fn folder_of_account(all: &Path, account: &AccountId) -> PathBuf {
    // `.` and `..` are ids, too.
    all.join(format!("account-{account}"))
}

pub(super) fn path_of(all: &Path, account: &AccountId, name: &FileName) -> PathBuf {
    folder_of_account(all, account).join(name.as_str())
}

/// The folder of all files: `[store] files`, else the store's name and `.media` beside it.
pub(super) fn folder_of(settings: &StoreSettings) -> PathBuf {
    if let Some(folder) = &settings.files {
        return folder.clone();
    }
    let mut name = settings.path.file_name().unwrap_or_default().to_owned();
    name.push(".media");
    settings.path.with_file_name(name)
}

/// Name and length in bytes of the file that a document has.
pub(super) fn named(body: &Map<String, Value>) -> Option<(FileName, u64)> {
    let field = body.get(ATTACHMENT)?;
    let name = FileName::new(field.get("file")?.as_str()?)?;
    Some((name, field.get("length")?.as_u64()?))
}

/// The same from a document's JSON; most have none, which costs little.
pub(super) fn named_in(json: &[u8]) -> Option<(FileName, u64)> {
    memchr::memmem::find(json, ATTACHMENT.as_bytes())?;
    named(&crate::documents::json::object(json).ok()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
            let body = json!({ATTACHMENT: {"file": file, "length": 1}}).to_string();
            assert_eq!(named_in(body.as_bytes()), None, "{file}");
        }
        let name = "0123456789abcdef".repeat(2);
        let body = json!({ATTACHMENT: {"file": name, "length": 7}}).to_string();
        assert_eq!(named_in(body.as_bytes()), Some((FileName(name.clone()), 7)));
        let path = path_of(
            Path::new("/m"),
            &AccountId::new("..").unwrap(),
            &FileName(name.clone()),
        );
        assert_eq!(path, Path::new(&format!("/m/account-../{name}")));
    }
}
