//! Writing a backup while the store is in use.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::super::change::Revision;
use super::super::core::Core;
use super::super::error::StoreError;
use super::super::{attached as named, digest, keys, log, reads};
use super::attached::{self, Named};
use super::files::{self, BackupFile, UNFINISHED};
use super::line::{FOOTER, FORMAT, Footer, HEADER, Header, Line};
use super::read::hex;
use crate::documents::DocumentKey;

/// Records between two looks at the clock.
const STEP: u64 = 256;

/// Bytes between two syncs, so that a sync of the store never waits for all of the backup.
const SYNC_BYTES: usize = 8 << 20;

/// Writes that may come in while writers wait.
const LAST_WRITES: u64 = 500;

/// Writes of the change log that are read at once.
const LOG_STEP: usize = 1_000;

/// How fast it goes.
pub(in super::super) trait Pace {
    /// Called after each step, which took so long.
    fn breathe(&self, took: Duration);
}

/// As fast as it can: nobody is on the phone.
impl Pace for () {
    fn breathe(&self, _took: Duration) {}
}

struct Writer<'a> {
    out: BufWriter<File>,
    hash: Sha256,
    lines: u64,
    unsynced: usize,
    /// Files that the documents name.
    named: Named,
    pace: &'a dyn Pace,
    since: Instant,
}

impl Writer<'_> {
    fn bytes(&mut self, text: &[u8]) -> Result<(), StoreError> {
        self.hash.update(text);
        self.out.write_all(text)?;
        self.unsynced += text.len();
        if self.unsynced >= SYNC_BYTES {
            self.unsynced = 0;
            self.out.flush()?;
            self.out.get_ref().sync_data()?;
        }
        Ok(())
    }

    fn line(&mut self, line: &Line) -> Result<(), StoreError> {
        let text = line.text().map_err(std::io::Error::from)?;
        self.bytes(&text)?;
        self.lines += 1;
        if self.lines.is_multiple_of(STEP) {
            self.pace.breathe(self.since.elapsed());
            self.since = Instant::now();
        }
        Ok(())
    }

    fn document(&mut self, core: &Core, key: DocumentKey) -> Result<bool, StoreError> {
        let Some((revision, json)) = stored(core, &key)? else {
            self.named.remove(&key);
            return Ok(false);
        };
        match named::named_in(&json) {
            Some(file) => drop(self.named.insert(key.clone(), file)),
            None => drop(self.named.remove(&key)),
        }
        self.line(&Line::Document {
            key,
            revision,
            json,
        })?;
        Ok(true)
    }
}

/// A document with its revision, both of the same moment.
fn stored(core: &Core, key: &DocumentKey) -> Result<Option<(Revision, Vec<u8>)>, StoreError> {
    let raw = reads::raw(&core.disk, &keys::document(key))?;
    Ok(raw.map(|raw| (raw.revision, raw.json)))
}

/// Makes a backup of the whole store in `folder`.
///
/// # Errors
/// The disk, or a damaged record: a backup without it would pass for a whole one.
pub(in super::super) fn create(
    core: &Core,
    store_id: &str,
    folder: &Path,
    keep: usize,
    pace: &dyn Pace,
) -> Result<BackupFile, StoreError> {
    let _alone = core.alone_in_backups();
    create_folder(folder)?;
    let sequence = core.door().sequence;
    let header = Header {
        kind: HEADER.to_owned(),
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        store_id: store_id.to_owned(),
        sequence,
        time: jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string(),
    };
    let path = folder.join(files::name(&header));
    let part = PathBuf::from(format!("{}{UNFINISHED}", path.display()));
    let written = write(core, &header, &part, &path, pace);
    if written.is_err() {
        // of no use, and it may be what fills the disk
        let _ = fs::remove_file(&part);
    }
    let footer = written?;
    fs::rename(&part, &path)?;
    File::open(folder)?.sync_all()?;
    files::prune(folder, store_id, keep);
    Ok(BackupFile {
        size: fs::metadata(&path)?.len(),
        path,
        header,
        footer,
    })
}

