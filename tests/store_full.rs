//! A full disk: writes are refused, everything else goes on, and so do writes as soon as there is room. Needs to be root, for a small disk
//! of its own; does nothing otherwise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, its helpers included, and says what it did"
)]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use linefinder::documents::{Document, DocumentKey, DocumentType};
use linefinder::store::{Change, Health, Store, StoreError, StoreSettings, Write};
use linefinder::types::{AccountId, DocumentId};
use serde_json::{Value, json};

/// A disk of 24 MB.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn mounted() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        if mount.is_ok_and(|status| status.success()) {
            return Some(Self { folder });
        }
        println!("skipped: a disk can't be mounted here");
        None
    }

    fn filler(&self) -> PathBuf {
        self.folder.path().join("filler")
    }

    /// To the last byte.
    fn fill(&self) {
        let mut file = File::create(self.filler()).unwrap();
        for size in [1 << 20, 4096, 1] {
            let block = vec![7; size];
            while file.write_all(&block).is_ok() {}
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.folder.path()).status();
    }
}

fn write(id: &str, text: &str) -> Change {
    let account = AccountId::new("acc").unwrap();
    let (kind, body) = match id {
        "acc" => (
            DocumentType::Account,
            json!({"name": "acc", "realm": "a.example.com"}),
        ),
        _ => (
            DocumentType::Device,
            json!({"name": id, "note": text, "sip": {"username": id}}),
        ),
    };
    let Value::Object(body) = body else {
        panic!("an object");
    };
    Change::from(Write::Put(Document {
        key: DocumentKey {
            kind,
            account,
            id: DocumentId::new(id).unwrap(),
        },
        body,
    }))
}

fn settings(disk: &SmallDisk, backups: &Path) -> StoreSettings {
    StoreSettings {
        path: disk.folder.path().join("store"),
        backups: Some(backups.to_path_buf()),
        ..StoreSettings::default()
    }
}

fn readable(store: &Store) {
    let account = AccountId::new("acc").unwrap();
    let device = store.device(&account, &DocumentId::new("d1").unwrap());
    assert!(device.unwrap().is_some());
    let found = store.device_by_address("d1", "a.example.com").unwrap();
    assert!(found.is_some());
    let scanned = store.scan(DocumentType::Device, None).count();
    assert!(scanned > 0);
}

fn eventually(what: &str, done: impl Fn() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn somebody_else_fills_the_disk() {
    let Some(disk) = SmallDisk::mounted() else {
        return;
    };
    let backups = tempfile::tempdir().unwrap();
    let settings = settings(&disk, backups.path());
    let store = Store::open_for_service(&settings).unwrap();
    store.apply_blocking(write("acc", "")).unwrap();
    store.apply_blocking(write("d1", "one")).unwrap();
    eventually("ballast", || settings.path.join("ballast").exists());
    for _ in 0..3 {
        disk.fill();
        let refused = store.apply_blocking(write("d2", "two"));
        assert!(
            matches!(refused, Err(StoreError::DiskFull(_))),
            "{refused:?}"
        );
        assert!(matches!(store.health(), Health::DiskFull { .. }));
        readable(&store);
        fs::remove_file(disk.filler()).unwrap();
        eventually("room", || store.health() == Health::Healthy);
        store.apply_blocking(write("d2", "two")).unwrap();
    }
    // stopped and started on a full disk
    disk.fill();
    drop(store);
    let store = Store::open_for_service(&settings).unwrap();
    readable(&store);
    let refused = store.apply_blocking(write("d3", "three"));
    assert!(
        matches!(refused, Err(StoreError::DiskFull(_))),
        "{refused:?}"
    );
    fs::remove_file(disk.filler()).unwrap();
    eventually("room", || store.health() == Health::Healthy);
    store.apply_blocking(write("d3", "three")).unwrap();
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}

#[test]
fn the_store_fills_the_disk_itself() {
    let Some(disk) = SmallDisk::mounted() else {
        return;
    };
    let backups = tempfile::tempdir().unwrap();
    let settings = settings(&disk, backups.path());
    let store = Store::open_for_service(&settings).unwrap();
    store.apply_blocking(write("acc", "")).unwrap();
    store.apply_blocking(write("d1", "one")).unwrap();
    let text = "x".repeat(60_000);
    let mut written = 0;
    let refused = loop {
        match store.apply_blocking(write(&format!("big{written}"), &text)) {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 1_000);
    };
    assert!(matches!(refused, StoreError::DiskFull(_)), "{refused}");
    println!("{written} documents of 60 kB went onto the disk");
    assert!(written > 10);
    readable(&store);
    drop(store);
    let store = Store::open_for_service(&settings).unwrap();
    readable(&store);
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    let kept = store.scan(DocumentType::Device, None).count();
    assert!(kept > written, "{kept} of {written} and one more");
}
