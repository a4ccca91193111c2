//! Reads the file of sled 0.34.7 without sled. A damaged file makes sled panic, and its recovery wipes what it takes for torn, which may be
//! the only copy of something; so a file that has not been closed in good order is looked at here first, and what can be saved from a
//! damaged one is read here too. Nothing is written.
//!
//! ```text
//! file:     segments of 512 KiB, in any order
//! segment:  crc32 (4, inverted) | log sequence number (8) | the last one known to be stable (8), both xor i64::MAX | messages
//! message:  crc32 (4, inverted, over body and header) | kind (1) | length | number of the segment | page (varints) | body
//! page:     the latest replacement (a node of the tree) and the links (single changes) behind it
//! ```

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::sled_bytes::{Bytes, Link, Node};

const SEGMENT: usize = 512 * 1024;
const SEGMENT_HEADER: usize = 20;
/// Nothing begins so close to the end of a segment.
const RED_ZONE: usize = 32;
/// Findings that are kept; more don't change what has to be done.
const FINDINGS_MAX: usize = 20;

mod kind {
    pub(super) const CANCELED: u8 = 1;
    pub(super) const CAP: u8 = 2;
    pub(super) const BATCH_MANIFEST: u8 = 3;
    pub(super) const FREE: u8 = 4;
    pub(super) const COUNTER: u8 = 5;
    pub(super) const NODE: u8 = 8;
    pub(super) const BLOB_NODE: u8 = 9;
    pub(super) const LINK: u8 = 10;
    pub(super) const BLOB_LINK: u8 = 11;
}

/// Where a message's body is.
#[derive(Clone, Copy)]
struct Place {
    at: u64,
    length: u32,
    in_blob: bool,
}

#[derive(Default)]
struct Page {
    base: Option<Place>,
    links: Vec<Place>,
}

/// A message whose checksum is right.
struct Message {
    kind: u8,
    page: u64,
    /// Of the body, within the segment.
    body: usize,
    length: usize,
}

/// What the log is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// To tell whether a crash explains its state: as sled would read it.
    Judging,
    /// To save what is left: behind damage, and behind what a crash has torn, it goes on.
    Saving,
}

enum Found {
    Whole(Message),
    /// Right by itself, but left over from an earlier use of the place: of this segment.
    Stale(u64),
    /// Never written.
    Blank,
    Bad,
}

/// The pages of a database, as far as they can be read.
pub(super) struct SledLog {
    file: File,
    blobs: PathBuf,
    pages: BTreeMap<u64, Page>,
    /// What a crash does not explain.
    pub(super) findings: Vec<String>,
}

fn message(segment: &[u8], at: usize, number: u64) -> Found {
    let Some(rest) = segment.get(at..) else {
        return Found::Blank;
    };
    if rest.iter().take(RED_ZONE).all(|byte| *byte == 0) {
        return Found::Blank;
    }
    let mut bytes = Bytes(rest);
    let head = (|| {
        let crc = bytes.u32()?;
        let kind = bytes.u8()?;
        Some((crc, kind, bytes.varint()?, bytes.varint()?, bytes.varint()?))
    })();
    let Some((crc, kind, length, segment_number, page)) = head else {
        return Found::Bad;
    };
    let header = rest.len() - bytes.0.len();
    if kind == 0 || kind > kind::BLOB_LINK {
        return Found::Bad;
    }
    let Some(body) = usize::try_from(length).ok().and_then(|l| bytes.0.get(..l)) else {
        return Found::Bad;
    };
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(body);
    hasher.update(rest.get(4..header).unwrap_or_default());
    if hasher.finalize() ^ u32::MAX != crc {
        return Found::Bad;
    }
    if segment_number != number {
        return Found::Stale(segment_number);
    }
    Found::Whole(Message {
        kind,
        page,
        body: at + header,
        length: body.len(),
    })
}

/// Where the next message begins that is whole and belongs here.
fn next_whole(segment: &[u8], from: usize, number: u64) -> Option<usize> {
    (from..=SEGMENT - RED_ZONE)
        .take_while(|at| *at < segment.len())
        // the cheap look first
        .filter(|at| segment_number(segment, *at) == Some(number))
        .find(|at| matches!(message(segment, *at, number), Found::Whole(_)))
}

