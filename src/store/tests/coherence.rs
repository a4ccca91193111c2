//! Acknowledgement, group commit, the change log, and reads that are never stale.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::*;

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
    let unchanged = apply(&store, vec![nothing]).unwrap();
    assert_eq!(
        (unchanged.sequence, unchanged.stored),
        (applied.sequence, vec![])
    );
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
    let wanted = Revision {
        sequence: log[0].revision,
        count: 2,
    };
    assert_eq!(revision, Some(wanted));
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
    for number in 0..crate::store::log::KEPT + 10 {
        lines.push_str(&format!(
            "{{\"type\":\"user\",\"account_id\":\"acc\",\"id\":\"u{number}\"}}\n"
        ));
    }
    store.import(&mut lines.as_bytes(), false).unwrap();
    assert_eq!(store.changes_after(0, 10).unwrap(), None);
    let last = store.sequence();
    let log = store
        .changes_after(last - crate::store::log::KEPT, usize::MAX)
        .unwrap()
        .unwrap();
    assert_eq!(log.len() as u64, crate::store::log::KEPT);
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
        let change = Change::from(device("acc", &name, json!({})));
        let _ = tokio::time::timeout(Duration::ZERO, store.apply(change)).await;
    }
    let change = Change::from(device("acc", "last", json!({})));
    store.apply(change).await.unwrap();
    assert_eq!(store.scan(DocumentType::Device, None).count(), 23);
}

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
