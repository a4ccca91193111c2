//! The store as a whole, from inside: what its clients rely on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::documents::{Document, DocumentKey, DocumentType, Registration};
use crate::types::{AccountId, DocumentId, NodeName};

fn account_id(text: &str) -> AccountId {
    AccountId::new(text).unwrap()
}

fn id(text: &str) -> DocumentId {
    DocumentId::new(text).unwrap()
}

fn key(kind: DocumentType, account: &str, name: &str) -> DocumentKey {
    DocumentKey {
        kind,
        account: account_id(account),
        id: id(name),
    }
}

fn put(kind: DocumentType, account: &str, name: &str, body: Value) -> Write {
    let Value::Object(body) = body else {
        panic!("an object");
    };
    Write::Put(Document {
        key: key(kind, account, name),
        body,
    })
}

fn account(name: &str, realm: &str) -> Write {
    put(
        DocumentType::Account,
        name,
        name,
        json!({"name": name, "realm": realm}),
    )
}

fn device(account: &str, name: &str, sip: Value) -> Write {
    put(
        DocumentType::Device,
        account,
        name,
        json!({"name": name, "sip": sip}),
    )
}

fn callflow(account: &str, name: &str, numbers: Value, patterns: Value) -> Write {
    let flow = json!({"module": "device", "data": {"id": "d1"}});
    put(
        DocumentType::Callflow,
        account,
        name,
        json!({"numbers": numbers, "patterns": patterns, "flow": flow}),
    )
}

fn apply(store: &Store, writes: Vec<Write>) -> Result<Applied, StoreError> {
    store.apply_blocking(Change { writes })
}

fn filled() -> Store {
    let store = Store::temporary().unwrap();
    let writes = vec![
        account("acc", "Acme.Example.com"),
        device("acc", "d1", json!({"username": "2001"})),
        device(
            "acc",
            "d2",
            json!({"username": "2002", "ip": "198.51.100.9:5070"}),
        ),
        callflow("acc", "f1", json!(["100", "+14155550100"]), json!([])),
    ];
    apply(&store, writes).unwrap();
    store
}

fn sound(store: &Store) {
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}

fn settings(folder: &std::path::Path) -> StoreSettings {
    StoreSettings {
        path: folder.join("store"),
        ..StoreSettings::default()
    }
}

fn owner(device: &str) -> Option<(AccountId, DocumentId)> {
    Some((account_id("acc"), id(device)))
}

#[test]
fn what_is_written_is_found() {
    let store = filled();
    let acc = account_id("acc");
    assert!(store.account(&acc).unwrap().is_some());
    assert!(store.device(&acc, &id("d1")).unwrap().is_some());
    assert!(store.device(&acc, &id("nope")).unwrap().is_none());
    assert!(store.user(&acc, &id("d1")).unwrap().is_none());
    let realm = store.account_by_realm("ACME.example.COM").unwrap();
    assert_eq!(realm, Some(acc.clone()));
    let found = store.device_by_address("2001", "acme.example.com").unwrap();
    assert_eq!(found, owner("d1"));
    let ip = store.device_by_ip("198.51.100.9".parse().unwrap()).unwrap();
    assert_eq!(ip, owner("d2"));
    assert_eq!(store.callflows_by_number(&acc, "100").unwrap(), [id("f1")]);
    assert_eq!(
        store.accounts_by_number("+14155550100").unwrap(),
        std::slice::from_ref(&acc)
    );
    assert!(store.accounts_by_number("1").unwrap().is_empty());
    assert_eq!(store.scan(DocumentType::Device, Some(&acc)).count(), 2);
    assert_eq!(store.scan(DocumentType::Device, None).count(), 2);
    sound(&store);
}

#[test]
fn a_document_is_kept_as_it_came() {
    let store = filled();
    let body = json!({"name": "N", "dial_plan": {"^9(\\d+)$": {}, "^0$": {}, "^1$": {}}, "zz": 1, "aa": {"b": [1.5, null]}});
    let write = put(DocumentType::Device, "acc", "odd", body.clone());
    apply(&store, vec![write]).unwrap();
    let found = store
        .document(&key(DocumentType::Device, "acc", "odd"))
        .unwrap();
    let text = serde_json::to_string(&found.unwrap().body).unwrap();
    assert_eq!(text, serde_json::to_string(&body).unwrap());
}

