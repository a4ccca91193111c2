//! Counts are kept with every write and never scanned for.

use super::*;
use crate::store::{counts, disk::Batch};

fn in_tree(name: &str, above: &[&str]) -> Write {
    put(
        DocumentType::Account,
        name,
        name,
        json!({"name": name, "realm": format!("{name}.example.com"), "pvt_tree": above}),
    )
}

fn devices(store: &Store) -> usize {
    let count = store.count(DocumentType::Device, &account_id("acc"));
    count.unwrap()
}

fn below(store: &Store, account: &str) -> usize {
    store.descendants_count(&account_id(account)).unwrap()
}

#[test]
fn documents_are_counted_as_they_come_and_go() {
    let store = filled();
    assert_eq!(devices(&store), 2);
    let replaced = device("acc", "d1", json!({"username": "2003"}));
    let new = device("acc", "d3", json!({"username": "2001"}));
    apply(&store, vec![replaced, new]).unwrap();
    assert_eq!(devices(&store), 3);
    // refused as a whole
    let good = device("acc", "d4", json!({"username": "2004"}));
    let bad = device("acc", "d5", json!({"username": "2003"}));
    assert!(apply(&store, vec![good, bad]).is_err());
    assert_eq!(devices(&store), 3);
    let gone = |name: &str| Write::Delete(key(DocumentType::Device, "acc", name));
    apply(&store, vec![gone("d1"), gone("d2"), gone("nobody")]).unwrap();
    assert_eq!(devices(&store), 1);
    apply(&store, vec![gone("d3")]).unwrap();
    assert_eq!(devices(&store), 0);
    let lines = (0..2_500).map(|number| {
        format!(r#"{{"type":"device","account_id":"acc","id":"i{number}","name":"N"}}"#) + "\n"
    });
    let text: String = lines.collect();
    store.import(&mut text.as_bytes(), false).unwrap();
    store.import(&mut text.as_bytes(), false).unwrap();
    assert_eq!(devices(&store), 2_500);
    assert_eq!(
        store
            .count(DocumentType::Callflow, &account_id("acc"))
            .unwrap(),
        1
    );
    assert_eq!(
        store
            .count(DocumentType::Device, &account_id("other"))
            .unwrap(),
        0
    );
    sound(&store);
}

#[test]
fn accounts_below_are_counted_wherever_they_move() {
    let store = Store::temporary().unwrap();
    let tree = vec![
        in_tree("top", &[]),
        in_tree("a", &["top"]),
        in_tree("b", &["top"]),
        in_tree("c", &["top", "a"]),
    ];
    apply(&store, tree).unwrap();
    let all = |store: &Store| ["top", "a", "b", "c"].map(|name| below(store, name));
    assert_eq!(all(&store), [3, 1, 0, 0]);
    apply(&store, vec![in_tree("c", &["top", "b"])]).unwrap();
    assert_eq!(all(&store), [3, 0, 1, 0]);
    // a new name is a new place in the list, and the same account
    let renamed = json!({"name": "z", "realm": "c.example.com", "pvt_tree": ["top", "b"]});
    apply(&store, vec![put(DocumentType::Account, "c", "c", renamed)]).unwrap();
    assert_eq!(all(&store), [3, 0, 1, 0]);
    apply(
        &store,
        vec![Write::Delete(key(DocumentType::Account, "c", "c"))],
    )
    .unwrap();
    assert_eq!(all(&store), [2, 0, 0, 0]);
    sound(&store);
}

#[test]
fn wrong_counts_are_found_and_a_start_mends_them() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    {
        let store = Store::open(&settings).unwrap();
        let device = |name: &str| device("acc", name, json!({}));
        let writes = vec![account("acc", "a.example.com"), device("1"), device("2")];
        apply(&store, writes).unwrap();
        let mut batch = Batch::new();
        let acc = counts::of_kind(DocumentType::Device, "acc");
        let strange = counts::below("nobody");
        let missing = counts::of_kind(DocumentType::Account, "acc");
        batch.insert(acc, Some(counts::payload(7)));
        batch.insert(strange, Some(counts::payload(1)));
        batch.insert(missing, None);
        store.internals().write(&batch).unwrap();
        assert_eq!(devices(&store), 7);
        let findings = store.verify().unwrap();
        assert_eq!(findings.len(), 2, "{findings:?}");
    }
    // as after a crash: everything is looked at
    let path = settings.path.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    manifest.as_object_mut().unwrap().remove("closed");
    manifest["check"] = json!(0);
    std::fs::write(&path, manifest.to_string()).unwrap();
    let store = Store::open_for_service(&settings).unwrap();
    sound(&store);
    assert_eq!(devices(&store), 2);
}

#[test]
fn a_mailbox_lists_its_own_messages_only() {
    let store = filled();
    let message = |name: &str, vmbox: &str, folder: &str| {
        let body = json!({"vmbox_id": vmbox, "folder": folder});
        put(DocumentType::VoicemailMessage, "acc", name, body)
    };
    let writes = vec![
        message("m1", "one", "new"),
        message("m2", "two", "new"),
        message("m3", "one", "saved"),
        message("m4", "one", "deleted"),
        put(DocumentType::VoicemailMessage, "acc", "m5", json!({})),
    ];
    apply(&store, writes).unwrap();
    let ids = |vmbox: &str, deleted: bool, from: Option<&[u8]>, ascending: bool| {
        let rows = store.messages(&account_id("acc"), vmbox, deleted, from, ascending);
        let ids = rows.map(|row| row.unwrap().1.document.key.id.as_str().to_owned());
        ids.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids("one", false, None, true), "m1 m3");
    assert_eq!(ids("one", false, None, false), "m3 m1");
    assert_eq!(ids("one", false, Some(b"m2"), true), "m3");
    assert_eq!(ids("one", true, None, true), "m4");
    assert_eq!(ids("two", false, None, true), "m2");
    let count = |vmbox: &str| store.message_count(&account_id("acc"), vmbox).unwrap();
    assert_eq!((count("one"), count("two"), count("three")), (2, 1, 0));
    apply(&store, vec![message("m1", "one", "deleted")]).unwrap();
    assert_eq!(ids("one", true, None, true), "m1 m4");
    assert_eq!(count("one"), 1);
    sound(&store);
}
