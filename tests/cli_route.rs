//! `route` and `numbers who` explain calls over trunks, through the real binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod cli_support;

use cli_support::{Bench, Ran};
use serde_json::{Value, json};

const DID: &str = "+12125550100";
const FAR: &str = "+14155550199";

fn account(id: &str) -> Value {
    json!({"type": "account", "account_id": id, "id": id, "name": format!("{id} Inc"), "realm": format!("{id}.example")})
}

/// A PBX that is known by its address.
fn server(name: &str, ip: &str, dids: Value, options: Value) -> Value {
    json!({"name": name, "DIDs": dids, "auth": {"auth_method": "ip", "ip": ip}, "options": options})
}

fn connectivity(account: &str, id: &str, servers: Value) -> Value {
    json!({"type": "connectivity", "account_id": account, "id": id, "name": id,
        "account": {"auth_realm": format!("{account}.example")}, "servers": servers})
}

fn carrier(id: &str, ip: &str, weight: u32, more: Value) -> Value {
    let mut document = json!({"type": "resource", "account_id": "installation", "id": id, "name": id,
        "rules": ["^(\\+1\\d{10})$", "^(911)$"], "weight_cost": weight,
        "gateways": [{"server": ip, "invite_format": "e164"}]});
    let more = more.as_object().unwrap().clone();
    document.as_object_mut().unwrap().extend(more);
    document
}

fn number(account: &str, number: &str, more: Value) -> Value {
    let mut document =
        json!({"type": "number", "account_id": account, "id": number, "state": "in_service"});
    let more = more.as_object().unwrap().clone();
    document.as_object_mut().unwrap().extend(more);
    document
}

/// Two PBXs of one customer, and a carrier for each reason to be chosen or dropped.
fn installation() -> Vec<Value> {
    vec![
        account("acme"),
        account("globex"),
        connectivity(
            "acme",
            "pbx",
            json!([
                server(
                    "main",
                    "127.0.2.1",
                    json!({DID: {"failover": {"e164": "+14155550111"}}}),
                    json!({"inbound_format": "npan"})
                ),
                server(
                    "spare",
                    "127.0.2.2",
                    json!({DID: {}}),
                    json!({"enabled": true, "delay": 3})
                ),
                server(
                    "off",
                    "127.0.2.3",
                    json!({DID: {}}),
                    json!({"enabled": false})
                ),
            ]),
        ),
        connectivity(
            "globex",
            "pbx",
            json!([server(
                "other",
                "127.0.2.9",
                json!({"+12125550200": {}}),
                json!({})
            )]),
        ),
        carrier(
            "second",
            "127.0.1.2",
            20,
            json!({"gateways": [{"server": "127.0.1.2"}, {"server": "127.0.1.3"}]}),
        ),
        carrier("first", "127.0.1.1", 10, json!({})),
        carrier(
            "abroad",
            "127.0.1.4",
            1,
            json!({"rules": ["^(\\+44\\d+)$"]}),
        ),
        carrier(
            "faxes",
            "127.0.1.5",
            1,
            json!({"require_flags": true, "flags": ["fax"]}),
        ),
        carrier("picky", "127.0.1.6", 1, json!({"cid_rules": ["^\\+1999"]})),
        carrier(
            "tollfree",
            "127.0.1.7",
            1,
            json!({"rules": [], "classifiers": {"tollfree_us": {"enabled": true}}}),
        ),
        carrier("retired", "127.0.1.8", 1, json!({"enabled": false})),
        number("acme", "+12125550300", json!({"used_by": "callflow"})),
        number(
            "acme",
            "+12125550400",
            json!({"state": "port_in", "force_outbound": true}),
        ),
        number("acme", "+12125550500", json!({"state": "disconnected"})),
        json!({"type": "device", "account_id": "acme", "id": "desk", "name": "Desk",
            "sip": {"username": "1001", "password": "secret-1001", "invite_format": "route", "route": "sip:desk@127.0.3.1"}}),
        json!({"type": "callflow", "account_id": "acme", "id": "reception", "numbers": ["+12125550300"],
            "flow": {"module": "device", "data": {"id": "desk"}, "children": {}}}),
        json!({"type": "callflow", "account_id": "acme", "id": "out", "patterns": ["^\\+1415\\d{7}$"],
            "flow": {"module": "offnet", "data": {}, "children": {}}}),
    ]
}

fn bench(documents: &[Value]) -> Bench {
    let bench = Bench::new("[routing]\nhunt_policy = 'definitive'\n");
    let lines: Vec<String> = documents.iter().map(ToString::to_string).collect();
    bench.feed(&["import", "-"], &lines.join("\n")).good();
    bench
}