#[test]
fn a_change_is_all_or_nothing() {
    let store = filled();
    let before = store.sequence();
    let writes = vec![
        device("acc", "d3", json!({"username": "2003"})),
        device("acc", "d4", json!({"username": "x"})),
    ];
    let error = apply(&store, writes).unwrap_err();
    assert!(
        matches!(&error, StoreError::Invalid { key, field, .. } if key == "device acc/d4" && field == "sip.username"),
        "{error}"
    );
    let writes = vec![
        device("acc", "d3", json!({"username": "2003"})),
        device("acc", "d4", json!({"username": "2001"})),
    ];
    let error = apply(&store, writes).unwrap_err();
    assert!(matches!(error, StoreError::Duplicate { .. }), "{error}");
    assert!(
        store
            .device(&account_id("acc"), &id("d3"))
            .unwrap()
            .is_none()
    );
    assert_eq!(store.sequence(), before);
    sound(&store);
}

#[test]
fn duplicates_are_refused_by_name() {
    let store = filled();
    let cases = [
        (
            device("acc", "d9", json!({"username": "2001"})),
            "device acc/d9: sip.username \"2001\" already belongs to device acc/d1",
        ),
        (
            device(
                "acc",
                "d9",
                json!({"username": "2001", "realm": "ACME.example.com"}),
            ),
            "device acc/d9: sip.username \"2001@acme.example.com\" already belongs to device acc/d1",
        ),
        (
            device("acc", "d9", json!({"ip": "198.51.100.9"})),
            "device acc/d9: sip.ip \"198.51.100.9\" already belongs to device acc/d2",
        ),
        (
            account("other", "acme.EXAMPLE.com"),
            "account other/other: realm \"acme.example.com\" already belongs to account acc/acc",
        ),
    ];
    for (write, text) in cases {
        let error = apply(&store, vec![write]).unwrap_err();
        assert_eq!(error.to_string(), text);
    }
    // a document may keep what it has
    apply(
        &store,
        vec![device("acc", "d1", json!({"username": "2001"}))],
    )
    .unwrap();
    sound(&store);
}

