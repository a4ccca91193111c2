//! What a flow's `resources` and `offnet` say of a call to carriers, and numbers of other accounts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod trunk_support;

use std::time::{Duration, Instant};

use linefinder::sim::{CallSpec, PhoneScript, PlacedCall};
use serde_json::{Value, json};
use tokio::time::timeout;
use trunk_support::*;

fn device(account: &str, id: &str, user: &str, ip: &str) -> Value {
    json!({"type": "device", "account_id": account, "id": id, "name": id, "owner_id": format!("{id}-owner"),
        "sip": {"username": user, "password": "secret-1", "ip": ip},
        "caller_id": {"external": {"number": "+12125550101"}, "internal": {"number": "1001", "name": "Desk"}}})
}

fn user(account: &str, id: &str) -> Value {
    json!({"type": "user", "account_id": account, "id": id, "first_name": "A", "last_name": "B"})
}

fn flow(account: &str, id: &str, number: &str, module: &str, data: Value) -> Value {
    json!({"type": "callflow", "account_id": account, "id": id, "numbers": [number],
        "flow": {"module": module, "data": data, "children": {}}})
}

fn documents(data: Value, others: &[Value]) -> Vec<Value> {
    let mut documents = vec![
        account("acme"),
        user("acme", "desk-owner"),
        device("acme", "desk", "1001", "127.0.4.1"),
        flow("acme", "out", "no_match", "offnet", data),
        carrier("c1", "127.0.1.1", 10),
    ];
    documents.extend_from_slice(others);
    documents
}

async fn bench(documents: &[Value]) -> Bench {
    Bench::with(1, documents, |config, _| {
        config.routing.forward_context = "linefinder-forward".into();
    })
    .await
}

fn dials(bench: &Bench, to: &str, variables: &[(&str, &str)]) -> PlacedCall {
    let mut spec = CallSpec::device("1001@acme.example", to, bench.handoff());
    for (name, value) in variables {
        spec = spec.with_variable(name, value);
    }
    bench.nodes[0].place_call(spec)
}

/// The leg to the only carrier.
async fn leg(documents: &[Value], variables: &[(&str, &str)]) -> String {
    let mut bench = bench(documents).await;
    bench.nodes[0].phone("@127.0.1.1", chats());
    let call = dials(&bench, FAR, variables);
    let (result, report) = bench.ended(call).await;
    assert!(result.answered, "{report:?}");
    let leg = result.dialled[0].clone();
    bench.stop().await;
    leg
}

#[tokio::test]
async fn from_is_written_as_the_flow_says_where_the_carrier_says_nothing() {
    let asks = json!({"format_from_uri": true});
    let dialled = leg(&documents(asks.clone(), &[]), &[]).await;
    assert!(
        dialled.contains("sip_from_uri=sip:+12125550101@acme.example"),
        "{dialled}"
    );
    let realm = json!({"format_from_uri": true, "from_uri_realm": "out.example"});
    let dialled = leg(&documents(realm.clone(), &[]), &[]).await;
    assert!(
        dialled.contains("sip_from_uri=sip:+12125550101@out.example"),
        "{dialled}"
    );
    let mut strict = documents(realm, &[]);
    strict[4]["gateways"][0]["from_uri_realm"] = json!("carrier.example");
    let dialled = leg(&strict, &[]).await;
    assert!(
        dialled.contains("sip_from_uri=sip:+12125550101@carrier.example"),
        "{dialled}"
    );
    strict[4]["format_from_uri"] = json!(false);
    assert!(!leg(&strict, &[]).await.contains("sip_from_uri"));
    assert!(
        !leg(&documents(json!({}), &[]), &[])
            .await
            .contains("sip_from_uri")
    );
}

#[tokio::test]
async fn the_identity_is_the_one_that_the_flow_names() {
    for (kind, number) in [
        (json!({}), "+12125550101"),
        (json!({"caller_id_type": "external"}), "+12125550101"),
        (json!({"caller_id_type": "internal"}), "1001"),
        (json!({"caller_id_type": "unheard-of"}), "+12125550101"),
    ] {
        let dialled = leg(&documents(kind.clone(), &[]), &[]).await;
        let shown = format!("origination_caller_id_number={number}");
        assert!(dialled.contains(&shown), "{kind}: {dialled}");
    }
}

#[tokio::test]
async fn headers_of_the_caller_go_along_unless_the_flow_has_its_own() {
    let data = json!({"custom_sip_headers": {"X-Why": "flow"}});
    let caller = [
        ("sip_h_X-Why", "caller"),
        ("sip_h_X-Ticket", "4711"),
        ("sip_h_X-LF-Account", "forged"),
        ("sip_h_Subject", "no"),
    ];
    let dialled = leg(&documents(data, &[]), &caller).await;
    assert!(dialled.contains("sip_h_X-Why=flow"), "{dialled}");
    assert!(dialled.contains("sip_h_X-Ticket=4711"), "{dialled}");
    assert!(
        !dialled.contains("forged") && !dialled.contains("Subject"),
        "{dialled}"
    );
}

