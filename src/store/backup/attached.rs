//! The files that documents name, in a backup: copied once into a folder that all backups of a store share, and listed beside each backup.
//!
//! ```text
//! linefinder-ID-TIME-WRITE.jsonl          the documents; its footer has the list's length and checksum
//! linefinder-ID-TIME-WRITE.jsonl.files    the list: a JSON line for each file
//! linefinder-ID.files/account-A/NAME      the copies
//! ```
//! A file that can't be copied is not in the list, and is told; documents come first.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::super::attached::{self, FileName};
use super::super::error::StoreError;
use super::super::{fresh, space};
use super::files::{self, BackupFile};
use super::line::{FilesFooter, Footer};
use super::read::hex;
use super::write::{Pace, create_file, create_folder};
use crate::documents::DocumentKey;
use crate::types::AccountId;

const BUFFER: usize = 1 << 18;

/// Files that are named in an error.
const NAMED: usize = 3;

/// The files that documents name; of a document that changed meanwhile the last.
pub(super) type Named = BTreeMap<DocumentKey, (FileName, u64)>;

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Saved {
    account_id: AccountId,
    file: String,
    length: u64,
    sha256: String,
}

impl Saved {
    fn name(&self) -> io::Result<FileName> {
        FileName::new(&self.file).ok_or_else(|| io::Error::other("it names no file of a document"))
    }

    fn below(&self, folder: &Path) -> io::Result<PathBuf> {
        Ok(attached::path_of(folder, &self.account_id, &self.name()?))
    }

    fn said(&self) -> String {
        format!("{}/{}", self.account_id, self.file)
    }
}

fn list_of(backup: &Path) -> PathBuf {
    with_ending(backup, ".files")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Where the copies of a store's files are.
pub(in super::super) fn copies_of(backups: &Path, store_id: &str) -> PathBuf {
    backups.join(files::of_all(store_id, ".files"))
}

/// Where the copy of the server's secret is.
pub(in super::super) fn secret_of(backups: &Path, store_id: &str) -> PathBuf {
    backups.join(files::of_all(store_id, ".secret"))
}

/// Length and checksum of a file.
fn sum(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    let mut length = 0;
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => return Ok((length, hex(&hash.finalize()))),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        length += read as u64;
        hash.update(buffer.get(..read).unwrap_or_default());
    }
}

/// Copies a file under a temporary name first: one under its own name is whole, and on the disk.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("."));
    if !folder.is_dir() {
        create_folder(folder).map_err(io::Error::other)?;
        if let Some(above) = folder.parent() {
            fresh::sync(above)?;
        }
    }
    let part = with_ending(to, files::UNFINISHED);
    let copied = File::open(from).and_then(|mut source| {
        let mut target = create_file(&part)?;
        io::copy(&mut source, &mut target)?;
        target.sync_all()?;
        fs::rename(&part, to)
    });
    if copied.is_err() {
        let _ = fs::remove_file(&part);
    }
    copied?;
    fresh::sync(folder)
}

fn read_list(path: &Path) -> io::Result<Vec<Saved>> {
    let text = fs::read_to_string(path)?;
    let lines = text.lines().map(serde_json::from_str);
    Ok(lines.collect::<Result<_, _>>()?)
}

/// What the newest backup has copied, by account and name.
fn known(backups: &Path, store_id: &str) -> BTreeMap<(AccountId, String), Saved> {
    let newest = files::of_store(backups, store_id).into_iter().next();
    let list = newest.and_then(|backup| read_list(&list_of(&backup.path)).ok());
    let entries = list.unwrap_or_default().into_iter();
    entries
        .map(|saved| ((saved.account_id.clone(), saved.file.clone()), saved))
        .collect()
}

/// Copies what is not copied yet, and writes the list of the backup that will be at `backup`. `None` when documents name no files.
///
/// # Errors
/// The list can't be written.
pub(super) fn save(
    live: &Path,
    backup: &Path,
    store_id: &str,
    named: &Named,
    pace: &dyn Pace,
) -> Result<Option<FilesFooter>, StoreError> {
    if named.is_empty() {
        return Ok(None);
    }
    let backups = backup.parent().unwrap_or(Path::new("."));
    let copies = copies_of(backups, store_id);
    let known = known(backups, store_id);
    let mut list = Vec::new();
    let mut count = 0;
    let mut bytes = 0;
    let mut since = Instant::now();
    for (key, (name, length)) in named {
        let account = &key.account;
        let at = (account.clone(), name.as_str().to_owned());
        let (from, to) = (
            attached::path_of(live, account, name),
            attached::path_of(&copies, account, name),
        );
        let there = fs::metadata(&to).is_ok_and(|copy| copy.len() == *length);
        let saved = match known
            .get(&at)
            .filter(|known| there && known.length == *length)
        {
            Some(known) => known.clone(),
            None => match save_one(&from, &to, *length) {
                Ok((length, sha256)) => Saved {
                    account_id: account.clone(),
                    file: at.1,
                    length,
                    sha256,
                },
                Err(error) => {
                    let file = from.display();
                    tracing::error!(document = %key, %file, %error, "a file is not in the backup");
                    continue;
                }
            },
        };
        count += 1;
        bytes += saved.length;
        serde_json::to_writer(&mut list, &saved).map_err(io::Error::from)?;
        list.push(b'\n');
        pace.breathe(since.elapsed());
        since = Instant::now();
    }
    let mut file = create_file(&list_of(backup))?;
    file.write_all(&list)?;
    file.sync_all()?;
    Ok(Some(FilesFooter {
        count,
        bytes,
        sha256: hex(&Sha256::digest(&list)),
    }))
}

