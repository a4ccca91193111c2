//! What `[metrics]` tells of trunks: the figures of a call, a refusal, the fraud guard and a gateway's circuit.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod trunk_support;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use linefinder::sim::PhoneScript;
use serde_json::json;
use trunk_support::*;

type Figures = BTreeMap<String, f64>;

async fn figures(bench: &Bench) -> Figures {
    let text = bench.figures().await;
    let lines = text.lines().filter(|line| line.starts_with("linefinder_"));
    let figures = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    });
    figures.collect()
}

fn figure(figures: &Figures, name: &str) -> f64 {
    figures.get(name).copied().unwrap_or(0.0)
}

/// What has been added since; the recorder is the whole process's.
#[track_caller]
fn added(before: &Figures, after: &Figures, expected: &[(&str, f64)]) {
    for (name, value) in expected {
        let by = figure(after, name) - figure(before, name);
        assert!((by - value).abs() < 1e-9, "{name} by {by}: {after:#?}");
    }
}

#[tokio::test]
async fn the_figures_of_trunks() {
    let pbx = server_at("pbx1", "127.0.2.1", json!({}), json!({DID: {}}));
    let documents = [
        account("acme"),
        connectivity("acme", "pbx", &[pbx]),
        carrier("c1", "127.0.1.1", 10),
        limits("acme", json!({"inbound_trunks": 1, "outbound_trunks": 3})),
    ];
    let mut bench = Bench::with(1, &documents, |config, _| {
        config.metrics.listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.fraud.calls_per_minute = 5;
        config.trunks.gateway_misses = 2;
        config.trunks.gateway_answers = 1;
        config.trunks.gateway_try_every_s = 0;
    })
    .await;
    let node = bench.nodes[0].clone();
    node.phone("@127.0.2.1", answers());
    let start = figures(&bench).await;
    assert_eq!(figure(&start, "linefinder_gateways"), 1.0);

    // A call that is up, another for which there is no room.
    let call = bench.inbound(DID);
    bench.answered(&call).await;
    let up = figures(&bench).await;
    added(&start, &up, &[("linefinder_trunk_units", 1.0)]);
    let refused = bench.inbound(DID);
    assert_eq!(bench.ended(refused).await.0.sip_status, Some(486));
    call.hang_up();
    bench.ended(call).await;
    let over = figures(&bench).await;
    added(
        &start,
        &over,
        &[
            ("linefinder_trunk_units", 0.0),
            (
                "linefinder_calls_total{route=\"pbx\",answered=\"true\"}",
                1.0,
            ),
            (
                "linefinder_calls_total{route=\"pbx\",answered=\"false\"}",
                1.0,
            ),
            (
                "linefinder_trunk_attempts_total{to=\"server\",outcome=\"answered\"}",
                1.0,
            ),
            ("linefinder_limits_refused_total{direction=\"in\"}", 1.0),
            ("linefinder_limits_refused_total{direction=\"out\"}", 0.0),
        ],
    );

    // A carrier that is out of order, and is back.
    node.phone("@127.0.1.1", PhoneScript::refuses(503));
    for _ in 0..2 {
        let call = bench.outbound(FAR);
        bench.ended(call).await;
    }
    let open = figures(&bench).await;
    added(
        &over,
        &open,
        &[
            ("linefinder_gateway_circuits_total{now=\"open\"}", 1.0),
            ("linefinder_gateways_out", 1.0),
            (
                "linefinder_trunk_attempts_total{to=\"gateway\",outcome=\"failed\"}",
                2.0,
            ),
        ],
    );
    node.phone("@127.0.1.1", chats());
    let call = bench.outbound(FAR);
    assert!(bench.ended(call).await.0.answered);
    let closed = figures(&bench).await;
    added(
        &open,
        &closed,
        &[
            ("linefinder_gateway_circuits_total{now=\"closed\"}", 1.0),
            ("linefinder_gateways_out", -1.0),
            ("linefinder_gateway_tries_total", 1.0),
            (
                "linefinder_calls_total{route=\"offnet\",answered=\"true\"}",
                1.0,
            ),
        ],
    );

    // The fraud guard: warned near the limit of five, then throttled; emergency calls pass and are told.
    for _ in 0..3 {
        let call = bench.outbound(FAR);
        bench.ended(call).await;
    }
    let call = bench.outbound("911");
    assert!(bench.ended(call).await.0.answered);
    let last = figures(&bench).await;
    let action = |action: &str| {
        format!(
            "linefinder_fraud_actions_total{{action=\"{action}\",measure=\"calls_per_minute\"}}"
        )
    };
    added(
        &closed,
        &last,
        &[
            (&action("warned"), 1.0),
            (&action("throttled"), 1.0),
            ("linefinder_emergency_calls_total", 1.0),
        ],
    );

    // Whatever callers send, no label says it.
    for at in 0..20 {
        let number = format!("+1212999{at:04}");
        let call = bench.inbound(&number);
        bench.ended(call).await;
    }
    let after = figures(&bench).await;
    let new = after.keys().filter(|name| !last.contains_key(*name));
    assert!(new.clone().count() <= 2, "{:?}", new.collect::<Vec<_>>());
    for name in after.keys() {
        for told in ["1212", "1313", "acme", "pbx1", "127.0", "c1\""] {
            assert!(!name.contains(told), "{name}");
        }
    }
    bench.stop().await;
}
