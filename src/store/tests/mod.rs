//! The store as a whole, from inside: what its clients rely on.

mod coherence;
mod counting;
mod exchange;
mod history;
mod lists;
mod model;
mod opening;
mod room;
mod salvaging;
mod uniqueness;
mod writes;

use serde_json::{Value, json};

use super::{Applied, Change, Revision, Store, StoreError, StoreSettings, Write};
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
    store.apply_blocking(Change::imported(writes))
}

fn filled() -> Store {
    let store = Store::temporary().unwrap();
    let writes = vec![
        account("acc", "Acme.Example.com"),
        device("acc", "d1", json!({"username": "2001"})),
        device(
            "acc",
            "d2",
            json!({"username": "2002", "ip": "198.51.100.9:5070", "method": "ip"}),
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

/// Readers never see an older document than the last acknowledged, whatever the timing.
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
