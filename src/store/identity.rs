//! Which store this is, and whether manifest, database and backups speak of the same one.

use std::fs;
use std::path::Path;

use super::backup;
use super::digest::Digest;
use super::disk::{Batch, Disk};
use super::doubt::Files;
use super::error::StoreError;
use super::keys;
use super::manifest::{Found, Manifest};
use super::settings::StoreSettings;

/// Manifest and database disagree: the backups know which of the two is at home here.
pub(super) fn whose<'a>(settings: &StoreSettings, manifest: &'a str, inside: &'a str) -> &'a str {
    let folder = backup::folder_of(settings);
    let known = |id: &str| !backup::of_store(&folder, id).is_empty();
    match known(manifest) && !known(inside) {
        true => manifest,
        false => inside,
    }
}

/// The store's id after manifest, database and backups were compared; a new store gets one. `known_id` is that of the store that lived here
/// before.
///
/// # Errors
/// [`StoreError::Damaged`]: they do not belong together, or something is missing at the end.
pub(super) fn settle(
    settings: &StoreSettings,
    disk: &Disk,
    manifest: Found,
    files: Files,
    sequence: u64,
    known_id: Option<&str>,
) -> Result<String, StoreError> {
    let path = settings.path.as_path();
    let known = disk.read(keys::STORE_ID)?;
    let known = known.map(|id| String::from_utf8_lossy(id.payload()).into_owned());
    let damaged = |why: String| Err(StoreError::damaged(path.display().to_string(), why));
    let id = match (manifest, known) {
        (Found::Whole(manifest), Some(id)) if manifest.store_id != id => {
            if whose(settings, &manifest.store_id, &id) == manifest.store_id {
                return damaged("the database belongs to another store".to_owned());
            }
            put_aside(path, "it belongs to another store")?;
            id
        }
        (Found::Whole(manifest), Some(_)) if manifest.sequence > sequence => {
            return damaged(format!(
                "the database ends at write {sequence}, but write {} had reached the disk",
                manifest.sequence
            ));
        }
        (Found::Whole(_), Some(id)) => id,
        (Found::Whole(_), None) => {
            return damaged("there is a manifest, but the database is empty".to_owned());
        }
        (Found::Damaged(why), Some(id)) => {
            put_aside(path, &why)?;
            id
        }
        (Found::Damaged(why), None) => {
            return damaged(format!("the manifest: {why}, and the database is empty"));
        }
        (Found::Nothing, Some(id)) => {
            tracing::warn!(path = %path.display(), "the store had no manifest; it gets a new one");
            id
        }
        (Found::Nothing, None) => return new(settings, disk, files, known_id),
    };
    let saved = backup::newest_sequence(&backup::folder_of(settings), &id);
    if let Some(saved) = saved.filter(|saved| files != Files::AsClosed && *saved > sequence) {
        return damaged(format!(
            "the database ends at write {sequence}, but a backup goes up to write {saved}"
        ));
    }
    Ok(id)
}

fn new(
    settings: &StoreSettings,
    disk: &Disk,
    files: Files,
    known_id: Option<&str>,
) -> Result<String, StoreError> {
    let folder = backup::folder_of(settings);
    let damaged = |why: String| {
        Err(StoreError::damaged(
            settings.path.display().to_string(),
            why,
        ))
    };
    let own = known_id.and_then(|id| backup::of_store(&folder, id).into_iter().next());
    if let Some(own) = own {
        let backup = own.path.display();
        return damaged(format!(
            "manifest and database are gone, but there is a backup of the store that was here: {backup}"
        ));
    }
    let newest = backup::list(&folder).unwrap_or_default().into_iter().next();
    if let Some(newest) = newest {
        let backup = newest.path.display();
        if files != Files::New {
            return damaged(format!(
                "the database is empty, but there is a backup: {backup}"
            ));
        }
        tracing::warn!(
            %backup,
            "the store is new and empty, although there are backups; `linefinder backup restore FILE --force` brings one back"
        );
    }
    create(disk)
}

/// The id reaches the disk before the manifest does: a crash in between leaves a database without manifest, which is accepted.
pub(super) fn create(disk: &Disk) -> Result<String, StoreError> {
    if disk.prefix(keys::DOCUMENTS).next().is_some() {
        let why = "the database holds documents but not its own id";
        return Err(StoreError::damaged("the database", why));
    }
    disk.set_digest(Digest::default());
    let id = uuid::Uuid::new_v4().to_string();
    let mut batch = Batch::new();
    batch.insert(keys::STORE_ID.to_vec(), Some(id.clone().into_bytes()));
    disk.write(&batch)?;
    disk.flush()?;
    Ok(id)
}

/// A manifest that is of no use is kept, under another name.
fn put_aside(store: &Path, why: &str) -> Result<(), StoreError> {
    let manifest = Manifest::path(store);
    let kept = manifest.with_extension(format!(
        "json.refused-{}",
        super::rebuild::now().strftime("%Y%m%dT%H%M%SZ")
    ));
    tracing::error!(
        why,
        kept = %kept.display(),
        "the store's manifest can't be used; the database says itself what it is, and gets a new one"
    );
    fs::rename(&manifest, &kept)?;
    Ok(())
}
