//! What the store does in a second: durable creates by many writers, pages out of a long list, point reads.
//!
//! `cargo bench --bench store`; the database is made in `LINEFINDER_BENCH_DIR`, else in /var/tmp, on a real disk.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark prints its report and ends at the first surprise"
)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use linefinder::documents::{Document, DocumentKey, DocumentType};
use linefinder::store::{Change, Expect, Store, StoreSettings, Write};
use linefinder::types::{AccountId, DocumentId};
use serde_json::{Map, Value, json};

const WRITERS: usize = 64;
const CREATES: usize = 20_000;
const DEVICES: usize = 100_000;
const PAGE: usize = 50;

fn id(number: usize) -> DocumentId {
    DocumentId::new(&format!(
        "{:032x}",
        fastrand::Rng::with_seed(number as u64).u128(..)
    ))
    .unwrap()
}

fn account() -> AccountId {
    AccountId::new("0123456789abcdef0123456789abcdef").unwrap()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

fn device(number: usize) -> Document {
    let key = DocumentKey {
        kind: DocumentType::Device,
        account: account(),
        id: id(number),
    };
    let body = object(json!({
        "name": format!("Desk phone {number}"),
        "enabled": true,
        "mac_address": format!("00:04:f2:{:02x}:{:02x}:{:02x}", number >> 16 & 255, number >> 8 & 255, number & 255),
        "owner_id": id(1_000_000 + number / 2).as_str(),
        "sip": {"username": format!("user{number}"), "password": format!("secret{number}"), "method": "password",
            "invite_format": "username", "expire_seconds": 300},
        "media": {"audio": {"codecs": ["PCMU"]}, "video": {"codecs": []}, "encryption": {"enforce_security": false, "methods": []}},
        "call_restriction": {}, "caller_id": {}, "contact_list": {}, "dial_plan": {}, "music_on_hold": {}, "ringtones": {},
        "exclude_from_queues": false, "mwi_unsolicited_updates": true, "suppress_unregister_notifications": false,
        "pvt_created": 63_900_000_000_u64, "pvt_modified": 63_900_000_000_u64,
    }));
    Document { key, body }
}

fn folder() -> PathBuf {
    let base = std::env::var_os("LINEFINDER_BENCH_DIR");
    base.map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from)
}

fn open(name: &str) -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir_in(folder()).unwrap();
    let settings = StoreSettings {
        path: folder.path().join(name),
        ..StoreSettings::default()
    };
    let store = Store::open(&settings).unwrap();
    let key = DocumentKey {
        kind: DocumentType::Account,
        account: account(),
        id: DocumentId::new(account().as_str()).unwrap(),
    };
    let body = object(json!({"name": "Acme", "realm": "acme.example.com"}));
    let tenant = Document { key, body };
    store.apply_blocking(Write::Put(tenant).into()).unwrap();
    (store, folder)
}

fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

fn creates() {
    let (store, _folder) = open("creates");
    let begun = Instant::now();
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = &store;
                scope.spawn(move || {
                    let mine = (writer..CREATES).step_by(WRITERS);
                    mine.map(|number| {
                        let document = device(number);
                        let key = document.key.clone();
                        let change =
                            Change::from(Write::Put(document)).expecting(key, Expect::Absent);
                        let begun = Instant::now();
                        store.apply_blocking(change).unwrap();
                        begun.elapsed()
                    })
                    .collect::<Vec<_>>()
                })
            })
            .collect();
        writers
            .into_iter()
            .flat_map(|w| w.join().unwrap())
            .collect()
    });
    let took = begun.elapsed();
    println!(
        "durable creates, {WRITERS} writers: {:.0}/s; median {:?}, 99 % {:?}",
        per_second(CREATES, took),
        percentile(&mut times, 50),
        percentile(&mut times, 99)
    );
}

fn filled() -> (Store, tempfile::TempDir) {
    let (store, folder) = open("filled");
    let mut lines = String::new();
    for number in 0..DEVICES {
        let Document { key, mut body } = device(number);
        body.insert("type".into(), "device".into());
        body.insert("account_id".into(), key.account.as_str().into());
        body.insert("id".into(), key.id.as_str().into());
        lines.push_str(&Value::Object(body).to_string());
        lines.push('\n');
    }
    let begun = Instant::now();
    let report = store.import(&mut lines.as_bytes(), false).unwrap();
    assert_eq!(report.imported, DEVICES, "{:?}", report.problems.first());
    println!("import: {:.0}/s", per_second(DEVICES, begun.elapsed()));
    (store, folder)
}

fn pages(store: &Store) {
    for ascending in [true, false] {
        let mut times = Vec::new();
        for _ in 0..200 {
            let from = id(fastrand::usize(..DEVICES));
            let from = Some(from.as_str().as_bytes());
            let begun = Instant::now();
            let rows = store.page(DocumentType::Device, &account(), from, ascending);
            let rows: Vec<_> = rows.take(PAGE + 1).map(Result::unwrap).collect();
            times.push(begun.elapsed());
            assert!(!rows.is_empty());
        }
        println!(
            "page of {PAGE} out of {DEVICES}, ascending {ascending}: median {:?}, 99 % {:?}",
            percentile(&mut times, 50),
            percentile(&mut times, 99)
        );
    }
    let begun = Instant::now();
    let count = store.count(DocumentType::Device, &account()).unwrap();
    println!("count of {count}: {:?}", begun.elapsed());
}

fn reads(store: &Store) {
    let ids: Vec<DocumentId> = (0..DEVICES).map(id).collect();
    let measure = |what: &str, read: &dyn Fn(&DocumentId, usize)| {
        let rounds = 200_000;
        let begun = Instant::now();
        for _ in 0..rounds {
            let number = fastrand::usize(..DEVICES);
            read(&ids[number], number);
        }
        println!("{what}: {:.0}/s", per_second(rounds, begun.elapsed()));
    };
    let typed = |id: &DocumentId, _| {
        store.device(&account(), id).unwrap().unwrap();
    };
    measure("typed devices, cold and warm", &typed);
    measure("typed devices, warm", &typed);
    measure("devices as stored", &|id, _| {
        let key = DocumentKey {
            kind: DocumentType::Device,
            account: account(),
            id: id.clone(),
        };
        store.stored(&key).unwrap().unwrap();
    });
    measure("devices by address", &|_, number| {
        let name = format!("user{number}");
        store
            .device_by_address(&name, "acme.example.com")
            .unwrap()
            .unwrap();
    });
}

fn updates(store: &Store) {
    let count = 10_000;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                for number in (writer..count).step_by(WRITERS) {
                    let mut document = device(number);
                    document.body.insert("name".into(), "Another".into());
                    store.apply_blocking(Write::Put(document).into()).unwrap();
                }
            });
        }
    });
    println!(
        "durable updates with history, {WRITERS} writers: {:.0}/s",
        per_second(count, begun.elapsed())
    );
}

fn main() {
    creates();
    let (store, _folder) = filled();
    pages(&store);
    reads(&store);
    updates(&store);
}
