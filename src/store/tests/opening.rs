//! Opening, restarts, damage.

use super::*;
use crate::store::index_keys::{ACCOUNT_USERNAME, NUMBER, REALM, entry};

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
fn damage_is_found_and_indexes_are_mended() {
    let store = filled();
    let core = store.internals();
    let mut batch = crate::store::disk::Batch::new();
    let d1 = entry(ACCOUNT_USERNAME, &["acc", "2001"]);
    batch.insert(d1.clone(), None);
    batch.insert(entry(NUMBER, &["acc", "999", "f1"]), Some(Vec::new()));
    let strange = crate::store::keys::owner_value("acc", "gone");
    batch.insert(entry(REALM, &["ghost.example.com"]), Some(strange));
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
    let text = std::fs::read(&manifest).unwrap();
    let mut changed: Value = serde_json::from_slice(&text).unwrap();
    changed["sequence"] = json!(7);
    changed["check"] = json!(0);
    std::fs::write(&manifest, changed.to_string()).unwrap();
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

#[test]
fn a_file_that_is_mostly_empty_is_made_small_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings {
        history: 0,
        backup_every_s: 0,
        ..settings(folder.path())
    };
    let file = settings.path.join("db/db");
    let size = || std::fs::metadata(&file).unwrap().len();
    let text = "x".repeat(3_000);
    let id;
    {
        let store = Store::open(&settings).unwrap();
        id = store.id().to_owned();
        apply(&store, vec![account("acc", "a.example.com")]).unwrap();
        let body = |number: usize| json!({"name": format!("{number}"), "note": text});
        for step in 0..10 {
            let many = (0..500).map(|number| step * 500 + number);
            let devices = many.map(|number| {
                put(
                    DocumentType::Device,
                    "acc",
                    &format!("d{number}"),
                    body(number),
                )
            });
            apply(&store, devices.collect()).unwrap();
        }
        for step in 0..10 {
            let gone = (1..500).map(|number| step * 500 + number);
            let gone = gone.map(|number| {
                Write::Delete(key(DocumentType::Device, "acc", &format!("d{number}")))
            });
            apply(&store, gone.collect()).unwrap();
        }
    }
    // a command takes what it finds
    drop(Store::open(&settings).unwrap());
    let before = size();
    assert!(before > 8 << 20, "{before} bytes");
    let store = Store::open_for_service(&settings).unwrap();
    let after = size();
    assert!(after < before / 2, "{before} bytes before, {after} after");
    assert_eq!(store.id(), id);
    assert_eq!(store.health(), crate::store::Health::Healthy);
    let left = store.count(DocumentType::Device, &account_id("acc"));
    assert_eq!(left.unwrap(), 10);
    sound(&store);
    apply(&store, vec![device("acc", "new", json!({}))]).unwrap();
    drop(store);
    let store = Store::open_for_service(&settings).unwrap();
    sound(&store);
    assert_eq!(
        store
            .count(DocumentType::Device, &account_id("acc"))
            .unwrap(),
        11
    );
    for left in ["fresh", "old"] {
        assert!(!settings.path.join(left).exists());
    }
}