#[test]
fn a_realm_of_its_own_clashes_with_the_same_realm_of_an_account() {
    let store = filled();
    apply(
        &store,
        vec![
            account("b", "b.example.com"),
            device(
                "acc",
                "own",
                json!({"username": "3001", "realm": "shared.example.com"}),
            ),
            device("b", "b1", json!({"username": "3001"})),
        ],
    )
    .unwrap();
    let error = apply(&store, vec![account("b", "shared.example.com")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "account b/b: realm \"3001@shared.example.com\" already belongs to device acc/own"
    );
    // without the clash the realm may move, and the devices follow
    apply(
        &store,
        vec![
            Write::Delete(key(DocumentType::Device, "acc", "own")),
            account("b", "shared.example.com"),
        ],
    )
    .unwrap();
    let found = store
        .device_by_address("3001", "shared.example.com")
        .unwrap();
    assert_eq!(found, Some((account_id("b"), id("b1"))));
    assert_eq!(
        store.device_by_address("3001", "b.example.com").unwrap(),
        None
    );
    let error = apply(
        &store,
        vec![device(
            "acc",
            "own",
            json!({"username": "3001", "realm": "shared.example.com"}),
        )],
    )
    .unwrap_err();
    assert!(matches!(error, StoreError::Duplicate { .. }), "{error}");
    sound(&store);
}

#[test]
fn devices_may_swap_their_names_in_one_change() {
    let store = filled();
    apply(
        &store,
        vec![
            device("acc", "d1", json!({"username": "2002"})),
            device("acc", "d2", json!({"username": "2001"})),
        ],
    )
    .unwrap();
    let found = store.device_by_address("2001", "acme.example.com").unwrap();
    assert_eq!(found, owner("d2"));
    assert_eq!(
        store.device_by_ip("198.51.100.9".parse().unwrap()).unwrap(),
        None
    );
    sound(&store);
}

#[test]
fn an_address_goes_to_the_enabled_device() {
    let store = filled();
    let disabled = put(
        DocumentType::Device,
        "acc",
        "a0",
        json!({"name": "N", "enabled": false, "sip": {"ip": "198.51.100.9"}}),
    );
    apply(&store, vec![disabled]).unwrap();
    let ip = "::ffff:198.51.100.9".parse().unwrap();
    assert_eq!(store.device_by_ip(ip).unwrap(), owner("d2"));
    apply(
        &store,
        vec![Write::Delete(key(DocumentType::Device, "acc", "d2"))],
    )
    .unwrap();
    assert_eq!(store.device_by_ip(ip).unwrap(), owner("a0"));
    sound(&store);
}

#[test]
fn accounts_come_first_and_go_last() {
    let store = filled();
    let error = apply(&store, vec![device("nobody", "d", json!({}))]).unwrap_err();
    assert!(
        error.to_string().contains("there is no account nobody"),
        "{error}"
    );
    let delete = |kind, name: &str| Write::Delete(key(kind, "acc", name));
    let error = apply(&store, vec![delete(DocumentType::Account, "acc")]).unwrap_err();
    assert!(
        error.to_string().contains("still has device acc/d1"),
        "{error}"
    );
    apply(
        &store,
        vec![
            delete(DocumentType::Account, "acc"),
            delete(DocumentType::Device, "d1"),
            delete(DocumentType::Device, "d2"),
            delete(DocumentType::Callflow, "f1"),
        ],
    )
    .unwrap();
    assert_eq!(store.account_by_realm("acme.example.com").unwrap(), None);
    sound(&store);
    let mut out = Vec::new();
    assert_eq!(store.export(&mut out).unwrap(), 0);
}

#[test]
fn lists_follow_their_documents() {
    let store = filled();
    let acc = account_id("acc");
    let hotdesked = |users: Value| {
        put(
            DocumentType::Device,
            "acc",
            "d1",
            json!({"name": "N", "owner_id": "u1", "hotdesk": {"users": users}}),
        )
    };
    let of = |user: &str| store.devices_of(&acc, &id(user)).unwrap();
    apply(&store, vec![hotdesked(json!({}))]).unwrap();
    assert_eq!(of("u1"), [id("d1")]);
    apply(&store, vec![hotdesked(json!({"u2": {}}))]).unwrap();
    assert!(of("u1").is_empty());
    assert_eq!(of("u2"), [id("d1")]);

    assert!(store.patterns(&acc).unwrap().is_empty());
    apply(
        &store,
        vec![
            callflow(
                "acc",
                "f2",
                json!(["100"]),
                json!(["^\\*3([0-9]+)$", "(?=x)", "^8"]),
            ),
            callflow("acc", "f0", json!(["100"]), json!(["^7"])),
        ],
    )
    .unwrap();
    let patterns = store.patterns(&acc).unwrap();
    let seen: Vec<(&str, &str)> = patterns
        .iter()
        .map(|(i, r)| (i.as_str(), r.as_str()))
        .collect();
    assert_eq!(seen, [("f0", "^7"), ("f2", "^\\*3([0-9]+)$"), ("f2", "^8")]);
    let numbered = store.callflows_by_number(&acc, "100").unwrap();
    assert_eq!(numbered, [id("f0"), id("f1"), id("f2")]);
    apply(
        &store,
        vec![callflow("acc", "f2", json!([]), json!(["^8"]))],
    )
    .unwrap();
    assert_eq!(store.patterns(&acc).unwrap().len(), 2);
    let many: Vec<String> = (0..1000).map(|n| format!("^77{n}$")).collect();
    apply(&store, vec![callflow("acc", "f2", json!([]), json!(many))]).unwrap();
    assert_eq!(store.patterns(&acc).unwrap().len(), 1001);
    let other: Vec<String> = (0..1000).map(|n| format!("^78{n}$")).collect();
    apply(&store, vec![callflow("acc", "f2", json!([]), json!(other))]).unwrap();
    assert_eq!(store.patterns(&acc).unwrap()[1000].1.as_str(), "^78999$");
    assert_eq!(store.callflows_by_number(&acc, "100").unwrap().len(), 2);
    sound(&store);
}

#[test]
fn hostile_questions_find_nothing() {
    let store = filled();
    let acc = account_id("acc");
    let long = "9".repeat(100_000);
    for text in [
        "",
        "\0",
        "100\0f1",
        "100\0",
        long.as_str(),
        "💥",
        "%00",
        "' or 1",
    ] {
        assert!(store.callflows_by_number(&acc, text).unwrap().is_empty());
        assert!(store.accounts_by_number(text).unwrap().is_empty());
        assert_eq!(store.account_by_realm(text).unwrap(), None);
        assert_eq!(
            store.device_by_address(text, "acme.example.com").unwrap(),
            None
        );
        assert_eq!(store.device_by_address("2001", text).unwrap(), None);
        assert!(store.registrations(text, text).is_empty());
    }
    // ids that are prefixes of each other
    apply(
        &store,
        vec![
            account("ac", "ac.example.com"),
            device("ac", "d", json!({"username": "c.d1"})),
            callflow("ac", "f", json!(["10"]), json!(["^1"])),
        ],
    )
    .unwrap();
    assert_eq!(
        store
            .scan(DocumentType::Device, Some(&account_id("ac")))
            .count(),
        1
    );
    assert!(store.callflows_by_number(&acc, "10").unwrap().is_empty());
    assert!(store.patterns(&acc).unwrap().is_empty());
    sound(&store);
}

#[test]
fn key_fields_and_wrong_accounts_are_refused() {
    let store = filled();
    let body = json!({"name": "N", "type": "x"});
    let error = apply(&store, vec![put(DocumentType::Device, "acc", "d", body)]).unwrap_err();
    assert!(
        matches!(&error, StoreError::Invalid { field, .. } if field == "type"),
        "{error}"
    );
    let error = apply(
        &store,
        vec![put(DocumentType::Account, "acc", "x", json!({}))],
    )
    .unwrap_err();
    assert!(matches!(&error, StoreError::Invalid { field, .. } if field == "account_id"));
    let delete = Write::Delete(key(DocumentType::Registration, "acc", "x"));
    assert!(apply(&store, vec![delete]).is_err());
}

#[test]
fn large_and_deep_documents_survive() {
    let folder = tempfile::tempdir().unwrap();
    let mut flow = json!({"module": "x", "data": {"text": "y".repeat(900_000)}});
    for _ in 1..200 {
        flow = json!({"module": "x", "children": {"_": flow}});
    }
    let big = |text: &str| {
        put(
            DocumentType::Callflow,
            "acc",
            "big",
            json!({"name": text, "flow": flow.clone()}),
        )
    };
    let big_key = key(DocumentType::Callflow, "acc", "big");
    {
        let store = Store::open(&settings(folder.path())).unwrap();
        apply(&store, vec![account("acc", "a.example.com"), big("one")]).unwrap();
        apply(&store, vec![big("two")]).unwrap();
        sound(&store);
    }
    let store = Store::open(&settings(folder.path())).unwrap();
    let found = store.document(&big_key).unwrap().unwrap();
    assert_eq!(found.body["name"], "two");
    assert_eq!(found.body["flow"], flow);
    let typed = store.callflow(&account_id("acc"), &id("big")).unwrap();
    assert!(typed.is_some());
    sound(&store);
    // and shrink without leaving parts behind
    apply(&store, vec![callflow("acc", "big", json!([]), json!([]))]).unwrap();
    sound(&store);
    let mut out = Vec::new();
    store.export(&mut out).unwrap();
    assert!(out.len() < 1_000);
    assert_eq!(
        std::fs::read_dir(store.path().join("db/blobs"))
            .unwrap()
            .count(),
        0,
        "sled does not sync its blob files"
    );
}

#[test]
fn the_change_log_tells_every_write() {
    let store = filled();
    let start = store.sequence();
    apply(
        &store,
        vec![device("acc", "d1", json!({"username": "2009"}))],
    )
    .unwrap();
    let deleted = Write::Delete(key(DocumentType::Device, "acc", "d2"));
    let applied = apply(&store, vec![deleted]).unwrap();
    let nothing = Write::Delete(key(DocumentType::Device, "acc", "d2"));
    assert_eq!(apply(&store, vec![nothing]).unwrap(), applied);
    let log = store.changes_after(start, 100).unwrap().unwrap();
    let told: Vec<_> = log
        .iter()
        .map(|w| (w.sequence, w.key.to_string(), w.deleted))
        .collect();
    assert_eq!(
        told,
        [
            (start + 1, "device acc/d1".to_owned(), false),
            (start + 2, "device acc/d2".to_owned(), true)
        ]
    );
    let revision = store
        .revision(&key(DocumentType::Device, "acc", "d1"))
        .unwrap();
    assert_eq!(revision, Some(log[0].revision));
    assert_eq!(store.changes_after(0, 2).unwrap().unwrap().len(), 2);
    assert!(
        store
            .changes_after(applied.sequence, 9)
            .unwrap()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn the_log_is_a_ring() {
    let store = filled();
    let mut lines = String::new();
    for number in 0..super::log::KEPT + 10 {
        lines.push_str(&format!(
            "{{\"type\":\"user\",\"account_id\":\"acc\",\"id\":\"u{number}\"}}\n"
        ));
    }
    store.import(&mut lines.as_bytes(), false).unwrap();
    assert_eq!(store.changes_after(0, 10).unwrap(), None);
    let last = store.sequence();
    let log = store
        .changes_after(last - super::log::KEPT, usize::MAX)
        .unwrap()
        .unwrap();
    assert_eq!(log.len() as u64, super::log::KEPT);
    assert_eq!(log.last().unwrap().sequence, last);
}

#[test]
fn nothing_is_acknowledged_before_its_flush() {
    let store = filled();
    let flushed = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&flushed);
    let hook = move || {
        std::thread::sleep(Duration::from_millis(30));
        seen.store(true, Ordering::SeqCst);
        Ok(())
    };
    *store.internals().disk.before_flush.lock().unwrap() = Some(Box::new(hook));
    apply(&store, vec![device("acc", "d3", json!({}))]).unwrap();
    assert!(flushed.load(Ordering::SeqCst));
}

#[test]
fn many_writers_share_flushes() {
    let store = filled();
    let flushes = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&flushes);
    let hook = move || {
        count.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(5));
        Ok(())
    };
    *store.internals().disk.before_flush.lock().unwrap() = Some(Box::new(hook));
    std::thread::scope(|scope| {
        for writer in 0..16 {
            let store = store.clone();
            scope.spawn(move || {
                for number in 0..10 {
                    let name = format!("w{writer}-{number}");
                    apply(&store, vec![device("acc", &name, json!({}))]).unwrap();
                    assert!(
                        store
                            .device(&account_id("acc"), &id(&name))
                            .unwrap()
                            .is_some()
                    );
                }
            });
        }
    });
    let flushes = flushes.load(Ordering::SeqCst);
    assert!(flushes < 100, "{flushes} flushes for 160 writes");
    assert_eq!(store.scan(DocumentType::Device, None).count(), 162);
    sound(&store);
}

