//! Ten thousand hostile texts: none leaves its place in a reply, neither for a parser of XML nor for FreeSWITCH's
//! preprocessor, which reads the reply before it (event socket specification 6.3).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at the first surprise"
)]

mod directory_support;

use directory_support::{device, put};
use linefinder::directory::{Element, Form, Settings, Value, reply};
use linefinder::documents::DocumentType;
use linefinder::store::Store;
use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::Event;
use serde_json::json;

/// What breaks out somewhere: of XML, of a line, of a dial string, of a form.
const PIECES: &[&str] = &[
    "$${domain}",
    "$",
    "${system(id)}",
    "<X-PRE-PROCESS cmd=\"exec\" data=\"id\"/>",
    "x-PRE-process",
    "<include>",
    "</include>",
    "<?xml version=\"1.0\"?>",
    "<?",
    "?>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<!DOCTYPE a [<!ENTITY b \"c\">]>",
    "&lt;",
    "&amp;",
    "&#10;",
    "&#x24;",
    "\"",
    "'",
    "/>",
    "</user>",
    "\"/><param name=\"password\" value=\"\"",
    "\n",
    "\r\n",
    "\0",
    "\t",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{ffff}",
    "%0a",
    "%24",
    "%",
    "&user=1001",
    "=",
    "+",
    ",",
    "|",
    ":_:",
    "[a=b]",
    "{a=b}",
    "^^",
    "\\",
    "é",
    "\u{1f600}",
    " ",
    "a",
    "1001",
    "@",
    ";",
    "sip:",
];

fn hostile(longest: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..longest).prop_map(|pieces| pieces.concat())
}

/// What FreeSWITCH's preprocessor would act on, by lines.
fn preprocessed(text: &str) -> Option<&str> {
    text.lines().find(|line| {
        let lower = line.to_ascii_lowercase();
        line.contains('$')
            || lower.contains("x-pre-process")
            || line.contains("<include>")
            || line.contains("</include>")
            || line.contains("<?")
            || line.contains("<!")
    })
}

/// Names and attributes of all elements; panics on what is no XML.
fn elements(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut reader = Reader::from_str(text);
    let mut found = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) | Event::Empty(tag) => {
                let name = tag.name().as_ref().to_owned();
                let attributes = tag.attributes().map(|attribute| {
                    let attribute = attribute.unwrap();
                    let key = attribute.key.as_ref().to_owned();
                    let value = attribute.normalized_value(XmlVersion::Implicit1_0);
                    (key, value.unwrap().into_owned())
                });
                found.push((name, attributes.collect()));
            }
            Event::End(_) => {}
            Event::Text(text) => assert!(
                text.chars().all(|c| c.is_ascii_whitespace()),
                "text between elements"
            ),
            Event::Eof => return found,
            other => panic!("unexpected {other:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn a_value_is_read_back_as_it_was_written(text in hostile(12)) {
        let acts = text.contains('$') || {
            let kept: String = text.chars().filter(|c| !c.is_control()).collect();
            let kept: String = kept.chars().filter(|c| !"\u{fffe}\u{ffff}\u{2028}\u{2029}".contains(*c)).collect();
            kept.to_ascii_lowercase().contains("x-pre-process")
        };
        let Ok(value) = Value::new(&text) else {
            prop_assert!(acts, "refused without need: {text:?}");
            return Ok(());
        };
        prop_assert!(!acts, "not refused: {text:?}");
        let kept = value.as_str().to_owned();
        let inner = Element::new("param").with("name", value.clone()).with("value", value.clone());
        let written = Element::new("user").with("id", value).holding([inner]).render();
        prop_assert_eq!(preprocessed(&written), None);
        prop_assert_eq!(written.lines().count(), 3);
        let attribute = |name: &str| (name.to_owned(), kept.clone());
        let expected = vec![
            ("user".to_owned(), vec![attribute("id")]),
            ("param".to_owned(), vec![attribute("name"), attribute("value")]),
        ];
        prop_assert_eq!(elements(&written), expected);
    }

    #[test]
    fn any_form_is_read(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let form = Form::parse(&body);
        let decoded = form.last("user").zip(form.first("section"));
        prop_assert!(decoded.is_none_or(|(user, section)| !user.is_empty() && !section.is_empty()));
    }
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// What the schema of a device lets through: it refuses blanks and control characters.
fn storable(text: &str) -> String {
    let kept = text
        .chars()
        .filter(|c| !c.is_whitespace() && !c.is_control() && !matches!(c, '@' | '/' | '\u{feff}'));
    kept.collect()
}

