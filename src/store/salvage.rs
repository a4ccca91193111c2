//! Building a database from what a damaged one still has and what a backup has, each document in the newer of its versions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::backup::{self, Line};
use super::change::Revision;
use super::counts;
use super::digest::{self, Digest};
use super::disk::{Batch, Disk};
use super::error::StoreError;
use super::sled_log::SledLog;
use super::{indexes, keys, log, reads, record};
use crate::documents::{DocumentKey, json};

/// Records written at once.
const BATCH: usize = 2_000;

/// sled's page cache meanwhile, in bytes.
const CACHE_BYTES: u64 = 64 << 20;

/// Added to the sequence when writes may have been lost: nobody who remembers a revision may meet the same number on another text, and
/// followers of the change log, which holds less, read everything anew.
const LEAP: u64 = 1_000_000;

/// What a database is built from.
#[derive(Default)]
pub(super) struct Sources<'a> {
    pub(super) damaged: Option<&'a SledLog>,
    /// Verified before.
    pub(super) backup: Option<&'a Path>,
    /// The last write that is known to have been on the disk.
    pub(super) sequence: u64,
}

/// What became of it.
#[derive(Debug, Default)]
pub(super) struct Built {
    pub(super) saved: usize,
    pub(super) from_backup: usize,
    pub(super) sequence: u64,
    pub(super) lost: BTreeSet<String>,
    /// The damaged database had everything still.
    pub(super) complete: bool,
    /// Documents whose place a newer one has taken: the later state of the store can't have had them.
    pub(super) superseded: Vec<(DocumentKey, Vec<u8>)>,
}

struct Builder {
    disk: Disk,
    pending: Batch,
    /// Of documents that are gone: the write that deleted them.
    deleted: BTreeMap<Vec<u8>, u64>,
    sequence: u64,
    /// The sequence that the damaged database says it has.
    claimed: u64,
    /// The sum that the damaged database should have.
    promised: Option<Digest>,
    built: Built,
}

fn document_key(stored: &[u8]) -> Result<DocumentKey, StoreError> {
    keys::parse_document(stored)
        .ok_or_else(|| StoreError::damaged(keys::describe(stored), "the key names no document"))
}

impl Builder {
    fn write(&mut self) -> Result<(), StoreError> {
        self.disk.write(&self.pending)?;
        self.pending.clear();
        Ok(())
    }

    fn put(&mut self, key: &[u8], payload: Option<Vec<u8>>) -> Result<(), StoreError> {
        self.pending.insert(key.to_vec(), payload);
        match self.pending.len() >= BATCH {
            true => self.write(),
            false => Ok(()),
        }
    }

    fn payload(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(payload) = self.pending.get(key) {
            return Ok(payload.clone());
        }
        let value = self.disk.read(key)?;
        Ok(value.map(|value| value.payload().to_vec()))
    }

    fn revision(&self, stored: &[u8]) -> Result<Option<u64>, StoreError> {
        let Some(payload) = self.payload(stored)? else {
            return Ok(None);
        };
        Ok(Some(record::read_head(stored, &payload)?.revision.sequence))
    }

    /// A record as the damaged database has it.
    fn salvaged(&mut self, key: &[u8], framed: &[u8]) -> Result<(), StoreError> {
        let Ok(payload) = record::unframe(key, framed) else {
            if key.first() == keys::DOCUMENTS.first() {
                self.built.lost.insert(keys::describe(key));
            }
            return Ok(());
        };
        let number = || payload.first_chunk::<8>().map(|n| u64::from_le_bytes(*n));
        match key.first() {
            Some(b'm') => {
                if key == keys::SEQUENCE {
                    self.claimed = self.claimed.max(number().unwrap_or_default());
                    self.sequence = self.sequence.max(self.claimed);
                }
                if key == digest::KEY {
                    self.promised = Digest::read(payload);
                }
                Ok(())
            }
            Some(b'l') => {
                if let Some(write) = log::parse(payload) {
                    self.sequence = self.sequence.max(write.sequence);
                    if write.deleted {
                        let gone = self.deleted.entry(keys::document(&write.key)).or_default();
                        *gone = (*gone).max(write.revision);
                    }
                }
                Ok(())
            }
            Some(b'd') => {
                let Ok(head) = record::read_head(key, payload) else {
                    self.built.lost.insert(keys::describe(key));
                    return Ok(());
                };
                self.sequence = self.sequence.max(head.revision.sequence);
                if self.revision(key)? < Some(head.revision.sequence) {
                    self.put(key, Some(payload.to_vec()))?;
                }
                Ok(())
            }
            Some(b'c') => {
                let before = self.payload(key)?;
                let before = before.and_then(|before| before.first_chunk::<8>().copied());
                if before.map(u64::from_le_bytes) < number() {
                    self.put(key, Some(payload.to_vec()))?;
                }
                Ok(())
            }
            Some(tag) if keys::is_derived(*tag) => Ok(()),
            _ => self.put(key, Some(payload.to_vec())),
        }
    }

