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

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use linefinder::documents::{Document, DocumentKey, DocumentType};
use linefinder::store::{Change, Health, Store, StoreError, StoreSettings, Write};
use linefinder::types::{AccountId, DocumentId};
use serde_json::{Map, Value, json};

const ROUNDS: u64 = 12;
const PATIENCE: Duration = Duration::from_secs(60);

type Documents = BTreeMap<(String, String), Map<String, Value>>;

fn settings(folder: &Path) -> StoreSettings {
    StoreSettings {
        path: folder.join("store"),
        ..StoreSettings::default()
    }
}

fn put(kind: DocumentType, id: &str, body: Value) -> Write {
    let Value::Object(body) = body else {
        panic!("an object");
    };
    Write::Put(Document {
        key: key(kind, id),
        body,
    })
}

fn key(kind: DocumentType, id: &str) -> DocumentKey {
    DocumentKey {
        kind,
        account: AccountId::new("acc").unwrap(),
        id: DocumentId::new(id).unwrap(),
    }
}

fn device(number: usize, name: &str) -> Write {
    let id = format!("d{number}");
    let body = json!({"name": name, "owner_id": format!("u{}", number % 7), "sip": {"username": id, "password": "secret"}});
    put(DocumentType::Device, &id, body)
}

fn flow(number: usize, text: &str) -> Write {
    let flow = json!({"module": "device", "data": {"id": "d1", "note": text.repeat(2_000)}});
    let body = json!({"name": text, "numbers": [format!("{}", 1_000 + number)], "flow": flow});
    put(DocumentType::Callflow, &format!("f{number}"), body)
}

fn apply(store: &Store, writes: Vec<Write>) {
    store.apply_blocking(Change::from(writes)).unwrap();
}

/// All documents by kind and id.
fn documents(store: &Store) -> Documents {
    let mut text = Vec::new();
    store.export(&mut text).unwrap();
    let lines = String::from_utf8(text).unwrap();
    let parse = |line: &str| {
        let body: Map<String, Value> = serde_json::from_str(line).unwrap();
        let part = |name: &str| body[name].as_str().unwrap().to_owned();
        ((part("type"), part("id")), body)
    };
    lines.lines().map(parse).collect()
}

/// A store with a history, a backup, and changes since. Returns the documents as they were at the backup, and as they are.
fn filled(settings: &StoreSettings) -> (Documents, Documents) {
    let store = Store::open(settings).unwrap();
    apply(
        &store,
        vec![put(
            DocumentType::Account,
            "acc",
            json!({"name": "acc", "realm": "acme.example.com"}),
        )],
    );
    for round in 0..4 {
        for step in 0..10 {
            let numbers = (0..20).map(|n| n * 10 + step);
            apply(
                &store,
                numbers
                    .map(|n| device(n, &format!("round {round}")))
                    .collect(),
            );
        }
        apply(
            &store,
            (0..5).map(|n| flow(n, &format!("r{round}"))).collect(),
        );
    }
    let saved = store.backup(settings).unwrap();
    assert!(saved.footer.documents >= 206);
    let before = documents(&store);
    // sled writes its first snapshot when it opens what is there
    drop(store);
    let store = Store::open(settings).unwrap();
    for number in 0..20 {
        apply(&store, vec![device(number, "later")]);
    }
    apply(&store, vec![flow(1, "later"), device(500, "new")]);
    apply(
        &store,
        vec![Write::Delete(key(DocumentType::Device, "d199"))],
    );
    let after = documents(&store);
    (before, after)
}

/// As if the process had been killed when it had just written everything.
fn forget_the_close(settings: &StoreSettings) {
    let path = settings.path.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    manifest.as_object_mut().unwrap().remove("closed").unwrap();
    manifest["check"] = json!(0);
    std::fs::write(&path, manifest.to_string()).unwrap();
}

fn snapshot(settings: &StoreSettings) -> PathBuf {
    let entries = std::fs::read_dir(settings.path.join("db")).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    paths
        .find(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("snap.")
        })
        .unwrap()
}

/// Bytes of the log that are in use: flips elsewhere harm nobody.
fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1
}

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

/// Serves until it is ready, then stops it in good order. Returns its log.
fn serve(folder: &Path) -> String {
    let notify = folder.join("notify");
    let _ = std::fs::remove_file(&notify);
    let socket = UnixDatagram::bind(&notify).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let config = folder.join("linefinder.toml");
    let text = format!(
        "[store]\npath = '{}'\n[handoff]\nlisten = '127.0.0.1:0'\n[log]\nformat = 'text'\n",
        folder.join("store").display()
    );
    std::fs::write(&config, text).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_linefinder"))
        .env_clear()
        .env("NOTIFY_SOCKET", &notify)
        .arg("--config")
        .arg(&config)
        .arg("serve")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let log = std::thread::spawn(move || {
        let mut text = Vec::new();
        stderr.read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    });
    let since = Instant::now();
    let mut buffer = [0; 4096];
    let ready = loop {
        if let Ok(length) = socket.recv(&mut buffer)
            && String::from_utf8_lossy(&buffer[..length]).contains("READY=1")
        {
            break true;
        }
        if child.try_wait().unwrap().is_some() || since.elapsed() > PATIENCE {
            break false;
        }
    };
    if ready {
        let id = child.id().to_string();
        let told = Command::new("kill").args(["-s", "TERM", &id]).status();
        assert!(told.unwrap().success());
    } else {
        let _ = child.kill();
    }
    let status = child.wait().unwrap();
    let log = log.join().unwrap();
    assert!(
        ready && status.success(),
        "the daemon did not come up:\n{log}"
    );
    log
}

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