#[test]
fn a_failed_flush_is_told_and_stops_the_writing() {
    let store = filled();
    let hook = || Err("no space left".to_owned());
    *store.internals().disk.before_flush.lock().unwrap() = Some(Box::new(hook));
    let error = apply(&store, vec![device("acc", "d3", json!({}))]).unwrap_err();
    assert!(matches!(error, StoreError::Disk(_)), "{error}");
    *store.internals().disk.before_flush.lock().unwrap() = None;
    let error = apply(&store, vec![device("acc", "d4", json!({}))]).unwrap_err();
    assert!(matches!(error, StoreError::Disk(_)), "{error}");
    assert!(
        store
            .device(&account_id("acc"), &id("d1"))
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_dropped_future_does_not_stop_the_writer() {
    let store = filled();
    for number in 0..20 {
        let name = format!("n{number}");
        let change = Change {
            writes: vec![device("acc", &name, json!({}))],
        };
        let _ = tokio::time::timeout(Duration::ZERO, store.apply(change)).await;
    }
    let change = Change {
        writes: vec![device("acc", "last", json!({}))],
    };
    store.apply(change).await.unwrap();
    assert_eq!(store.scan(DocumentType::Device, None).count(), 23);
}

/// Readers never see an older document than the last acknowledged, whatever the timing.
#[test]
fn no_read_is_stale() {
    let store = filled();
    let acknowledged = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    let acc = account_id("acc");
    let version = |text: &str| text.trim_start_matches('v').parse::<u64>().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let least = acknowledged.load(Ordering::SeqCst);
                    if least == 0 {
                        continue;
                    }
                    let user = store.user(&acc, &id("u")).unwrap().unwrap();
                    let name = user.first_name.as_deref().unwrap();
                    assert!(version(name) >= least, "{name} after {least}");
                    let owned = store.devices_of(&acc, &id(&format!("o{least}"))).unwrap();
                    let later = acknowledged.load(Ordering::SeqCst);
                    assert!(!owned.is_empty() || later > least || version_moved(&store, least));
                }
            });
        }
        for number in 1..=300_u64 {
            let name = format!("v{number}");
            let writes = vec![
                put(DocumentType::User, "acc", "u", json!({"first_name": name})),
                put(
                    DocumentType::Device,
                    "acc",
                    "d1",
                    json!({"name": "N", "owner_id": format!("o{number}")}),
                ),
            ];
            apply(&store, writes).unwrap();
            acknowledged.store(number, Ordering::SeqCst);
        }
        done.store(true, Ordering::SeqCst);
    });
    sound(&store);
}

