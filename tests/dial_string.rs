//! Whatever values go into a dial string, FreeSWITCH's parser reads back what was meant: the same
//! groups, the same endpoints, the same variables, and nothing is run or injected.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

use std::collections::BTreeMap;

use linefinder::routing::numbers::Normalizer;
use linefinder::routing::{
    Binding, DialLeg, DialString, Endpoint, Invite, InviteInput, LegError, Variables, clean,
    endpoint,
};
use linefinder::sim::dial_string::{ParsedDial, parse};
use linefinder::types::{HangupCause, InviteFormat};
use proptest::prelude::*;

/// Renders and reads back.
#[track_caller]
fn assert_round_trip(dial: &DialString) -> ParsedDial {
    let text = dial.render();
    let parsed = parse(&text);
    let pairs = |variables: &Variables| -> Vec<(String, String)> {
        let owned = |(n, v): (&str, &str)| (n.to_owned(), v.to_owned());
        variables.iter().map(owned).collect()
    };

    assert_eq!(parsed.faults, [], "{text:?}");
    assert!(parsed.enterprise.is_empty());
    assert!(!text.contains("${") && !text.contains(":_:"), "{text:?}");
    let separator = |c: char| c == '\u{1f}';
    assert!(
        !text.contains(|c: char| c.is_control() && !separator(c)),
        "{text:?}"
    );
    assert!(!text.contains(['\'', '\\', '$']), "{text:?}");

    let groups: Vec<_> = dial.groups.iter().filter(|legs| !legs.is_empty()).collect();
    assert_eq!(parsed.groups.len(), groups.len(), "{text:?}");
    for (legs, parsed_legs) in groups.iter().zip(&parsed.groups) {
        assert_eq!(legs.len(), parsed_legs.len(), "{text:?}");
        for (leg, parsed_leg) in legs.iter().zip(parsed_legs) {
            assert_eq!(leg.endpoint.to_string(), parsed_leg.endpoint, "{text:?}");
            assert_eq!(pairs(&leg.variables), parsed_leg.variables, "{text:?}");
            for (name, value) in leg.variables.iter() {
                assert!(!value.contains(separator), "{text:?}");
                assert_eq!(
                    parsed.variable(parsed_leg, name),
                    Some(value),
                    "the leg's wins"
                );
            }
        }
    }
    let global = pairs(&dial.global);
    let added = |(name, _): &&(String, String)| {
        name != "local_var_clobber" || dial.global.get(name).is_some()
    };
    let parsed_global: Vec<_> = parsed.global.iter().filter(added).cloned().collect();
    assert_eq!(parsed_global, global, "{text:?}");
    parsed
}

fn input<'a>(format: InviteFormat, dialed: &'a str, us: &'a Normalizer) -> InviteInput<'a> {
    static NODES: BTreeMap<linefinder::types::NodeName, String> = BTreeMap::new();
    InviteInput {
        format,
        username: Some("2001"),
        static_invite: None,
        static_route: None,
        number: None,
        route: None,
        ip: None,
        by_ip_only: false,
        proxy: None,
        forward: None,
        transport: None,
        profile: None,
        realm: Some("acme.example.com"),
        dialed,
        normalizer: us,
        default_profile: "internal",
        forward_context: "default",
        node: "node-a",
        nodes: &NODES,
    }
}

fn binding(contact: &str) -> Binding<'_> {
    Binding {
        node: "node-a",
        profile: "internal",
        user: "2001",
        realm: "acme.example.com",
        contact,
    }
}

/// Pieces that mean something to one of FreeSWITCH's passes.
const TRICKS: &[&str] = &[
    "]",
    "[",
    "{",
    "}",
    "<",
    ">",
    "'",
    "''",
    "\"",
    "\\",
    "\\n",
    "\\r\\n",
    "\\'",
    "\\\\",
    ",",
    "|",
    "=",
    "^^!",
    "^",
    "^^:",
    ":_:",
    ":_",
    "_:",
    ":",
    "ARRAY::",
    "|:",
    "$",
    "${",
    "${system(id)}",
    "$${domain}",
    "$\\{a}",
    "%",
    "%0d%0a",
    "%[a=b]",
    "\r\n",
    "\n",
    "\r",
    "\t",
    "\0",
    "\u{1}",
    "\u{2}",
    "\u{1f}",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{FFFD}",
    " ",
    "  ",
    "!",
    "~",
    "#",
    ";",
    "*",
    "/",
    "?",
    "@",
    "&",
    "!~#;*/?\"@&",
    "sofia/gateway/toll/900",
    "error/USER_BUSY",
    "sip:",
    "fs_path=",
    ";fs_path=",
    "local_var_clobber=true",
    "[^^!a=b]",
    "_undef_",
    "ä",
    "田中",
    "😀",
    "e\u{301}",
    "\u{202e}",
    "X-Evil: 1",
    "0",
    "7",
    "a",
    "b",
];

