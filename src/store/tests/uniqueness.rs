//! What the API promises to be unique (api spec 3.3), and what is free again.

use std::sync::Barrier;

use super::*;
use crate::store::Expect;

fn strict(store: &Store, writes: Vec<Write>) -> Result<Applied, StoreError> {
    store.apply_blocking(writes.into())
}

fn clash(store: &Store, write: Write) -> (String, String) {
    match strict(store, vec![write]) {
        Err(StoreError::Duplicate { field, holder, .. }) => {
            (field, holder.map(|h| h.to_string()).unwrap_or_default())
        }
        other => panic!("{other:?}"),
    }
}

fn tenants() -> Store {
    let store = Store::temporary().unwrap();
    let writes = vec![account("acc", "acme.test"), account("other", "other.test")];
    strict(&store, writes).unwrap();
    store
}

fn server(account: &str, id: &str, servers: Value) -> Write {
    put(
        DocumentType::Connectivity,
        account,
        id,
        json!({"servers": servers}),
    )
}

#[test]
fn one_owner_in_an_account_and_free_again_after_a_delete() {
    let flow = json!({"module": "hangup", "data": {}});
    let cases = [
        (
            DocumentType::Device,
            json!({"name": "N", "mac_address": "00:04:f2:ab:7e:fd"}),
            json!({"name": "M", "mac_address": "0004F2-AB7EFD"}),
            "mac_address",
        ),
        (
            DocumentType::Device,
            json!({"name": "N", "sip": {"username": "PolyCom1"}}),
            json!({"name": "M", "sip": {"username": "polycom1"}}),
            "sip.username",
        ),
        (
            DocumentType::User,
            json!({"username": "Bob"}),
            json!({"username": "bob"}),
            "username",
        ),
        (
            DocumentType::User,
            json!({"hotdesk": {"id": "7"}}),
            json!({"hotdesk": {"id": "7"}}),
            "hotdesk.id",
        ),
        (
            DocumentType::Callflow,
            json!({"numbers": ["1", "2"], "flow": flow}),
            json!({"numbers": ["2"], "flow": flow}),
            "numbers",
        ),
        (
            DocumentType::Callflow,
            json!({"patterns": ["^1$"], "flow": flow}),
            json!({"patterns": ["^2$", "^1$"], "flow": flow}),
            "patterns",
        ),
        (
            DocumentType::Vmbox,
            json!({"name": "A", "mailbox": "100"}),
            json!({"name": "B", "mailbox": "100"}),
            "mailbox",
        ),
        (
            DocumentType::Conference,
            json!({"name": "A", "conference_numbers": ["5"]}),
            json!({"name": "B", "member": {"numbers": ["5"]}}),
            "numbers",
        ),
    ];
    for (kind, first, second, field) in cases {
        let store = tenants();
        strict(&store, vec![put(kind, "acc", "one", first.clone())]).unwrap();
        let holder = format!("{kind} acc/one");
        let two = put(kind, "acc", "two", second.clone());
        assert_eq!(clash(&store, two.clone()), (field.to_owned(), holder));
        // another account is another matter, and a document may keep what it has
        strict(&store, vec![put(kind, "other", "two", second)]).unwrap();
        strict(&store, vec![put(kind, "acc", "one", first)]).unwrap();
        strict(&store, vec![Write::Delete(key(kind, "acc", "one"))]).unwrap();
        strict(&store, vec![two]).unwrap();
        sound(&store);
    }
}

#[test]
fn accounts_compare_by_normal_name_and_imports_may_share_it() {
    let store = Store::temporary().unwrap();
    let named = |id: &str, name: &str| put(DocumentType::Account, id, id, json!({"name": name}));
    strict(&store, vec![named("a", "ACME Co.")]).unwrap();
    let (field, holder) = clash(&store, named("b", "acme-co"));
    assert_eq!((field.as_str(), holder.as_str()), ("name", "account a/a"));
    apply(&store, vec![named("b", "acme-co")]).unwrap();
    let found = store.account_by_name("Acme co").unwrap();
    assert_eq!(found, [account_id("a"), account_id("b")]);
    // what an import left may be written again as it is
    let mut again = named("b", "acme-co");
    if let Write::Put(document) = &mut again {
        document.body.insert("timezone".into(), "UTC".into());
    }
    strict(&store, vec![again]).unwrap();
    assert_eq!(store.account_by_name("...").unwrap(), []);
    sound(&store);
}

