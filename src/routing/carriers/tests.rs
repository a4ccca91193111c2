//! Selection by documents, rule by rule of trunkstore specification 4.1, 4.2 and 4.7.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::routing::numbers::Classifiers;
use crate::routing::{Explain, Silent};
use crate::types::{AccountId, DocumentId};

const NUMBER: &str = "+16465558888";

fn source(document: &Value) -> ResourceSource {
    let account = document.get("account_id").and_then(Value::as_str);
    ResourceSource {
        account: account.map_or(AccountId::installation(), |id| AccountId::new(id).unwrap()),
        id: DocumentId::new(document["id"].as_str().unwrap()).unwrap(),
        document: Arc::new(serde_json::from_value(document.clone()).unwrap()),
    }
}

fn table(documents: &[Value]) -> Table {
    let sources: Vec<_> = documents.iter().map(source).collect();
    Table::compile(&sources, Classifiers::us())
}

/// A carrier for all North American numbers, with more fields.
fn carrier(id: &str, more: Value) -> Value {
    let mut document = json!({"id": id, "name": id, "rules": [r"^\+1(\d{10})$"],
        "gateways": [{"server": "192.0.2.1"}]});
    let Value::Object(more) = more else {
        panic!("{more}")
    };
    document.as_object_mut().unwrap().extend(more);
    document
}

struct Ask {
    number: &'static str,
    class: &'static str,
    flags: Vec<String>,
    hunt: Option<AccountId>,
    caller: &'static str,
    except: Option<DocumentId>,
    seed: u64,
}

fn ask() -> Ask {
    Ask {
        number: NUMBER,
        class: "did_us",
        flags: Vec::new(),
        hunt: None,
        caller: "+12125551234",
        except: None,
        seed: 1,
    }
}

impl Ask {
    fn all(&self, table: &Table, explain: &mut dyn Explain) -> Vec<Candidate> {
        let (account, ancestor) = (
            AccountId::new("alpha").unwrap(),
            AccountId::new("root").unwrap(),
        );
        let wanted = Wanted {
            number: self.number,
            class: self.class,
            flags: &self.flags,
            account: &account,
            ancestors: &[ancestor],
            hunt_account: self.hunt.as_ref(),
            caller_number: self.caller,
            except: self.except.as_ref(),
            seed: self.seed,
        };
        table.select(&wanted, explain)
    }

    /// `id/gateway:number`, in order.
    fn of(&self, documents: &[Value]) -> Vec<String> {
        let candidates = self.all(&table(documents), &mut Silent);
        let shown = candidates.iter().map(|candidate| {
            let Candidate {
                resource,
                gateway,
                number_sent,
                ..
            } = candidate;
            format!("{}/{gateway}:{number_sent}", resource.id)
        });
        shown.collect()
    }

    fn ids(&self, documents: &[Value]) -> Vec<String> {
        let all = self.of(documents);
        let id = |text: String| text.split('/').next().unwrap().to_owned();
        all.into_iter().map(id).collect()
    }

    fn flags(flags: &[&str]) -> Self {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Self { flags, ..ask() }
    }
}

#[test]
fn by_weight_then_by_id_then_by_place() {
    let gateways = json!([{"server": "a"}, {"server": "b", "enabled": false}, {"server": "c"}]);
    let documents = [
        carrier("z", json!({"weight_cost": 10})),
        carrier("b", json!({"weight_cost": 50, "gateways": gateways})),
        carrier("a", json!({})),
        carrier("y", json!({"weight_cost": 0, "rules": [r"^\+1"]})),
        carrier("off", json!({"enabled": false})),
        carrier("empty", json!({"rules": []})),
        carrier("elsewhere", json!({"rules": [r"^\+44(\d+)$"]})),
    ];
    let n = "6465558888";
    let expected = [
        "y/0:+1".to_owned(),
        format!("z/0:{n}"),
        format!("a/0:{n}"),
        format!("b/0:{n}"),
        format!("b/2:{n}"),
    ];
    assert_eq!(ask().of(&documents), expected);
}

#[test]
fn flags() {
    let documents = [
        carrier("full", json!({"flags": ["fax", "x", "premium"]})),
        carrier("half", json!({"flags": ["fax"]})),
        carrier("ignores", json!({"ignore_flags": true})),
        carrier("requires", json!({"require_flags": true, "flags": ["fax"]})),
    ];
    assert_eq!(ask().ids(&documents), ["full", "half", "ignores"]);
    assert_eq!(
        Ask::flags(&["fax"]).ids(&documents),
        ["full", "half", "ignores", "requires"]
    );
    assert_eq!(
        Ask::flags(&["premium", "fax"]).ids(&documents),
        ["full", "ignores"]
    );
}