/// The device has gone on to a later owner, written but perhaps not yet acknowledged.
fn version_moved(store: &Store, least: u64) -> bool {
    let document = store
        .document(&key(DocumentType::Device, "acc", "d1"))
        .unwrap();
    let body = document.unwrap().body;
    let owner = body["owner_id"]
        .as_str()
        .unwrap()
        .trim_start_matches('o')
        .to_owned();
    owner.parse::<u64>().unwrap() > least
}

fn registration(user: &str, expires_at: i64) -> Registration {
    Registration {
        node: NodeName::new("fs1").unwrap(),
        profile: "internal".into(),
        user: user.into(),
        realm: "acme.example.com".into(),
        contact: format!("\"{user}\" <sip:{user}@192.0.2.1:5060;fs_nat=yes>"),
        call_id: format!("{user}-call@192.0.2.1"),
        network_ip: Some("192.0.2.1".into()),
        network_port: Some(5060),
        user_agent: None,
        expires_at,
        updated_ms: 5,
    }
}

const FAR: i64 = 10_000_000_000;

#[test]
fn registrations_survive_a_restart_and_lapse() {
    let folder = tempfile::tempdir().unwrap();
    {
        let store = Store::open(&settings(folder.path())).unwrap();
        store.register(registration("2001", FAR));
        store.register(registration("2002", 1_000));
        store.register(registration("2003", FAR));
        let node = NodeName::new("fs1").unwrap();
        store.unregister(&node, "2003", "acme.example.com", None, None);
        assert_eq!(store.registrations("2002", "ACME.EXAMPLE.COM").len(), 1);
    }
    let store = Store::open(&settings(folder.path())).unwrap();
    let found = store.registrations("2001", "acme.example.com");
    assert_eq!(found, [registration("2001", FAR)]);
    assert!(store.registrations("2002", "acme.example.com").is_empty());
    assert_eq!(store.all_registrations().len(), 1);
    sound(&store);
}

