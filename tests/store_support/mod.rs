//! Stores on disk that something happens to, and the real daemon over them.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "each test uses a part of it, and stops at the first surprise"
)]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use linefinder::documents::{Document, DocumentKey, DocumentType};
use linefinder::store::{Change, Store, StoreSettings, Write};
use linefinder::types::{AccountId, DocumentId};
use serde_json::{Map, Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

pub type Documents = BTreeMap<(String, String), Map<String, Value>>;

pub fn settings(folder: &Path) -> StoreSettings {
    StoreSettings {
        path: folder.join("store"),
        ..StoreSettings::default()
    }
}

pub fn put(kind: DocumentType, id: &str, body: Value) -> Write {
    let Value::Object(body) = body else {
        panic!("an object");
    };
    Write::Put(Document {
        key: key(kind, id),
        body,
    })
}

pub fn key(kind: DocumentType, id: &str) -> DocumentKey {
    DocumentKey {
        kind,
        account: AccountId::new("acc").unwrap(),
        id: DocumentId::new(id).unwrap(),
    }
}

pub fn device(number: usize, name: &str) -> Write {
    let id = format!("d{number}");
    let body = json!({"name": name, "owner_id": format!("u{}", number % 7), "sip": {"username": id, "password": "secret"}});
    put(DocumentType::Device, &id, body)
}

pub fn flow(number: usize, text: &str) -> Write {
    let flow = json!({"module": "device", "data": {"id": "d1", "note": text.repeat(2_000)}});
    let body = json!({"name": text, "numbers": [format!("{}", 1_000 + number)], "flow": flow});
    put(DocumentType::Callflow, &format!("f{number}"), body)
}

pub fn apply(store: &Store, writes: Vec<Write>) {
    store.apply_blocking(Change::from(writes)).unwrap();
}

/// All documents by kind and id.
pub fn documents(store: &Store) -> Documents {
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
pub fn filled(settings: &StoreSettings) -> (Documents, Documents) {
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
pub fn forget_the_close(settings: &StoreSettings) {
    let path = settings.path.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    manifest.as_object_mut().unwrap().remove("closed").unwrap();
    manifest["check"] = json!(0);
    std::fs::write(&path, manifest.to_string()).unwrap();
}

pub fn snapshot(settings: &StoreSettings) -> PathBuf {
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
pub fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1
}

/// Serves until it is ready, then stops it in good order. Returns its log.
pub fn serve(folder: &Path) -> String {
    served(folder, Command::new(env!("CARGO_BIN_EXE_linefinder")))
}

/// The same by a command that becomes the daemon.
pub fn served(folder: &Path, mut command: Command) -> String {
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
    let mut child = command
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
