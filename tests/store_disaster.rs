//! Two kinds of damage at once, and files that are gone in company: the real daemon comes up, twice, and what a good backup has is there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod store_support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use linefinder::store::{Store, StoreSettings};
use store_support::{
    Documents, apply, device, documents, filled, forget_the_close, serve, served, settings,
    snapshot, used,
};

struct World {
    folder: tempfile::TempDir,
    settings: StoreSettings,
    /// As it was at the first backup, at the second, and is.
    first: Documents,
    second: Documents,
    now: Documents,
}

impl World {
    /// Two backups, the second newer, and changes since.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let (first, _) = filled(&settings);
        let store = Store::open(&settings).unwrap();
        let second = documents(&store);
        store.backup(&settings).unwrap();
        apply(&store, vec![device(3, "last"), device(501, "last")]);
        let now = documents(&store);
        Self {
            folder,
            settings,
            first,
            second,
            now,
        }
    }

    fn killed() -> Self {
        let world = Self::new();
        forget_the_close(&world.settings);
        world
    }

    fn store(&self, name: &str) -> PathBuf {
        self.settings.path.join(name)
    }

    /// The newest first.
    fn backups(&self) -> Vec<PathBuf> {
        let all = Store::backups(&self.settings).unwrap();
        all.into_iter().map(|file| file.path).collect()
    }

    /// Starts and stops the daemon twice. The first start says what happened, the second has nothing to say. Returns what is there then, and the
    /// first log.
    fn come_up(&self) -> (Documents, String) {
        let log = serve(self.folder.path());
        let again = serve(self.folder.path());
        assert!(
            !again.contains("damaged") && !again.contains("anew"),
            "the second start:\n{again}\nthe first:\n{log}"
        );
        let store = Store::open(&self.settings).unwrap();
        assert_eq!(store.verify().unwrap(), Vec::<String>::new());
        (documents(&store), log)
    }
}

fn flip(path: &Path, at: impl Fn(usize) -> usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = at(used(&bytes));
    bytes[at] ^= 4;
    fs::write(path, bytes).unwrap();
}

