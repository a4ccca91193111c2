//! A fault of our own in a node's task: the node is back a moment later, and calls are taken.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod trunk_support;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use linefinder::config::Secret;
use linefinder::sim::{CallSpec, Handoff, Registered};
use linefinder::switch::{
    ChannelSink, Following, NodeSettings, NodeState, PresentChannel, RegistrationEvent,
    RegistrationSink, Switch, SwitchSettings, Unregistered,
};
use linefinder::types::NodeName;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use trunk_support::{PATIENCE, start_node};

/// Panics once in the task that reads the connection, and once in the one that follows registrations.
#[derive(Default)]
struct Faulty {
    ended: AtomicBool,
    registered: AtomicBool,
    /// How often the node's channels were read.
    read: AtomicU32,
    away: AtomicU32,
}

impl ChannelSink for Faulty {
    fn reading(&self, _: &NodeName) {}
    fn glimpses(&self, _: &NodeName) -> bool {
        false
    }
    fn present(&self, _: &NodeName, _: Vec<PresentChannel>) {
        self.read.fetch_add(1, Ordering::SeqCst);
    }
    fn unreadable(&self, _: &NodeName) {}
    fn ended(&self, _: &NodeName, _: &str) {
        assert!(self.ended.swap(true, Ordering::SeqCst), "a fault, for once");
    }
    fn renamed(&self, _: &NodeName, _: &str, _: &str) {}
    fn away(&self, _: &NodeName) {
        self.away.fetch_add(1, Ordering::SeqCst);
    }
}

impl RegistrationSink for Faulty {
    fn register(&self, _: &NodeName, _: RegistrationEvent) {
        assert!(
            self.registered.swap(true, Ordering::SeqCst),
            "a fault, for once"
        );
    }
    fn unregister(&self, _: &NodeName, _: Unregistered) {}
    fn replace(&self, _: &NodeName, _: Vec<RegistrationEvent>) {}
}

#[tokio::test]
async fn a_node_whose_task_panicked_is_back() {
    let node = start_node("fs1").await;
    let faulty = Arc::new(Faulty::default());
    let name = NodeName::new("fs1").unwrap();
    let password = Secret::new("bench".into()).secret();
    let mut settings = NodeSettings::new(name, node.address().to_string(), password);
    settings.park = true;
    let settings = SwitchSettings {
        nodes: vec![settings],
        following: Some(Following {
            sink: faulty.clone(),
            variable: "lf_units",
        }),
        ..SwitchSettings::default()
    };
    let shutdown = CancellationToken::new();
    let (switch, mut incoming) = Switch::start(settings, faulty.clone(), &shutdown).unwrap();
    let mut state = switch.nodes()[0].state();
    let mut lives = 0;
    let mut live = async || {
        let reached = state.wait_for(NodeState::is_live);
        drop(
            timeout(PATIENCE, reached)
                .await
                .expect("not connected")
                .unwrap(),
        );
        lives += 1;
        lives
    };
    live().await;
    let source: IpAddr = "127.0.1.1".parse().unwrap();
    let place = || node.place_call(CallSpec::trunk(source, "+1312", "+1212", Handoff::Park));

    // The end of this call is told to the sink, which panics.
    let call = place();
    let taken = timeout(PATIENCE, incoming.recv()).await.unwrap().unwrap();
    assert_eq!(taken.arrival.call.as_str(), call.uuid());
    call.hang_up();
    let again = async {
        while faulty.away.load(Ordering::SeqCst) < 1 || faulty.read.load(Ordering::SeqCst) < 2 {
            tokio::time::sleep(trunk_support::MS).await;
        }
    };
    timeout(PATIENCE, again)
        .await
        .expect("the node is not read again");
    assert!(faulty.ended.load(Ordering::SeqCst));
    live().await;

    // The same where registrations are followed.
    node.register(&Registered::phone("1001@acme.example", "127.0.0.1:5071"));
    let again = async {
        while faulty.read.load(Ordering::SeqCst) < 3 {
            tokio::time::sleep(trunk_support::MS).await;
        }
    };
    timeout(PATIENCE, again)
        .await
        .expect("the node is not read again");
    live().await;

    let call = place();
    let taken = timeout(PATIENCE, incoming.recv()).await.unwrap().unwrap();
    assert_eq!(taken.arrival.call.as_str(), call.uuid());
    shutdown.cancel();
}