#[test]
fn export_and_import_are_inverse() {
    let store = filled();
    apply(
        &store,
        vec![
            put(
                DocumentType::User,
                "acc",
                "u1",
                json!({"first_name": "Zoë", "z": 1, "a": "\u{7f}💥"}),
            ),
            account("zero", "zero.example.com"),
            account("bare", "b.example.com"),
        ],
    )
    .unwrap();
    store.register(registration("2001", FAR));
    store.register(registration("stranger", FAR));
    let mut first = Vec::new();
    assert_eq!(store.export(&mut first).unwrap(), 9);
    let copy = Store::temporary().unwrap();
    let report = copy.import(&mut first.as_slice(), false).unwrap();
    assert_eq!(report.problems, []);
    assert_eq!(report.imported, 9);
    let mut second = Vec::new();
    copy.export(&mut second).unwrap();
    assert_eq!(
        String::from_utf8(first).unwrap(),
        String::from_utf8(second).unwrap()
    );
    sound(&copy);
    // and again over itself
    let mut third = Vec::new();
    copy.export(&mut third).unwrap();
    assert_eq!(
        copy.import(&mut third.as_slice(), false).unwrap().problems,
        []
    );
    sound(&copy);
}

fn problems(store: &Store, lines: &str, keep_going: bool) -> (usize, Vec<(usize, String, String)>) {
    let report = store.import(&mut lines.as_bytes(), keep_going).unwrap();
    let problems = report.problems.into_iter();
    let told = problems.map(|p| (p.line, p.field, p.expected));
    (report.imported, told.collect())
}

