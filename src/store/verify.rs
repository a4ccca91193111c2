//! Reading everything back, and mending what can be made anew.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::core::Core;
use super::counts;
use super::disk::Batch;
use super::error::StoreError;
use super::indexes::{self, IndexEntry};
use super::{index_keys, keys, lookups, prepare, reads, record};
use crate::documents::{DocumentKey, DocumentType, Registration, json};

/// Index entries mended in one batch.
const BATCH: usize = 5_000;

/// Findings after which the rest is not worth reading.
const FINDINGS_MAX: usize = 1_000;

/// # Errors
/// The disk. Damage is a finding.
pub(super) fn verify(core: &Core) -> Result<Vec<String>, StoreError> {
    // Documents and indexes must not move against each other meanwhile.
    let _door = core.door();
    let mut findings = Vec::new();
    let mut counts = match counts::recounted(&core.disk) {
        Ok(counts) => Some(counts),
        // told below
        Err(StoreError::Damaged { .. }) => None,
        Err(error) => return Err(error),
    };
    for item in core.disk.raw(b"") {
        let (key, framed) = match item {
            Ok(item) => item,
            Err(error) => {
                findings.push(error.to_string());
                break;
            }
        };
        let found = match record::unframe(&key, &framed) {
            Ok(payload) if key.first() == Some(&counts::TAG) => {
                let right = counts.as_mut().map(|counts| counts.remove(&*key));
                let right = right.is_none_or(|right| right == counts::number(payload));
                let finding = || format!("{}: it is not what there is", keys::describe(&key));
                (!right).then(finding).into_iter().collect()
            }
            Ok(payload) => record_findings(core, &key, payload)?,
            Err(error) => vec![error.to_string()],
        };
        findings.extend(found);
        if findings.len() >= FINDINGS_MAX {
            findings.push("and more; the rest was not read".to_owned());
            break;
        }
    }
    let missing = counts.iter().flat_map(BTreeMap::keys);
    if findings.is_empty() {
        findings.extend(missing.map(|key| format!("{}: it is missing", keys::describe(key))));
    }
    Ok(findings)
}

fn record_findings(core: &Core, key: &[u8], payload: &[u8]) -> Result<Vec<String>, StoreError> {
    let finding = |why: &str| vec![format!("{}: {why}", keys::describe(key))];
    Ok(match key.first() {
        Some(b'd') => document_findings(core, key, payload)?,
        Some(b'c') => {
            let document = keys::parse_document(key).map(|d| keys::document(&d));
            let head = match &document {
                Some(document) => core.disk.read(document)?,
                None => None,
            };
            match head {
                Some(_) => Vec::new(),
                None => finding("it belongs to no document"),
            }
        }
        Some(b'r') => match serde_json::from_slice::<Vec<Registration>>(payload) {
            Ok(_) => Vec::new(),
            Err(error) => finding(&error.to_string()),
        },
        Some(b'l') => match super::log::parse(payload) {
            Some(_) => Vec::new(),
            None => finding("it tells of no write"),
        },
        Some(b'h') => super::history::finding(key, payload).map_or_else(Vec::new, finding),
        Some(b'm' | b'x') => Vec::new(),
        Some(_) if index_keys::is_index(key) => match stands_for(core, key, payload)? {
            true => Vec::new(),
            false => finding("no document stands behind it"),
        },
        _ => finding("a record of unknown kind"),
    })
}

fn document_findings(core: &Core, key: &[u8], payload: &[u8]) -> Result<Vec<String>, StoreError> {
    let Some(document) = keys::parse_document(key) else {
        return Ok(vec![format!(
            "{}: the key names no document",
            keys::describe(key)
        )]);
    };
    let raw = match reads::with_chunks(&core.disk, key, payload) {
        Ok(Some(raw)) => raw,
        Ok(None) => return Ok(vec![format!("{document}: parts of it are missing")]),
        Err(error) => return Ok(vec![error.to_string()]),
    };
    let body = match json::object(&raw.json) {
        Ok(body) => body,
        Err(error) => return Ok(vec![format!("{document}: not readable: {error}")]),
    };
    let mut findings = Vec::new();
    if document.kind == DocumentType::Callflow {
        findings.extend(bad_patterns(&document, &body));
    }
    for entry in indexes::entries_of(&document, &body) {
        if !indexed(core, &entry)? {
            let what = keys::describe(&entry.key);
            findings.push(format!("{document}: {what} is missing or wrong"));
        }
    }
    if let Err(violations) = prepare::check(&document, body) {
        let texts = violations.into_iter().map(|v| (v.field, v.expected));
        findings.extend(texts.map(|(field, expected)| format!("{document}: {field}: {expected}")));
    }
    Ok(findings)
}