fn cut(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

/// Nothing of `then` is missing: it is as it was, or newer.
fn holds(found: &Documents, then: &Documents, now: &Documents, log: &str) {
    for (name, body) in then {
        let there = found.get(name);
        let is = |known: Option<&_>| known.is_some() && known == there;
        assert!(
            there == Some(body)
                || is(now.get(name))
                || (!now.contains_key(name) && there.is_none()),
            "{name:?} is lost: {there:?}\n{log}"
        );
    }
}

#[test]
fn without_a_database_and_with_a_flipped_newest_backup_an_older_one_serves() {
    for killed in [false, true] {
        let world = if killed {
            World::killed()
        } else {
            World::new()
        };
        fs::remove_file(world.store("db/db")).unwrap();
        flip(&world.backups()[0], |length| length / 2);
        let (found, log) = world.come_up();
        assert!(log.contains("an older one is tried"), "{log}");
        assert!(log.contains("built anew"), "{log}");
        holds(&found, &world.first, &world.first, &log);
    }
}

#[test]
fn a_flipped_database_and_a_cut_newest_backup() {
    let world = World::killed();
    for part in 1..8 {
        flip(&world.store("db/db"), |length| length * part / 8);
    }
    cut(&world.backups()[0]);
    let (found, log) = world.come_up();
    holds(&found, &world.first, &world.now, &log);
}

#[test]
fn a_flipped_database_and_no_good_backup() {
    let world = World::new();
    flip(&world.store("db/db"), |length| length / 2);
    for backup in world.backups() {
        flip(&backup, |length| length / 2);
    }
    let (found, log) = world.come_up();
    assert!(log.contains("built anew"), "{log}");
    assert!(found.len() > world.now.len() / 2, "{}", found.len());
}

#[test]
fn an_empty_database_folder_beside_a_good_manifest() {
    for killed in [false, true] {
        let world = if killed {
            World::killed()
        } else {
            World::new()
        };
        fs::remove_dir_all(world.store("db")).unwrap();
        fs::create_dir(world.store("db")).unwrap();
        let (found, log) = world.come_up();
        assert!(log.contains("built anew"), "{log}");
        assert_eq!(found, world.second, "{log}");
    }
}

#[test]
fn neither_manifest_nor_database_file_but_its_snapshot_and_conf() {
    let world = World::new();
    fs::remove_file(world.store("manifest.json")).unwrap();
    fs::remove_file(world.store("db/db")).unwrap();
    let (found, log) = world.come_up();
    assert!(log.contains("built anew"), "{log}");
    assert_eq!(found, world.second, "{log}");
}

#[test]
fn neither_manifest_nor_anything_in_the_database_folder() {
    let world = World::new();
    fs::remove_file(world.store("manifest.json")).unwrap();
    fs::remove_dir_all(world.store("db")).unwrap();
    fs::create_dir(world.store("db")).unwrap();
    let (found, log) = world.come_up();
    assert!(log.contains("built anew"), "{log}");
    assert_eq!(found, world.second, "{log}");
}

#[test]
fn no_manifest_and_a_flipped_snapshot() {
    let world = World::new();
    fs::remove_file(world.store("manifest.json")).unwrap();
    flip(&snapshot(&world.settings), |length| length / 2);
    let (found, log) = world.come_up();
    assert_eq!(found, world.now, "{log}");
}

#[test]
fn a_damaged_manifest_and_a_damaged_database() {
    let world = World::killed();
    flip(&world.store("manifest.json"), |length| length / 3);
    flip(&world.store("db/db"), |length| length / 2);
    let (found, log) = world.come_up();
    holds(&found, &world.second, &world.now, &log);
}

#[test]
fn no_conf_no_snapshot_and_no_manifest() {
    let world = World::new();
    fs::remove_file(world.store("manifest.json")).unwrap();
    fs::remove_file(world.store("db/conf")).unwrap();
    fs::remove_file(snapshot(&world.settings)).unwrap();
    let (found, log) = world.come_up();
    holds(&found, &world.second, &world.now, &log);
}

#[test]
fn rubbish_in_the_small_files_of_the_folder_harms_nobody() {
    let world = World::new();
    fs::write(world.store("ballast"), "x").unwrap();
    fs::write(world.store("lock"), [0xff; 64]).unwrap();
    fs::write(world.store("manifest.json.new"), "{").unwrap();
    fs::create_dir_all(world.store("fresh/db")).unwrap();
    fs::write(world.store("fresh/db/db"), "rubbish").unwrap();
    fs::create_dir_all(world.folder.path().join("backups")).unwrap();
    fs::write(world.folder.path().join("backups/x.jsonl"), [0xff; 5000]).unwrap();
    fs::write(world.folder.path().join("backups/y.jsonl.part"), "{").unwrap();
    let (found, log) = world.come_up();
    assert_eq!(found, world.now, "{log}");
    assert!(!log.contains("built anew"), "{log}");
}

#[test]
fn an_empty_database_file() {
    for killed in [false, true] {
        let world = if killed {
            World::killed()
        } else {
            World::new()
        };
        fs::write(world.store("db/db"), "").unwrap();
        let (found, log) = world.come_up();
        assert!(log.contains("built anew"), "{log}");
        assert_eq!(found, world.second, "{log}");
    }
}

#[test]
fn an_empty_manifest() {
    let world = World::new();
    fs::write(world.store("manifest.json"), "").unwrap();
    let (found, log) = world.come_up();
    assert!(log.contains("manifest"), "{log}");
    assert_eq!(found, world.now, "{log}");
}

/// In a mount namespace of its own, where the store's folder is read-only; that takes rights which not every machine gives.
#[test]
fn a_folder_that_can_not_be_written() {
    let world = World::new();
    let store = world.settings.path.display().to_string();
    let copies = tempfile::tempdir().unwrap();
    let temporary = copies.path().display();
    let shell = format!(
        "export TMPDIR='{temporary}'; mount --bind '{store}' '{store}' && mount -o remount,ro,bind '{store}' || exit 77; exec \"$0\" \"$@\""
    );
    let inside = |program: &str| {
        let mut command = Command::new("/usr/bin/unshare");
        command.args(["-m", "/bin/sh", "-c", &shell, program]);
        command
    };
    if !inside("/bin/true")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        eprintln!("not tested: no rights to mount");
        return;
    }
    let log = served(
        world.folder.path(),
        inside(env!("CARGO_BIN_EXE_linefinder")),
    );
    assert!(log.contains("served from a copy"), "{log}");
    assert!(
        log.contains("the disk fails: nothing can be changed"),
        "{log}"
    );
    // it is as it was
    let store = Store::open(&world.settings).unwrap();
    assert_eq!(documents(&store), world.now);
    let left = fs::read_dir(copies.path()).unwrap();
    assert_eq!(left.count(), 0, "the copy is removed");
}