/// What was noted of one rule that begins like this.
#[track_caller]
fn noted<'a>(told: &'a Value, rule: &str, beginning: &str) -> &'a str {
    let notes = told["notes"].as_array().unwrap().iter();
    let mut found = notes.filter_map(|note| {
        let outcome = note["outcome"].as_str()?;
        (note["rule"] == rule && outcome.starts_with(beginning)).then_some(outcome)
    });
    found
        .next()
        .unwrap_or_else(|| panic!("nothing of {rule}: {beginning} in {told:#}"))
}

fn attempts(result: &Value) -> Vec<&str> {
    let attempts = result["attempts"].as_array().unwrap().iter();
    attempts
        .map(|attempt| attempt["to"].as_str().unwrap())
        .collect()
}

#[test]
fn a_pbxs_call_names_each_carrier_and_why_it_is_not_asked() {
    let bench = bench(&installation());
    let told = bench
        .run(&["route", "--trunk", "main", FAR, "--json"])
        .json();
    assert_eq!(told["account_id"], "acme");
    assert_eq!(told["number"], FAR);
    for (carrier, why) in [
        ("abroad", "no rule matches"),
        ("faxes", "it requires flags"),
        ("picky", "none of its cid_rules matches"),
        ("tollfree-tollfree_us", "no rule matches"),
        ("retired", "switched off"),
    ] {
        let outcome = noted(&told, "carriers", &format!("{carrier}: "));
        assert!(outcome.contains(why), "{outcome}");
    }
    assert!(noted(&told, "carriers", "first: ").contains("weight 10"));
    let expected = [
        "carrier first, gateway 0",
        "carrier second, gateway 0",
        "carrier second, gateway 1",
    ];
    assert_eq!(attempts(&told["result"]), expected, "by weight");
    let dial = told["result"]["attempts"][0]["dial_string"]
        .as_str()
        .unwrap();
    assert!(dial.contains("127.0.1.1"), "{dial}");
    assert_eq!(told["units"][0]["direction"], "outbound");
    assert_eq!(told["units"][0]["billing"], "unlimited");

    // For people: the same, in order.
    let text = bench.run(&["route", "--trunk", "main", FAR]).good();
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}: {text}"));
    assert!(at("route: offnet") < at("1. carrier first"));
    assert!(at("1. carrier first") < at("2. carrier second, gateway 0"));
    assert!(text.contains("takes"), "{text}");
}

#[test]
fn flags_classes_and_callers_choose_the_carrier() {
    let mut documents = installation();
    documents[2]["servers"][0]["options"]["flags"] = json!(["fax"]);
    let flagged = bench(&documents);
    let told = flagged
        .run(&["route", "--trunk", "main", FAR, "--json"])
        .json();
    assert_eq!(attempts(&told["result"]), ["carrier faxes, gateway 0"]);
    assert!(noted(&told, "carriers", "first: ").contains("lacks a flag"));

    let plain = bench(&installation());
    let told = plain
        .run(&["route", "--trunk", "main", "+18005550123", "--json"])
        .json();
    assert_eq!(
        attempts(&told["result"]),
        ["carrier tollfree-tollfree_us, gateway 0"]
    );
    noted(
        &told,
        "carriers",
        "tollfree_us is a class that carriers claim",
    );
    assert!(noted(&told, "carriers", "first: ").contains("not for the class"));
    // toll-free calls take no trunk
    assert_eq!(told["units"][0]["billing"], "unlimited");

    let told = plain
        .run(&[
            "route",
            "--trunk",
            "main",
            FAR,
            "--from",
            "+19995550100",
            "--json",
        ])
        .json();
    assert_eq!(attempts(&told["result"])[0], "carrier picky, gateway 0");

    documents = installation();
    documents[9]["classifiers"]["tollfree_us"]["enabled"] = json!(false);
    let told = bench(&documents)
        .run(&["route", "--trunk", "main", "+18005550123", "--json"])
        .json();
    assert_eq!(told["result"]["result"], "reject");
    assert!(noted(&told, "carriers", "tollfree-tollfree_us: ").contains("classifier is disabled"));
}

#[test]
fn a_call_from_a_carrier_goes_through_the_servers_in_order_and_fails_over() {
    let bench = bench(&installation());
    let told = bench
        .run(&["route", "--inbound", "2125550100", "--json"])
        .json();
    assert_eq!(told["account_id"], "acme");
    assert_eq!(told["units"][0]["direction"], "inbound");
    assert_eq!(told["result"]["route"], "pbx");
    let servers = attempts(&told["result"]);
    assert_eq!(servers.len(), 2, "{servers:?}");
    assert!(
        servers[0].contains("main") && servers[1].contains("spare"),
        "{servers:?}"
    );
    let first = &told["result"]["attempts"][0];
    assert!(
        first["dial_string"]
            .as_str()
            .unwrap()
            .contains("2125550100@127.0.2.1"),
        "{first}"
    );
    assert_eq!(told["result"]["attempts"][1]["delay_s"], 3);
    // all of them failing, the DID's own failover is tried
    let failover = &told["failover"];
    assert_eq!(failover["result"]["route"], "offnet", "{failover:#}");
    assert_eq!(attempts(&failover["result"])[0], "carrier first, gateway 0");
    let text = bench.run(&["route", "--inbound", DID]).good();
    assert!(text.contains("if all of them fail: +14155550111"), "{text}");

    // by address: a carrier's, and nobody's
    let told = bench
        .run(&["route", "--inbound", DID, "--source", "127.0.1.1", "--json"])
        .json();
    assert_eq!(told["result"]["result"], "route");
    let told = bench
        .run(&["route", "--inbound", DID, "--source", "127.9.9.9", "--json"])
        .json();
    assert_eq!(told["result"]["result"], "reject");
    assert_eq!(told["result"]["sip_status"], 403);
}

