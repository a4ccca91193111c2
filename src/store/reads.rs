//! Reading documents: from the cache, else by one look-up on disk.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::change::{Revision, Stored};
use super::core::Core;
use super::disk::Disk;
use super::error::StoreError;
use super::view::View;
use super::{keys, record};
use crate::documents::{
    Account, Callflow, Connectivity, Device, Document, DocumentKey, DocumentType, Limits,
    NumberRecord, Resource, User, json,
};
use crate::types::AccountId;

/// How often a document in several records is read again because it changed in between.
const READ_AGAIN: usize = 100;

/// Bytes of JSON that weigh as much as an ordinary document in the cache.
const ORDINARY: usize = 4096;

/// What the document cache holds.
#[derive(Clone)]
pub(super) enum Decoded {
    Absent,
    Account(Arc<Account>),
    User(Arc<User>),
    Device(Arc<Device>),
    Callflow(Arc<Callflow>),
    Connectivity(Arc<Connectivity>),
    Number(Arc<NumberRecord>),
    Limits(Arc<Limits>),
    Resource(Arc<Resource>),
}

/// A stored document before its JSON is read.
pub(super) struct Raw {
    pub revision: Revision,
    pub chunks: u16,
    pub json: Vec<u8>,
}

impl Raw {
    /// # Errors
    /// [`StoreError::Damaged`]: it was JSON when it was written.
    pub(super) fn body(&self, key: &[u8]) -> Result<Map<String, Value>, StoreError> {
        parse(key, &self.json)
    }
}

fn parse<T: DeserializeOwned>(key: &[u8], text: &[u8]) -> Result<T, StoreError> {
    json::from_slice(text)
        .map_err(|e| StoreError::damaged(keys::describe(key), format!("not readable: {e}")))
}

/// The document under a `d` key, its chunks put together.
///
/// # Errors
/// The disk, or a damaged record.
pub(super) fn raw(disk: &Disk, key: &[u8]) -> Result<Option<Raw>, StoreError> {
    for _ in 0..READ_AGAIN {
        let Some(value) = disk.read(key)? else {
            return Ok(None);
        };
        if let Some(raw) = with_chunks(disk, key, value.payload())? {
            return Ok(Some(raw));
        }
    }
    Err(StoreError::damaged(
        keys::describe(key),
        "parts of the document are missing",
    ))
}

/// `None` when a part is missing or of another revision: written anew while we read, or damaged.
pub(super) fn with_chunks(
    disk: &Disk,
    key: &[u8],
    payload: &[u8],
) -> Result<Option<Raw>, StoreError> {
    let head = record::read_head(key, payload)?;
    let mut json = head.json.to_vec();
    for number in 1..=head.chunks {
        let chunk_key = keys::chunk(key, number);
        let Some(chunk) = disk.read(&chunk_key)? else {
            return Ok(None);
        };
        let (revision, part) = record::read_chunk(&chunk_key, chunk.payload())?;
        if revision != head.revision.sequence {
            return Ok(None);
        }
        json.extend_from_slice(part);
    }
    Ok(Some(Raw {
        revision: head.revision,
        chunks: head.chunks,
        json,
    }))
}

/// A document's JSON as it will be when a change is through.
pub(super) fn body_in(
    view: &View<'_>,
    key: &[u8],
) -> Result<Option<Map<String, Value>>, StoreError> {
    let Some(payload) = view.payload(key)? else {
        return Ok(None);
    };
    let head = record::read_head(key, &payload)?;
    let mut json = head.json.to_vec();
    for number in 1..=head.chunks {
        let chunk_key = keys::chunk(key, number);
        let chunk = view.payload(&chunk_key)?.unwrap_or_default();
        json.extend_from_slice(record::read_chunk(&chunk_key, &chunk)?.1);
    }
    parse(key, &json).map(Some)
}