fn hostile() -> impl Strategy<Value = String> {
    let trick = proptest::sample::select(TRICKS).prop_map(str::to_owned);
    let bytes = proptest::collection::vec(any::<u8>(), 0..6)
        .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = any::<char>().prop_map(String::from);
    let piece = prop_oneof![6 => trick, 1 => bytes, 1 => text, 1 => "[a-z0-9]{1,8}"];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// One variable through one of the setters.
#[derive(Debug, Clone)]
enum Setting {
    Text(String, String),
    Name(String),
    Number(String),
    Header(String, String),
    Uri(String),
}

impl Setting {
    fn apply(&self, variables: &mut Variables) {
        match self {
            Self::Text(name, value) => variables.set(name.as_str(), value),
            Self::Name(value) => variables.set_display_name("origination_caller_id_name", value),
            Self::Number(value) => variables.set_number("origination_caller_id_number", value),
            Self::Header(name, value) => {
                let set = variables.set_header(name, value);
                assert_eq!(set, clean::is_header_name(name));
            }
            Self::Uri(value) => {
                // Refused or taken, never changed.
                for uri in [format!("sip:{value}@[2001:db8::1]:5060"), value.clone()] {
                    if variables.set_uri("sip_route_uri", &uri).is_ok() {
                        assert_eq!(variables.get("sip_route_uri"), Some(uri.as_str()));
                    }
                }
            }
        }
    }
}

fn setting() -> impl Strategy<Value = Setting> {
    let name = prop_oneof![
        4 => "[a-z]{1,2}",
        1 => "(sip_h_|SIP_H_)(X-A|x-a|Via|X B)",
        1 => "(origination|effective)_(caller|callee)_id_(name|number)",
        1 => hostile(),
    ];
    let header = prop_oneof![3 => "X-[A-Za-z0-9_-]{1,4}", 1 => hostile()];
    prop_oneof![
        3 => (name, hostile()).prop_map(|(n, v)| Setting::Text(n, v)),
        1 => hostile().prop_map(Setting::Name),
        1 => hostile().prop_map(Setting::Number),
        2 => (header, hostile()).prop_map(|(n, v)| Setting::Header(n, v)),
        1 => hostile().prop_map(Setting::Uri),
    ]
}

fn variables() -> impl Strategy<Value = Variables> {
    proptest::collection::vec(setting(), 0..7).prop_map(|settings| {
        let mut variables = Variables::default();
        settings.iter().for_each(|s| s.apply(&mut variables));
        variables
    })
}

/// An endpoint out of hostile values, or, where those are refused, a harmless one.
fn any_endpoint() -> impl Strategy<Value = Endpoint> {
    let format = proptest::sample::select(vec![
        InviteFormat::Username,
        InviteFormat::Contact,
        InviteFormat::E164,
        InviteFormat::Route,
    ]);
    let kinds = (0..6_u8, format, hostile(), hostile(), hostile());
    kinds.prop_map(|(kind, format, a, b, c)| {
        let us = Normalizer::us();
        let contact = format!("\"{a}\" <sip:{b}@192.0.2.1:5060;fs_path={c}>");
        let mut input = input(format, &a, &us);
        input.route = Some(&b);
        let dialled = |invite: Result<Invite, LegError>| invite.ok().map(|invite| invite.endpoint);
        let made = match kind {
            0 => dialled(endpoint(&input, Some(&binding(&contact)))),
            1 => {
                input.ip = Some(&b);
                input.static_invite = Some(&c);
                dialled(endpoint(&input, None))
            }
            2 => {
                input.proxy = Some(&b);
                input.profile = Some(&c);
                dialled(endpoint(&input, Some(&binding("<sip:x@192.0.2.1>"))))
            }
            3 => Endpoint::loopback(&clean::number(&a), "default").ok(),
            4 => Endpoint::gateway("gw1", &a).ok(),
            _ => Endpoint::sofia_route(&format!("sofia/{a}/{b}")).ok(),
        };
        made.unwrap_or(Endpoint::Error(HangupCause::UserBusy))
    })
}

fn leg() -> impl Strategy<Value = DialLeg> {
    (variables(), any_endpoint()).prop_map(|(variables, endpoint)| DialLeg {
        variables,
        endpoint,
    })
}

fn dial_string() -> impl Strategy<Value = DialString> {
    let legs = proptest::collection::vec(leg(), 1..4);
    let groups = proptest::collection::vec(legs, 1..4);
    (variables(), groups).prop_map(|(global, groups)| DialString { global, groups })
}

proptest! {
    // Some 15 hostile values each.
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn any_dial_string_reads_back_as_it_was_meant(dial in dial_string()) {
        assert_round_trip(&dial);
    }

    #[test]
    fn the_parser_takes_any_text(text in hostile()) {
        let _ = parse(&text);
    }
}

fn harmless() -> Endpoint {
    Endpoint::sofia("internal", "sip:2001@192.0.2.1").unwrap()
}

#[test]
fn every_trick_in_every_place() {
    let us = Normalizer::us();
    let mut values = 0;
    for first in TRICKS {
        for second in TRICKS {
            let value = format!("a{first}{second}b");
            let mut legs = Vec::new();
            for setting in [
                Setting::Text("alert_info".into(), value.clone()),
                Setting::Name(value.clone()),
                Setting::Number(value.clone()),
                Setting::Header("X-A".into(), value.clone()),
                Setting::Uri(value.clone()),
            ] {
                let mut variables = Variables::default();
                variables.set("first", "1");
                setting.apply(&mut variables);
                variables.set("last", "1");
                let endpoint = harmless();
                legs.push(DialLeg {
                    variables,
                    endpoint,
                });
                values += 1;
            }
            let contact = format!("<sip:{value}@192.0.2.1;x={value}>");
            let input = input(InviteFormat::Contact, &value, &us);
            if let Ok(invite) = endpoint(&input, Some(&binding(&contact))) {
                let variables = Variables::default();
                let endpoint = invite.endpoint;
                legs.push(DialLeg {
                    variables,
                    endpoint,
                });
            }
            let mut dial = DialString {
                groups: vec![legs.clone(), legs],
                ..DialString::default()
            };
            dial.global.set("hold_music", &value);
            assert_round_trip(&dial);
        }
    }
    assert!(values > 10_000, "{values}");
}

#[test]
fn the_bounds_of_freeswitch_hold() {
    let mut variables = Variables::default();
    for n in 0..1100 {
        variables.set(format!("v{n}"), "x,y");
    }
    let endpoint = harmless();
    let many = DialLeg {
        variables,
        endpoint,
    };
    let parsed = assert_round_trip(&DialString {
        groups: vec![vec![many]],
        ..DialString::default()
    });
    assert_eq!(parsed.groups[0][0].variables.len(), 1024);

    let one = DialLeg {
        variables: Variables::default(),
        endpoint: harmless(),
    };
    let dial = DialString {
        groups: vec![vec![one; 128]; 128],
        ..DialString::default()
    };
    assert_round_trip(&dial);
}

#[test]
fn a_callers_name_can_neither_run_nor_dial_anything() {
    let mut variables = Variables::default();
    variables.set_display_name(
        "origination_caller_id_name",
        "x]sofia/gateway/toll/900,${system(id)}|'\\r\\n%0d%0a",
    );
    let endpoint = harmless();
    let dial = DialString {
        groups: vec![vec![DialLeg {
            variables,
            endpoint,
        }]],
        ..DialString::default()
    };
    let parsed = assert_round_trip(&dial);
    assert_eq!(
        parsed.groups[0][0].variable("origination_caller_id_name"),
        Some("xsofiagatewaytoll900systemidrn0d0a")
    );
}