/// Patterns that never match. They are imported all the same, since they hurt nobody else and the flow may have numbers too.
fn bad_patterns(document: &DocumentKey, body: &Map<String, Value>) -> Vec<String> {
    let patterns = indexes::patterns_of(body);
    let bad = patterns.iter().enumerate().filter_map(|(index, text)| {
        let why = lookups::regex(text).err()?.to_string();
        // A syntax error is drawn over several lines; the last says what it is.
        let why = why.lines().last().unwrap_or_default().trim();
        Some(format!(
            "{document}: patterns.{index}: {text:?} never matches: {why}"
        ))
    });
    bad.collect()
}

/// The entry is there and says what it should. A damaged one is not.
fn indexed(core: &Core, entry: &IndexEntry) -> Result<bool, StoreError> {
    match core.disk.read(&entry.key) {
        Ok(found) => Ok(found.is_some_and(|v| v.payload() == entry.value)),
        Err(StoreError::Damaged { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the document behind an index entry asks for exactly this entry.
fn stands_for(core: &Core, key: &[u8], payload: &[u8]) -> Result<bool, StoreError> {
    let Some(document) = index_keys::document_of(key, payload) else {
        return Ok(false);
    };
    let wanted = entries_of_stored(core, &document)?;
    Ok(wanted.iter().any(|e| e.key == key && e.value == payload))
}

/// What the stored document asks for; nothing if it is gone or damaged.
fn entries_of_stored(core: &Core, key: &DocumentKey) -> Result<Vec<IndexEntry>, StoreError> {
    let stored = keys::document(key);
    let body = reads::raw(&core.disk, &stored)
        .and_then(|raw| raw.map(|raw| raw.body(&stored)).transpose());
    match body {
        Ok(Some(body)) => Ok(indexes::entries_of(key, &body)),
        Ok(None) | Err(StoreError::Damaged { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Puts missing entries in and takes strange ones out. Entries that are right stay where they are, so that calls are routed meanwhile, and an
/// interruption leaves nothing worse than it was.
///
/// # Errors
/// The disk, or a document that is damaged: its entries are unknown.
pub(super) fn rebuild(core: &Core) -> Result<(), StoreError> {
    let _door = core.door();
    let mut batch = Batch::new();
    for tag in index_keys::tags() {
        for item in core.disk.raw(&[tag]) {
            let (key, framed) = item?;
            let right = match record::unframe(&key, &framed) {
                Ok(payload) => stands_for(core, &key, payload)?,
                Err(_) => false,
            };
            if !right {
                batch.insert(key.to_vec(), None);
                write_if_full(core, &mut batch)?;
            }
        }
    }
    write(core, &mut batch)?;
    for item in core.disk.prefix(keys::DOCUMENTS) {
        let (stored, _) = item?;
        let (Some(key), Some(raw)) = (
            keys::parse_document(&stored),
            reads::raw(&core.disk, &stored)?,
        ) else {
            continue;
        };
        for entry in indexes::entries_of(&key, &raw.body(&stored)?) {
            if !indexed(core, &entry)? {
                batch.insert(entry.key, Some(entry.value));
                write_if_full(core, &mut batch)?;
            }
        }
    }
    write(core, &mut batch)?;
    recount(core, &mut batch)?;
    core.generations.raise_all();
    core.disk.flush()
}

fn recount(core: &Core, batch: &mut Batch) -> Result<(), StoreError> {
    let mut wanted = counts::recounted(&core.disk)?;
    for item in core.disk.raw(&[counts::TAG]) {
        let (key, framed) = item?;
        let found = record::unframe(&key, &framed).ok();
        let found = found.and_then(counts::number);
        match wanted.remove(&*key) {
            Some(count) if found == Some(count) => {}
            count => {
                batch.insert(key.to_vec(), count.map(counts::payload));
            }
        }
    }
    let missing = wanted.into_iter();
    batch.extend(missing.map(|(key, count)| (key, Some(counts::payload(count)))));
    write(core, batch)
}

fn write_if_full(core: &Core, batch: &mut Batch) -> Result<(), StoreError> {
    match batch.len() < BATCH {
        true => Ok(()),
        false => write(core, batch),
    }
}

fn write(core: &Core, batch: &mut Batch) -> Result<(), StoreError> {
    core.write(batch)?;
    batch.clear();
    Ok(())
}