#[test]
fn devices_and_servers_share_their_credentials_and_addresses() {
    let store = tenants();
    let writes = vec![
        device("acc", "d", json!({"username": "Desk"})),
        device(
            "acc",
            "own",
            json!({"username": "away", "realm": "away.test"}),
        ),
        server(
            "acc",
            "c",
            json!([{"auth": {"auth_method": "Password", "auth_user": "PBX"}},
                {"auth": {"auth_method": "IP", "ip": "192.0.2.1"}}]),
        ),
    ];
    strict(&store, writes).unwrap();
    let user = |name: &str| json!([{"auth": {"auth_user": "x"}}, {"auth": {"auth_user": name}}]);
    let field = "servers.1.auth.auth_user".to_owned();
    for (name, holder) in [
        ("DESK", "device acc/d"),
        ("Away", "device acc/own"),
        ("pbx", "connectivity acc/c"),
    ] {
        let write = server("acc", "c2", user(name));
        assert_eq!(clash(&store, write), (field.clone(), holder.to_owned()));
    }
    let write = server("acc", "c2", user("X"));
    assert_eq!(clash(&store, write).0, "servers.1.auth.auth_user");
    strict(&store, vec![server("other", "c2", user("pbx"))]).unwrap();
    for name in ["PBX", "away"] {
        let write = device("acc", "d2", json!({"username": name}));
        assert_eq!(clash(&store, write).0, "sip.username");
    }
    // a device that names the realm of an account lives among its servers
    let write = device(
        "other",
        "d2",
        json!({"username": "pbx", "realm": "acme.test"}),
    );
    assert_eq!(clash(&store, write).0, "sip.username");
    let ip = json!({"username": "2099", "method": "ip", "ip": "192.0.2.1:5070"});
    let (field, holder) = clash(&store, device("other", "d3", ip));
    assert_eq!(
        (field.as_str(), holder.as_str()),
        ("sip.ip", "connectivity acc/c")
    );
    let at = json!([{"auth": {"auth_method": "ip"}, "options": {"ip": "192.0.2.1"}}]);
    assert_eq!(
        clash(&store, server("other", "c3", at.clone())).0,
        "servers.0.options.ip"
    );
    strict(&store, vec![server("acc", "c3", at)]).unwrap();
    sound(&store);
}

#[test]
fn a_number_has_one_owner_even_in_an_import() {
    let store = tenants();
    let number = |account: &str| put(DocumentType::Number, account, "+12125551234", json!({}));
    strict(&store, vec![number("acc")]).unwrap();
    let (field, holder) = clash(&store, number("other"));
    assert_eq!(
        (field.as_str(), holder.as_str()),
        ("id", "number acc/+12125551234")
    );
    assert!(apply(&store, vec![number("other")]).is_err());
    let line = r#"{"type":"number","account_id":"other","id":"+12125551234"}"#;
    let report = store.import(&mut line.as_bytes(), false).unwrap();
    assert_eq!(report.problems.len(), 1);
    assert_eq!(
        store.number("+12125551234").unwrap().unwrap().0,
        account_id("acc")
    );
}

#[test]
fn carriers_of_the_installation_have_addresses_of_their_own() {
    let store = Store::temporary().unwrap();
    let carrier = |id: &str| {
        let gateways = json!([{"server": "sip.example"}, {"server": "198.51.100.7"}]);
        let body = json!({"name": id, "gateways": gateways});
        put(DocumentType::Resource, "installation", id, body)
    };
    strict(&store, vec![carrier("r1")]).unwrap();
    assert_eq!(clash(&store, carrier("r2")).0, "gateways.1.server");
}

