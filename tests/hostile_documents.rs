//! More than ten thousand hostile values (names, numbers, headers, contacts) on their whole way: through the store's
//! door, the decision, the dial string as FreeSWITCH's parser reads it, and the XML as its preprocessor and its reader
//! do. None leaves its place.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at the first surprise"
)]

mod directory_support;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use directory_support::document;
use linefinder::callflow::{self, Context, Resolved};
use linefinder::directory::{Bridge, Channel, Desk, Dialplan, Settings};
use linefinder::documents::{DocumentType, Registration};
use linefinder::routing::{self, BridgePlan, Silent};
use linefinder::sim::dial_string::parse;
use linefinder::store::{Store, Write};
use linefinder::switch::{Arrival, Handoff};
use linefinder::types::{CallId, NodeName};
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::Event;
use serde_json::{Value, json};

/// What breaks out somewhere.
const PIECES: &[&str] = &[
    "${system(id)}",
    "$${x}",
    "$",
    "'",
    "\"",
    "\\n",
    "\\",
    "]",
    "[",
    "}",
    "{",
    "|",
    ",",
    ":_:",
    "^^",
    "^",
    "%0d%0a",
    "%",
    "\r\nX-Evil: 1",
    "\n",
    "\0",
    "\t",
    ";",
    "=",
    "@",
    "<",
    ">",
    "</condition>",
    "<X-PRE-PROCESS cmd=\"exec\"/>",
    "<?",
    "<!--",
    "ARRAY::",
    "sofia/gateway/toll/900",
    "loopback/900",
    "&bridge(x)",
    "!",
    "~",
    "#",
    "*",
    "/",
    "?",
    "&",
    "\u{1f}",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "é",
    "\u{1f600}",
    " ",
    "a",
    "1",
];

struct Dice(u64);

impl Dice {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(below).unwrap()).unwrap()
    }

    fn text(&mut self, longest: usize) -> String {
        let pieces = 1 + self.next(6);
        let text: String = (0..pieces)
            .map(|_| PIECES[self.next(PIECES.len())])
            .collect();
        text.chars().take(longest).collect()
    }
}

const PHONES: usize = 1_500;

/// Nine hostile values each.
fn phone(number: usize, dice: &mut Dice) -> Value {
    let headers = json!({"X-A": dice.text(200), "X-B": dice.text(60)});
    json!({
        "name": format!("d{}", dice.text(60)),
        "presence_id": dice.text(60),
        "caller_id": {"internal": {"name": dice.text(35), "number": dice.text(35)}},
        "ringtones": {"internal": dice.text(200)},
        "music_on_hold": {"media_id": dice.text(200)},
        "sip": {"username": format!("u{number}"), "password": "secret", "static_invite": dice.text(60),
            "custom_sip_headers": {"out": headers}},
    })
}

fn flow(number: usize) -> Write {
    let body = json!({"numbers": [format!("7{number:04}")],
        "flow": {"module": "device", "data": {"id": format!("d{number}")}}});
    document(DocumentType::Callflow, "acme", &format!("c{number}"), body)
}

fn register(store: &Store, number: usize, contact: String) {
    store.register(Registration {
        node: NodeName::new("fs1").unwrap(),
        profile: "internal".into(),
        user: format!("u{number}"),
        realm: "acme.test".into(),
        contact,
        call_id: format!("r{number}"),
        network_ip: None,
        network_port: None,
        user_agent: None,
        expires_at: i64::MAX / 2,
        updated_ms: 0,
    });
}

fn arrival(number: usize, name: String) -> Arrival {
    let variables = [
        ("sip_authorized", "true"),
        ("sip_auth_username", "caller"),
        ("user_name", "caller"),
        ("domain_name", "acme.test"),
    ];
    Arrival {
        call: CallId::new("a0000000-0000-4000-8000-000000000001").unwrap(),
        node: NodeName::new("fs1").unwrap(),
        handoff: Handoff::Dialplan,
        sip_call_id: Some("s-1".into()),
        destination: format!("7{number:04}"),
        caller_number: Some(name.clone()),
        caller_name: Some(name),
        profile: Some("internal".into()),
        source: None,
        core: "core".into(),
        variables: variables
            .map(|(n, v)| (n.into(), v.into()))
            .into_iter()
            .collect::<HashMap<_, _>>(),
    }
}

/// One group with one leg to a phone, every variable where it was meant.
fn assert_reads_back(plan: &BridgePlan) -> String {
    let text = plan.dial.render();
    let parsed = parse(&text);
    assert_eq!(parsed.faults, [], "{text:?}");
    assert!(parsed.enterprise.is_empty(), "{text:?}");
    assert_eq!(parsed.groups.len(), 1, "{text:?}");
    let leg = &parsed.groups[0][0];
    assert_eq!(parsed.groups[0].len(), 1, "{text:?}");
    assert!(leg.endpoint.starts_with("sofia/internal/sip:"), "{text:?}");
    let meant: Vec<(String, String)> = plan.dial.groups[0][0]
        .variables
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(leg.variables, meant, "{text:?}");
    let bad = |c: char| c.is_control() && c != '\u{1f}';
    assert!(!text.contains(bad) && !text.contains('$'), "{text:?}");
    for (name, value) in plan.aleg.iter() {
        assert!(
            !value.contains(bad) && !value.contains("${"),
            "{name}={value:?}"
        );
    }
    text
}

