//! Pages, trees, and what is found by the words in documents.

use proptest::prelude::*;

use super::*;
use crate::store::{Author, Rows, Tree, Via};

fn names(rows: Rows<'_>) -> Vec<String> {
    rows.map(|row| row.unwrap().1.document.key.id.to_string())
        .collect()
}

fn user(id: &str, first: &str, last: &str) -> Write {
    let body = json!({"first_name": first, "last_name": last});
    put(DocumentType::User, "acc", id, body)
}

#[test]
fn lists_have_their_order() {
    let store = filled();
    let recording =
        |id: &str, start: u64| put(DocumentType::Recording, "acc", id, json!({"start": start}));
    let box_of = |id: &str, name: &str| {
        put(
            DocumentType::Vmbox,
            "acc",
            id,
            json!({"name": name, "mailbox": id}),
        )
    };
    let writes = vec![
        user("u1", "John", "Smith"),
        user("u2", "adam", "smith"),
        user("u3", "Zoe", "Adams"),
        recording("r1", 900),
        recording("r2", 63_000_000_000),
        recording("r3", 1_000),
        box_of("v1", "Sales"),
        box_of("v2", "Accounts"),
    ];
    apply(&store, writes).unwrap();
    let acc = account_id("acc");
    let list = |kind, ascending| names(store.page(kind, &acc, None, ascending));
    assert_eq!(list(DocumentType::User, true), ["u3", "u2", "u1"]);
    assert_eq!(list(DocumentType::User, false), ["u1", "u2", "u3"]);
    assert_eq!(list(DocumentType::Recording, false), ["r2", "r3", "r1"]);
    assert_eq!(list(DocumentType::Vmbox, true), ["v2", "v1"]);
    assert_eq!(list(DocumentType::Device, false), ["d2", "d1"]);
    // a text that is no key of a row begins where it would stand
    let from = names(store.page(DocumentType::User, &acc, Some(b"smith b"), false));
    assert_eq!(from, ["u2", "u3"]);
    apply(&store, vec![user("u1", "John", "Aaron")]).unwrap();
    assert_eq!(list(DocumentType::User, true), ["u1", "u3", "u2"]);
    assert_eq!(store.count(DocumentType::User, &acc).unwrap(), 3);
    sound(&store);
}

#[test]
fn accounts_stand_in_a_tree() {
    let store = Store::temporary().unwrap();
    let at = |id: &str, name: &str, tree: Value| {
        let body = json!({"name": name, "pvt_tree": tree, "pvt_reseller_id": "top"});
        put(DocumentType::Account, id, id, body)
    };
    let writes = vec![
        at("top", "Top", json!([])),
        at("b", "beta", json!(["top"])),
        at("a", "Alpha", json!(["top"])),
        at("c", "Aardvark", json!(["top", "b"])),
    ];
    apply(&store, writes).unwrap();
    let top = account_id("top");
    let below = |tree, of: &str| names(store.accounts(tree, &account_id(of), None, true));
    assert_eq!(below(Tree::Children, "top"), ["a", "b"]);
    assert_eq!(below(Tree::Descendants, "top"), ["c", "a", "b"]);
    assert_eq!(below(Tree::Children, "b"), ["c"]);
    assert_eq!(below(Tree::Descendants, "c"), Vec::<String>::new());
    assert_eq!(store.descendants_count(&top).unwrap(), 3);
    let above = store.ancestors(&account_id("c")).unwrap();
    assert_eq!(above, [top.clone(), account_id("b")]);
    assert_eq!(store.reseller(&account_id("c")).unwrap(), Some(top.clone()));
    // moved
    apply(&store, vec![at("c", "Aardvark", json!(["top"]))]).unwrap();
    assert_eq!(below(Tree::Children, "top"), ["c", "a", "b"]);
    assert_eq!(below(Tree::Children, "b"), Vec::<String>::new());
    assert_eq!(store.ancestors(&account_id("c")).unwrap(), [top]);
    sound(&store);
}

#[tokio::test]
async fn an_account_goes_with_everything_in_it() {
    let store = filled();
    let below = put(
        DocumentType::Account,
        "sub",
        "sub",
        json!({"pvt_tree": ["acc"]}),
    );
    apply(&store, vec![below]).unwrap();
    store.register(registration("2001", FAR));
    let author = || Author::via(Via::Api);
    let acc = account_id("acc");
    let error = store.delete_account(&acc, author()).await.unwrap_err();
    assert!(matches!(error, StoreError::Descendants { .. }), "{error}");
    store
        .delete_account(&account_id("sub"), author())
        .await
        .unwrap();
    // more than go in one change
    let many = (0..2_500).map(|n| {
        device(
            "acc",
            &format!("m{n}"),
            json!({"username": format!("m{n}")}),
        )
    });
    apply(&store, many.collect()).unwrap();
    let applied = store.delete_account(&acc, author()).await.unwrap();
    assert_eq!(applied.stored.len(), 2_504);
    assert_eq!(store.scan(DocumentType::Device, None).count(), 0);
    assert_eq!(store.all_registrations(), []);
    assert_eq!(store.account_by_realm("acme.example.com").unwrap(), None);
    apply(&store, vec![account("new", "acme.example.com")]).unwrap();
    sound(&store);
}