#[tokio::test]
async fn a_carrier_is_chosen_by_what_the_call_is() {
    let mut other = carrier("c2", "127.0.1.2", 5);
    other["flags"] = json!(["eu"]);
    for (name, value) in [
        ("lf_region", "eu"),
        ("lf_region", "us"),
        ("lf_owner_id", "eu"),
    ] {
        for (asks, wanted) in [
            ("custom_channel_vars.region", "lf_region"),
            ("custom_channel_vars.Region", "lf_region"),
            ("owner_id", "lf_owner_id"),
        ] {
            let documents = documents(json!({"dynamic_flags": [asks]}), &[other.clone()]);
            let mut bench = bench(&documents).await;
            bench.nodes[0].phone("@127.0.1.1", chats());
            bench.nodes[0].phone("@127.0.1.2", chats());
            let call = dials(&bench, FAR, &[(name, value)]);
            let (result, report) = bench.ended(call).await;
            let flagged = wanted == name;
            match (flagged, value) {
                (true, "us") => assert!(!result.answered, "no carrier is in the us: {report:?}"),
                _ => assert!(result.dialled[0].contains("127.0.1.2"), "{asks} {result:?}"),
            }
            bench.stop().await;
        }
    }
}

#[tokio::test]
async fn a_carrier_has_the_time_that_the_flow_gives() {
    let mut bench = bench(&documents(json!({"timeout": 1}), &[])).await;
    bench.nodes[0].phone("@127.0.1.1", PhoneScript::rings());
    let began = Instant::now();
    let call = dials(&bench, FAR, &[]);
    let (result, report) = bench.ended(call).await;
    assert_eq!(result.sip_status, Some(480), "{report:?}");
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    bench.stop().await;
}

/// Beta's number is a callflow's: it is reached without a carrier, and a trunk of each account is taken.
#[tokio::test]
async fn a_number_of_another_accounts_callflow_needs_no_carrier() {
    let beta = |limit: u32| {
        [
            account("beta"),
            device("beta", "bell", "2001", "127.0.5.1"),
            flow("beta", "in", FAR, "device", json!({"id": "bell"})),
            limits("beta", json!({"inbound_trunks": limit})),
            limits("acme", json!({"outbound_trunks": 1})),
        ]
    };
    let mut bench = bench(&documents(json!({}), &beta(1))).await;
    bench.nodes[0].phone("@127.0.5.1", answers());
    let call = dials(&bench, FAR, &[]);
    bench.answered(&call).await;
    assert_eq!(bench.ledger.units(), 2);
    assert_eq!(bench.inbound_units("beta"), 1);
    call.hang_up();
    let result = timeout(PATIENCE, call.result()).await.unwrap();
    assert!(
        result.dialled[0].contains("loopback/+13125550188/"),
        "{result:?}"
    );
    let (one, other) = (bench.report().await, bench.report().await);
    let accounts = [&one.account_id, &other.account_id].map(|id| id.as_ref().unwrap().to_string());
    assert!(accounts.contains(&"beta".to_owned()), "{accounts:?}");
    let rang = [&one, &other]
        .into_iter()
        .flat_map(|report| &report.attempts);
    let mut rang = rang.filter_map(|attempt| attempt.dial_string.as_deref());
    let bell = rang.find(|leg| leg.contains("127.0.5.1")).unwrap();
    assert!(
        bell.contains("origination_caller_id_number=+12125550101"),
        "{bell}"
    );
    assert_eq!(bench.ledger.units(), 0);
    bench.stop().await;

    let mut full = self::bench(&documents(json!({}), &beta(0))).await;
    let call = dials(&full, FAR, &[]);
    let (result, _) = full.ended(call).await;
    assert_eq!(result.sip_status, Some(486), "beta has no trunk");
    assert!(result.dialled.is_empty());
    full.stop().await;
}

/// Two accounts whose callflows send a call to each other: it ends.
#[tokio::test]
async fn callflows_that_send_a_call_to_each_other_come_to_an_end() {
    let others = [
        account("beta"),
        flow("beta", "in", FAR, "offnet", json!({"to_did": DID})),
        flow("acme", "back", DID, "offnet", json!({"to_did": FAR})),
    ];
    let mut bench = bench(&documents(json!({}), &others)).await;
    let call = dials(&bench, FAR, &[]);
    let result = timeout(PATIENCE, call.result()).await.unwrap();
    assert!(!result.answered);
    let mut hops = 0;
    while hops < 11 {
        bench.report().await;
        hops += 1;
    }
    let gone = async {
        while bench.nodes[0].legs() > 0 {
            tokio::time::sleep(MS).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("a leg is left over");
    bench.stop().await;
}

#[tokio::test]
async fn the_failover_of_a_did_may_be_a_number_of_anothers_callflow() {
    let did = json!({DID: {"failover": {"e164": FAR}}});
    let documents = [
        account("acme"),
        // Nobody has registered.
        connectivity("acme", "t1", &[server_of("pbx1", json!({}), did)]),
        carrier("c1", "127.0.1.1", 10),
        account("beta"),
        device("beta", "bell", "2001", "127.0.5.1"),
        flow("beta", "in", FAR, "device", json!({"id": "bell"})),
        limits("beta", json!({"inbound_trunks": 1})),
        limits("acme", json!({"inbound_trunks": 1, "outbound_trunks": 1})),
    ];
    let mut bench = bench(&documents).await;
    bench.nodes[0].phone("@127.0.5.1", answers());
    let call = bench.inbound(DID);
    bench.answered(&call).await;
    assert_eq!(bench.ledger.units(), 3);
    assert_eq!(bench.inbound_units("beta"), 1);
    call.hang_up();
    let result = timeout(PATIENCE, call.result()).await.unwrap();
    assert!(
        result.dialled[0].contains("loopback/+13125550188/"),
        "{result:?}"
    );
    let (one, other) = (bench.report().await, bench.report().await);
    let accounts = [&one.account_id, &other.account_id].map(|id| id.as_ref().unwrap().to_string());
    assert!(accounts.contains(&"beta".to_owned()), "{accounts:?}");
    assert_eq!(bench.ledger.units(), 0);
    bench.stop().await;
}
