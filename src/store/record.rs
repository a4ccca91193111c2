//! How a value is framed on disk: a version byte and a checksum over key and payload, so that a value that
//! rotted, or that turns up under another key, is noticed instead of believed.
//!
//! ```text
//! every value:  version (1 byte) | crc32 of key and payload (4, little endian) | payload
//! a document:   revision (8, LE) | number of further chunks (2, LE) with the highest bit set | writes (8, LE) | first part of the JSON
//! older:        revision (8, LE) | number of further chunks (2, LE) | first part of the JSON
//! a chunk:      revision (8, LE) | part of the JSON
//! ```

use super::change::Revision;
use super::error::StoreError;
use super::keys;

const VERSION: u8 = 1;
/// Bytes before a payload.
pub(super) const FRAME: usize = 5;
const DOCUMENT_HEADER: usize = 18;

/// Tells a header that counts the document's writes from the older one that does not; no document has as many chunks.
const COUNTED: u16 = 0x8000;

/// A document's JSON is cut into parts of this size, and no other record is larger. sled writes a page of more than 128 KiB (a quarter of a
/// segment) into a file of its own, and does not sync that file; a page has some 20 entries at most.
pub(super) const CHUNK: usize = 4 * 1024;

fn checksum(key: &[u8], payload: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(payload);
    hasher.finalize().to_le_bytes()
}

/// The framed value for `key`.
pub(super) fn frame(key: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(FRAME + payload.len());
    framed.push(VERSION);
    framed.extend_from_slice(&checksum(key, payload));
    framed.extend_from_slice(payload);
    framed
}

/// The payload of a framed value.
///
/// # Errors
/// Too short, of an unknown version, or with a wrong checksum.
pub(super) fn unframe<'a>(key: &[u8], framed: &'a [u8]) -> Result<&'a [u8], StoreError> {
    let damaged = |why: &str| StoreError::damaged(keys::describe(key), why);
    let Some((&version, rest)) = framed.split_first() else {
        return Err(damaged("the record is empty"));
    };
    if version != VERSION {
        return Err(damaged(&format!(
            "the record has version {version}, this linefinder knows {VERSION}"
        )));
    }
    let Some((sum, payload)) = rest.split_first_chunk::<4>() else {
        return Err(damaged("the record is cut short"));
    };
    if *sum != checksum(key, payload) {
        return Err(damaged("the record's checksum is wrong"));
    }
    Ok(payload)
}

/// A document's first part.
pub(super) struct Head<'a> {
    pub revision: Revision,
    /// How many chunks follow.
    pub chunks: u16,
    pub json: &'a [u8],
}

pub(super) fn head(revision: Revision, chunks: u16, json: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(DOCUMENT_HEADER + json.len());
    payload.extend_from_slice(&revision.sequence.to_le_bytes());
    payload.extend_from_slice(&(chunks | COUNTED).to_le_bytes());
    payload.extend_from_slice(&revision.count.to_le_bytes());
    payload.extend_from_slice(json);
    payload
}

/// A document of the older form counts as written once.
pub(super) fn read_head<'a>(key: &[u8], payload: &'a [u8]) -> Result<Head<'a>, StoreError> {
    let cut = || StoreError::damaged(keys::describe(key), "the document's header is cut short");
    let (sequence, rest) = payload.split_first_chunk::<8>().ok_or_else(cut)?;
    let (chunks, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
    let chunks = u16::from_le_bytes(*chunks);
    let (count, json) = match chunks & COUNTED {
        0 => (1, rest),
        _ => {
            let (count, json) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
            (u64::from_le_bytes(*count), json)
        }
    };
    Ok(Head {
        revision: Revision {
            sequence: u64::from_le_bytes(*sequence),
            count,
        },
        chunks: chunks & !COUNTED,
        json,
    })
}

pub(super) fn chunk(revision: u64, part: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(8 + part.len());
    payload.extend_from_slice(&revision.to_le_bytes());
    payload.extend_from_slice(part);
    payload
}

/// Revision and part of a chunk.
pub(super) fn read_chunk<'a>(key: &[u8], payload: &'a [u8]) -> Result<(u64, &'a [u8]), StoreError> {
    let (revision, part) = payload
        .split_first_chunk::<8>()
        .ok_or_else(|| StoreError::damaged(keys::describe(key), "the chunk is cut short"))?;
    Ok((u64::from_le_bytes(*revision), part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_gives_back_its_payload() {
        for payload in [&b""[..], b"x", b"{\"name\":\"Desk\"}"] {
            let framed = frame(b"dkey", payload);
            assert_eq!(unframe(b"dkey", &framed).unwrap(), payload);
        }
    }

    #[test]
    fn a_document_of_the_older_form_is_read() {
        let mut older = 7_u64.to_le_bytes().to_vec();
        older.extend_from_slice(&3_u16.to_le_bytes());
        older.extend_from_slice(b"{}");
        let head = read_head(b"dkey", &older).unwrap();
        let revision = Revision {
            sequence: 7,
            count: 1,
        };
        assert_eq!(
            (head.revision, head.chunks, head.json),
            (revision, 3, &b"{}"[..])
        );
    }

    #[test]
    fn a_header_gives_back_what_it_was_made_of() {
        let revision = Revision {
            sequence: 9,
            count: 4,
        };
        let payload = head(revision, 512, b"{\"a\":1}");
        let head = read_head(b"dkey", &payload).unwrap();
        assert_eq!(
            (head.revision, head.chunks, head.json),
            (revision, 512, &b"{\"a\":1}"[..])
        );
    }

    #[test]
    fn every_changed_bit_and_every_cut_is_noticed() {
        let framed = frame(b"dkey", b"{\"name\":\"Desk\"}");
        for byte in 0..framed.len() {
            for bit in 0..8 {
                let mut rotten = framed.clone();
                rotten[byte] ^= 1 << bit;
                assert!(unframe(b"dkey", &rotten).is_err(), "byte {byte} bit {bit}");
            }
            assert!(unframe(b"dkey", &framed[..byte]).is_err(), "cut at {byte}");
        }
        assert!(unframe(b"other", &framed).is_err());
    }
}