    /// The document under a key, if all its parts are there.
    fn whole(&self, stored: &[u8]) -> Result<Option<reads::Raw>, StoreError> {
        let Some(value) = self.disk.read(stored)? else {
            return Ok(None);
        };
        reads::with_chunks(&self.disk, stored, value.payload())
    }

    fn take_from_backup(&mut self, line: Line) -> Result<(), StoreError> {
        match line {
            Line::Record { key, payload } => {
                if digest::covers(&key) && self.payload(&key)?.is_none() {
                    self.put(&key, Some(payload))?;
                }
                Ok(())
            }
            Line::Deleted { key, revision } => {
                let stored = keys::document(&key);
                self.sequence = self.sequence.max(revision.sequence);
                if self
                    .revision(&stored)?
                    .is_some_and(|r| r < revision.sequence)
                {
                    self.remove(&stored)?;
                }
                Ok(())
            }
            Line::Document {
                key,
                revision,
                json,
            } => self.document_from_backup(&key, revision, &json),
        }
    }

    fn document_from_backup(
        &mut self,
        key: &DocumentKey,
        revision: Revision,
        text: &[u8],
    ) -> Result<(), StoreError> {
        let stored = keys::document(key);
        self.sequence = self.sequence.max(revision.sequence);
        if self
            .deleted
            .get(&stored)
            .is_some_and(|gone| *gone > revision.sequence)
        {
            return Ok(());
        }
        if let Some(known) = self.revision(&stored)?
            && known >= revision.sequence
        {
            // chunks may still be on their way to the disk
            self.write()?;
            let readable = |raw: reads::Raw| json::object(&raw.json).is_ok();
            if self.whole(&stored)?.is_some_and(readable) {
                return Ok(());
            }
            self.built
                .lost
                .insert(format!("what was changed in {key} since the backup"));
        }
        self.remove(&stored)?;
        let mut parts = text.chunks(record::CHUNK);
        let first = parts.next().unwrap_or_default().to_vec();
        let mut chunks = 0_u16;
        for part in parts {
            chunks += 1;
            let chunk = record::chunk(revision.sequence, part);
            self.put(&keys::chunk(&stored, chunks), Some(chunk))?;
        }
        self.put(&stored, Some(record::head(revision, chunks, &first)))?;
        self.built.from_backup += 1;
        Ok(())
    }

    /// Takes a document out, its chunks too.
    fn remove(&mut self, stored: &[u8]) -> Result<(), StoreError> {
        let Some(payload) = self.payload(stored)? else {
            return Ok(());
        };
        let chunks = record::read_head(stored, &payload).map_or(0, |head| head.chunks);
        for number in 1..=chunks {
            self.put(&keys::chunk(stored, number), None)?;
        }
        self.put(stored, None)
    }

    /// Takes out what is not whole.
    fn sift(&mut self) -> Result<(), StoreError> {
        self.write()?;
        let mut bad = Vec::new();
        for item in self.disk.prefix(keys::DOCUMENTS) {
            let (stored, _) = item?;
            let whole = self.whole(&stored)?;
            if whole.is_none_or(|raw| json::object(&raw.json).is_err()) {
                bad.push(stored.to_vec());
            }
        }
        for stored in bad {
            self.built.lost.insert(keys::describe(&stored));
            self.remove(&stored)?;
        }
        self.write()?;
        let mut orphans = Vec::new();
        for item in self.disk.prefix(b"c") {
            let (key, value) = item?;
            let document = document_key(&key)?;
            let stored = keys::document(&document);
            let head = self.payload(&stored)?;
            let belongs = head.is_some_and(|payload| {
                let head = record::read_head(&stored, &payload);
                let chunk = record::read_chunk(&key, value.payload());
                let number = key.last_chunk::<2>().map(|n| u16::from_be_bytes(*n));
                head.is_ok_and(|head| {
                    chunk.is_ok_and(|(revision, _)| revision == head.revision.sequence)
                        && number.is_some_and(|number| number <= head.chunks)
                })
            });
            if !belongs {
                orphans.push(key.to_vec());
            }
        }
        for key in orphans {
            self.put(&key, None)?;
        }
        self.write()
    }

    /// Makes the indexes. What only one document may have goes to the one that was written last.
    fn index(&mut self) -> Result<(), StoreError> {
        let mut after = Vec::new();
        loop {
            let range = (
                std::ops::Bound::Excluded(after.clone()),
                std::ops::Bound::Excluded(b"e".to_vec()),
            );
            let from = match after.is_empty() {
                true => (std::ops::Bound::Included(keys::DOCUMENTS.to_vec()), range.1),
                false => range,
            };
            let step: Vec<_> = self.disk.range(from, true).take(BATCH).collect();
            let Some(Ok((last, _))) = step.last() else {
                return step.into_iter().find_map(Result::err).map_or(Ok(()), Err);
            };
            after = last.to_vec();
            for item in step {
                let (stored, _) = item?;
                self.index_document(&stored)?;
            }
            self.write()?;
        }
    }

