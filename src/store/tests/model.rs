//! Random changes against a brute-force reading of the documents.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Realm(usize, Option<usize>),
    Device {
        account: usize,
        id: usize,
        username: Option<usize>,
        realm: Option<usize>,
        ip: Option<usize>,
        enabled: bool,
        owner: Option<usize>,
    },
    Numbers(usize, usize, Vec<usize>),
    Delete(DocumentType, usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let maybe = || proptest::option::of(0..3_usize);
    let step = prop_oneof![
        (0..3_usize, maybe()).prop_map(|(a, r)| Step::Realm(a, r)),
        (
            0..3_usize,
            0..4_usize,
            maybe(),
            maybe(),
            maybe(),
            any::<bool>(),
            maybe()
        )
            .prop_map(
                |(account, id, username, realm, ip, enabled, owner)| Step::Device {
                    account,
                    id,
                    username,
                    realm,
                    ip,
                    enabled,
                    owner
                }
            ),
        (
            0..3_usize,
            0..3_usize,
            proptest::collection::vec(0..4_usize, 0..3)
        )
            .prop_map(|(a, i, n)| Step::Numbers(a, i, n)),
        (
            prop_oneof![
                Just(DocumentType::Account),
                Just(DocumentType::Device),
                Just(DocumentType::Callflow)
            ],
            0..3_usize,
            0..4_usize
        )
            .prop_map(|(k, a, i)| Step::Delete(k, a, i)),
    ];
    proptest::collection::vec(proptest::collection::vec(step, 1..4), 1..25)
}

fn realm(number: usize) -> String {
    format!("Realm{number}.example.com")
}

fn write(step: Step) -> Write {
    let acc = |number: usize| format!("acc{number}");
    match step {
        Step::Realm(number, named) => {
            let body = match named {
                Some(named) => json!({"realm": realm(named)}),
                None => json!({}),
            };
            put(DocumentType::Account, &acc(number), &acc(number), body)
        }
        Step::Device {
            account,
            id,
            username,
            realm: own,
            ip,
            enabled,
            owner,
        } => {
            let mut body = json!({"name": "N", "enabled": enabled, "sip": {}});
            if let Some(username) = username {
                body["sip"]["username"] = format!("User{username}").into();
            }
            if let Some(own) = own {
                body["sip"]["realm"] = realm(own).into();
            }
            if let Some(ip) = ip {
                body["sip"]["ip"] = format!("192.0.2.{ip}:5060").into();
                body["sip"]["method"] = "ip".into();
            }
            if let Some(owner) = owner {
                body["owner_id"] = format!("u{owner}").into();
            }
            put(DocumentType::Device, &acc(account), &format!("d{id}"), body)
        }
        Step::Numbers(account, id, numbers) => {
            let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
            let body = json!({"numbers": numbers, "flow": {}});
            put(
                DocumentType::Callflow,
                &acc(account),
                &format!("f{id}"),
                body,
            )
        }
        Step::Delete(DocumentType::Account, account, _) => {
            Write::Delete(key(DocumentType::Account, &acc(account), &acc(account)))
        }
        Step::Delete(kind, account, id) => {
            let letter = if kind == DocumentType::Device {
                "d"
            } else {
                "f"
            };
            Write::Delete(key(kind, &acc(account), &format!("{letter}{id}")))
        }
    }
}

/// What an index should say, read from all documents.
fn agree(store: &Store) {
    let mut realms: BTreeMap<String, String> = BTreeMap::new();
    for document in store.scan(DocumentType::Account, None) {
        let document = document.unwrap();
        if let Some(realm) = document.body.get("realm") {
            let realm = realm.as_str().unwrap().to_lowercase();
            let clash = realms.insert(realm, document.key.id.to_string());
            assert_eq!(clash, None, "one realm, two accounts");
        }
    }
    let account_realms: BTreeMap<_, _> =
        realms.iter().map(|(r, a)| (a.clone(), r.clone())).collect();
    let mut addresses = BTreeMap::new();
    let mut enabled_ips = BTreeSet::new();
    for document in store.scan(DocumentType::Device, None) {
        let Document { key, body } = document.unwrap();
        let sip = &body["sip"];
        if let Some(ip) = sip["ip"].as_str()
            && body["enabled"] == true
        {
            assert!(
                enabled_ips.insert(ip.to_owned()),
                "one address, two devices"
            );
            let ip = ip.split(':').next().unwrap().parse().unwrap();
            let found = store.device_by_ip(ip).unwrap();
            assert_eq!(found, Some((key.account.clone(), key.id.clone())));
        }
        if let Some(owner) = body.get("owner_id") {
            let owned = store.devices_of(&key.account, &id(owner.as_str().unwrap()));
            assert!(owned.unwrap().contains(&key.id));
        }
        let own = sip["realm"].as_str().map(str::to_lowercase);
        let realm = own.or_else(|| account_realms.get(key.account.as_str()).cloned());
        if let (Some(username), Some(realm)) = (sip["username"].as_str(), realm) {
            let address = (username.to_lowercase(), realm);
            let owner = (key.account, key.id);
            assert_eq!(
                addresses.insert(address, owner),
                None,
                "one address, two devices"
            );
        }
    }
    for username in 0..3 {
        for number in 0..3 {
            let address = (format!("user{username}"), realm(number).to_lowercase());
            let found = store.device_by_address(&address.0, &address.1).unwrap();
            assert_eq!(found, addresses.get(&address).cloned(), "{address:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn indexes_say_what_the_documents_say(changes in steps()) {
        let store = Store::temporary().unwrap();
        let accounts = (0..3).map(|number| write(Step::Realm(number, None)));
        apply(&store, accounts.collect()).unwrap();
        for change in changes {
            let writes = change.into_iter().map(write).collect();
            // refused or not, the store must be in step with itself
            let _ = apply(&store, writes);
            agree(&store);
        }
        sound(&store);
        let mut first = Vec::new();
        store.export(&mut first).unwrap();
        let copy = Store::temporary().unwrap();
        let report = copy.import(&mut first.as_slice(), false).unwrap();
        prop_assert_eq!(report.problems, []);
        let mut second = Vec::new();
        copy.export(&mut second).unwrap();
        prop_assert_eq!(first, second);
        agree(&copy);
    }
}
