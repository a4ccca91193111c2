//! A damaged store is moved aside, never deleted, and a new one built from what it still has and the newest good backup.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::attached;
use super::backup::{self, BackupFile};
use super::error::StoreError;
use super::fresh;
use super::health::Rebuilt;
use super::identity;
use super::keys;
use super::manifest::{Found, Manifest};
use super::record;
use super::salvage::{self, Built, Sources};
use super::settings::StoreSettings;
use super::sled_log::{Reading, SledLog};

/// Beside the damaged store: documents that clashed with newer ones.
const SUPERSEDED: &str = "superseded.jsonl";

/// Lost documents that are named in the log.
const NAMED: usize = 50;

pub(super) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// A folder beside the store that is not there yet; within the store if nothing can be made beside it.
pub(super) fn aside(store: &Path, what: &str) -> Result<PathBuf, StoreError> {
    let time = now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let name = store.file_name().unwrap_or_default().to_string_lossy();
    let mut last = None;
    for number in 0..100 {
        let end = match number {
            0 => format!("{what}-{time}"),
            number => format!("{what}-{time}-{number}"),
        };
        for path in [
            store.with_file_name(format!("{name}.{end}")),
            store.join(&end),
        ] {
            match fs::create_dir(&path) {
                Ok(()) => return Ok(path),
                Err(error) => last = Some(error),
            }
        }
    }
    Err(StoreError::Open {
        path: PathBuf::from(store),
        why: format!(
            "the damaged store can't be moved aside: {}",
            last.map(|error| error.to_string()).unwrap_or_default()
        ),
    })
}

/// The id that the damaged database gives itself.
fn id_in(log: &SledLog) -> Option<String> {
    let mut found = None;
    let _: Result<(), ()> = log.records(|key, framed| {
        if key == keys::STORE_ID
            && let Ok(id) = record::unframe(key, framed)
        {
            found = Some(String::from_utf8_lossy(id).into_owned());
            return Err(());
        }
        Ok(())
    });
    found
}

/// The newest backup that is whole. Those that are not are told.
fn newest_good(folder: &Path, store_id: Option<&str>) -> Option<BackupFile> {
    let all = backup::list(folder).unwrap_or_default();
    let mut candidates = all
        .into_iter()
        .filter(|file| store_id.is_none_or(|id| file.header.store_id == id));
    candidates.find(|file| match backup::verify(&file.path) {
        Ok(_) => true,
        Err(error) => {
            tracing::error!(%error, "a backup can't be used; an older one is tried");
            false
        }
    })
}

/// Builds the store anew. The caller holds its lock and has closed its database. `known_id` is that of the store that lived here before.
///
/// # Errors
/// The disk. Nothing has been moved then, or the new database is in place already.
pub(super) fn rebuild(
    settings: &StoreSettings,
    why: &str,
    known_id: Option<&str>,
) -> Result<Rebuilt, StoreError> {
    let store = settings.path.as_path();
    let backups = backup::folder_of(settings);
    tracing::error!(store = %store.display(), error = why, "the store is damaged: it is built anew");
    let manifest = match Manifest::read(store)? {
        Found::Whole(manifest) => Some(manifest),
        Found::Nothing | Found::Damaged(_) => None,
    };
    let log = SledLog::read(&store.join(fresh::DATABASE), Reading::Saving)
        .inspect_err(|error| tracing::error!(%error, "the database has no file that can be read"))
        .ok();
    for finding in log.iter().flat_map(|log| &log.findings) {
        tracing::error!(finding, "damage");
    }
    let inside = log.as_ref().and_then(id_in);
    // A manifest of another store says nothing about this one.
    let manifest = manifest.filter(|m| {
        let inside = inside.as_ref();
        inside.is_none_or(|inside| identity::whose(settings, &m.store_id, inside) == m.store_id)
    });
    let id = manifest.as_ref().map(|m| m.store_id.clone());
    let id = id.or_else(|| inside.clone());
    let id = id.or_else(|| known_id.map(str::to_owned));
    let backup = newest_good(&backups, id.as_deref());
    let id = id
        .or_else(|| backup.as_ref().map(|file| file.header.store_id.clone()))
        .unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    // Somebody else's documents are of no use.
    let log = log.filter(|_| inside.as_ref().is_none_or(|inside| *inside == id));
    let sources = Sources {
        damaged: log.as_ref(),
        backup: backup.as_ref().map(|file| file.path.as_path()),
        sequence: manifest.map_or(0, |m| m.sequence),
    };
    let place = fresh::begin(store)?;
    let built = salvage::build(&place, &id, &sources).inspect_err(|_| fresh::forget(store))?;
    fresh::complete(store, &Manifest::new(id, built.sequence))?;
    let aside = aside(store, "damaged")?;
    keep_superseded(&aside, &built)?;
    fresh::swap(store, &aside)?;
    if let Some(file) = &backup {
        let live = attached::folder_of(settings);
        let id = &file.header.store_id;
        backup::bring_back(&live, &file.path, id, &file.footer);
    }
    let rebuilt = Rebuilt {
        at: now().as_second(),
        why: why.to_owned(),
        aside,
        saved: built.saved,
        from_backup: built.from_backup,
        backup: backup.map(|file| file.path),
        lost: built.lost.into_iter().collect(),
        complete: built.complete,
    };
    tell(&rebuilt);
    Ok(rebuilt)
}

