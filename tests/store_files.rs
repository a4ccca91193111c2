//! Files that documents name are part of a backup: copied once, verified, brought back, and gone with the last backup that has them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod store_support;

use std::fs;
use std::path::PathBuf;

use linefinder::documents::DocumentType;
use linefinder::store::{ATTACHMENT, BackupFile, Store, StoreSettings, Write, folder_of_account};
use linefinder::types::AccountId;
use serde_json::json;
use store_support::{apply, key, put, serve, settings};

struct World {
    folder: tempfile::TempDir,
    settings: StoreSettings,
}

fn name(number: u32) -> String {
    format!("{number:032x}")
}

impl World {
    /// Two sounds, the second a recording.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let world = Self { folder, settings };
        let store = world.open();
        let account = json!({"name": "acc", "realm": "acme.example.com"});
        apply(&store, vec![put(DocumentType::Account, "acc", account)]);
        world.sound(&store, DocumentType::Media, 1);
        world.sound(&store, DocumentType::Recording, 2);
        world
    }

    fn open(&self) -> Store {
        Store::open(&self.settings).unwrap()
    }

    fn live(&self, number: u32) -> PathBuf {
        let all = self.folder.path().join("store.media");
        folder_of_account(&all, &AccountId::new("acc").unwrap()).join(name(number))
    }

    fn copies(&self) -> Vec<PathBuf> {
        let all = self.open().saved_files_folder();
        let folder = folder_of_account(&all, &AccountId::new("acc").unwrap());
        let entries = fs::read_dir(folder).into_iter().flatten();
        let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        found.sort();
        found
    }

    fn sound(&self, store: &Store, kind: DocumentType, number: u32) {
        let path = self.live(number);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let bytes = vec![number as u8; 10_000];
        fs::write(&path, &bytes).unwrap();
        let attached =
            json!({"file": name(number), "content_type": "audio/wav", "length": bytes.len()});
        let body = json!({"name": "x", ATTACHMENT: attached});
        apply(store, vec![put(kind, &format!("s{number}"), body)]);
    }

    fn backup(&self) -> BackupFile {
        self.open().backup(&self.settings).unwrap()
    }
}

fn why(backup: &BackupFile) -> String {
    Store::verify_backup(&backup.path).unwrap_err().to_string()
}

#[test]
fn they_are_copied_once_and_verified() {
    let world = World::new();
    let first = world.backup();
    assert_eq!(first.footer.files.as_ref().unwrap().count, 2);
    assert_eq!(first.footer.files.as_ref().unwrap().bytes, 20_000);
    Store::verify_backup(&first.path).unwrap();
    let copies = world.copies();
    assert_eq!(copies.len(), 2);
    let written = |path: &PathBuf| fs::metadata(path).unwrap().modified().unwrap();
    let before: Vec<_> = copies.iter().map(written).collect();
    world.sound(&world.open(), DocumentType::Media, 3);
    let second = world.backup();
    assert_eq!(second.footer.files.as_ref().unwrap().count, 3);
    let after: Vec<_> = copies.iter().map(written).collect();
    assert_eq!(after, before, "copied again");
    // a flipped bit, and a missing file
    let mut bytes = fs::read(&copies[0]).unwrap();
    bytes[77] ^= 1;
    fs::write(&copies[0], bytes).unwrap();
    fs::remove_file(&copies[1]).unwrap();
    let told = why(&second);
    assert!(told.contains("2 of 3"), "{told}");
    assert!(
        told.contains("changed") && told.contains(&name(2)),
        "{told}"
    );
    fs::write(format!("{}.files", second.path.display()), "").unwrap();
    assert!(why(&second).contains("changed since"), "{}", why(&second));
    // the documents are whole all the same
    let restored = Store::restore(&world.settings, &second.path).unwrap();
    assert_eq!(restored.documents, 4);
    assert_eq!(restored.files.missing.len(), 1);
}

#[test]
fn what_is_missing_is_brought_back_and_what_is_there_is_left_alone() {
    let world = World::new();
    let backup = world.backup();
    let bytes = fs::read(world.live(1)).unwrap();
    fs::remove_file(world.live(1)).unwrap();
    fs::write(world.live(2), "cut").unwrap();
    let restored = Store::restore(&world.settings, &backup.path).unwrap();
    assert_eq!((restored.files.back, restored.files.missing.len()), (2, 0));
    assert_eq!(fs::read(world.live(1)).unwrap(), bytes);
    assert_eq!(fs::metadata(world.live(2)).unwrap().len(), 10_000);
    let restored = Store::restore(&world.settings, &backup.path).unwrap();
    assert_eq!(restored.files.back, 0);
}

#[test]
fn a_store_that_is_built_anew_gets_its_files_back() {
    let world = World::new();
    world.backup();
    fs::remove_dir_all(world.folder.path().join("store.media")).unwrap();
    fs::remove_file(world.folder.path().join("store/db/db")).unwrap();
    let log = serve(world.folder.path());
    assert!(log.contains("built anew"), "{log}");
    assert!(world.live(1).exists() && world.live(2).exists(), "{log}");
}

#[test]
fn copies_go_with_the_last_backup_that_has_them() {
    let mut world = World::new();
    world.settings.backup_keep = 2;
    world.backup();
    apply(
        &world.open(),
        vec![Write::Delete(key(DocumentType::Media, "s1"))],
    );
    let name_of = |number| PathBuf::from(name(number));
    let copied = |world: &World| -> Vec<PathBuf> {
        let copies = world.copies();
        copies
            .iter()
            .map(|p| p.file_name().unwrap().into())
            .collect()
    };
    for round in 0..3 {
        world.sound(&world.open(), DocumentType::Recording, 10 + round);
        let made = world.backup();
        Store::verify_backup(&made.path).unwrap();
        assert_eq!(copied(&world).contains(&name_of(1)), round < 1, "{round}");
        assert!(copied(&world).contains(&name_of(2)));
    }
    assert_eq!(Store::backups(&world.settings).unwrap().len(), 2);
    let lists = fs::read_dir(world.folder.path().join("backups")).unwrap();
    let lists = lists.filter(|entry| {
        let path = entry.as_ref().unwrap().path();
        path.to_string_lossy().ends_with(".jsonl.files")
    });
    assert_eq!(lists.count(), 2);
}

#[test]
fn a_file_that_is_gone_keeps_no_backup_from_being_made() {
    let world = World::new();
    fs::remove_file(world.live(1)).unwrap();
    let backup = world.backup();
    assert_eq!(backup.footer.files.as_ref().unwrap().count, 1);
    Store::verify_backup(&backup.path).unwrap();
}

#[test]
fn the_folder_is_a_setting() {
    let mut world = World::new();
    world.settings.files = Some(world.folder.path().join("elsewhere"));
    assert!(world.open().files_folder().ends_with("elsewhere"));
}
