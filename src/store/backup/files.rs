//! Backup files: where they are, what they are called, which are kept.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::super::settings::StoreSettings;
use super::attached;
use super::line::{FOOTER, FORMAT, Footer, HEADER, Header};

const FOLDER: &str = "backups";
const START: &str = "linefinder-";
pub(super) const END: &str = ".jsonl";
/// Of a file that is being written.
pub(super) const UNFINISHED: &str = ".part";

/// Of each of the last so many days the newest is kept, beside the newest ones of all.
const DAYS_KEPT: usize = 14;

/// First and last lines are no longer than this.
const LINE_MAX: u64 = 4096;

/// A backup that has a header and a footer; whether what is between them is whole, [`super::verify`] says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupFile {
    pub path: PathBuf,
    pub header: Header,
    pub footer: Footer,
    /// Bytes.
    pub size: u64,
}

/// Where the backups of a store are.
pub(in super::super) fn folder_of(settings: &StoreSettings) -> PathBuf {
    if let Some(folder) = &settings.backups {
        return folder.clone();
    }
    settings.path.parent().unwrap_or(Path::new("")).join(FOLDER)
}

/// Names sort by time within a store.
pub(super) fn name(header: &Header) -> String {
    let time: String = header
        .time
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .collect();
    let end = format!("-{time}-{}{END}", header.sequence);
    of_all(&header.store_id, &end)
}

/// Name of what belongs to all backups of a store.
pub(super) fn of_all(store_id: &str, end: &str) -> String {
    let id: String = store_id.chars().take(8).collect();
    format!("{START}{id}{end}")
}

fn ends(path: &Path) -> io::Result<Option<BackupFile>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut first = Vec::new();
    (&mut file).take(LINE_MAX).read_to_end(&mut first)?;
    file.seek(SeekFrom::Start(size.saturating_sub(LINE_MAX)))?;
    let mut last = Vec::new();
    file.take(LINE_MAX).read_to_end(&mut last)?;
    let first = first.split(|byte| *byte == b'\n').next();
    let last = last.strip_suffix(b"\n");
    let last = last.and_then(|last| last.rsplit(|byte| *byte == b'\n').next());
    let header = first.and_then(|line| serde_json::from_slice::<Header>(line).ok());
    let footer = last.and_then(|line| serde_json::from_slice::<Footer>(line).ok());
    let (Some(header), Some(footer)) = (header, footer) else {
        return Ok(None);
    };
    let right = header.kind == HEADER && header.format == FORMAT && footer.kind == FOOTER;
    Ok(right.then(|| BackupFile {
        path: PathBuf::from(path),
        header,
        footer,
        size,
    }))
}

/// All backups in a folder, of whichever store, the newest first. A folder that is not there has none.
///
/// # Errors
/// The folder can't be read. Files that can't be, or are no backups, are left out.
pub(in super::super) fn list(folder: &Path) -> io::Result<Vec<BackupFile>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(END)
            && let Ok(Some(file)) = ends(&path)
        {
            found.push(file);
        }
    }
    found.sort_by(|a, b| {
        let key = |f: &BackupFile| (f.header.time.clone(), f.footer.sequence, f.path.clone());
        key(b).cmp(&key(a))
    });
    Ok(found)
}

/// Those of one store, the newest first.
pub(in super::super) fn of_store(folder: &Path, store_id: &str) -> Vec<BackupFile> {
    let mut found = list(folder).unwrap_or_default();
    found.retain(|file| file.header.store_id == store_id);
    found
}

/// How far the newest backup of a store goes.
pub(in super::super) fn newest_sequence(folder: &Path, store_id: &str) -> Option<u64> {
    let files = of_store(folder, store_id);
    files.iter().map(|file| file.footer.sequence).max()
}

/// Removes what is neither among the `keep` newest nor the newest of one of the last days.
pub(super) fn prune(folder: &Path, store_id: &str, keep: usize) {
    let mut days = BTreeSet::new();
    let (mut kept, mut removed) = (Vec::new(), Vec::new());
    for (number, file) in of_store(folder, store_id).into_iter().enumerate() {
        let day: String = file.header.time.chars().take(10).collect();
        let newest_of_day = days.insert(day) && days.len() <= DAYS_KEPT;
        if number < keep.max(1) || newest_of_day {
            kept.push(file);
            continue;
        }
        match fs::remove_file(&file.path) {
            Ok(()) => removed.push(file),
            Err(error) => {
                tracing::warn!(%error, backup = %file.path.display(), "an old backup can't be removed");
                kept.push(file);
            }
        }
    }
    attached::forget(&removed, &kept, folder);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(folder: &Path, id: &str, time: &str, sequence: u64) {
        let header = Header {
            kind: HEADER.into(),
            format: FORMAT,
            version: "0".into(),
            store_id: id.into(),
            sequence,
            time: time.into(),
        };
        let footer = Footer {
            kind: FOOTER.into(),
            sequence,
            documents: 0,
            files: None,
            sha256: String::new(),
        };
        let lines = [
            serde_json::to_string(&header).unwrap(),
            serde_json::to_string(&footer).unwrap(),
        ];
        fs::write(folder.join(name(&header)), lines.join("\n") + "\n").unwrap();
    }

    #[test]
    fn the_newest_and_one_a_day_are_kept_and_other_stores_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for hour in 10..20_u64 {
            make(
                folder.path(),
                "one",
                &format!("2026-03-01T{hour}:00:00Z"),
                hour,
            );
            make(
                folder.path(),
                "one",
                &format!("2026-03-02T{hour}:00:00Z"),
                hour + 50,
            );
            make(
                folder.path(),
                "two",
                &format!("2026-03-01T{hour}:00:00Z"),
                hour,
            );
        }
        fs::write(folder.path().join("notes.jsonl"), "{}").unwrap();
        fs::write(folder.path().join("x.jsonl.part"), "{").unwrap();
        assert_eq!(list(folder.path()).unwrap().len(), 30);
        prune(folder.path(), "one", 3);
        let kept: Vec<u64> = of_store(folder.path(), "one")
            .iter()
            .map(|f| f.footer.sequence)
            .collect();
        assert_eq!(kept, [69, 68, 67, 19]);
        assert_eq!(of_store(folder.path(), "two").len(), 10);
        assert_eq!(newest_sequence(folder.path(), "one"), Some(69));
        assert_eq!(newest_sequence(folder.path(), "three"), None);
        assert!(folder.path().join("notes.jsonl").exists());
    }
}
