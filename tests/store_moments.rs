//! A process is killed without warning while it starts, makes a backup, compacts, restores, or builds a damaged store anew: whoever comes next
//! finds everything that was acknowledged.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, its helpers included, and says what it did"
)]

mod store_support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use linefinder::store::{Health, Store, StoreSettings};
use store_support::{
    Documents, apply, device, documents, filled, forget_the_close, settings, used,
};

/// The folder, and what the killed process does there.
const FOLDER: &str = "LINEFINDER_STORE_MOMENTS";
const WORK: &str = "LINEFINDER_STORE_WORK";

/// Of each kind; `LINEFINDER_MOMENT_ROUNDS` asks for more.
const ROUNDS: u32 = 8;

fn rounds() -> u32 {
    let asked = std::env::var("LINEFINDER_MOMENT_ROUNDS");
    asked.map_or(ROUNDS, |rounds| rounds.parse().unwrap())
}

/// What the process does until it is killed.
fn work(what: &str, settings: &StoreSettings) {
    match what {
        "start" => {
            let store = Store::open_for_service(settings).unwrap();
            let mut number = 0;
            loop {
                apply(&store, vec![device(600, &format!("visit {number}"))]);
                number += 1;
            }
        }
        "backup" => {
            let store = Store::open(settings).unwrap();
            let mut number = 0;
            loop {
                apply(&store, vec![device(600, &format!("visit {number}"))]);
                store.backup(settings).unwrap();
                number += 1;
            }
        }
        "compact" => loop {
            Store::compact(settings).unwrap();
        },
        "restore" => {
            let backup = Store::backups(settings).unwrap().remove(0);
            loop {
                Store::restore(settings, &backup.path).unwrap();
            }
        }
        _ => panic!("{what} is no work"),
    }
}

/// Starts the work and kills it after the moment.
fn kill(folder: &Path, what: &str, moment: Duration) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_process_that_is_killed"])
        .env(FOLDER, folder)
        .env(WORK, what)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let since = Instant::now();
    while since.elapsed() < moment {
        assert!(
            child.try_wait().unwrap().is_none(),
            "{what}: the process gave up after {:?}",
            since.elapsed()
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_process_that_is_killed() {
    if let (Ok(folder), Ok(what)) = (std::env::var(FOLDER), std::env::var(WORK)) {
        work(&what, &settings(Path::new(&folder)));
    }
}

/// What the killed process writes itself does not count.
fn without_the_visitor(mut all: Documents) -> Documents {
    all.retain(|(_, id), _| id != "d600");
    all
}

fn open(settings: &StoreSettings, told: &str) -> (Store, Documents) {
    let store = Store::open_for_service(settings).unwrap_or_else(|e| panic!("{told}: {e}"));
    assert_eq!(store.verify().unwrap(), Vec::<String>::new(), "{told}");
    let found = without_the_visitor(documents(&store));
    (store, found)
}

fn a_moment(longest_ms: u64) -> Duration {
    Duration::from_micros(fastrand::u64(0..longest_ms * 1_000))
}

/// The same store is killed in the same work again and again.
fn survives(what: &str, longest_ms: u64) {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (_, now) = filled(&settings);
    for round in 0..rounds() {
        let moment = a_moment(longest_ms);
        let told = format!("{what}, round {round}, killed after {moment:?}");
        kill(folder.path(), what, moment);
        let (store, found) = open(&settings, &told);
        assert_eq!(store.health(), Health::Healthy, "{told}");
        assert_eq!(found, now, "{told}");
        drop(store);
        for backup in Store::backups(&settings).unwrap() {
            Store::verify_backup(&backup.path).unwrap_or_else(|e| panic!("{told}: {e}"));
        }
        if round % 2 == 0 {
            forget_the_close(&settings);
        }
        println!("{told}: whole");
    }
}

#[test]
fn killed_while_it_starts() {
    survives("start", 250);
}

#[test]
fn killed_while_it_makes_a_backup() {
    survives("backup", 250);
}

#[test]
fn killed_while_it_compacts() {
    survives("compact", 400);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// A store as it was, for one round.
fn a_copy(of: &Path) -> (tempfile::TempDir, StoreSettings) {
    let folder = tempfile::tempdir().unwrap();
    copy(of, folder.path());
    let settings = settings(folder.path());
    (folder, settings)
}

#[test]
fn killed_while_it_restores() {
    let origin = tempfile::tempdir().unwrap();
    let (then, now) = filled(&settings(origin.path()));
    for round in 0..rounds() {
        let (folder, settings) = a_copy(origin.path());
        let moment = a_moment(400);
        let told = format!("restore, round {round}, killed after {moment:?}");
        kill(folder.path(), "restore", moment);
        let (_, found) = open(&settings, &told);
        assert!(found == then || found == now, "{told}");
        println!(
            "{told}: {}",
            if found == then {
                "the backup"
            } else {
                "as it was"
            }
        );
    }
}

fn damage(db: &Path) {
    let mut bytes = fs::read(db).unwrap();
    let length = used(&bytes);
    for _ in 0..20 {
        bytes[fastrand::usize(0..length)] ^= 1 << fastrand::u32(0..8);
    }
    fs::write(db, bytes).unwrap();
}

fn moved_aside(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let named = |path: &PathBuf| path.to_string_lossy().contains(".damaged-");
    entries.filter(named).collect()
}

#[test]
fn killed_while_it_builds_anew() {
    let origin = tempfile::tempdir().unwrap();
    let (then, now) = filled(&settings(origin.path()));
    for round in 0..rounds() {
        let (folder, settings) = a_copy(origin.path());
        damage(&settings.path.join("db/db"));
        let mut told = format!("build anew, round {round}, killed after");
        for _ in 0..3 {
            let moment = a_moment(300);
            told.push_str(&format!(" {moment:?}"));
            kill(folder.path(), "start", moment);
        }
        let (_, found) = open(&settings, &told);
        for (name, body) in &then {
            let there = found.get(name);
            let newer = now.get(name).is_some_and(|now| there == Some(now));
            let gone = !now.contains_key(name) && there.is_none();
            assert!(
                there == Some(body) || newer || gone,
                "{told}: {name:?} is lost: {there:?}"
            );
        }
        assert!(!moved_aside(folder.path()).is_empty(), "{told}");
        println!("{told}: {} of {}", found.len(), now.len());
    }
}