#[test]
fn an_import_names_line_and_field() {
    let store = Store::temporary().unwrap();
    let lines = [
        r#"{"type":"device","account_id":"acc","id":"d1","name":"N","sip":{"username":"2001"}}"#,
        "",
        r#"{"type":"device","account_id":"acc","id":"d2","name":"N","sip":{"username":"x"},"enabled":3}"#,
        "not json",
        r#"{"type":"account","id":"acc","realm":"acme.example.com"}"#,
        r#"{"type":"device","account_id":"acc","id":"d3","name":"N","sip":{"username":"2001"}}"#,
        r#"{"type":"device","account_id":"acc","id":"d1","name":"N"}"#,
        r#"{"type":"device","account_id":"acc","id":"d5","name":"N","sip":{"username":"2001","realm":"ACME.example.com"}}"#,
        r#"{"type":"device","account_id":"ghost","id":"d6","name":"N"}"#,
        r#"{"type":"phone","account_id":"acc","id":"d7"}"#,
        r#"{"type":"device","account_id":"acc","id":"d8","nmae":"N"}"#,
    ]
    .join("\n");
    let (imported, told) = problems(&store, &lines, false);
    assert_eq!(imported, 0);
    let places: Vec<(usize, &str)> = told.iter().map(|(l, f, _)| (*l, f.as_str())).collect();
    assert_eq!(
        places,
        [
            (3, "sip.username"),
            (3, "enabled"),
            (4, ""),
            (6, "sip.username"),
            (7, "id"),
            (8, "sip.username"),
            (9, "account_id"),
            (10, "type"),
            (11, "name"),
        ]
    );
    assert_eq!(store.sequence(), 0);
    assert_eq!(store.scan(DocumentType::Account, None).count(), 0);
    let (imported, again) = problems(&store, &lines, true);
    assert_eq!(again, told);
    assert_eq!(imported, 2);
    assert!(
        store
            .device(&account_id("acc"), &id("d1"))
            .unwrap()
            .is_some()
    );
    sound(&store);
}