#[test]
fn what_documents_say_is_found() {
    let store = filled();
    let servers = json!([
        {"auth": {"auth_user": "PBX1"}, "DIDs": {"2125551234": {}, "+12125550000": {}}},
        {"auth": {"auth_method": "ip", "ip": "192.0.2.9"}, "DIDs": {"12125551234": {}}},
    ]);
    let trunks = json!({"account": {"auth_realm": "gone.test"}, "servers": servers});
    let secret = json!({"username": "bob", "pvt_credentials": ["h1", "h2"]});
    let tenant = json!({"name": "Acme", "realm": "acme.example.com", "pvt_api_key_hash": "k",
        "pvt_superduper_admin": true});
    let record = json!({"state": "in_service"});
    let writes = vec![
        put(DocumentType::Connectivity, "acc", "c1", trunks),
        put(DocumentType::User, "acc", "u1", secret),
        put(DocumentType::Account, "acc", "acc", tenant),
        put(DocumentType::Number, "acc", "+12125551234", record),
        put(
            DocumentType::Limits,
            "acc",
            "limits",
            json!({"twoway_trunks": 2}),
        ),
    ];
    assert!(!Store::temporary().unwrap().any_account().unwrap());
    apply(&store, writes).unwrap();
    let acc = account_id("acc");
    let at = |server| (acc.clone(), id("c1"), server);
    assert_eq!(store.did("+12125551234").unwrap(), [at(0), at(1)]);
    assert_eq!(store.did("2125551234").unwrap(), []);
    let ip = "192.0.2.9".parse().unwrap();
    assert_eq!(store.servers_by_ip(ip).unwrap(), [at(1)]);
    assert_eq!(store.servers_with_ip().unwrap(), [(ip, at(1))]);
    for realm in ["ACME.example.com", "gone.test"] {
        assert_eq!(store.server_by_address("pbx1", realm).unwrap(), Some(at(0)));
    }
    assert_eq!(store.users_by_credentials(&acc, "h2").unwrap(), [id("u1")]);
    assert_eq!(store.users_by_name(&acc, "BOB").unwrap(), [id("u1")]);
    assert_eq!(store.account_by_api_key("k").unwrap(), Some(acc.clone()));
    assert_eq!(store.master_account().unwrap(), Some(acc.clone()));
    assert!(store.any_account().unwrap());
    assert_eq!(store.number("+12125551234").unwrap().unwrap().0, acc);
    assert!(store.limits(&acc).unwrap().is_some());
    assert_eq!(store.connectivities(&acc).unwrap().len(), 1);
    // answers that were cached follow the documents
    let installation = AccountId::installation();
    assert_eq!(store.resources(&installation).unwrap(), []);
    let carrier = put(
        DocumentType::Resource,
        "installation",
        "r",
        json!({"name": "R"}),
    );
    apply(&store, vec![carrier]).unwrap();
    assert_eq!(store.resources(&installation).unwrap().len(), 1);
    apply(
        &store,
        vec![Write::Delete(key(DocumentType::Connectivity, "acc", "c1"))],
    )
    .unwrap();
    assert_eq!(store.did("+12125551234").unwrap(), []);
    assert_eq!(store.connectivities(&acc).unwrap(), []);
    assert_eq!(store.servers_by_ip(ip).unwrap(), []);
    sound(&store);
}

#[test]
fn followers_are_told_of_writes() {
    let store = filled();
    let mut changes = store.changes();
    let before = *changes.borrow_and_update();
    assert_eq!(before, store.sequence());
    apply(&store, vec![device("acc", "d3", json!({}))]).unwrap();
    assert!(changes.has_changed().unwrap());
    assert_eq!(*changes.borrow_and_update(), store.sequence());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Walking all pages of any size shows every row once, in order.
    #[test]
    fn pages_neither_skip_nor_repeat(
        people in proptest::collection::vec(("[a-cA-C ]{0,2}", "[a-b]{0,1}"), 0..20),
        size in 1..6_usize,
        ascending in any::<bool>(),
    ) {
        let store = filled();
        let writes = people.iter().enumerate();
        let writes = writes.map(|(n, (first, last))| user(&format!("u{n:02}"), first, last));
        apply(&store, writes.collect()).unwrap();
        let acc = account_id("acc");
        let mut walked = Vec::new();
        let mut from: Option<Vec<u8>> = None;
        loop {
            let rows = store.page(DocumentType::User, &acc, from.as_deref(), ascending);
            let mut rows: Vec<_> = rows.take(size + 1).map(Result::unwrap).collect();
            from = if rows.len() > size { rows.pop().map(|(sort, _)| sort) } else { None };
            walked.extend(rows.into_iter().map(|(sort, stored)| (sort, stored.document.key.id)));
            if from.is_none() {
                break;
            }
        }
        let mut ordered = walked.clone();
        ordered.sort();
        if !ascending {
            ordered.reverse();
        }
        prop_assert_eq!(&walked, &ordered);
        ordered.dedup_by(|a, b| a.1 == b.1);
        prop_assert_eq!(ordered.len(), people.len());
    }
}