#[test]
fn of_racing_writers_exactly_one_wins() {
    const RACERS: usize = 8;
    for round in 0..20 {
        let store = tenants();
        let start = Barrier::new(RACERS);
        let wins: usize = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..RACERS)
                .map(|racer| {
                    let (store, start) = (&store, &start);
                    scope.spawn(move || {
                        let change = match round % 2 {
                            // one user name, many documents
                            0 => Change::from(device(
                                "acc",
                                &format!("d{racer}"),
                                json!({"username": "one"}),
                            )),
                            // one document, many writers
                            _ => {
                                let name = json!({"username": format!("u{racer}")});
                                Change::from(device("acc", "d", name)).expecting(
                                    key(DocumentType::Device, "acc", "d"),
                                    Expect::Absent,
                                )
                            }
                        };
                        start.wait();
                        match store.apply_blocking(change) {
                            Ok(_) => 1,
                            Err(StoreError::Duplicate { .. } | StoreError::Conflict { .. }) => 0,
                            Err(other) => panic!("{other}"),
                        }
                    })
                })
                .collect();
            racers.into_iter().map(|r| r.join().unwrap()).sum()
        });
        assert_eq!(wins, 1);
        assert_eq!(
            store
                .count(DocumentType::Device, &account_id("acc"))
                .unwrap(),
            1
        );
        sound(&store);
    }
}

#[test]
fn an_expectation_that_does_not_hold_changes_nothing() {
    let store = filled();
    let d1 = key(DocumentType::Device, "acc", "d1");
    let revision = store.revision(&d1).unwrap().unwrap();
    let change = |expect| {
        Change::from(device("acc", "d1", json!({"username": "2090"}))).expecting(d1.clone(), expect)
    };
    for expect in [Expect::Absent, Expect::Revision(revision.sequence + 1)] {
        match store.apply_blocking(change(expect)) {
            Err(StoreError::Conflict { key, found }) => {
                assert_eq!((key, found), (d1.clone(), Some(revision)));
            }
            other => panic!("{other:?}"),
        }
    }
    let applied = store
        .apply_blocking(change(Expect::Revision(revision.sequence)))
        .unwrap();
    let now = store.revision(&d1).unwrap().unwrap();
    assert_eq!(applied.stored, [(d1.clone(), now)]);
    assert_eq!((now.count, now.sequence), (2, applied.sequence));
    store.apply_blocking(change(Expect::Present)).unwrap();
    let gone = key(DocumentType::Device, "acc", "nobody");
    let change = Change::default().expecting(gone, Expect::Present);
    let error = store.apply_blocking(change).unwrap_err();
    assert!(
        error.to_string().contains("there is no such document"),
        "{error}"
    );
}

#[test]
fn all_that_clashes_is_told_at_once() {
    let store = tenants();
    let taken = json!({"name": "N", "mac_address": "00:11:22:33:44:55", "sip": {"username": "u1", "ip": "192.0.2.1", "method": "ip"}});
    strict(&store, vec![put(DocumentType::Device, "acc", "d1", taken)]).unwrap();
    let flow = |id: &str, numbers: Value| callflow("acc", id, numbers, json!(["^9$"]));
    strict(&store, vec![flow("f1", json!(["100", "200", "300"]))]).unwrap();
    let fields = |write: Write| match strict(&store, vec![write]) {
        Err(StoreError::Duplicate { field, also, .. }) => {
            let mut fields = vec![field];
            fields.extend(also.into_iter().map(|clash| clash.field));
            fields.sort();
            fields.join(" ")
        }
        other => panic!("{other:?}"),
    };
    let second = json!({"name": "N", "mac_address": "001122334455", "sip": {"username": "U1", "ip": "192.0.2.1", "method": "ip"}});
    assert_eq!(
        fields(put(DocumentType::Device, "acc", "d2", second)),
        "mac_address sip.ip sip.username"
    );
    assert_eq!(
        fields(flow("f2", json!(["150", "300", "100"]))),
        "numbers patterns"
    );
    assert_eq!(
        store
            .count(DocumentType::Device, &account_id("acc"))
            .unwrap(),
        1
    );
    sound(&store);
}