#[test]
fn an_import_is_judged_by_where_it_leads() {
    let store = filled();
    // two devices swap their names, a third takes an address over from the store, the account comes last
    let lines = [
        r#"{"type":"device","account_id":"acc","id":"d1","name":"N","sip":{"username":"2002"}}"#,
        r#"{"type":"device","account_id":"acc","id":"d2","name":"N","sip":{"username":"2001"}}"#,
        r#"{"type":"device","account_id":"new","id":"d","name":"N","sip":{"ip":"198.51.100.9","username":"2001"}}"#,
        r#"{"type":"account","id":"new","realm":"new.example.com"}"#,
    ]
    .join("\r\n");
    let (imported, told) = problems(&store, &lines, false);
    assert_eq!(told, []);
    assert_eq!(imported, 4);
    sound(&store);
    let (_, told) = problems(
        &store,
        r#"{"type":"device","account_id":"acc","id":"d7","name":"N","sip":{"ip":"198.51.100.9:1"}}"#,
        false,
    );
    assert_eq!(
        told[0].2,
        "a value of its own; \"198.51.100.9\" already belongs to device new/d"
    );
    // a realm that makes two addresses one
    let own = device(
        "acc",
        "own",
        json!({"username": "2001", "realm": "moved.example.com"}),
    );
    apply(&store, vec![own]).unwrap();
    let moved = r#"{"type":"account","id":"new","realm":"moved.example.com"}"#;
    let (_, told) = problems(&store, moved, false);
    assert_eq!((told[0].0, told[0].1.as_str()), (1, "realm"));
    // documents of an account whose line is bad go with it
    let lines = [
        r#"{"type":"account","id":"third","realm":"new.example.com"}"#,
        r#"{"type":"user","account_id":"third","id":"u"}"#,
        r#"{"type":"user","account_id":"acc","id":"u"}"#,
    ]
    .join("\n");
    let (imported, told) = problems(&store, &lines, true);
    let places: Vec<(usize, &str)> = told.iter().map(|(l, f, _)| (*l, f.as_str())).collect();
    assert_eq!(places, [(1, "realm"), (2, "account_id")]);
    assert_eq!(imported, 1);
    sound(&store);
}

#[test]
fn damage_is_found_and_indexes_are_mended() {
    let store = filled();
    let core = store.internals();
    let mut batch = super::disk::Batch::new();
    let d1 = super::keys::account_username("acc", "2001");
    batch.insert(d1.clone(), None);
    batch.insert(super::keys::number("acc", "999", "f1"), Some(Vec::new()));
    let strange = super::keys::owner_value("acc", "gone");
    batch.insert(super::keys::realm("ghost.example.com"), Some(strange));
    core.write(&batch).unwrap();
    let findings = store.verify().unwrap();
    assert_eq!(findings.len(), 3, "{findings:#?}");
    assert!(
        findings
            .iter()
            .any(|f| f.contains("device acc/d1") && f.contains("missing"))
    );
    store.rebuild_indexes().unwrap();
    sound(&store);
    let found = store.device_by_address("2001", "acme.example.com").unwrap();
    assert_eq!(found, owner("d1"));
    assert_eq!(store.account_by_realm("ghost.example.com").unwrap(), None);
}

#[test]
fn a_store_in_use_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&settings(folder.path())).unwrap();
    let error = Store::open(&settings(folder.path())).err().unwrap();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    drop(store);
    Store::open(&settings(folder.path())).unwrap();
}

#[test]
fn a_place_that_can_not_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let settings = StoreSettings {
        path: file.join("store"),
        ..StoreSettings::default()
    };
    let error = Store::open(&settings).err().unwrap();
    assert!(matches!(&error, StoreError::Open { .. }), "{error}");
}

#[test]
fn a_store_that_lost_its_database_is_damaged_not_new() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    {
        let store = Store::open(&settings).unwrap();
        apply(&store, vec![account("acc", "a.example.com")]).unwrap();
    }
    std::fs::rename(settings.path.join("db"), folder.path().join("saved")).unwrap();
    let error = Store::open(&settings).err().unwrap();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    std::fs::remove_dir_all(settings.path.join("db")).unwrap();
    std::fs::rename(folder.path().join("saved"), settings.path.join("db")).unwrap();
    std::fs::remove_file(settings.path.join("manifest.json")).unwrap();
    let store = Store::open(&settings).unwrap();
    assert!(store.account(&account_id("acc")).unwrap().is_some());
}

#[test]
fn an_older_database_under_a_newer_manifest_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    drop(Store::open(&settings).unwrap());
    let manifest = settings.path.join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(
        &manifest,
        text.replace("\"sequence\": 0", "\"sequence\": 7"),
    )
    .unwrap();
    let error = Store::open(&settings).err().unwrap();
    assert!(error.to_string().contains("write 7"), "{error}");
}

#[test]
fn a_temporary_store_leaves_nothing() {
    let store = filled();
    let path = store.path().to_path_buf();
    let clone = store.clone();
    drop(store);
    assert!(path.exists());
    drop(clone);
    assert!(!path.exists());
}