fn save_one(from: &Path, to: &Path, length: u64) -> io::Result<(u64, String)> {
    let found = fs::metadata(from)?.len();
    if found != length {
        let why = format!("it has {found} bytes, its document says {length}");
        return Err(io::Error::other(why));
    }
    // what is left then is for documents
    let folder = to.ancestors().find(|folder| folder.is_dir());
    space::room_for(folder.unwrap_or(to), length, 0).map_err(io::Error::other)?;
    copy(from, to)?;
    sum(to)
}

/// The list of a backup, if it has one; checked.
fn list(backup: &Path, footer: &Footer) -> Result<Vec<Saved>, String> {
    let Some(promised) = &footer.files else {
        return Ok(Vec::new());
    };
    let path = list_of(backup);
    let (_, sha256) = sum(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    if sha256 != promised.sha256 {
        return Err(format!("{} was changed since", path.display()));
    }
    read_list(&path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Where the copies of a backup's files are.
fn copies_beside(backup: &Path, store_id: &str) -> PathBuf {
    copies_of(backup.parent().unwrap_or(Path::new(".")), store_id)
}

/// Reads every copy that belongs to a backup.
///
/// # Errors
/// What is missing or has changed.
pub(super) fn verify(backup: &Path, store_id: &str, footer: &Footer) -> Result<(), StoreError> {
    let wrong = |why: String| StoreError::Backup {
        path: PathBuf::from(backup),
        why: format!("its documents are whole, but not its files: {why}"),
    };
    let list = list(backup, footer).map_err(wrong)?;
    let copies = copies_beside(backup, store_id);
    let bad: Vec<String> = list
        .iter()
        .filter_map(|saved| {
            let why = match saved.below(&copies).and_then(|path| sum(&path)) {
                Ok((_, sha256)) if sha256 == saved.sha256 => return None,
                Ok(_) => "was changed since".to_owned(),
                Err(error) => error.to_string(),
            };
            Some(format!("{}: {why}", saved.said()))
        })
        .collect();
    if bad.is_empty() {
        return Ok(());
    }
    let first: Vec<&str> = bad.iter().take(NAMED).map(String::as_str).collect();
    Err(wrong(format!(
        "{} of {} below {}: {}",
        bad.len(),
        list.len(),
        copies.display(),
        first.join("; ")
    )))
}

/// What became of the files of a backup that was restored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BroughtBack {
    /// Were missing, and are there again.
    pub back: usize,
    /// Account and name of those that are missing still, or why none can be told.
    pub missing: Vec<String>,
}

/// Puts files that are missing in their place back there.
pub(in super::super) fn bring_back(
    live: &Path,
    backup: &Path,
    store_id: &str,
    footer: &Footer,
) -> BroughtBack {
    let mut done = BroughtBack::default();
    let list = match list(backup, footer) {
        Ok(list) => list,
        Err(why) => {
            tracing::error!(why, "files of documents can't be brought back");
            done.missing.push(why);
            return done;
        }
    };
    let copies = copies_beside(backup, store_id);
    for saved in list {
        let there = |path: &Path| fs::metadata(path).is_ok_and(|file| file.len() == saved.length);
        let back = saved.below(live).and_then(|to| match there(&to) {
            true => Ok(false),
            false => {
                let from = saved.below(&copies)?;
                match sum(&from)?.1 == saved.sha256 {
                    true => copy(&from, &to).map(|()| true),
                    false => Err(io::Error::other("its copy was changed since")),
                }
            }
        });
        match back {
            Ok(back) => done.back += usize::from(back),
            Err(error) => {
                tracing::error!(file = saved.said(), %error, "a file of a document can't be brought back");
                done.missing.push(saved.said());
            }
        }
    }
    done
}

/// A backup was removed: its list goes, and the copies that no other backup has.
pub(super) fn forget(removed: &[BackupFile], kept: &[BackupFile], backups: &Path) {
    let listed = |backup: &BackupFile| {
        let list = read_list(&list_of(&backup.path)).unwrap_or_default();
        list.into_iter()
            .map(|saved| (saved.account_id, saved.file))
            .collect::<BTreeSet<_>>()
    };
    let mut gone: BTreeSet<_> = removed.iter().flat_map(listed).collect();
    for backup in kept {
        if gone.is_empty() {
            break;
        }
        if backup.footer.files.is_some() && !list_of(&backup.path).exists() {
            // nobody knows what belongs to it
            gone.clear();
        }
        for one in listed(backup) {
            gone.remove(&one);
        }
    }
    for backup in removed {
        let _ = fs::remove_file(list_of(&backup.path));
        let copies = copies_of(backups, &backup.header.store_id);
        for (account, name) in &gone {
            if let Some(name) = FileName::new(name) {
                let _ = fs::remove_file(attached::path_of(&copies, account, &name));
            }
        }
    }
}