#[test]
fn a_classifier_hides_rules_even_when_it_is_off() {
    let rules = carrier("rules", json!({"weight_cost": 1}));
    let classy = |more: Value| {
        carrier(
            "classy",
            json!({"classifiers": {"did_us": more, "no_such": {}}}),
        )
    };
    let on = classy(json!({"prefix": "00", "weight_cost": 60}));
    let documents = [rules.clone(), on];
    assert_eq!(ask().of(&documents), ["classy-did_us/0:6465558888"]);
    let candidates = ask().all(&table(&documents), &mut Silent);
    let [candidate] = candidates.as_slice() else {
        panic!("{candidates:?}")
    };
    let gateway = candidate.gateway().unwrap();
    assert_eq!(candidate.resource.prefix(gateway), "00");
    assert_eq!((candidate.weight, candidate.emergency), (60, false));

    assert_eq!(
        ask().ids(&[rules.clone(), classy(json!({"enabled": false}))]),
        [""; 0]
    );
    // Its own expression decides which numbers of the class it takes.
    let own = classy(json!({"regex": r"^\+1(212\d+)$"}));
    assert_eq!(ask().ids(&[rules.clone(), own]), [""; 0]);
    // Numbers of other classes go by rules, and a document with classifiers has none.
    let foreign = carrier("classy", json!({"classifiers": {"international": {}}}));
    assert_eq!(ask().ids(&[rules.clone(), foreign]), ["rules"]);
    let unknown = carrier("classy", json!({"classifiers": {"no_such": {}}}));
    assert_eq!(ask().ids(&[rules, unknown]), ["rules"]);
}

#[test]
fn a_class_is_claimed_by_carriers_that_suit_the_flags_only() {
    let documents = [
        carrier("rules", json!({"flags": ["fax"]})),
        carrier("classy", json!({"classifiers": {"did_us": {}}})),
    ];
    assert_eq!(Ask::flags(&["fax"]).ids(&documents), ["rules"]);
    assert_eq!(ask().ids(&documents), ["classy-did_us"]);
}

#[test]
fn emergency_carriers() {
    let documents = [
        carrier(
            "a",
            json!({"classifiers": {"emergency": {}, "did_us": {"emergency": true}}}),
        ),
        carrier(
            "b",
            json!({"emergency": true, "classifiers": {"did_us": {}}}),
        ),
    ];
    let emergency = |ask: Ask| -> Vec<bool> {
        let candidates = ask.all(&table(&documents), &mut Silent);
        candidates
            .iter()
            .map(|candidate| candidate.emergency)
            .collect()
    };
    assert_eq!(
        emergency(Ask {
            number: "911",
            class: "emergency",
            ..ask()
        }),
        [true]
    );
    assert_eq!(emergency(ask()), [true, false]);
    let gateways = json!([{"server": "a"}, {"server": "b", "emergency": true}]);
    let plain = [carrier("c", json!({"gateways": gateways}))];
    let candidates = ask().all(&table(&plain), &mut Silent);
    let flags: Vec<bool> = candidates
        .iter()
        .map(|candidate| candidate.emergency)
        .collect();
    assert_eq!(flags, [false, true]);
}

#[test]
fn caller_rules() {
    let documents = [
        carrier("any", json!({})),
        carrier("bad", json!({"cid_rules": ["["]})),
        carrier("la", json!({"cid_rules": [r"^\+1310", r"^\+1213"]})),
        carrier("nyc", json!({"cid_rules": ["[", r"^\+1212"]})),
    ];
    assert_eq!(ask().ids(&documents), ["any", "nyc"]);
    assert_eq!(
        Ask {
            caller: "+12135550000",
            ..ask()
        }
        .ids(&documents),
        ["any", "la"]
    );
    assert_eq!(
        Ask {
            caller: "",
            ..ask()
        }
        .ids(&documents),
        ["any"]
    );
}

#[test]
fn local_carriers_are_asked_for_by_name() {
    let documents = [
        carrier("all", json!({})),
        carrier("own", json!({"account_id": "alpha"})),
        carrier("above", json!({"account_id": "root"})),
        carrier("theirs", json!({"account_id": "beta"})),
    ];
    let hunting = |id: &str| Ask {
        hunt: Some(AccountId::new(id).unwrap()),
        ..ask()
    };
    assert_eq!(ask().ids(&documents), ["all"]);
    assert_eq!(hunting("alpha").ids(&documents), ["own"]);
    assert_eq!(hunting("root").ids(&documents), ["above"]);
    assert_eq!(hunting("beta").ids(&documents), [""; 0]);
    assert_eq!(hunting("alpha").ids(&documents[..1]), [""; 0]);
}

#[test]
fn the_carrier_that_delivered_a_call_is_left_out() {
    let documents = [carrier("a", json!({})), carrier("b", json!({}))];
    let except = Some(DocumentId::new("a").unwrap());
    assert_eq!(Ask { except, ..ask() }.ids(&documents), ["b"]);
}

