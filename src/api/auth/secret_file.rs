//! The file of the server's secret: for its owner's eyes only, whole or not there, with a checksum.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::secrets::{SecretsError, hex};

/// Bits that others must not have on the file.
const OTHERS: u32 = 0o077;

pub(super) fn found(mut file: File, path: &Path) -> Result<Found, SecretsError> {
    let failed = |error| SecretsError::File {
        path: path.to_owned(),
        error,
    };
    if file.metadata().map_err(failed)?.mode() & OTHERS != 0 {
        return Err(SecretsError::Open {
            path: path.to_owned(),
        });
    }
    let mut text = Vec::new();
    (&mut file)
        .take(1024)
        .read_to_end(&mut text)
        .map_err(failed)?;
    Found::parse(&text).ok_or_else(|| SecretsError::Broken {
        path: path.to_owned(),
    })
}

/// A secret as it lies in a file.
pub(super) struct Found {
    pub(super) bytes: [u8; 32],
    /// It has a checksum, and that is right.
    pub(super) summed: bool,
}

impl Found {
    /// 64 hexadecimal digits, and 8 more of their checksum.
    pub(super) fn parse(text: &[u8]) -> Option<Found> {
        let text = std::str::from_utf8(text).ok()?.trim();
        let mut words = text.split_ascii_whitespace();
        let bytes: [u8; 32] = unhex(words.next()?)?.try_into().ok()?;
        let sum = words.next();
        let right = sum.is_none_or(|sum| sum.eq_ignore_ascii_case(&checksum(&bytes)));
        (right && words.next().is_none()).then_some(Found {
            bytes,
            summed: sum.is_some(),
        })
    }

    /// All but a few bits are the same: no other secret, but a damaged one.
    pub(super) fn resembles(&self, other: &Found) -> bool {
        let pairs = self.bytes.iter().zip(&other.bytes);
        let different: u32 = pairs.map(|(one, two)| (one ^ two).count_ones()).sum();
        (1..=DAMAGED_BITS).contains(&different)
    }
}

/// Two secrets differ in some 128 bits.
const DAMAGED_BITS: u32 = 32;

pub(super) fn checksum(secret: &[u8]) -> String {
    hex(&crc32fast::hash(secret).to_be_bytes())
}

/// None: there is no such file.
pub(super) fn look(path: &Path) -> Result<Option<Found>, SecretsError> {
    match File::open(path) {
        Ok(file) => found(file, path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SecretsError::File {
            path: path.to_owned(),
            error,
        }),
    }
}

/// Moves what is there aside, which is where, and writes the secret.
pub(super) fn mend(path: &Path, secret: &[u8], ending: &str) -> Result<PathBuf, SecretsError> {
    let aside = with_ending(path, ending);
    let moved = match fs::rename(path, &aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => make(path, secret),
    };
    moved.map(|()| aside).map_err(|error| SecretsError::Mend {
        path: path.to_owned(),
        error,
    })
}

/// Writes the secret whatever is there.
pub(super) fn replace(path: &Path, secret: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => make(path, secret),
    }
}

pub(super) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// All of it or none: a half-written secret must not be taken for one after a crash.
pub(super) fn make(path: &Path, secret: &[u8]) -> io::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let draft = with_ending(path, &format!(".{}", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    let linked = file
        .write_all(format!("{} {}\n", hex(secret), checksum(secret)).as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    linked.and(removed)?;
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let pair = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(pair).collect()
}
