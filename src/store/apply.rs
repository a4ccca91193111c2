//! The door: every document write becomes one batch with its index entries, its change log entries and its sequence number.

use super::change::{Applied, Expect, Revision, Rules};
use super::core::{Core, Door};
use super::counts::Moves;
use super::disk::Batch;
use super::error::StoreError;
use super::history::{self, Event};
use super::index_keys::{self, TREE};
use super::indexes::{self, IndexEntry};
use super::prepare::{Prepared, PreparedDocument};
use super::unique::Clashes;
use super::view::View;
use super::{keys, log, reads, record, unique};
use crate::documents::{DocumentKey, DocumentType};

/// Who vouches that unique values are unique and accounts exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checks {
    Here,
    /// An import has checked the whole file; its batches may pass through states that a single change may not.
    Made,
}

/// Writes a prepared change; on the disk after the next flush.
///
/// # Errors
/// Refused, and nothing is written; or the disk.
pub(super) fn apply(
    core: &Core,
    door: &mut Door,
    prepared: &Prepared,
    checks: Checks,
) -> Result<Applied, StoreError> {
    for (key, expect) in &prepared.expect {
        refuse_unexpected(core, key, *expect)?;
    }
    let (batch, applied) = plan(core, door.sequence, prepared, checks)?;
    if !batch.is_empty() {
        core.write(&batch)?;
        door.sequence = applied.sequence;
        core.reached(applied.sequence);
    }
    Ok(applied)
}

fn refuse_unexpected(core: &Core, key: &DocumentKey, expect: Expect) -> Result<(), StoreError> {
    let found = core.revision(key)?;
    let right = match expect {
        Expect::Absent => found.is_none(),
        Expect::Present => found.is_some(),
        Expect::Revision(sequence) => found.is_some_and(|f| f.sequence == sequence),
    };
    match right {
        true => Ok(()),
        false => Err(StoreError::Conflict {
            key: key.clone(),
            found,
        }),
    }
}

fn plan(
    core: &Core,
    sequence: u64,
    prepared: &Prepared,
    checks: Checks,
) -> Result<(Batch, Applied), StoreError> {
    let disk = &core.disk;
    // What was never deleted has no history before its first write.
    let deletions = disk.holds(keys::DELETED)?;
    let mut stored_now = Vec::with_capacity(prepared.writes.len());
    let mut view = View::new(disk);
    let mut moves = Moves::default();
    let mut sequence = sequence;
    let mut added: Vec<(&DocumentKey, &PreparedDocument, &IndexEntry)> = Vec::new();
    // All removals come before any addition, so that documents of one change may swap what only one may have.
    for (key, write) in &prepared.writes {
        let stored = keys::document(key);
        let old = reads::raw(disk, &stored)?;
        if old.is_none() && write.is_none() {
            continue;
        }
        let before = match &old {
            Some(old) => indexes::entries_of(key, &old.body(&stored)?),
            None => Vec::new(),
        };
        let after = write.as_ref().map_or(&[][..], |d| d.entries.as_slice());
        for gone in before
            .iter()
            .filter(|b| !after.iter().any(|a| a.key == b.key))
        {
            // An import may already have given the value to another document.
            let mine = gone.unique.is_none()
                || view.payload(&gone.key)?.as_deref() == Some(gone.value.as_slice());
            if mine {
                moves.goes(&gone.key);
                view.remove(gone.key.clone());
            }
        }
        sequence += 1;
        let revision = Revision {
            sequence,
            count: 1 + match &old {
                Some(old) => old.revision.count,
                None if deletions => history::last_count(disk, &stored)?,
                None => 0,
            },
        };
        // An import that makes documents leaves no history: that would be as large as the documents again.
        let kept = history::is_kept(key.kind) && core.history_kept > 0;
        if kept && (checks == Checks::Here || old.is_some()) {
            let event = Event {
                revision,
                at: prepared.at,
                author: prepared.author.as_ref(),
                deleted: write.is_none(),
                before: old.as_ref().map(|old| old.json.as_slice()),
            };
            history::remember(&mut view, &stored, &event, core.history_kept)?;
            if write.is_none() {
                history::note_deleted(&mut view, &stored, sequence)?;
            }
        }
        match (old.is_some(), write.is_some()) {
            (false, true) => moves.comes(&stored),
            (true, false) => moves.goes(&stored),
            _ => {}
        }
        let old_chunks = old.map_or(0, |o| o.chunks);
        write_document(&mut view, &stored, write.as_ref(), old_chunks, revision);
        stored_now.push((key.clone(), revision));
        let entry = log::entry(key, sequence, sequence, write.is_none());
        view.put(keys::log(log::slot(sequence)), entry);
        if let Some(document) = write {
            let kept =
                |a: &&IndexEntry| before.iter().any(|b| b.key == a.key && b.value == a.value);
            let new = |a: &&IndexEntry| !before.iter().any(|b| b.key == a.key);
            for entry in after.iter().filter(new) {
                moves.comes(&entry.key);
            }
            let fresh = after.iter().filter(|a| !kept(a));
            added.extend(fresh.map(|entry| (key, document, entry)));
        }
    }
    let mut clashes = Clashes::default();
    for (key, _, entry) in &added {
        let free = match checks {
            Checks::Here => {
                let checked = unique::refuse_taken(&view, key, entry, prepared.rules);
                clashes.gather(checked)?
            }
            Checks::Made => true,
        };
        if free {
            view.put(entry.key.clone(), entry.value.clone());
        }
    }
    if checks == Checks::Here {
        for (key, document, entry) in &added {
            let checked = unique::refuse_same_address(&view, key, document, entry, prepared.rules);
            clashes.gather(checked)?;
        }
        clashes.refuse()?;
        for (key, write) in &prepared.writes {
            refuse_orphans(&view, key, write.is_some(), prepared.rules)?;
        }
    }
    moves.write(&mut view)?;
    let mut batch = view.into_batch();
    if !batch.is_empty() {
        batch.insert(
            keys::SEQUENCE.to_vec(),
            Some(sequence.to_le_bytes().to_vec()),
        );
    }
    let applied = Applied {
        sequence,
        stored: stored_now,
    };
    Ok((batch, applied))
}

