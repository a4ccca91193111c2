//! Checksums of whole files: whether a database is, bit for bit, what was closed.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A file below the database's folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct FileSum {
    pub name: String,
    pub length: u64,
    pub crc32: u32,
}

const BUFFER: usize = 1 << 20;

fn part(path: &Path, from: u64, length: u64) -> io::Result<crc32fast::Hasher> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut file = file.take(length);
    let mut buffer = vec![0; BUFFER];
    let mut hasher = crc32fast::Hasher::new();
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(buffer.get(..read).unwrap_or_default());
    }
}

/// Two threads, each half of the file.
fn crc32(path: &Path, length: u64) -> io::Result<u32> {
    let half = length / 2;
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(|| part(path, half, length - half));
        let first = part(path, 0, half);
        (first, second.join())
    });
    let mut hasher = first?;
    let second = second.map_err(|_| io::Error::other("the thread that read the file failed"))?;
    hasher.combine(&second?);
    Ok(hasher.finalize())
}

fn files(folder: &Path, below: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder.join(below))? {
        let entry = entry?;
        let name = below.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => files(folder, &name, found)?,
            false => found.push(name),
        }
    }
    Ok(())
}

/// Of every file, by name.
pub(super) fn of(folder: &Path) -> io::Result<Vec<FileSum>> {
    let mut names = Vec::new();
    files(folder, Path::new(""), &mut names)?;
    names.sort();
    let sum = |name: &PathBuf| {
        let path = folder.join(name);
        let length = fs::metadata(&path)?.len();
        Ok(FileSum {
            name: name.to_string_lossy().into_owned(),
            length,
            crc32: crc32(&path, length)?,
        })
    };
    names.iter().map(sum).collect()
}

/// What has changed since, one text a file.
///
/// # Errors
/// The folder can't be read.
pub(super) fn changes(folder: &Path, before: &[FileSum]) -> io::Result<Vec<String>> {
    let now = match of(folder) {
        Ok(now) => now,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut changes = Vec::new();
    for old in before {
        let name = &old.name;
        changes.extend(match now.iter().find(|new| new.name == *name) {
            None => Some(format!("the file {name} is gone")),
            Some(new) if new.length != old.length => Some(format!(
                "the file {name} had {} bytes and has {}",
                old.length, new.length
            )),
            Some(new) if new.crc32 != old.crc32 => {
                Some(format!("the file {name} is not what it was"))
            }
            Some(_) => None,
        });
    }
    let strange = now
        .iter()
        .filter(|new| before.iter().all(|old| old.name != new.name));
    changes.extend(strange.map(|new| format!("the file {} was not there", new.name)));
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flipped_cut_gone_and_strange_files_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("blobs")).unwrap();
        fs::write(path("db"), vec![7; 100_001]).unwrap();
        fs::write(path("blobs/1"), "x").unwrap();
        let before = of(folder.path()).unwrap();
        assert_eq!(before.len(), 2);
        assert_eq!(before[1].crc32, crc32fast::hash(&vec![7; 100_001]));
        assert_eq!(
            changes(folder.path(), &before).unwrap(),
            Vec::<String>::new()
        );
        let mut bytes = vec![7; 100_001];
        bytes[77_000] ^= 1;
        fs::write(path("db"), bytes).unwrap();
        fs::remove_file(path("blobs/1")).unwrap();
        fs::write(path("new"), "").unwrap();
        let told = changes(folder.path(), &before).unwrap();
        assert_eq!(told.len(), 3, "{told:?}");
        fs::write(path("db"), "short").unwrap();
        let told = changes(folder.path(), &before).unwrap();
        assert!(told[1].contains("had 100001 bytes and has 5"), "{told:?}");
    }
}
