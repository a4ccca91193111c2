//! Flipped bytes, cut files, deleted files: the real daemon comes up, says what happened, and has lost nothing older than the last backup.
//! `LINEFINDER_DAMAGE_ROUNDS` asks for more rounds than the usual few.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, its helpers included, and says what it did"
)]

mod store_support;

use linefinder::store::{Health, Store, StoreError, StoreSettings};
use serde_json::{Map, Value, json};
use store_support::{
    apply, device, documents, filled, forget_the_close, serve, settings, snapshot, used,
};

const ROUNDS: u64 = 12;

/// Damages the store in one of many ways and says how.
fn damage(settings: &StoreSettings, random: &mut fastrand::Rng, way: u64) -> String {
    let db = settings.path.join("db/db");
    let manifest = settings.path.join("manifest.json");
    match way {
        0..5 => {
            let mut bytes = std::fs::read(&db).unwrap();
            let count = [1, 1, 2, 8, 40][usize::try_from(way).unwrap()];
            let used = used(&bytes);
            for _ in 0..count {
                bytes[random.usize(0..used)] ^= 1 << random.u32(0..8);
            }
            std::fs::write(&db, bytes).unwrap();
            format!("{count} flipped bytes")
        }
        5 => {
            let bytes = std::fs::read(&db).unwrap();
            let at = random.usize(0..used(&bytes));
            std::fs::write(&db, &bytes[..at]).unwrap();
            format!("cut at {at}")
        }
        6 => {
            let mut bytes = std::fs::read(&db).unwrap();
            let at = random.usize(0..used(&bytes)) / 4096 * 4096;
            let end = (at + 4096).min(bytes.len());
            bytes[at..end].fill(random.u8(..));
            std::fs::write(&db, bytes).unwrap();
            format!("a page of rubbish at {at}")
        }
        7 => {
            std::fs::remove_file(snapshot(settings)).unwrap();
            "no snapshot".to_owned()
        }
        8 => {
            let path = snapshot(settings);
            let mut bytes = std::fs::read(&path).unwrap();
            let at = random.usize(0..bytes.len());
            bytes[at] ^= 4;
            std::fs::write(path, bytes).unwrap();
            "a flipped byte in the snapshot".to_owned()
        }
        9 => {
            std::fs::remove_file(&db).unwrap();
            "no database file".to_owned()
        }
        10 => {
            std::fs::remove_dir_all(settings.path.join("db")).unwrap();
            "no database folder".to_owned()
        }
        11 => {
            std::fs::remove_file(settings.path.join("db/conf")).unwrap();
            "no conf".to_owned()
        }
        12 => {
            std::fs::remove_file(&manifest).unwrap();
            "no manifest".to_owned()
        }
        13 => {
            let text = std::fs::read_to_string(&manifest).unwrap();
            let mut strange: Value = serde_json::from_str(&text).unwrap();
            strange["store_id"] = json!("7f000001-0000-4000-8000-000000000000");
            strange["check"] = json!(0);
            std::fs::write(&manifest, strange.to_string()).unwrap();
            "the manifest of another store".to_owned()
        }
        _ => {
            let mut bytes = std::fs::read(&manifest).unwrap();
            let at = random.usize(0..bytes.len());
            bytes[at] ^= 1;
            std::fs::write(&manifest, bytes).unwrap();
            "a flipped byte in the manifest".to_owned()
        }
    }
}

const WAYS: u64 = 15;

fn round(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (before, after) = filled(&settings);
    let way = seed % WAYS;
    let killed = seed / WAYS % 2 == 1;
    if killed {
        forget_the_close(&settings);
    }
    let what = damage(&settings, &mut random, way);
    let what = format!(
        "seed {seed}: {what}, {}",
        if killed { "killed" } else { "closed" }
    );
    let log = serve(folder.path());
    let store = Store::open(&settings).unwrap();
    assert_eq!(store.verify().unwrap(), Vec::<String>::new(), "{what}");
    let found = documents(&store);
    let rebuilt = log.contains("the store has been built anew");
    let told = rebuilt || log.contains("manifest");
    for (name, body) in &before {
        let now = found.get(name);
        let gone = !after.contains_key(name) && now.is_none();
        let is = |known: Option<&Map<String, Value>>| known.is_some() && known == now;
        assert!(
            gone || now == Some(body) || is(after.get(name)),
            "{what}: {name:?} is lost: {now:?}\n{log}"
        );
    }
    if !rebuilt || log.contains("complete=true") {
        assert_eq!(
            found, after,
            "{what}: not all is there, and nobody said so:\n{log}"
        );
    }
    // After a kill a flip may be in what sled was still writing, or in what is no more in use.
    assert!(told || (killed && way < 7), "{what}: not noticed:\n{log}");
    let kept = std::fs::read_dir(folder.path()).unwrap();
    let aside = kept.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with("store.damaged-")
    });
    assert_eq!(aside.count(), usize::from(rebuilt), "{what}");
    println!(
        "{what}: {}",
        match (rebuilt, log.contains("complete=true"), found == after) {
            (false, ..) => "nothing to mend",
            (true, true, _) => "all saved",
            (true, false, true) => "all saved, with the backup",
            (true, false, false) => "changes since the backup lost",
        }
    );
}

#[test]
fn damaged_stores_come_up_and_lose_nothing_that_is_in_a_backup() {
    let rounds = std::env::var("LINEFINDER_DAMAGE_ROUNDS");
    let first = std::env::var("LINEFINDER_DAMAGE_FIRST").map_or(0, |n| n.parse().unwrap());
    match rounds {
        Ok(rounds) => {
            let rounds: u64 = rounds.parse().unwrap();
            (first..first + rounds).for_each(round);
        }
        // each way once, as closed or as killed
        Err(_) => (0..WAYS)
            .map(|way| way + WAYS * (way % 2))
            .take(usize::try_from(ROUNDS + 3).unwrap())
            .for_each(round),
    }
}

#[test]
fn a_command_says_that_a_store_is_damaged_and_leaves_it_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    filled(&settings);
    let mut random = fastrand::Rng::with_seed(3);
    damage(&settings, &mut random, 4);
    let bytes = std::fs::read(settings.path.join("db/db")).unwrap();
    let error = Store::open(&settings).err().unwrap();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("linefinder serve"), "{error}");
    assert_eq!(std::fs::read(settings.path.join("db/db")).unwrap(), bytes);
    let store = Store::open_for_service(&settings).unwrap();
    assert!(matches!(store.health(), Health::Rebuilt(_)));
}

#[test]
fn without_a_backup_what_verifies_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (_, after) = filled(&settings);
    std::fs::remove_dir_all(folder.path().join("backups")).unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    damage(&settings, &mut random, 2);
    let store = Store::open_for_service(&settings).unwrap();
    let Health::Rebuilt(rebuilt) = store.health() else {
        panic!("rebuilt: {:?}", store.health());
    };
    let found = documents(&store);
    assert!(found.len() > after.len() / 2, "{rebuilt:?}");
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    // revisions never come twice
    let last = store.sequence();
    apply(&store, vec![device(1, "again")]);
    assert_eq!(store.sequence(), last + 1);
}