/// A dialplan that says what it is told to.
struct Says(Mutex<Option<Bridge>>);

impl Dialplan for Says {
    fn bridge(&self, _: &Channel) -> Option<Bridge> {
        self.0.lock().unwrap().clone()
    }
}

/// Applications and their data.
fn actions(text: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(text);
    let mut found = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) | Event::Empty(tag) if tag.name().as_ref() == "action" => {
                let values = tag.attributes().map(|attribute| {
                    let value = attribute.unwrap();
                    let value = value.normalized_value(XmlVersion::Implicit1_0);
                    value.unwrap().into_owned()
                });
                let values: Vec<String> = values.collect();
                found.push((
                    values[0].clone(),
                    values.get(1).cloned().unwrap_or_default(),
                ));
            }
            Event::Eof => return found,
            Event::Start(_) | Event::Empty(_) | Event::End(_) => {}
            Event::Text(text) => assert!(text.chars().all(|c| c.is_ascii_whitespace())),
            other => panic!("unexpected {other:?}"),
        }
    }
}

#[test]
fn hostile_values_stay_in_their_places() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let store = Store::temporary().unwrap();
    let account = json!({"name": "A", "realm": "acme.test"});
    let caller = json!({"name": "caller", "sip": {"username": "caller", "password": "secret"}});
    directory_support::put(
        &store,
        vec![
            document(DocumentType::Account, "acme", "acme", account),
            document(DocumentType::Device, "acme", "caller", caller),
        ],
    );
    let (mut stored, mut refused) = (0, 0);
    for first in (0..PHONES).step_by(100) {
        let flows = (first..first + 100).map(flow).collect::<Vec<_>>();
        store.apply_blocking(flows.into()).unwrap();
    }
    for number in 0..PHONES {
        // What the store's door refuses is tried without the values that it refused.
        let mut body = phone(number, &mut dice);
        let id = format!("d{number}");
        for _ in 0..12 {
            let write = document(DocumentType::Device, "acme", &id, body.clone());
            let Err(error) = store.apply_blocking(vec![write].into()) else {
                stored += 1;
                break;
            };
            refused += 1;
            let told = error.to_string();
            let fields = ["presence_id", "caller_id", "ringtones", "music_on_hold"];
            if let Some(field) = fields.iter().find(|field| told.contains(**field)) {
                body.as_object_mut().unwrap().remove(*field);
            } else if told.contains("name") && !told.contains("sip") {
                body["name"] = json!("plain");
            } else {
                let sip = body["sip"].as_object_mut().unwrap();
                if sip.remove("static_invite").is_none() {
                    sip.remove("custom_sip_headers");
                }
            }
        }
        let contact = match number % 3 {
            0 => format!("<sip:u{number}@127.0.0.9:5062>"),
            1 => format!("<sip:u{number}@127.0.0.9:5062;x={}>", dice.text(60)),
            _ => format!("\"{}\" <sip:{}@127.0.0.9>", dice.text(20), dice.text(20)),
        };
        register(&store, number, contact);
    }
    assert!(
        stored > PHONES * 9 / 10,
        "{stored} stored, {refused} refusals"
    );
    let context = Context::new(
        store.clone(),
        routing::Settings::default(),
        callflow::Settings::default(),
    );
    let says = Arc::new(Says(Mutex::new(None)));
    let desk = Desk::new(store, Settings::default()).with_dialplan(says.clone());
    let question = b"section=dialplan&Event-Name=REQUEST_PARAMS&Hunt-Context=from-device";
    let (mut rung, mut told) = (0, 0);
    for number in 0..PHONES {
        let arrival = arrival(number, dice.text(60));
        let office = context.office(0, 0);
        let decision = callflow::decide(&context, &office, &arrival, &mut Silent).unwrap();
        let Resolved::Bridge(plan) = decision.result else {
            continue; // a contact that can't be dialled
        };
        rung += 1;
        let dial_string = assert_reads_back(&plan);
        let variables = plan.aleg.iter();
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        *says.0.lock().unwrap() = Some(Bridge {
            variables: variables.collect(),
            ring_ready: plan.ring_ready,
            give_up_s: plan.watched_for_s(),
            dial_string: dial_string.clone(),
        });
        let text = desk.reply(question).unwrap();
        for line in text.lines() {
            let lower = line.to_ascii_lowercase();
            let acts = ["$", "x-pre-process", "<include>", "<?", "<!"];
            assert!(!acts.iter().any(|act| lower.contains(act)), "{line}");
        }
        let actions = actions(&text);
        let Some(bridge) = actions.iter().find(|(name, _)| name == "bridge") else {
            continue; // not to be written as XML
        };
        told += 1;
        assert_eq!(bridge.1, dial_string);
        let known = ["set", "ring_ready", "sched_hangup", "bridge", "hangup"];
        assert!(
            actions
                .iter()
                .all(|(name, _)| known.contains(&name.as_str())),
            "{text}"
        );
    }
    assert!(
        rung > PHONES / 2 && told > PHONES / 4,
        "{rung} rung, {told} told"
    );
}
