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
