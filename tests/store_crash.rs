//! A process that writes is killed without warning, again and again, on the same store: every write that was
//! acknowledged must be there afterwards, each change whole, and indexes and documents in step.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use linefinder::documents::{Document, DocumentKey, DocumentType};
use linefinder::store::{Change, Store, StoreSettings, Write};
use linefinder::types::{AccountId, DocumentId};
use serde_json::{Value, json};

const FOLDER: &str = "LINEFINDER_STORE_CRASH";
/// `LINEFINDER_CRASH_ROUNDS` asks for more.
const ROUNDS: u32 = 20;
const WRITERS: usize = 4;

fn store(folder: &Path) -> Store {
    let settings = StoreSettings {
        path: folder.join("store"),
        ..StoreSettings::default()
    };
    Store::open(&settings).expect("a killed writer leaves a store that opens")
}

fn key(kind: DocumentType, name: &str) -> DocumentKey {
    DocumentKey {
        kind,
        account: AccountId::new("acc").unwrap(),
        id: DocumentId::new(name).unwrap(),
    }
}

fn put(kind: DocumentType, name: &str, body: Value) -> Write {
    let Value::Object(body) = body else {
        panic!("an object");
    };
    Write::Put(Document {
        key: key(kind, name),
        body,
    })
}

/// Everything that a writer changes at once: a device whose indexes move, a user, a callflow in several parts, and
/// a device that comes and goes.
fn change(writer: usize, version: u64) -> Change {
    let visitor = format!("visitor{writer}");
    let flow = json!({"module": "x", "data": {"text": version.to_string().repeat(2_000)}});
    let device = json!({
        "name": version.to_string(),
        "owner_id": format!("u{}", version % 7),
        "sip": {"username": format!("w{writer}v{version}"), "ip": format!("10.{writer}.{}.{}", version / 250 % 250, version % 250)},
    });
    // the flows of several writers have one number
    Change::imported(vec![
        put(DocumentType::Device, &format!("d{writer}"), device),
        put(
            DocumentType::User,
            &format!("u{writer}"),
            json!({"first_name": version.to_string()}),
        ),
        put(
            DocumentType::Callflow,
            &format!("f{writer}"),
            json!({"name": version.to_string(), "numbers": [version.to_string()], "flow": flow}),
        ),
        match version % 2 {
            0 => Write::Delete(key(DocumentType::Device, &visitor)),
            _ => put(
                DocumentType::Device,
                &visitor,
                json!({"name": version.to_string()}),
            ),
        },
    ])
}

/// The child: writes until it is killed, and notes in a file what was acknowledged.
fn write_until_killed(folder: &Path) {
    let store = store(folder);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = store.clone();
            let mut acknowledged = OpenOptions::new()
                .create(true)
                .append(true)
                .open(acknowledgements(folder, writer))
                .unwrap();
            scope.spawn(move || {
                let mut version = last(folder, writer) + 1_000;
                loop {
                    version += 1;
                    store.apply_blocking(change(writer, version)).unwrap();
                    acknowledged
                        .write_all(format!("{version}\n").as_bytes())
                        .unwrap();
                }
            });
        }
    });
}

fn acknowledgements(folder: &Path, writer: usize) -> PathBuf {
    folder.join(format!("acknowledged{writer}"))
}

/// The last version that a writer saw acknowledged; a line that was cut by the kill does not count.
fn last(folder: &Path, writer: usize) -> u64 {
    let text = std::fs::read_to_string(acknowledgements(folder, writer)).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().last().map_or(0, |line| line.parse().unwrap())
}

fn name(store: &Store, kind: DocumentType, id: &str, field: &str) -> u64 {
    let document = store.document(&key(kind, id)).unwrap();
    let document = document.unwrap_or_else(|| panic!("{kind} {id} is gone"));
    document.body[field].as_str().unwrap().parse().unwrap()
}

fn check(folder: &Path) {
    let store = store(folder);
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    for writer in 0..WRITERS {
        let acknowledged = last(folder, writer);
        if acknowledged == 0 {
            continue;
        }
        let found = name(&store, DocumentType::Device, &format!("d{writer}"), "name");
        assert!(
            found >= acknowledged,
            "writer {writer}: {acknowledged} was acknowledged, {found} is there"
        );
        let user = name(
            &store,
            DocumentType::User,
            &format!("u{writer}"),
            "first_name",
        );
        let flow = name(
            &store,
            DocumentType::Callflow,
            &format!("f{writer}"),
            "name",
        );
        assert_eq!((user, flow), (found, found), "half a change");
        let visitor = key(DocumentType::Device, &format!("visitor{writer}"));
        let there = store.document(&visitor).unwrap().is_some();
        assert_eq!(there, found % 2 == 1, "half a change");
        let username = format!("w{writer}v{found}");
        let device = store
            .device_by_address(&username, "acme.example.com")
            .unwrap();
        assert_eq!(device.unwrap().1.as_str(), format!("d{writer}"));
    }
}

fn kill_at(child: &mut Child, moment: Duration, folder: &Path) {
    // from the first acknowledgement on, so that there is something to lose
    let before: u64 = (0..WRITERS).map(|w| last(folder, w)).sum();
    let patience = Instant::now();
    while (0..WRITERS).map(|w| last(folder, w)).sum::<u64>() == before {
        assert!(
            patience.elapsed() < Duration::from_secs(60),
            "the writer does not write"
        );
        assert!(child.try_wait().unwrap().is_none(), "the writer gave up");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(moment);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn acknowledged_writes_survive_a_kill() {
    if let Ok(folder) = std::env::var(FOLDER) {
        write_until_killed(Path::new(&folder));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    {
        let store = store(folder.path());
        let account = put(
            DocumentType::Account,
            "acc",
            json!({"realm": "acme.example.com"}),
        );
        store.apply_blocking(account.into()).unwrap();
    }
    let rounds = std::env::var("LINEFINDER_CRASH_ROUNDS");
    let rounds = rounds.map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "acknowledged_writes_survive_a_kill"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let moment = Duration::from_micros(fastrand::u64(0..150_000));
        kill_at(&mut child, moment, folder.path());
        println!("round {round}: killed {moment:?} after the first acknowledgement");
        check(folder.path());
    }
    let written: u64 = (0..WRITERS).map(|w| last(folder.path(), w)).sum();
    assert!(written > 0);
    println!("{rounds} rounds; the writers came to version {written} in all");
}