fn keep_superseded(aside: &Path, built: &Built) -> Result<(), StoreError> {
    if built.superseded.is_empty() {
        return Ok(());
    }
    let mut file = fs::File::create(aside.join(SUPERSEDED))?;
    for (key, json) in &built.superseded {
        tracing::error!(
            document = %key,
            "a newer document has taken its place (address, realm or number); it is kept in {SUPERSEDED} beside the damaged store"
        );
        let line = serde_json::json!({
            "type": key.kind.as_str(),
            "account_id": key.account.as_str(),
            "id": key.id.as_str(),
            "was": String::from_utf8_lossy(json),
        });
        writeln!(file, "{line}")?;
    }
    file.sync_all()?;
    Ok(())
}

fn tell(rebuilt: &Rebuilt) {
    let backup = rebuilt.backup.as_ref();
    tracing::error!(
        damaged = %rebuilt.aside.display(),
        why = rebuilt.why,
        saved = rebuilt.saved,
        from_backup = rebuilt.from_backup,
        backup = backup.map(|path| path.display().to_string()),
        complete = rebuilt.complete,
        lost = rebuilt.lost.len(),
        "the store has been built anew; the damaged one was moved aside: look at the disk (smartctl, the kernel's log), and remove the \
         damaged store when nothing is missed"
    );
    for lost in rebuilt.lost.iter().take(NAMED) {
        tracing::error!(document = lost, "lost");
    }
    if !rebuilt.complete {
        tracing::error!(
            "what was changed after the last backup may be missing: compare with what you know, and change it again"
        );
    }
}

/// Builds a store from a backup. What is there already is moved aside.
///
/// # Errors
/// The backup is not whole; the disk.
pub(super) fn restore(store: &Path, file: &Path) -> Result<(Built, Option<PathBuf>), StoreError> {
    let (header, _) = backup::verify(file)?;
    let sequence = match Manifest::read(store)? {
        Found::Whole(manifest) => manifest.sequence,
        Found::Nothing | Found::Damaged(_) => 0,
    };
    let sources = Sources {
        damaged: None,
        backup: Some(file),
        sequence,
    };
    let place = fresh::begin(store)?;
    let built =
        salvage::build(&place, &header.store_id, &sources).inspect_err(|_| fresh::forget(store))?;
    fresh::complete(store, &Manifest::new(header.store_id, built.sequence))?;
    if !store.join(fresh::DATABASE).exists() && !Manifest::path(store).exists() {
        fresh::finish(store)?;
        return Ok((built, None));
    }
    let aside = aside(store, "replaced")?;
    fresh::swap(store, &aside)?;
    Ok((built, Some(aside)))
}
