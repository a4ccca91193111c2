//! What was, who changed it, and going back.

use super::*;
use crate::store::history::DELETED_KEPT;
use crate::store::{Author, Via};

fn author(request: &str) -> Author {
    Author {
        account: Some(account_id("acc")),
        user: Some(id("admin")),
        from: Some("192.0.2.5".parse().unwrap()),
        request_id: Some(request.to_owned()),
        via: Via::Api,
    }
}

fn named(name: &str) -> Write {
    let sip = json!({"username": "2090", "password": format!("geheim-{name}")});
    put(
        DocumentType::Device,
        "acc",
        "h",
        json!({"name": name, "sip": sip}),
    )
}

fn device_key() -> DocumentKey {
    key(DocumentType::Device, "acc", "h")
}

fn write(store: &Store, write: Write, request: &str) -> u64 {
    let change = Change::from(write).by(author(request));
    store.apply_blocking(change).unwrap().sequence
}

fn name_now(store: &Store) -> Option<String> {
    let document = store.document(&device_key()).unwrap()?;
    Some(document.body["name"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn every_write_is_remembered_and_can_be_gone_back_to() {
    let store = filled();
    let one = write(&store, named("one"), "r1");
    let two = write(&store, named("two"), "r2");
    let gone = write(&store, Write::Delete(device_key()), "r3");
    let three = write(&store, named("three"), "r4");
    let entries = store.history(&device_key(), 10).unwrap();
    let told: Vec<_> = entries
        .iter()
        .map(|e| {
            let before = e
                .before
                .as_ref()
                .map(|b| b["name"].as_str().unwrap().to_owned());
            (e.revision.count, e.revision.sequence, e.deleted, before)
        })
        .collect();
    let name = |text: &str| Some(text.to_owned());
    assert_eq!(
        told,
        [
            (4, three, false, None),
            (3, gone, true, name("two")),
            (2, two, false, name("one")),
            (1, one, false, None),
        ]
    );
    assert_eq!(entries[1].author, Some(author("r3")));
    assert!(entries[0].at > 1_700_000_000);
    assert_eq!(store.history(&device_key(), 2).unwrap(), entries[..2]);
    store
        .revert(&device_key(), one, author("r5"))
        .await
        .unwrap();
    assert_eq!(name_now(&store).as_deref(), Some("one"));
    store
        .revert(&device_key(), gone, author("r6"))
        .await
        .unwrap();
    assert_eq!(name_now(&store), None);
    store
        .revert(&device_key(), two, author("r7"))
        .await
        .unwrap();
    assert_eq!(name_now(&store).as_deref(), Some("two"));
    let now = store.revision(&device_key()).unwrap().unwrap();
    assert_eq!(now.count, 7);
    // where it is already: nothing is written
    let applied = store
        .revert(&device_key(), now.sequence, author("r8"))
        .await;
    assert_eq!(applied.unwrap().stored, []);
    let error = store.revert(&device_key(), one + 1_000, author("r9")).await;
    assert!(error.unwrap_err().to_string().contains("history"));
    sound(&store);
}

#[test]
fn it_is_told_without_secrets() {
    let store = filled();
    write(&store, named("one"), "r1");
    write(&store, named("two"), "r2");
    write(&store, Write::Delete(device_key()), "r3");
    let changes = store.document_changes(&device_key(), 10).unwrap();
    let text = format!("{changes:?}");
    assert!(!text.contains("geheim"), "{text}");
    assert!(changes[0].deleted && changes[2].created);
    let fields: Vec<&str> = changes[1].fields.iter().map(|f| f.field.as_str()).collect();
    assert_eq!(fields, ["name", "sip.password"]);
}

#[test]
fn it_is_bounded_whatever_the_size_of_a_document() {
    let store = filled();
    let flow = |number: usize| {
        let text = "x".repeat(number * 777 % 30_000);
        let flow = json!({"module": "x", "data": {"text": text}});
        put(
            DocumentType::Callflow,
            "acc",
            "big",
            json!({"name": number.to_string(), "flow": flow}),
        )
    };
    let key = key(DocumentType::Callflow, "acc", "big");
    for number in 0..60 {
        apply(&store, vec![flow(number)]).unwrap();
    }
    let entries = store.history(&key, usize::MAX).unwrap();
    assert_eq!(entries.len(), 50);
    for (number, entry) in (0..59).rev().zip(&entries) {
        let Write::Put(document) = flow(number) else {
            panic!("a put");
        };
        assert_eq!(entry.before.as_ref(), Some(&document.body));
        assert_eq!(entry.revision.count, number as u64 + 2);
    }
    store
        .revert_blocking(&key, 11, Author::via(Via::Cli))
        .unwrap();
    let body = store.document(&key).unwrap().unwrap().body;
    assert_eq!(body["name"], "10");
    assert!(
        store
            .revert_blocking(&key, 3, Author::via(Via::Cli))
            .is_err()
    );
    sound(&store);
}

#[test]
fn deleted_documents_are_remembered_for_a_while() {
    let store = filled();
    write(&store, named("one"), "r1");
    write(&store, Write::Delete(device_key()), "r2");
    let come_and_go = |number: u64| {
        let name = format!("t{number}");
        apply(&store, vec![device("acc", &name, json!({}))]).unwrap();
        let gone = Write::Delete(key(DocumentType::Device, "acc", &name));
        apply(&store, vec![gone]).unwrap();
    };
    for number in 1..DELETED_KEPT {
        come_and_go(number);
    }
    assert_eq!(store.history(&device_key(), 9).unwrap().len(), 2);
    come_and_go(0);
    assert_eq!(store.history(&device_key(), 9).unwrap(), []);
    let first = key(DocumentType::Device, "acc", "t1");
    assert_eq!(store.history(&first, 9).unwrap().len(), 2);
    sound(&store);
}

#[test]
fn an_import_leaves_a_history_of_what_it_replaced() {
    let store = filled();
    let line =
        |name: &str| format!(r#"{{"type":"device","account_id":"acc","id":"h","name":"{name}"}}"#);
    let import = |name: &str| {
        let report = store.import(&mut line(name).as_bytes(), false).unwrap();
        assert_eq!(report.imported, 1);
    };
    import("one");
    assert_eq!(store.history(&device_key(), 9).unwrap(), []);
    import("two");
    let entries = store.history(&device_key(), 9).unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].author, Some(Author::via(Via::Import)));
    store
        .revert_blocking(&device_key(), 1, Author::via(Via::Cli))
        .unwrap();
    assert_eq!(name_now(&store).as_deref(), Some("one"));
}

#[test]
fn an_earlier_store_gets_its_indexes() {
    use crate::store::disk::Batch;
    use crate::store::{index_keys, keys};

    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    {
        let store = Store::open(&settings).unwrap();
        let bob = put(DocumentType::User, "acc", "u", json!({"username": "bob"}));
        apply(&store, vec![account("acc", "acme.test"), bob]).unwrap();
        let mut batch = Batch::new();
        batch.insert(keys::INDEXES.to_vec(), None);
        let entry = index_keys::entry(index_keys::USERNAME, &["acc", "bob", "u"]);
        batch.insert(entry, None);
        store.internals().write(&batch).unwrap();
    }
    let store = Store::open(&settings).unwrap();
    let found = store.users_by_name(&account_id("acc"), "bob").unwrap();
    assert_eq!(found, [id("u")]);
    sound(&store);
}