    fn index_document(&mut self, stored: &[u8]) -> Result<(), StoreError> {
        // taken out a moment ago, by a newer one with the same address
        let Some(raw) = self.payload(stored)?.and(self.whole(stored)?) else {
            return Ok(());
        };
        let key = document_key(stored)?;
        let entries = indexes::entries_of(&key, &raw.body(stored)?);
        for entry in &entries {
            let Some(taken) = self.payload(&entry.key)? else {
                continue;
            };
            if taken == entry.value {
                continue;
            }
            let holder = keys::document_of_index(&entry.key, &taken);
            let holder = holder.filter(|holder| *holder != key);
            let Some(holder) = holder else {
                continue;
            };
            let theirs = self.revision(&keys::document(&holder))?;
            if theirs > Some(raw.revision.sequence) {
                return self.supersede(key, stored);
            }
            let stored = keys::document(&holder);
            self.supersede(holder, &stored)?;
        }
        for entry in entries {
            self.put(&entry.key, Some(entry.value))?;
        }
        Ok(())
    }

    fn supersede(&mut self, key: DocumentKey, stored: &[u8]) -> Result<(), StoreError> {
        let Some(raw) = self.whole(stored)? else {
            return Ok(());
        };
        for entry in indexes::entries_of(&key, &raw.body(stored)?) {
            if self.payload(&entry.key)?.as_deref() == Some(entry.value.as_slice()) {
                self.put(&entry.key, None)?;
            }
        }
        self.remove(stored)?;
        self.built.superseded.push((key, raw.json));
        Ok(())
    }

    fn count_documents(&mut self) -> Result<(), StoreError> {
        self.write()?;
        for (key, count) in counts::recounted(&self.disk)? {
            self.put(&key, Some(counts::payload(count)))?;
        }
        Ok(())
    }

    fn count(&self) -> Result<(usize, Digest), StoreError> {
        let mut count = 0;
        let mut sum = Digest::default();
        for item in self.disk.raw(b"") {
            let (key, framed) = item?;
            if digest::covers(&key) {
                sum.add(&framed);
            }
            count += usize::from(key.first() == keys::DOCUMENTS.first());
        }
        Ok((count, sum))
    }
}

/// Builds a database in `folder`, which must be empty, and closes it.
///
/// # Errors
/// The disk; the backup.
pub(super) fn build(
    folder: &Path,
    store_id: &str,
    sources: &Sources<'_>,
) -> Result<Built, StoreError> {
    let disk = Disk::open(folder, CACHE_BYTES, true)?;
    disk.set_digest(Digest::default());
    let mut builder = Builder {
        disk,
        pending: Batch::new(),
        deleted: BTreeMap::new(),
        sequence: sources.sequence,
        claimed: 0,
        promised: None,
        built: Built::default(),
    };
    if let Some(damaged) = sources.damaged {
        damaged.records(|key, framed| builder.salvaged(key, framed))?;
        builder.write()?;
        let (saved, sum) = builder.count()?;
        builder.built.saved = saved;
        builder.built.complete =
            builder.promised == Some(sum) && builder.claimed == builder.sequence;
    }
    if !builder.built.complete
        && let Some(path) = sources.backup
    {
        let (_, footer) = backup::read(path, &mut |line| builder.take_from_backup(line))?;
        builder.sequence = builder.sequence.max(footer.sequence);
    }
    if !builder.built.complete {
        builder.sift()?;
    }
    builder.index()?;
    builder.count_documents()?;
    forget_what_is_there(&mut builder)?;
    if !builder.built.complete {
        builder.sequence = builder.sequence.saturating_add(LEAP);
    }
    let sequence = builder.sequence.to_le_bytes().to_vec();
    builder.put(keys::STORE_ID, Some(store_id.as_bytes().to_vec()))?;
    builder.put(keys::SEQUENCE, Some(sequence))?;
    let version = indexes::VERSION.to_le_bytes().to_vec();
    builder.put(keys::INDEXES, Some(version))?;
    builder.write()?;
    builder.disk.flush()?;
    builder.disk.close();
    builder.built.sequence = builder.sequence;
    Ok(builder.built)
}

/// Documents that are there after all are not lost.
fn forget_what_is_there(builder: &mut Builder) -> Result<(), StoreError> {
    let mut there = BTreeSet::new();
    if !builder.built.lost.is_empty() {
        for item in builder.disk.prefix(keys::DOCUMENTS) {
            there.insert(keys::describe(&item?.0));
        }
    }
    builder.built.lost.retain(|lost| !there.contains(lost));
    Ok(())
}