#[test]
fn random_gateways_depend_on_the_seed_alone() {
    let gateways: Vec<_> = (0..8)
        .map(|at| json!({"server": format!("g{at}")}))
        .collect();
    let documents = [carrier(
        "a",
        json!({"gateway_strategy": "random", "gateways": gateways}),
    )];
    let order = |seed| Ask { seed, ..ask() }.of(&documents);
    assert_eq!(order(7), order(7));
    let mut orders: Vec<_> = (0..20).map(order).collect();
    orders.sort();
    orders.dedup();
    assert!(orders.len() > 10, "{}", orders.len());
    let mut one = order(3);
    one.sort();
    assert_eq!(one.len(), 8);
}

#[derive(Default)]
struct Notes(Vec<String>);

impl Explain for Notes {
    fn note(&mut self, rule: &'static str, outcome: std::fmt::Arguments<'_>) {
        self.0.push(format!("{rule}: {outcome}"));
    }
}

#[test]
fn an_explanation_names_every_carrier() {
    let documents = [
        carrier("a", json!({})),
        carrier("b", json!({"require_flags": true})),
        carrier("c", json!({"rules": [r"^\+44"]})),
    ];
    let mut notes = Notes::default();
    ask().all(&table(&documents), &mut notes);
    insta::assert_snapshot!(notes.0.join("\n"), @r#"
    carriers: c: no rule matches +16465558888
    carriers: a: rule ^\+1(\d{10})$ matches, sends "6465558888"; weight 50, 1 gateways
    carriers: b: it requires flags and the call has none
    "#);
}

fn sender(
    table: &Table,
    ip: &str,
    port: u16,
    from: Option<&str>,
    account: Option<&str>,
) -> Option<String> {
    let account = account.map(|id| AccountId::new(id).unwrap());
    let origin = Origin {
        ip: ip.parse().unwrap(),
        port,
        from_host: from,
        account: account.as_ref(),
    };
    let sender = table.sender(&origin)?;
    Some(format!(
        "{}/{:?} {:?}",
        sender.id, sender.gateway, sender.matched
    ))
}

#[test]
fn who_sent_a_call() {
    let documents = [
        carrier(
            "main",
            json!({"gateways": [
            {"server": "192.0.2.9", "enabled": false},
            {"server": "192.0.2.1", "realm": "Sip.Main.example"},
            {"server": "gw.main.example"},
            {"server": "192.0.2.2", "port": 5080, "force_port": true},
        ], "inbound_ips": ["192.0.2.7", " 2001:DB8::7 "]}),
        ),
        carrier(
            "local",
            json!({"account_id": "alpha", "gateways": [{"server": "192.0.2.4"}, {"server": "192.0.2.1"}]}),
        ),
        carrier(
            "off",
            json!({"enabled": false, "gateways": [{"server": "192.0.2.5"}]}),
        ),
    ];
    let mut hosts = Hosts::default();
    hosts.put("GW.main.example", ["192.0.2.3".parse().unwrap()]);
    let table = table(&documents).with_hosts(Arc::new(hosts));
    let by_ip = |ip, port| sender(&table, ip, port, None, None);
    assert_eq!(
        by_ip("192.0.2.1", 9).as_deref(),
        Some("main/Some(1) Address")
    );
    assert_eq!(
        by_ip("192.0.2.3", 9).as_deref(),
        Some("main/Some(2) Address")
    );
    assert_eq!(
        by_ip("192.0.2.2", 5080).as_deref(),
        Some("main/Some(3) Address")
    );
    assert_eq!(by_ip("192.0.2.2", 5060), None);
    assert_eq!(
        by_ip("::ffff:192.0.2.7", 1).as_deref(),
        Some("main/None Address")
    );
    assert_eq!(
        by_ip("2001:db8::7", 1).as_deref(),
        Some("main/None Address")
    );
    for (ip, why) in [
        ("192.0.2.9", "disabled"),
        ("192.0.2.5", "disabled"),
        ("192.0.2.4", "local"),
    ] {
        assert_eq!(by_ip(ip, 5060), None, "{why}");
    }
    let local = |ip| sender(&table, ip, 5060, None, Some("alpha"));
    assert_eq!(local("192.0.2.4").as_deref(), Some("local/Some(0) Address"));
    assert_eq!(local("192.0.2.1").as_deref(), Some("main/Some(1) Address"));
    let from = |host| sender(&table, "198.51.100.1", 5060, Some(host), None);
    assert_eq!(
        from("sip.main.example").as_deref(),
        Some("main/Some(1) FromHost")
    );
    assert_eq!(from("192.0.2.2"), None);
    assert_eq!(from("other.example"), None);
}
