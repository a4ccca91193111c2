//! What is written, refused and found.

use super::*;

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
            "device acc/d9: sip.username \"2001\" already belongs to device acc/d1",
        ),
        (
            device("acc", "d9", json!({"ip": "198.51.100.9", "method": "ip"})),
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
        json!({"name": "N", "enabled": false, "sip": {"ip": "198.51.100.9", "method": "ip"}}),
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