fn write_document(
    view: &mut View<'_>,
    stored: &[u8],
    document: Option<&PreparedDocument>,
    old_chunks: u16,
    revision: Revision,
) {
    let mut chunks = 0_u16;
    match document {
        None => view.remove(stored.to_vec()),
        Some(document) => {
            let mut parts = document.json.chunks(record::CHUNK);
            let first = parts.next().unwrap_or_default();
            for part in parts {
                chunks += 1;
                view.put(
                    keys::chunk(stored, chunks),
                    record::chunk(revision.sequence, part),
                );
            }
            view.put(stored.to_vec(), record::head(revision, chunks, first));
        }
    }
    for number in chunks + 1..=old_chunks {
        view.remove(keys::chunk(stored, number));
    }
}

fn refuse_orphans(
    view: &View<'_>,
    key: &DocumentKey,
    put: bool,
    rules: Rules,
) -> Result<(), StoreError> {
    let invalid = |field: &str, expected: String| StoreError::Invalid {
        key: key.to_string(),
        field: field.to_owned(),
        expected,
    };
    let account = key.account.as_str();
    if key.kind != DocumentType::Account {
        let stored = keys::document_parts(DocumentType::Account, account, account);
        if put && !key.account.is_installation() && !view.holds(&stored)? {
            let expected = format!("the id of an account; there is no account {account}");
            return Err(invalid("account_id", expected));
        }
        return Ok(());
    }
    if put {
        return Ok(());
    }
    let children = index_keys::under(TREE, &[account, indexes::CHILD]);
    if rules == Rules::Api && view.keys(&children).next().transpose()?.is_some() {
        return Err(StoreError::Descendants {
            account: key.account.clone(),
        });
    }
    let owned =
        |kind: &&DocumentType| !matches!(kind, DocumentType::Account | DocumentType::Registration);
    for kind in DocumentType::ALL.iter().filter(owned) {
        let prefix = keys::documents_of(*kind, Some(&key.account));
        if let Some(left) = view.keys(&prefix).next() {
            let left = keys::describe(&left?);
            let expected = format!("an account without documents; this one still has {left}");
            return Err(invalid("id", expected));
        }
    }
    Ok(())
}