#[test]
fn a_number_of_the_callflows_is_followed_into_them() {
    let bench = bench(&installation());
    let told = bench
        .run(&[
            "route",
            "--inbound",
            "+12125550300",
            "--from",
            "1001",
            "--json",
        ])
        .json();
    let result = &told["result"];
    assert_eq!(result["result"], "elsewhere");
    assert_eq!(result["then"]["callflow_id"], "reception");
    // The caller is one from outside, whatever the number is that it shows.
    assert_eq!(result["then"]["caller"], "outside");
    let dial = result["then"]["result"]["dial_string"].as_str().unwrap();
    assert!(dial.contains("desk@127.0.3.1"), "{dial}");
    let text = bench.run(&["route", "--inbound", "+12125550300"]).good();
    assert!(text.contains("goes to the callflows of acme"), "{text}");
    assert!(text.contains("desk@127.0.3.1"), "{text}");
}

#[test]
fn calls_that_go_nowhere_say_why() {
    let bench = bench(&installation());
    let reject = |number: &str| {
        let told = bench.run(&["route", "--inbound", number, "--json"]).json();
        assert_eq!(told["result"]["result"], "reject", "{told:#}");
        told
    };
    let told = reject("+19175550000");
    assert!(noted(&told, "number", "+19175550000").contains("nobody's here"));
    let told = reject("+12125550500");
    assert!(noted(&told, "number", "+12125550500").contains("not in service"));
    let told = bench
        .run(&["route", "--trunk", "main", "+4930123456", "--json"])
        .json();
    assert_eq!(told["result"]["result"], "reject");
    for unknown in [&["--trunk", "nobody", FAR][..], &["--trunk", "pbx", FAR]] {
        let mut arguments = vec!["route"];
        arguments.extend(unknown);
        let ran = bench.run(&arguments);
        assert_eq!(ran.code, 65, "{ran:?}");
        assert!(ran.err.contains("server"), "{ran:?}");
    }
    // one of several, by its place in its account's document
    let arguments = [
        "route",
        "--trunk",
        "pbx/0",
        FAR,
        "--account",
        "globex",
        "--json",
    ];
    assert_eq!(bench.run(&arguments).json()["account_id"], "globex");
}

#[test]
fn another_customers_number_is_reached_without_carriers() {
    let bench = bench(&installation());
    let told = bench
        .run(&["route", "--trunk", "main", "+12125550200", "--json"])
        .json();
    assert_eq!(told["result"]["route"], "onnet", "{told:#}");
    assert!(attempts(&told["result"])[0].contains("other"), "{told:#}");
    let text = bench.run(&["route", "--trunk", "main", "911"]).good();
    assert!(text.contains("emergency"), "{text}");
}

#[test]
fn a_devices_call_to_an_outside_number_names_the_carriers_too() {
    let bench = bench(&installation());
    let told = bench
        .run(&[
            "route",
            "--from",
            "1001",
            "--to",
            FAR,
            "--account",
            "acme",
            "--json",
        ])
        .json();
    assert_eq!(told["callflow_id"], "out");
    assert_eq!(told["path"][0][0], "offnet");
    let call = &told["result"]["call"];
    assert_eq!(told["result"]["result"], "leaves", "{told:#}");
    assert_eq!(call["account_id"], "acme");
    assert_eq!(attempts(&call["result"])[0], "carrier first, gateway 0");
    assert!(noted(call, "carriers", "abroad: ").contains("no rule matches"));
    let text = bench
        .run(&["route", "--from", "1001", "--to", FAR, "--account", "acme"])
        .good();
    assert!(text.contains("1. carrier first, gateway 0"), "{text}");
    assert!(text.contains("abroad: no rule matches"), "{text}");
}

