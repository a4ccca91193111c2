//! A full disk.

use std::time::{Duration, Instant};

use super::*;
use crate::store::Health;

fn eventually(what: &str, done: impl Fn() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_store_that_sled_left_stuck_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let store = Store::open(&settings).unwrap();
    apply(
        &store,
        vec![
            account("acc", "a.example.com"),
            device("acc", "d1", json!({"username": "2001"})),
        ],
    )
    .unwrap();
    let before = store.sequence();
    store.internals().disk.get_stuck();
    assert!(matches!(store.health(), Health::DiskFull { .. }));
    assert!(!store.health().takes_writes());
    let refused = apply(&store, vec![device("acc", "d2", json!({}))]);
    assert!(
        matches!(refused, Err(StoreError::DiskFull(_))),
        "{refused:?}"
    );
    let found = store.device_by_address("2001", "a.example.com");
    assert!(found.unwrap().is_some());
    eventually("the store takes writes", || {
        store.health() == Health::Healthy
    });
    assert_eq!(store.sequence(), before);
    apply(&store, vec![device("acc", "d3", json!({}))]).unwrap();
    sound(&store);
    drop(store);
    let store = Store::open(&settings).unwrap();
    for there in ["d1", "d3"] {
        let found = store.device(&account_id("acc"), &id(there)).unwrap();
        assert!(found.is_some(), "{there}");
    }
}

#[test]
fn a_record_that_rots_while_the_store_is_open_is_told_and_mended_by_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let store = Store::open(&settings).unwrap();
    let devices = (0..50).map(|n| {
        device(
            "acc",
            &format!("d{n}"),
            json!({"username": format!("20{n}")}),
        )
    });
    let mut writes = vec![account("acc", "a.example.com")];
    writes.extend(devices);
    apply(&store, writes).unwrap();
    store.backup(&settings).unwrap();
    apply(
        &store,
        vec![device("acc", "d7", json!({"username": "2777"}))],
    )
    .unwrap();
    assert_eq!(store.health(), Health::Healthy);
    let d3 = key(DocumentType::Device, "acc", "d3");
    store
        .internals()
        .disk
        .rot(&crate::store::keys::document(&d3));
    // calls: a refusal that says where, and everybody else is served
    let refused = store.device(&account_id("acc"), &id("d3"));
    assert!(
        matches!(&refused, Err(StoreError::Damaged { at, .. }) if at.contains("d3")),
        "{refused:?}"
    );
    assert!(
        store
            .device(&account_id("acc"), &id("d4"))
            .unwrap()
            .is_some()
    );
    apply(
        &store,
        vec![device("acc", "d5", json!({"username": "2555"}))],
    )
    .unwrap();
    let Health::Damaged { records } = store.health() else {
        panic!("damaged: {:?}", store.health());
    };
    assert_eq!(records.len(), 1, "{records:?}");
    // a backup without the document would pass for a whole one
    assert!(store.backup(&settings).is_err());
    drop(store);
    let error = Store::open(&settings).err().unwrap();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    let store = Store::open_for_service(&settings).unwrap();
    let Health::Rebuilt(rebuilt) = store.health() else {
        panic!("rebuilt: {:?}", store.health());
    };
    assert_eq!(
        (rebuilt.from_backup, rebuilt.lost.len()),
        (1, 0),
        "{rebuilt:?}"
    );
    for (name, username) in [("d3", "203"), ("d5", "2555"), ("d7", "2777")] {
        let found = store.device_by_address(username, "a.example.com").unwrap();
        assert_eq!(found, owner(name), "{name}");
    }
    sound(&store);
}
