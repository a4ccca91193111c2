//! Import of JSON lines: every line and the file as a whole are checked first, then written in batches.

use std::collections::BTreeSet;
use std::io::BufRead;

use super::apply::{self, Checks};
use super::backup;
use super::change::{Author, ImportProblem, ImportReport, Rules, Via};
use super::core::Core;
use super::error::StoreError;
use super::import_checks::FileChecks;
use super::lines::{self, Lines, Read};
use super::open::now_s;
use super::prepare::{self, Prepared, PreparedDocument};
use super::spool::{Spool, Spooled};
use super::{indexes, keys};
use crate::documents::schema::Violation;
use crate::documents::{DocumentType, Registration, json};

/// Documents, and bytes of their JSON, that are written and flushed at once: readers wait while a batch is applied.
const BATCH: usize = 1_000;
const BATCH_BYTES: usize = 8 << 20;

/// # Errors
/// Reading the lines, or the disk. What is wrong with the lines is in the report.
pub(super) fn import(
    core: &Core,
    input: &mut dyn BufRead,
    keep_going: bool,
) -> Result<ImportReport, StoreError> {
    // Nobody else may write between check and write.
    let mut door = core.door();
    let mut spool = Spool::new(&core.path);
    let (mut problems, mut bad) = check(core, input, &mut spool)?;
    problems.sort_by_key(|p| p.line);
    let mut report = ImportReport {
        imported: 0,
        problems,
    };
    if !report.problems.is_empty() && !keep_going {
        return Ok(report);
    }
    let mut spooled = spool.read()?;
    let fresh = || Prepared {
        rules: Rules::Import,
        author: Some(Author::via(Via::Import)),
        at: now_s(),
        ..Prepared::default()
    };
    let mut batch = fresh();
    let mut bytes = 0;
    while let Some(next) = spooled.next()? {
        if bad.remove(&next.line) {
            continue;
        }
        bytes += next.json.len();
        add(&mut batch, next)?;
        if batch.writes.len() >= BATCH || bytes >= BATCH_BYTES {
            report.imported += write(core, &mut door, std::mem::replace(&mut batch, fresh()))?;
            bytes = 0;
        }
    }
    report.imported += write(core, &mut door, batch)?;
    Ok(report)
}

fn problems_of(line: usize, violations: Vec<Violation>) -> impl Iterator<Item = ImportProblem> {
    violations.into_iter().map(move |v| ImportProblem {
        line,
        field: v.field,
        expected: v.expected,
    })
}

/// Checks all lines; valid documents are in the spool afterwards, and the lines that have a problem in the set.
fn check(
    core: &Core,
    input: &mut dyn BufRead,
    spool: &mut Spool,
) -> Result<(Vec<ImportProblem>, BTreeSet<usize>), StoreError> {
    let mut lines = Lines::new(input);
    let mut checks = FileChecks::new(&core.disk);
    let mut problems = Vec::new();
    let mut bad = BTreeSet::new();
    while let Some((line, read)) = lines.next()? {
        let text = match read {
            // a backup's own lines
            Read::Text(text) if text.starts_with(backup::FRAME) => continue,
            Read::Text(text) => text,
            Read::Blank => continue,
            Read::Unreadable(expected) => {
                problems.push(ImportProblem {
                    line,
                    field: String::new(),
                    expected,
                });
                continue;
            }
        };
        let parsed = match lines::parse(line, text) {
            Ok(parsed) => parsed,
            Err(found) => {
                problems.extend(found);
                continue;
            }
        };
        match prepare::check(&parsed.key, parsed.body) {
            Ok(document) => {
                let key = &parsed.key;
                let good =
                    key.kind == DocumentType::Registration || checks.add(line, key, &document)?;
                if good {
                    spool.push(line, &keys::document(key), &document.json)?;
                }
            }
            Err(violations) => {
                bad.insert(line);
                problems.extend(problems_of(line, violations));
            }
        }
    }
    problems.extend(checks.finish(&mut bad)?);
    Ok((problems, bad))
}

fn add(batch: &mut Prepared, spooled: Spooled) -> Result<(), StoreError> {
    let Spooled { key, json, .. } = spooled;
    let damaged = |why: String| StoreError::damaged(keys::describe(&key), why);
    let Some(document) = keys::parse_document(&key) else {
        return Err(damaged("the spooled key names no document".to_owned()));
    };
    if document.kind == DocumentType::Registration {
        let registration: Registration =
            serde_json::from_slice(&json).map_err(|e| damaged(e.to_string()))?;
        batch.registrations.push(registration);
        return Ok(());
    }
    let body = json::object(&json).map_err(|e| damaged(e.to_string()))?;
    let prepared = PreparedDocument {
        entries: indexes::entries_of(&document, &body),
        realm: indexes::realm_of(document.kind, &body),
        json,
    };
    batch.writes.insert(document, Some(prepared));
    Ok(())
}

fn write(core: &Core, door: &mut super::core::Door, batch: Prepared) -> Result<usize, StoreError> {
    let count = batch.writes.len() + batch.registrations.len();
    if !batch.writes.is_empty() {
        apply::apply(core, door, &batch, Checks::Made)?;
        core.disk.flush()?;
        core.announce();
    }
    for registration in batch.registrations {
        core.registrations.register(registration);
    }
    Ok(count)
}