/// What comes behind an error can't be trusted.
pub(super) fn until_error<T>(
    items: impl Iterator<Item = Result<T, StoreError>>,
) -> impl Iterator<Item = Result<T, StoreError>> {
    let mut failed = false;
    items.take_while(move |item| {
        let go_on = !failed;
        failed = item.is_err();
        go_on
    })
}

impl Core {
    /// A typed document, from the cache if it can be.
    pub(super) fn decoded<T: DeserializeOwned>(
        &self,
        kind: DocumentType,
        account: &str,
        id: &str,
        wrap: fn(Arc<T>) -> Decoded,
    ) -> Result<Decoded, StoreError> {
        let key = keys::document_parts(kind, account, id);
        self.documents.or_load(&key, || {
            let Some(raw) = raw(&self.disk, &key)? else {
                return Ok((Decoded::Absent, 1));
            };
            let document: T = parse(&key, &raw.json)?;
            let weight = u32::try_from(1 + raw.json.len() / ORDINARY).unwrap_or(u32::MAX);
            Ok((wrap(Arc::new(document)), weight))
        })
    }

    /// A document as it is stored.
    pub(super) fn document(&self, key: &DocumentKey) -> Result<Option<Document>, StoreError> {
        if key.kind == DocumentType::Registration {
            return Ok(self.registration_document(key));
        }
        Ok(self.stored(key)?.map(|stored| stored.document))
    }

    /// A document and which state of it this is; registrations have none.
    pub(super) fn stored(&self, key: &DocumentKey) -> Result<Option<Stored>, StoreError> {
        let stored = keys::document(key);
        let Some(raw) = raw(&self.disk, &stored)? else {
            return Ok(None);
        };
        Ok(Some(Stored {
            document: Document {
                key: key.clone(),
                body: raw.body(&stored)?,
            },
            revision: raw.revision,
        }))
    }

    pub(super) fn revision(&self, key: &DocumentKey) -> Result<Option<Revision>, StoreError> {
        let stored = keys::document(key);
        let Some(value) = self.disk.read(&stored)? else {
            return Ok(None);
        };
        Ok(Some(record::read_head(&stored, value.payload())?.revision))
    }

    /// Documents of a kind in key order.
    pub(super) fn scan(
        &self,
        kind: DocumentType,
        account: Option<&AccountId>,
    ) -> Box<dyn Iterator<Item = Result<Document, StoreError>> + Send + '_> {
        if kind == DocumentType::Registration {
            let documents = self.registration_documents();
            let account = account.cloned();
            let wanted = move |d: &Document| account.as_ref().is_none_or(|a| *a == d.key.account);
            return Box::new(documents.into_iter().filter(wanted).map(Ok));
        }
        let found = self.scan_stored(kind, account);
        Box::new(found.map(|row| row.map(|stored| stored.document)))
    }

    /// Documents of a kind in key order. An error is the last item.
    pub(super) fn scan_stored(
        &self,
        kind: DocumentType,
        account: Option<&AccountId>,
    ) -> Box<dyn Iterator<Item = Result<Stored, StoreError>> + Send + '_> {
        let found = self.disk.prefix(&keys::documents_of(kind, account));
        Box::new(until_error(found.filter_map(|item| {
            // none: deleted while its parts were read
            let row = item.and_then(|(key, value)| self.scanned(&key, value.payload()));
            row.transpose()
        })))
    }

    /// The document under a `d` key whose head a scan has read; none if it is gone by now.
    pub(super) fn scanned(
        &self,
        stored: &[u8],
        payload: &[u8],
    ) -> Result<Option<Stored>, StoreError> {
        let Some(key) = keys::parse_document(stored) else {
            return Err(StoreError::damaged(
                keys::describe(stored),
                "the key names no document",
            ));
        };
        let raw = match with_chunks(&self.disk, stored, payload)? {
            Some(raw) => Some(raw),
            None => raw(&self.disk, stored)?,
        };
        let Some(raw) = raw else {
            return Ok(None);
        };
        let body = raw.body(stored)?;
        Ok(Some(Stored {
            document: Document { key, body },
            revision: raw.revision,
        }))
    }
}
