//! Reading a backup: nothing of it is believed before its footer's checksum was right.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::super::error::StoreError;
use super::super::prepare::DOCUMENT_MAX;
use super::attached;
use super::line::{FOOTER, FORMAT, Footer, HEADER, Header, Line};

/// Longest line, in bytes: a record twice a document's size in base64.
const LINE_MAX: usize = 3 * DOCUMENT_MAX;

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// One line into `line`, without its end; false at the end of the file.
fn next(input: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    loop {
        let available = match input.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if available.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = memchr::memchr(b'\n', available);
        let part = available.get(..end.unwrap_or(available.len()));
        line.extend_from_slice(part.unwrap_or_default());
        let used = part.map_or(0, <[u8]>::len) + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            return Ok(true);
        }
        if line.len() > LINE_MAX {
            return Err(io::Error::other("a line is too long"));
        }
    }
}

/// Reads a backup and calls `take` for each line between header and footer. The footer comes last: run it once with a `take` that does
/// nothing ([`verify`]) before anything is done with the lines.
///
/// # Errors
/// It can't be read, is no backup, is cut, or has changed since it was written; those of `take`.
pub(in super::super) fn read(
    path: &Path,
    take: &mut dyn FnMut(Line) -> Result<(), StoreError>,
) -> Result<(Header, Footer), StoreError> {
    let wrong = |why: String| StoreError::Backup {
        path: PathBuf::from(path),
        why,
    };
    let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    let mut input = BufReader::with_capacity(1 << 20, file);
    let mut hash = Sha256::new();
    let mut line = Vec::new();
    let mut header: Option<Header> = None;
    let mut number = 0_u64;
    while next(&mut input, &mut line).map_err(|error| wrong(error.to_string()))? {
        number += 1;
        if header.is_none() {
            let first: Header = serde_json::from_slice(&line)
                .ok()
                .filter(|first: &Header| first.kind == HEADER)
                .ok_or_else(|| wrong("it is no backup: the first line is no header".into()))?;
            if first.format != FORMAT {
                let format = first.format;
                return Err(wrong(format!(
                    "it has format {format}, this linefinder reads {FORMAT}"
                )));
            }
            header = Some(first);
        } else if let Some(footer) = footer_of(&line) {
            let header = header.ok_or_else(|| wrong("it has no header".into()))?;
            let sum = hex(&hash.finalize());
            if sum != footer.sha256 {
                return Err(wrong("its checksum is wrong: it was changed since".into()));
            }
            if footer.documents != number - 2 {
                return Err(wrong(format!(
                    "it should have {} lines of documents and has {}",
                    footer.documents,
                    number - 2
                )));
            }
            return Ok((header, footer));
        } else {
            let parsed = Line::parse(&line);
            take(parsed.map_err(|why| wrong(format!("line {number}: {why}")))?)?;
        }
        hash.update(&line);
        hash.update(b"\n");
    }
    Err(wrong("it is cut: there is no footer".into()))
}

fn footer_of(line: &[u8]) -> Option<Footer> {
    // the cheap look first: a footer begins so
    line.starts_with(b"{\"type\":\"backup_end\"")
        .then(|| serde_json::from_slice::<Footer>(line).ok())
        .flatten()
        .filter(|footer| footer.kind == FOOTER)
}

/// Reads a backup's documents from the first line to the last and checks all of them.
///
/// # Errors
/// What is wrong with it.
pub(in super::super) fn verify(path: &Path) -> Result<(Header, Footer), StoreError> {
    read(path, &mut |_| Ok(()))
}

/// The same, and the files that documents name.
///
/// # Errors
/// What is wrong with it.
pub(in super::super) fn verify_all(path: &Path) -> Result<(Header, Footer), StoreError> {
    let (header, footer) = verify(path)?;
    attached::verify(path, &header.store_id, &footer)?;
    Ok((header, footer))
}