/// What a message that began here would name as its segment.
fn segment_number(segment: &[u8], at: usize) -> Option<u64> {
    let mut bytes = Bytes(segment.get(at..)?);
    bytes.take(5)?;
    let _length = bytes.varint()?;
    bytes.varint()
}

struct Headers {
    /// Offset in the file by log sequence number.
    segments: BTreeMap<i64, u64>,
    /// Everything before it was on the disk once.
    floor: i64,
}

fn read_at(file: &File, at: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn number_of(lsn: i64) -> u64 {
    u64::try_from(lsn).unwrap_or_default() / SEGMENT as u64
}

impl SledLog {
    /// Reads the log in the order in which it was written.
    ///
    /// # Errors
    /// The file can't be read; that it is damaged is a finding.
    pub(super) fn read(folder: &Path, reading: Reading) -> io::Result<Self> {
        let mut log = Self {
            file: File::open(folder.join("db"))?,
            blobs: folder.join("blobs"),
            pages: BTreeMap::new(),
            findings: Vec::new(),
        };
        let headers = log.headers()?;
        let end = match reading {
            Reading::Judging => log.end(&headers)?,
            Reading::Saving => i64::MAX,
        };
        log.replay(&headers, end, reading)?;
        Ok(log)
    }

    fn finding(&mut self, text: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(text);
        }
    }

    fn headers(&mut self) -> io::Result<Headers> {
        let length = self.file.metadata()?.len();
        let mut headers = Headers {
            segments: BTreeMap::new(),
            floor: 0,
        };
        for offset in (0..length).step_by(SEGMENT) {
            let head = read_at(&self.file, offset, SEGMENT_HEADER)?;
            if head.len() < SEGMENT_HEADER || head.iter().all(|byte| *byte == 0) {
                continue;
            }
            let mut bytes = Bytes(&head);
            let (crc, lsn, stable) = (bytes.u32(), bytes.i64(), bytes.i64());
            let right = crc32fast::hash(head.get(4..).unwrap_or_default()) ^ u32::MAX;
            let lsn = lsn.unwrap_or_default() ^ i64::MAX;
            if crc != Some(right) || lsn < 0 || lsn % SEGMENT as i64 != 0 {
                self.finding(format!("the segment at byte {offset} has a damaged header"));
                // its messages know where they belong
                if let Some(lsn) = self.lsn_of_first_message(offset)? {
                    headers.segments.entry(lsn).or_insert(offset);
                }
                continue;
            }
            let stable = stable.unwrap_or_default() ^ i64::MAX;
            headers.floor = headers.floor.max(stable);
            if headers.segments.insert(lsn, offset).is_some() {
                self.finding(format!("two segments have the number {lsn}"));
            }
        }
        headers.floor = headers.floor / SEGMENT as i64 * SEGMENT as i64;
        if headers.floor > 0 && !headers.segments.contains_key(&headers.floor) {
            self.finding("the end of the log is missing".to_owned());
        }
        Ok(headers)
    }

    fn lsn_of_first_message(&self, offset: u64) -> io::Result<Option<i64>> {
        let segment = read_at(&self.file, offset, SEGMENT)?;
        let Found::Stale(number) = message(&segment, SEGMENT_HEADER, u64::MAX) else {
            return Ok(None);
        };
        let lsn = i64::try_from(number).ok();
        Ok(lsn.and_then(|number| number.checked_mul(SEGMENT as i64)))
    }

    /// Where the part ends that was written without a gap: the last message of a crash may be torn.
    fn end(&self, headers: &Headers) -> io::Result<i64> {
        let mut expected = headers.floor;
        let tail = headers.segments.range(headers.floor..);
        let mut segments = Vec::new();
        let mut gap = None;
        for (lsn, offset) in tail {
            if *lsn != expected {
                gap = Some(expected);
                break;
            }
            segments.push((*lsn, *offset));
            expected += SEGMENT as i64;
        }
        let mut end = 0;
        for (lsn, offset) in segments {
            let segment = read_at(&self.file, offset, SEGMENT)?;
            let mut at = SEGMENT_HEADER;
            end = lsn + at as i64;
            while at <= SEGMENT - RED_ZONE {
                let Found::Whole(message) = message(&segment, at, number_of(lsn)) else {
                    return Ok(end - 1);
                };
                match message.kind {
                    kind::CAP => break,
                    kind::BATCH_MANIFEST => {
                        let body = segment.get(message.body..).unwrap_or_default();
                        if gap.is_some_and(|gap| Bytes(body).i64().is_some_and(|b| b > gap)) {
                            return Ok(end - 1);
                        }
                    }
                    _ => {}
                }
                at = message.body + message.length;
                end = lsn + at as i64;
            }
        }
        Ok(end - 1)
    }

    fn replay(&mut self, headers: &Headers, end: i64, reading: Reading) -> io::Result<()> {
        for (lsn, offset) in &headers.segments {
            if *lsn > end {
                break;
            }
            let segment = read_at(&self.file, *offset, SEGMENT)?;
            let mut at = SEGMENT_HEADER;
            while at <= SEGMENT - RED_ZONE && lsn + (at as i64) <= end {
                let number = number_of(*lsn);
                let found = message(&segment, at, number);
                if matches!(found, Found::Bad) && *lsn < headers.floor {
                    let place = offset + at as u64;
                    self.finding(format!("the message at byte {place} is damaged"));
                }
                let Found::Whole(message) = found else {
                    let next = match reading {
                        Reading::Judging => None,
                        Reading::Saving => next_whole(&segment, at + 1, number),
                    };
                    match next {
                        Some(next) => at = next,
                        None => break,
                    }
                    continue;
                };
                if message.kind == kind::CAP {
                    break;
                }
                if message.kind == kind::BATCH_MANIFEST {
                    let body = segment.get(message.body..).unwrap_or_default();
                    if Bytes(body).i64().is_some_and(|last| last > end) {
                        return Ok(());
                    }
                }
                at = message.body + message.length;
                self.note(&message, *offset);
            }
        }
        Ok(())
    }

    fn note(&mut self, message: &Message, segment: u64) {
        let place = Place {
            at: segment + message.body as u64,
            length: u32::try_from(message.length).unwrap_or_default(),
            in_blob: matches!(message.kind, kind::BLOB_NODE | kind::BLOB_LINK),
        };
        match message.kind {
            kind::NODE | kind::BLOB_NODE => {
                let page = self.pages.entry(message.page).or_default();
                page.base = Some(place);
                page.links.clear();
            }
            kind::LINK | kind::BLOB_LINK => {
                if let Some(page) = self.pages.get_mut(&message.page) {
                    page.links.push(place);
                }
            }
            kind::FREE => {
                self.pages.remove(&message.page);
            }
            // what is left are sled's own counters and roots, which are made anew
            kind::CANCELED | kind::COUNTER => {}
            _ => {}
        }
    }

    fn body(&self, place: Place) -> Option<Vec<u8>> {
        let body = read_at(&self.file, place.at, place.length as usize).ok()?;
        if !place.in_blob {
            return Some(body);
        }
        let id = Bytes(&body).i64()?;
        let blob = std::fs::read(self.blobs.join(id.to_string())).ok()?;
        let (crc, rest) = blob.split_first_chunk::<4>()?;
        (crc32fast::hash(rest) == u32::from_le_bytes(*crc)).then(|| rest.get(1..).map(Vec::from))?
    }

    /// Calls `take` with every key and value that is left. A page that can't be read in full gives what it can.
    ///
    /// # Errors
    /// Those of `take`.
    pub(super) fn records<E>(
        &self,
        mut take: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        for page in self.pages.values() {
            let Some(base) = page.base.and_then(|place| self.body(place)) else {
                continue;
            };
            let Some(node) = Node::read(&base) else {
                continue;
            };
            let mut leaf: HashMap<Vec<u8>, Vec<u8>> = node.leaf();
            for place in &page.links {
                let Some(body) = self.body(*place) else {
                    continue;
                };
                match Link::read(&body) {
                    Some(Link::Set(key, value)) => {
                        leaf.insert(node.whole_key(key), value.to_vec());
                    }
                    Some(Link::Delete(key)) => {
                        leaf.remove(&node.whole_key(key));
                    }
                    None => {}
                }
            }
            for (key, value) in leaf {
                take(&key, &value)?;
            }
        }
        Ok(())
    }
}