#[test]
fn a_flow_goes_on_where_no_carrier_takes_the_number() {
    let mut documents = installation();
    documents.push(json!({"type": "callflow", "account_id": "acme", "id": "germany", "patterns": ["^\\+49\\d+$"],
        "flow": {"module": "offnet", "data": {}, "children": {
            "_": {"module": "device", "data": {"id": "lobby"}, "children": {}}}}}));
    documents.push(json!({"type": "device", "account_id": "acme", "id": "lobby", "name": "Lobby",
        "sip": {"username": "1002", "password": "secret-1002", "invite_format": "route", "route": "sip:lobby@127.0.3.2"}}));
    let bench = bench(&documents);
    let told = bench
        .run(&[
            "route",
            "--from",
            "1001",
            "--to",
            "+4930123456",
            "--account",
            "acme",
            "--json",
        ])
        .json();
    assert_eq!(told["result"]["result"], "bridge", "{told:#}");
    noted(&told, "carriers", "refused with");
    assert_eq!(told["path"][1], json!(["device", "_"]));
}

#[test]
fn whose_a_number_is() {
    let mut documents = installation();
    let mut closed = account("closed");
    closed["enabled"] = json!(false);
    documents.push(closed);
    documents.push(number("closed", "+12125550600", json!({})));
    let bench = bench(&documents);
    let who = |number: &str| bench.run(&["numbers", "who", number, "--json"]).json();

    let told = who("+19175550000");
    assert_eq!(told["account_id"], Value::Null);
    assert_eq!(told["goes_to"], "nobody");

    let told = who("(212) 555-0300");
    assert_eq!(told["number"], "+12125550300");
    assert_eq!(told["account_id"], "acme");
    assert_eq!(told["account_name"], "acme Inc");
    assert_eq!(told["goes_to"], "callflows");
    assert_eq!(told["callflows"], json!(["acme/reception"]));

    // of a PBX: which server, in order; listed, and without a document of its own
    let told = who(DID);
    assert_eq!(told["goes_to"], "servers");
    assert_eq!(told["state"], Value::Null);
    assert_eq!(told["servers"][0], "pbx/0 main");
    assert_eq!(told["servers"][1], "pbx/1 spare");

    let told = who("+12125550400");
    assert_eq!(told["state"], "port_in");
    assert_eq!(told["goes_to"], "carriers");

    let told = who("+12125550500");
    assert_eq!(
        told["account_id"], "acme",
        "out of service, and still somebody's"
    );
    assert_eq!(told["state"], "disconnected");
    assert_eq!(told["goes_to"], "out_of_service");

    let told = who("+12125550600");
    assert_eq!(told["account_id"], "closed");
    assert_eq!(told["goes_to"], "account_disabled");

    let text = bench.run(&["numbers", "who", "+12125550500"]).good();
    for line in [
        "account    acme (acme Inc)",
        "state      disconnected",
        "not in service",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn a_gateway_that_is_out_is_told_and_others_are_tried() {
    let bench = bench(&installation());
    let refused = bench.run(&["gateways"]);
    assert_eq!(
        refused.code, 69,
        "without a daemon nobody knows: {refused:?}"
    );
    let daemon = bench.serve();
    let all = bench.run(&["gateways", "--json"]).json();
    let all = all.as_array().unwrap();
    // what is switched off has none
    assert_eq!(all.len(), 7, "{all:#?}");
    assert!(all.iter().all(|gateway| gateway["in_use"] == true));

    let out = bench.run(&["gateways", "first", "--force", "out"]).good();
    assert!(out.contains("out, by hand"), "{out}");
    let route = || {
        bench
            .run(&["route", "--trunk", "main", FAR, "--json"])
            .json()
    };
    for _ in 0..2 {
        let told = route();
        assert_eq!(attempts(&told["result"])[0], "carrier second, gateway 0");
        assert!(noted(&told, "health", "first, gateway 0 is left out").contains("by hand"));
    }
    bench
        .run(&["gateways", "second/1", "--force", "out"])
        .good();
    assert_eq!(attempts(&route()["result"]), ["carrier second, gateway 0"]);
    bench
        .run(&["gateways", "second/0", "--force", "out"])
        .good();
    assert_eq!(route()["result"]["result"], "reject");
    // never from a call for help
    let told = bench
        .run(&["route", "--trunk", "main", "911", "--json"])
        .json();
    assert_eq!(attempts(&told["result"]).len(), 3, "{told:#}");
    assert!(noted(&told, "health", "first, gateway 0 stays").contains("emergency"));

    bench.run(&["gateways", "first", "--force", "auto"]).good();
    assert_eq!(attempts(&route()["result"]), ["carrier first, gateway 0"]);
    for (arguments, code) in [
        (&["gateways", "nobody"][..], 65),
        (&["gateways", "first/7"], 65),
        (&["gateways", "first/x"], 64),
        (&["gateways", "--force", "out"], 64),
    ] {
        let ran: Ran = bench.run(arguments);
        assert_eq!(ran.code, code, "{ran:?}");
    }
    daemon.stop();
}