/// Passwords are in it: for the daemon's user alone.
pub(super) fn create_folder(folder: &Path) -> Result<(), StoreError> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    Ok(builder.create(folder)?)
}

pub(super) fn create_file(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Writes `part`, which is to be `path`.
fn write(
    core: &Core,
    header: &Header,
    part: &Path,
    path: &Path,
    pace: &dyn Pace,
) -> Result<Footer, StoreError> {
    let mut writer = Writer {
        out: BufWriter::with_capacity(1 << 18, create_file(part)?),
        hash: Sha256::new(),
        lines: 0,
        unsynced: 0,
        named: Named::new(),
        pace,
        since: Instant::now(),
    };
    let mut text = serde_json::to_vec(header).map_err(std::io::Error::from)?;
    text.push(b'\n');
    writer.bytes(&text)?;
    scan(core, &mut writer)?;
    let sequence = catch_up(core, &mut writer, header.sequence)?;
    let id = &header.store_id;
    let files = attached::save(&core.files, path, id, &writer.named, pace)?;
    let footer = Footer {
        kind: FOOTER.to_owned(),
        sequence,
        documents: writer.lines,
        files,
        sha256: hex(&std::mem::take(&mut writer.hash).finalize()),
    };
    let mut text = serde_json::to_vec(&footer).map_err(std::io::Error::from)?;
    text.push(b'\n');
    writer.out.write_all(&text)?;
    let file = writer
        .out
        .into_inner()
        .map_err(std::io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(footer)
}

/// Everything once. What is written meanwhile may be in it or not.
fn scan(core: &Core, writer: &mut Writer<'_>) -> Result<(), StoreError> {
    for item in core.disk.prefix(keys::DOCUMENTS) {
        let (stored, _) = item?;
        let key = keys::parse_document(&stored).ok_or_else(|| {
            StoreError::damaged(keys::describe(&stored), "the key names no document")
        })?;
        writer.document(core, key)?;
    }
    // other things that can't be made anew, whatever they are
    for tag in 0..=u8::MAX {
        if matches!(tag, b'd' | b'c') || !digest::covers(&[tag]) {
            continue;
        }
        for item in core.disk.prefix(&[tag]) {
            let (key, value) = item?;
            writer.line(&Line::Record {
                key: key.to_vec(),
                payload: value.payload().to_vec(),
            })?;
        }
    }
    Ok(())
}

/// What was written since `from`, until there is nothing left. Returns the last write that is in it.
fn catch_up(core: &Core, writer: &mut Writer<'_>, from: u64) -> Result<u64, StoreError> {
    let mut done = from;
    loop {
        let door = core.door();
        let last = door.sequence;
        if last - done <= LAST_WRITES {
            // Writers wait for these few.
            changes(core, writer, done, last)?;
            return Ok(last);
        }
        drop(door);
        changes(core, writer, done, last)?;
        done = last;
    }
}

fn changes(core: &Core, writer: &mut Writer<'_>, from: u64, last: u64) -> Result<(), StoreError> {
    let mut done = from;
    while done < last {
        let step = LOG_STEP.min(usize::try_from(last - done).unwrap_or(LOG_STEP));
        let Some(writes) = log::after(&core.disk, done, last, step)? else {
            let why = "more was written meanwhile than the change log holds";
            return Err(StoreError::Disk(format!("no backup was made: {why}")));
        };
        done += writes.len() as u64;
        if writes.is_empty() {
            break;
        }
        for write in writes {
            let revision = Revision {
                sequence: write.revision,
                count: 0,
            };
            if !writer.document(core, write.key.clone())? {
                writer.line(&Line::Deleted {
                    key: write.key,
                    revision,
                })?;
            }
        }
    }
    Ok(())
}