/// User names and realms as documents may hold them, through store, dial string and reply.
#[test]
fn ten_thousand_hostile_devices() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let texts = (hostile(4), hostile(3));
    let store = Store::temporary().unwrap();
    let account = json!({"name": "A", "realm": "acme.test"});
    put(
        &store,
        vec![directory_support::document(
            DocumentType::Account,
            "acme",
            "acme",
            account,
        )],
    );
    let (mut devices, mut writes) = (Vec::new(), Vec::new());
    for number in 0..10_000 {
        let (name, realm) = texts.new_tree(&mut runner).unwrap().current();
        // Unique, and within the lengths of the schema.
        let user: String = format!("{number}.{}", storable(&name))
            .chars()
            .take(32)
            .collect();
        let realm: String = format!("realm{number}.{}", storable(&realm))
            .chars()
            .take(64)
            .collect();
        let sip = json!({"username": user, "realm": realm, "password": "secret"});
        let body = json!({"name": "d", "owner_id": "alice", "sip": sip});
        writes.push(device(&format!("d{number}"), body));
        devices.push((user, realm));
    }
    for chunk in writes.chunks(500) {
        store.apply_blocking(chunk.to_vec().into()).unwrap();
    }
    let settings = Settings::default();
    let (mut told, mut refused) = (0, 0);
    for (user, realm) in &devices {
        let (encoded_user, encoded_realm) = (percent(user), percent(realm));
        let body = format!(
            "section=directory&Event-Name=REQUEST_PARAMS&action=sip_auth&sip_auth_method=INVITE&key=id\
             &sip_auth_username={encoded_user}&sip_auth_realm={encoded_realm}&user={encoded_user}&domain={encoded_realm}"
        );
        let text = reply(&store, &settings, body.as_bytes()).unwrap();
        assert_eq!(preprocessed(&text), None, "{user:?}@{realm:?}");
        let found = elements(&text);
        if found.iter().any(|(name, _)| name == "result") {
            refused += 1;
            continue;
        }
        told += 1;
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names[..4],
            ["document", "section", "domain", "user"],
            "{text}"
        );
        let params: Vec<_> = found
            .iter()
            .filter(|(name, _)| name == "param")
            .map(|(_, a)| a[0].1.as_str())
            .collect();
        assert_eq!(params[..2], ["a1-hash", "allow-empty-password"], "{text}");
        assert!(
            params[2..].is_empty() || params[2..] == ["dial-string"],
            "{text}"
        );
        let variables: Vec<_> = found
            .iter()
            .filter(|(name, _)| name == "variable")
            .map(|(_, a)| a[0].1.as_str())
            .collect();
        assert_eq!(
            variables,
            [
                "user_context",
                "accountcode",
                "lf_account_id",
                "lf_authorizing_type",
                "lf_authorizing_id",
                "lf_username",
                "lf_realm",
                "lf_device_id",
                "lf_account_realm",
                "lf_owner_id"
            ],
            "{text}"
        );
        let dialled = found
            .iter()
            .find(|(_, a)| a.first().is_some_and(|(_, name)| name == "dial-string"));
        if let Some((_, attributes)) = dialled {
            let dialled = &attributes[1].1;
            assert!(
                !dialled.contains(['[', '{', ',', '|', '$', '\'', '\\', ' ']),
                "{dialled}"
            );
        }
    }
    assert!(
        told > 1_000 && refused > 1_000,
        "{told} told, {refused} refused"
    );
}
