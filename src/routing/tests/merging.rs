//! Devices specification 1.1 and 1.2.

use std::sync::Arc;

use crate::documents::{Account, CallerIdKind, Device, User};
use crate::routing::merge::{Level, Merged};
use crate::types::DocumentId;
use serde_json::{Value, json};

fn device(value: Value) -> Device {
    serde_json::from_value(value).unwrap()
}

fn user(id: &str, value: Value) -> (DocumentId, Arc<User>) {
    let user = serde_json::from_value(value).unwrap();
    (DocumentId::new(id).unwrap(), Arc::new(user))
}

fn account(value: Value) -> Account {
    serde_json::from_value(value).unwrap()
}

#[test]
fn the_owner_is_the_single_hotdesked_user() {
    let users = [user("u1", json!({})), user("u2", json!({}))];
    let account = Account::default();
    let owner = |value| {
        let device = device(value);
        let merged = Merged::of_device(&account, &device, &users);
        (
            merged.owner.map(|(id, _)| id.as_str().to_owned()),
            merged.hotdesked.len(),
        )
    };
    let id = |id: &str| Some(id.to_owned());
    assert_eq!(owner(json!({"owner_id": "u1"})), (id("u1"), 0));
    assert_eq!(owner(json!({"owner_id": "gone"})), (None, 0));
    let one = json!({"owner_id": "u1", "hotdesk": {"users": {"u2": {}}}});
    assert_eq!(owner(one), (id("u2"), 0));
    let unknown = json!({"owner_id": "u1", "hotdesk": {"users": {"gone": {}}}});
    assert_eq!(owner(unknown), (None, 0));
    let both = json!({"owner_id": "u1", "hotdesk": {"users": {"u1": {}, "u2": {}}}});
    assert_eq!(owner(both), (None, 2));
}

#[test]
fn levels_of_caller_ids() {
    let id = |number: &str| {
        json!({"caller_id": {
            "internal": {"number": number}, "emergency": {"number": number, "name": ""},
        }})
    };
    let (device, users) = (device(id("2")), [user("u", id("3"))]);
    let of = |value: Value, kind| {
        let account = account(value);
        let mut merged = Merged::of_device(&account, &device, &users);
        merged.owner = users.first().map(|(id, user)| (id, &**user));
        merged
            .caller_number(kind)
            .map(|(number, level)| (number.to_owned(), level))
    };
    let plain = id("1");
    let mut preferring = id("1");
    preferring["prefer_device_caller_id"] = json!(true);
    let found = |number: &str, level| Some((number.to_owned(), level));
    use CallerIdKind::{Emergency, External, Internal};
    assert_eq!(of(plain.clone(), Internal), found("3", Level::Owner));
    assert_eq!(of(preferring, Internal), found("2", Level::Device));
    assert_eq!(of(plain.clone(), Emergency), found("2", Level::Device));
    assert_eq!(of(plain, External), None);
}

#[test]
fn the_owners_name_is_an_internal_name_only() {
    let users = [user(
        "u",
        json!({"first_name": "Alice", "last_name": "Archer"}),
    )];
    let device = device(json!({"owner_id": "u", "caller_id": {"internal": {"name": "Desk"}}}));
    let account = Account::default();
    let merged = Merged::of_device(&account, &device, &users);
    let (name, level) = merged.caller_name(CallerIdKind::Internal).unwrap();
    assert_eq!((&*name, level), ("Alice Archer", Level::Owner));
    assert_eq!(merged.caller_name(CallerIdKind::External), None);
}

#[test]
fn the_owner_decides_some_things_and_the_device_others() {
    let value = |number: u32| {
        json!({
            "music_on_hold": {"media_id": format!("m{number}")}, "language": format!("l{number}"),
            "presence_id": format!("p{number}"), "call_waiting": {"enabled": number != 2},
            "ringtones": {"internal": format!("r{number}")},
            "do_not_disturb": {"enabled": number == 1},
        })
    };
    let mut own = value(2);
    own["owner_id"] = json!("u");
    let (account, device, users) = (account(value(1)), device(own), [user("u", value(3))]);
    let merged = Merged::of_device(&account, &device, &users);
    assert_eq!(merged.music_on_hold(), Some(("m3", Level::Owner)));
    assert_eq!(merged.language(), Some(("l3", Level::Owner)));
    assert_eq!(merged.presence_id(), Some(("p3", Level::Owner)));
    assert_eq!(merged.ringtone(true), Some(("r3", Level::Owner)));
    assert_eq!(merged.ringtone(false), None);
    assert_eq!(merged.call_waiting(), (false, Some(Level::Device)));
    assert_eq!(merged.do_not_disturb(), Some(Level::Account));
}

#[test]
fn an_enabled_forward_of_the_device_stands_alone() {
    let users = [user(
        "u",
        json!({"call_forward":
        {"enabled": true, "number": "9", "substitute": false, "keep_caller_id": false}}),
    )];
    let account = Account::default();
    let number = |forward: Value| {
        let device = device(json!({"owner_id": "u", "call_forward": forward}));
        let merged = Merged::of_device(&account, &device, &users);
        merged
            .forward()
            .map(|f| (f.number.to_owned(), f.substitute, f.enabled))
    };
    let found = |number: &str, substitute, enabled| Some((number.to_owned(), substitute, enabled));
    assert_eq!(
        number(json!({"enabled": true, "number": "1"})),
        found("1", true, true)
    );
    assert_eq!(number(json!({"enabled": true})), None);
    assert_eq!(
        number(json!({"enabled": false, "number": "1"})),
        found("9", false, true)
    );
    assert_eq!(number(json!({})), found("9", false, true));
}

#[test]
fn an_empty_number_of_the_owner_overrides_nothing() {
    let users = [user(
        "u",
        json!({"call_forward": {"enabled": true, "number": "", "substitute": null}}),
    )];
    let device = device(json!({"owner_id": "u", "call_forward":
        {"enabled": false, "number": "1", "substitute": false}}));
    let account = Account::default();
    let forward = Merged::of_device(&account, &device, &users)
        .forward()
        .unwrap();
    assert_eq!((forward.number, forward.enabled), ("1", true));
    assert!(!forward.substitute && forward.require_keypress && forward.keep_caller_id);
    assert!(!forward.failover && !forward.direct_calls_only);
}

#[test]
fn flags_are_joined() {
    let account = account(json!({"outbound_flags": ["a", "b"]}));
    let device = device(json!({"outbound_flags": {"static": ["b", "c"], "dynamic": ["zone"]}}));
    let merged = Merged::of_device(&account, &device, &[]);
    assert_eq!(merged.outbound_flags(), (vec!["a", "b", "c"], vec!["zone"]));
}
