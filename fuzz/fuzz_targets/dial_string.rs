//! Arbitrary values into a dial string; FreeSWITCH's parser has to read back what was meant.
//!
//! The input is cut at 0xFF into values. The first byte of each says where it goes.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use linefinder::routing::numbers::Normalizer;
use linefinder::routing::{
    Binding, DialLeg, DialString, Endpoint, InviteInput, Variables, clean, endpoint,
};
use linefinder::sim::dial_string::{Fault, parse};
use linefinder::types::{InviteFormat, NodeName};

static US: Normalizer = Normalizer::us();
static NODES: BTreeMap<NodeName, String> = BTreeMap::new();

fn input(dialed: &str) -> InviteInput<'_> {
    InviteInput {
        format: InviteFormat::Username,
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
        normalizer: &US,
        default_profile: "internal",
        forward_context: "default",
        node: "a",
        nodes: &NODES,
    }
}

/// An endpoint that the value takes part in, if it is accepted.
fn made(kind: u8, value: &str) -> Option<Endpoint> {
    let mut input = input(value);
    let contact = match kind % 8 {
        0 => value.to_owned(),
        1 => format!("\"{value}\" <sip:{value}@192.0.2.1;fs_path={value}>"),
        _ => "<sip:x@192.0.2.1:5060>".to_owned(),
    };
    match kind % 8 {
        0 | 1 => input.format = InviteFormat::Contact,
        2 => input.format = InviteFormat::E164,
        3 => (input.format, input.route) = (InviteFormat::Route, Some(value)),
        4 => (input.ip, input.transport) = (Some(value), Some("tcp")),
        5 => (input.proxy, input.transport) = (Some(value), Some("tls")),
        6 => (input.profile, input.static_route) = (Some(value), Some(value)),
        _ => return Endpoint::loopback(&clean::number(value), "default").ok(),
    }
    let binding = Binding {
        node: "a",
        profile: "internal",
        user: "2001",
        realm: "acme.example.com",
        contact: &contact,
    };
    endpoint(&input, Some(&binding)).ok().map(|i| i.endpoint)
}

fn set(kind: u8, value: &str, variables: &mut Variables) {
    match kind % 8 {
        0 => variables.set_display_name("origination_caller_id_name", value),
        1 => variables.set_number("origination_caller_id_number", value),
        2 => variables.set("alert_info", value),
        3 => drop(variables.set_header("X-A", value)),
        4 => drop(variables.set_uri("sip_route_uri", value)),
        5 => variables.set(value, "a,b"),
        6 => drop(variables.set_header(value, value)),
        _ => variables.set("presence_id", value),
    }
}

fn dial_string(data: &[u8]) -> DialString {
    let mut dial = DialString::default();
    let mut variables = Variables::default();
    for piece in data.split(|b| *b == 0xff) {
        let Some((&kind, bytes)) = piece.split_first() else {
            continue;
        };
        let value = String::from_utf8_lossy(bytes);
        match kind >> 6 {
            0 | 1 => set(kind, &value, &mut variables),
            2 => set(kind, &value, &mut dial.global),
            _ => {
                let Some(endpoint) = made(kind, &value) else {
                    continue;
                };
                let variables = std::mem::take(&mut variables);
                let leg = DialLeg {
                    variables,
                    endpoint,
                };
                match dial.groups.last_mut() {
                    Some(legs) if kind & 8 == 0 => legs.push(leg),
                    _ => dial.groups.push(vec![leg]),
                }
            }
        }
    }
    dial
}

fuzz_target!(|data: &[u8]| {
    // The parser itself takes anything.
    let _ = parse(&String::from_utf8_lossy(data));

    let mut dial = dial_string(data);
    dial.groups.truncate(128);
    dial.groups.iter_mut().for_each(|legs| legs.truncate(128));
    let text = dial.render();
    let parsed = parse(&text);

    let control = |c: char| c.is_control() && c != '\u{1f}';
    assert!(
        !text.contains(control) && !text.contains(['\'', '\\', '$']),
        "{text:?}"
    );
    if dial.groups.is_empty() {
        assert_eq!(parsed.faults, [Fault::NothingToDial], "{text:?}");
        return;
    }
    assert_eq!(parsed.faults, [], "{text:?}");
    assert_eq!(parsed.groups.len(), dial.groups.len(), "{text:?}");
    for (legs, read) in dial.groups.iter().zip(&parsed.groups) {
        assert_eq!(legs.len(), read.len(), "{text:?}");
        for (leg, read) in legs.iter().zip(read) {
            assert_eq!(leg.endpoint.to_string(), read.endpoint, "{text:?}");
            let variables = read.variables.iter().map(|(n, v)| (n.as_str(), v.as_str()));
            assert!(leg.variables.iter().eq(variables), "{text:?}");
        }
    }
    let added = |name: &str| name == "local_var_clobber" && dial.global.get(name).is_none();
    let global = parsed.global.iter().map(|(n, v)| (n.as_str(), v.as_str()));
    assert!(
        dial.global.iter().eq(global.filter(|(n, _)| !added(n))),
        "{text:?}"
    );
});
