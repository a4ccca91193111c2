use super::*;
use crate::store::index_keys::{NUMBER, NUMBER_ANYWHERE, OWNED, document_of};
use crate::types::{AccountId, DocumentId};

fn entries(kind: DocumentType, json: Value) -> Vec<IndexEntry> {
    let key = DocumentKey {
        kind,
        account: AccountId::new("acc").unwrap(),
        id: DocumentId::new("doc").unwrap(),
    };
    entries_of(&key, json.as_object().unwrap())
}

fn keys_of(kind: DocumentType, json: Value) -> Vec<Vec<u8>> {
    entries(kind, json).into_iter().map(|e| e.key).collect()
}

fn owned(user: &str) -> Vec<u8> {
    index_keys::entry(OWNED, &["acc", user, "doc"])
}

#[test]
fn a_hotdesked_device_leaves_its_nominal_owner() {
    let found = keys_of(
        DocumentType::Device,
        serde_json::json!({"owner_id": "u1", "hotdesk": {"users": {"u2": {}, "u3": {}}}}),
    );
    assert_eq!(found, [owned("u2"), owned("u3")]);
    let found = keys_of(
        DocumentType::Device,
        serde_json::json!({"owner_id": "u1", "hotdesk": {"users": {}}}),
    );
    assert_eq!(found, [owned("u1")]);
}

#[test]
fn a_number_twice_is_one_entry() {
    let found = keys_of(
        DocumentType::Callflow,
        serde_json::json!({"numbers": ["100", "100", "", 7]}),
    );
    let wanted = [
        index_keys::entry(NUMBER_ANYWHERE, &["100", "acc", "doc"]),
        index_keys::entry(NUMBER, &["acc", "100", "doc"]),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn wrong_shapes_index_nothing() {
    for json in [
        serde_json::json!({"sip": 1}),
        serde_json::json!({"sip": {"username": 5, "ip": "pbx"}, "hotdesk": []}),
        serde_json::json!({"owner_id": null, "mac_address": 7}),
    ] {
        assert_eq!(entries(DocumentType::Device, json), []);
    }
    for json in [
        serde_json::json!({"servers": 1}),
        serde_json::json!({"servers": [1, {"auth": [], "DIDs": []}]}),
    ] {
        assert_eq!(entries(DocumentType::Connectivity, json), []);
    }
}

#[test]
fn every_entry_leads_back_to_its_document() {
    let account = serde_json::json!({"name": "My Co.", "realm": "my.co", "pvt_api_key_hash": "k",
        "pvt_superduper_admin": true, "pvt_tree": ["top", "mid"]});
    let user =
        serde_json::json!({"username": "Bob", "hotdesk": {"id": 7}, "pvt_credentials": ["h"]});
    let sip = serde_json::json!({"username": "1", "ip": "192.0.2.1", "method": "ip"});
    let device = serde_json::json!({"mac_address": "0004f2ab7efd", "owner_id": "u", "sip": sip});
    let abroad = serde_json::json!({"sip": {"username": "1", "realm": "r.test"}});
    let flow = serde_json::json!({"numbers": ["1"], "patterns": ["^1$", "x".repeat(999)]});
    let servers = serde_json::json!([
        {"auth": {"auth_user": "u"}, "DIDs": {"2125551234": {}}},
        {"auth": {"auth_method": "IP"}, "options": {"ip": "192.0.2.7"}},
    ]);
    let trunks = serde_json::json!({"account": {"auth_realm": "r"}, "servers": servers});
    let conference = serde_json::json!({"conference_numbers": ["1"], "member": {"numbers": ["2"]}});
    let cases = [
        (DocumentType::User, user, 4),
        (DocumentType::Device, device, 4),
        (DocumentType::Device, abroad, 2),
        (DocumentType::Callflow, flow, 5),
        (DocumentType::Connectivity, trunks, 4),
        (DocumentType::Number, serde_json::json!({}), 1),
        (
            DocumentType::Vmbox,
            serde_json::json!({"name": "V", "mailbox": "1"}),
            2,
        ),
        (DocumentType::Conference, conference, 2),
        (DocumentType::Recording, serde_json::json!({"start": 5}), 1),
    ];
    for (kind, body, count) in cases {
        let found = entries(kind, body);
        assert_eq!(found.len(), count, "{kind}");
        for entry in found {
            let document = document_of(&entry.key, &entry.value).unwrap();
            assert_eq!(document.to_string(), format!("{kind} acc/doc"));
        }
    }
    let key = DocumentKey {
        kind: DocumentType::Account,
        account: AccountId::new("acc").unwrap(),
        id: DocumentId::new("acc").unwrap(),
    };
    let found = entries_of(&key, account.as_object().unwrap());
    assert_eq!(found.len(), 7);
    for entry in found {
        assert_eq!(document_of(&entry.key, &entry.value).as_ref(), Some(&key));
    }
}
