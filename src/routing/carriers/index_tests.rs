//! The index against the plain reading of the specification: every rule of every carrier, in order.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::carrier::ResourceSource;
use super::*;
use crate::routing::numbers::Classifiers;
use crate::types::{AccountId, DocumentId};

fn carriers(rules: &[Vec<String>]) -> Vec<Carrier> {
    let carriers = rules.iter().enumerate().map(|(at, rules)| {
        let document = json!({"rules": rules, "gateways": [{"server": "192.0.2.1"}]});
        let source = ResourceSource {
            account: AccountId::installation(),
            id: DocumentId::new(&format!("c{at}")).unwrap(),
            document: Arc::new(serde_json::from_value(document).unwrap()),
        };
        Carrier::of(&source, Classifiers::us())
    });
    carriers.flatten().collect()
}

fn plainly(carriers: &[Carrier], number: &str) -> Vec<Hit> {
    let first = |(carrier, of): (usize, &Carrier)| {
        of.rules().enumerate().find_map(|(rule, text)| {
            let part = capture::sent(&Regex::new(text).ok()?, number)?;
            Some(Hit {
                carrier,
                rule,
                part,
            })
        })
    };
    carriers.iter().enumerate().filter_map(first).collect()
}

fn check(rules: &[Vec<String>], numbers: &[String]) {
    let carriers = carriers(rules);
    let index = Index::build(&carriers);
    let shared: Vec<_> = carriers.iter().cloned().map(Arc::new).collect();
    for number in numbers {
        let plain = plainly(&carriers, number);
        assert_eq!(
            index.hits(number, &shared),
            plain,
            "{number:?} by {rules:?}"
        );
    }
}

/// Pieces that rules are made of: such as have a form, such as have none, and such as are wrong.
fn piece() -> impl Strategy<Value = String> {
    let plain = prop_oneof![
        "[0-3]{1,3}",
        Just(r"\+".to_owned()),
        Just(r"\+?".to_owned()),
        Just("1?".to_owned()),
        Just("[23]".to_owned()),
        Just("[1-3]?".to_owned()),
        Just("#".to_owned()),
        Just(r"\*".to_owned()),
    ];
    let run = prop_oneof![
        Just(r"\d*".to_owned()),
        Just(r"\d+".to_owned()),
        Just(r"\d".to_owned()),
        Just(r"\d?".to_owned()),
        Just("[0-9]{2}".to_owned()),
        Just(r"\d{1,3}".to_owned()),
        Just(r"\d{2,}".to_owned()),
        Just(".*".to_owned()),
        Just(".".to_owned()),
        Just(r"\d+?".to_owned()),
        Just(r"[^1]".to_owned()),
        Just(r"1+".to_owned()),
        Just("$".to_owned()),
        Just("(".to_owned()),
        Just("x".to_owned()),
        Just("(?i)".to_owned()),
    ];
    let leaf = prop_oneof![4 => plain, 3 => run];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let many = prop::collection::vec(inner, 0..3);
        let one = many.clone().prop_map(|parts| parts.concat());
        prop_oneof![
            one.clone().prop_map(|inner| format!("({inner})")),
            one.clone().prop_map(|inner| format!("({inner})?")),
            one.clone().prop_map(|inner| format!("(?:{inner})")),
            (one.clone(), one.clone()).prop_map(|(a, b)| format!("({a}|{b})")),
            (one.clone(), one).prop_map(|(a, b)| format!("{a}|{b}")),
        ]
    })
}

fn rule() -> impl Strategy<Value = String> {
    let start = prop_oneof![8 => Just("^"), 1 => Just("")];
    let end = prop_oneof![Just(""), Just("$"), Just("$")];
    let pieces = prop::collection::vec(piece(), 0..5);
    (start, pieces, end).prop_map(|(start, pieces, end)| [start, &pieces.concat(), end].concat())
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => r"\+?[0-3]{0,9}",
        1 => r"[+*#0-3]{0,20}",
        1 => "[+0-3٣\n x]{0,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_index_finds_what_trying_every_rule_finds(
        rules in prop::collection::vec(prop::collection::vec(rule(), 0..4), 1..5),
        numbers in prop::collection::vec(number(), 1..12),
    ) {
        check(&rules, &numbers);
    }
}

fn texts(value: &Value) -> Vec<String> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn rules_that_carriers_really_write() {
    let rules = [
        json!([r"^\+?1?(\d{10})$"]),
        json!([r"^(\+\d{7,15})$"]),
        json!([r"^\+49", r"^\+(44\d*)$"]),
        json!([
            r"^\+1(\d{10})$",
            r"^(911)$",
            r"^\+?1?(8(?:00|88|77|66)\d{7})$"
        ]),
        json!([r"^(.*)$"]),
        json!([r"^011(\d+)$|^\+(\d+)$", r"5555$"]),
        json!([r"^(\+?1)?([2-9][0-9]{2}[2-9][0-9]{6})$"]),
        json!(["", r"^"]),
    ];
    let rules: Vec<_> = rules.iter().map(texts).collect();
    let numbers = [
        "+16465558888",
        "6465558888",
        "16465558888",
        "+4930123456",
        "+442071234567",
        "911",
        "+18005550100",
        "01144207",
        "",
        "+",
        "5555",
        "+1646٣558888",
    ];
    check(&rules, &numbers.map(str::to_owned));
}

#[test]
fn usual_rules_need_no_expression() {
    for rule in [
        r"^\+49",
        r"^(\+49\d*)$",
        r"^\+?1?(\d{10})$",
        r"^\+1(212|646)(\d{7})$",
        r"^\+44(\d+)$",
        r"^\+44(\d+)",
        r"^\+(49(?:15|16|17)\d+)$",
        r"^(911)$",
        r"^(.*)$",
        r"^(\+\d{7,15})$",
        r"^00(\d{5,})$",
    ] {
        assert!(form::read(rule).is_some(), "{rule}");
    }
    for rule in [
        "49",
        r"^\+49|^\+43",
        r"^\d+9$",
        r"^(\d+)(\d)$",
        "^(?i)1",
        "^1+",
        "^a",
    ] {
        assert!(form::read(rule).is_none(), "{rule}");
    }
}
