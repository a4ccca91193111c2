//! Carriers that want REGISTER or are pinged, from their documents to calls, on a simulated node that asks the daemon's
//! directory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod trunk_support;

use std::net::SocketAddr;

use linefinder::documents::{Document, DocumentKey, DocumentType};
use linefinder::sim::{Node, PhoneScript};
use linefinder::store::Write;
use linefinder::types::{AccountId, DocumentId, HangupCause};
use serde_json::{Value, json};
use tokio::time::timeout;
use trunk_support::*;

fn registering() -> Value {
    let mut carrier = carrier("c1", "127.0.1.1", 10);
    let gateway = &mut carrier["gateways"][0];
    gateway["register"] = json!(true);
    gateway["ping"] = json!(30);
    gateway["username"] = json!("acme");
    gateway["password"] = json!("secret-1");
    carrier
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let reached = async {
        while !holds() {
            tokio::time::sleep(MS).await;
        }
    };
    timeout(PATIENCE, reached)
        .await
        .unwrap_or_else(|_| panic!("{what}"));
}

fn put(bench: &Bench, body: &Value, removed: bool) {
    let mut body = body.as_object().unwrap().clone();
    body.retain(|name, _| !["type", "account_id", "id"].contains(&name.as_str()));
    let key = DocumentKey {
        account: AccountId::new("installation").unwrap(),
        kind: DocumentType::Resource,
        id: DocumentId::new("c1").unwrap(),
    };
    let write = match removed {
        true => Write::Delete(key),
        false => Write::Put(Document { key, body }),
    };
    bench.store.apply_blocking(vec![write].into()).unwrap();
}

#[tokio::test]
async fn a_gateway_from_its_document_to_its_calls() {
    let pbx = server_at("pbx1", "127.0.2.1", json!({}), json!({DID: {}}));
    let documents = [
        account("acme"),
        connectivity("acme", "pbx", &[pbx]),
        registering(),
        carrier("c2", "127.0.1.2", 20),
    ];
    let node: Node = start_node("fs1").await;
    let mut bench = Bench::on(vec![node.clone()], store_of(&documents), |config, _| {
        config.directory.listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.trunks.gateway_look_every_s = 1;
        config.trunks.gateway_misses = 1;
        config.trunks.gateway_answers = 1;
    })
    .await;
    node.asks_directory(bench.directory.unwrap());
    node.phone("@127.0.1.2", chats());
    until("the node has no gateway", || node.gateways().len() == 1).await;
    let name = node.gateways().remove(0);
    assert!(name.starts_with("lf."), "{name}");
    node.gateway(&name, chats());
    let call = bench.outbound(FAR);
    let (result, report) = bench.ended(call).await;
    assert!(result.answered, "{report:?}");
    let dialled = &result.dialled[0];
    assert!(
        dialled.contains(&format!("sofia/gateway/{name}/+13125550188")),
        "{dialled}"
    );

    // It registers no longer: its calls go to the next one, without a try.
    node.gateway_answers(&name, false);
    loop {
        let call = bench.outbound(FAR);
        let (result, report) = bench.ended(call).await;
        assert!(result.answered, "{report:?}");
        if result.dialled[0].contains("127.0.1.2") {
            break;
        }
        // The node was quicker than its event.
        assert_eq!(
            report.attempts[0].outcome.to_string(),
            HangupCause::GatewayDown.as_str()
        );
    }
    node.gateway_answers(&name, true);
    loop {
        let call = bench.outbound(FAR);
        let (result, report) = bench.ended(call).await;
        assert!(!result.dialled.is_empty(), "{report:?}");
        if result.dialled[0].contains(&name) {
            break;
        }
    }

    // Another password is another gateway; a carrier that is gone takes its gateway along.
    let mut other = registering();
    other["gateways"][0]["password"] = json!("secret-2");
    put(&bench, &other, false);
    until("the gateway is not replaced", || {
        let now = node.gateways();
        now.len() == 1 && now[0] != name
    })
    .await;
    put(&bench, &other, true);
    until("the gateway is not removed", || node.gateways().is_empty()).await;
    bench.stop().await;
}

/// A carrier that sends the call elsewhere has failed; the caller's leg does not follow it.
#[tokio::test]
async fn a_redirection_is_a_failure() {
    let pbx = server_at("pbx1", "127.0.2.1", json!({}), json!({DID: {}}));
    let documents = [
        account("acme"),
        connectivity("acme", "pbx", &[pbx]),
        carrier("c1", "127.0.1.1", 10),
        carrier("c2", "127.0.1.2", 20),
    ];
    let mut bench = Bench::new(&documents).await;
    bench.nodes[0].phone("@127.0.1.1", PhoneScript::refuses(302));
    bench.nodes[0].phone("@127.0.1.2", chats());
    let call = bench.outbound(FAR);
    let (result, report) = bench.ended(call).await;
    assert!(result.answered, "{report:?}");
    assert_eq!(report.attempts.len(), 2);
    for dialled in &result.dialled {
        assert!(
            dialled.contains("outbound_redirect_fatal=true"),
            "{dialled}"
        );
    }
    bench.stop().await;
}
