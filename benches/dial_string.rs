//! What a decision costs at its end: the request URI, the dial string, the number rules.
//!
//! `cargo bench --bench dial_string`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark stops at the first surprise, its helpers included"
)]

use std::collections::BTreeMap;

use divan::{Bencher, black_box};
use linefinder::routing::numbers::{Classifiers, DialPlan, Normalizer, SystemDialPlans, rewrite};
use linefinder::routing::{
    Binding, DialLeg, DialString, Endpoint, InviteInput, Variables, clean, endpoint,
};
use linefinder::sim::dial_string::parse;
use linefinder::types::{InviteFormat, NodeName};

fn main() {
    divan::main();
}

static US: Normalizer = Normalizer::us();

/// The variables of an ordinary SIP leg.
fn variables() -> Variables {
    let mut v = Variables::default();
    v.set_bool("sofia_suppress_url_encoding", true);
    v.set("sip_invite_domain", "acme.example.com");
    v.set("presence_id", "2001@acme.example.com");
    v.set_number("origination_caller_id_number", "+14155550199");
    v.set_display_name("origination_caller_id_name", "Jürgen O'Brien");
    v.set_number("origination_callee_id_number", "2001");
    v.set_display_name("origination_callee_id_name", "Desk 2001");
    v.set_bool("ignore_completed_elsewhere", true);
    v.set_raw_number("leg_timeout", 20);
    v.set("absolute_codec_string", "OPUS,G722,PCMU,PCMA");
    v.set_header("X-Tenant", "blue, green");
    v.set("lf_device_id", "0123456789abcdef0123456789abcdef");
    v
}

fn leg() -> DialLeg {
    DialLeg {
        variables: variables(),
        endpoint: Endpoint::sofia("internal", "sip:2001@203.0.113.10:5060;fs_nat=yes").unwrap(),
    }
}

fn dial(legs: usize) -> DialString {
    let mut dial = DialString {
        groups: vec![vec![leg(); legs]],
        ..DialString::default()
    };
    dial.global.set_bool("ignore_early_media", true);
    dial
}

#[divan::bench]
fn clean_and_set_a_legs_variables() -> Variables {
    variables()
}

#[divan::bench(args = [1, 10])]
fn render(bencher: Bencher, legs: usize) {
    let dial = dial(legs);
    bencher.bench_local(|| black_box(&dial).render());
}

#[divan::bench(args = [1, 10])]
fn parse_as_freeswitch(bencher: Bencher, legs: usize) {
    let text = dial(legs).render();
    bencher.bench_local(|| parse(black_box(&text)));
}

const FORMATS: &[InviteFormat] = &[
    InviteFormat::Username,
    InviteFormat::E164,
    InviteFormat::Contact,
];

#[divan::bench(args = FORMATS)]
fn invite(bencher: Bencher, format: InviteFormat) {
    let nodes: BTreeMap<NodeName, String> = BTreeMap::new();
    let input = InviteInput {
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
        dialed: "4155550123",
        normalizer: &US,
        default_profile: "internal",
        forward_context: "default",
        node: "node-a",
        nodes: &nodes,
    };
    let binding = Binding {
        node: "node-a",
        profile: "internal",
        user: "2001",
        realm: "acme.example.com",
        contact: "\"2001\" <sip:2001@192.168.1.20:5060;fs_nat=yes;fs_path=sip%3A2001%40198.51.100.7%3A40001>",
    };
    bencher.bench_local(|| endpoint(black_box(&input), Some(black_box(&binding))));
}

#[divan::bench(args = ["Desk 2001", "x]sofia/gateway/toll/900,${system(id)}"])]
fn display_name(name: &str) -> Option<String> {
    clean::display_name(name)
}

#[divan::bench(args = ["4155550123", "011442071838750", "2001"])]
fn e164(number: &str) -> String {
    US.e164(number)
}

#[divan::bench(args = ["+14155550123", "2001"])]
fn classify(number: &str) -> &'static str {
    Classifiers::us().classify(number)
}

#[divan::bench]
fn dial_plan(bencher: Bencher) {
    let plan = serde_json::json!({"^(\\d{7})$": {"prefix": "+1415"}, "^9(\\d+)$": {}});
    let plan = DialPlan::new(plan.as_object().unwrap());
    let system = SystemDialPlans::default();
    bencher.bench_local(|| rewrite(&[black_box(&plan)], &system, black_box("5550123")));
}
