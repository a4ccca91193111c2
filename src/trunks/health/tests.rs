use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::routing::Silent;
use crate::routing::carriers::{Table, Wanted};
use crate::routing::numbers::Classifiers;
use crate::types::{AccountId, DocumentId};

pub(in crate::trunks) fn source(id: &str, servers: &[&str]) -> ResourceSource {
    let gateways: Vec<_> = servers
        .iter()
        .map(|server| json!({"server": server}))
        .collect();
    let document = json!({"rules": ["."], "gateways": gateways});
    ResourceSource {
        account: AccountId::installation(),
        id: DocumentId::new(id).unwrap(),
        document: Arc::new(serde_json::from_value(document).unwrap()),
    }
}

fn key(id: &str, place: usize) -> GatewayKey {
    GatewayKey::new(
        &AccountId::installation(),
        &DocumentId::new(id).unwrap(),
        place,
    )
}

struct World {
    health: Health,
    sources: Vec<ResourceSource>,
}

impl World {
    fn new() -> Self {
        let sources = vec![source("a", &["a0", "a1"]), source("b", &["b0"])];
        let health = Health::new(HealthSettings::default());
        health.keep(&sources);
        Self { health, sources }
    }

    fn candidates(&self) -> Vec<Candidate> {
        let account = AccountId::new("x").unwrap();
        let wanted = Wanted {
            number: "1",
            class: "unknown",
            flags: &[],
            account: &account,
            ancestors: &[],
            hunt_account: None,
            caller_number: "1",
            except: None,
            seed: 1,
        };
        Table::compile(&self.sources, Classifiers::us()).select(&wanted, &mut Silent)
    }

    fn order(&self, emergency: bool) -> String {
        let arranged = self.health.arrange(self.candidates(), emergency);
        let shown = arranged
            .iter()
            .map(|candidate| format!("{}{}", candidate.resource.id, candidate.gateway));
        shown.collect::<Vec<_>>().join(" ")
    }

    fn miss(&self, id: &str, place: usize, times: usize) {
        for _ in 0..times {
            self.health
                .attempted(&key(id, place), HangupCause::ProgressTimeout, false);
        }
    }

    fn answer(&self, id: &str, place: usize) {
        self.health
            .attempted(&key(id, place), HangupCause::UserBusy, false);
    }
}

#[tokio::test(start_paused = true)]
async fn misses_running_take_a_gateway_out_and_answers_bring_it_back() {
    let world = World::new();
    world.miss("a", 0, 2);
    world.answer("a", 0);
    world.miss("a", 0, 2);
    assert_eq!(world.order(false), "a0 a1 b0");
    world.miss("a", 0, 1);
    assert_eq!(world.order(false), "a1 b0");
    world.answer("a", 0);
    world.miss("a", 0, 1);
    world.answer("a", 0);
    assert_eq!(world.order(false), "a1 b0");
    world.answer("a", 0);
    assert_eq!(world.order(false), "a0 a1 b0");
    let HealthCounters { opened, closed, .. } = world.health.counters();
    assert_eq!((opened, closed), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn options_and_calls_feed_one_circuit() {
    let world = World::new();
    world.health.probed(&key("a", 0), "fs1", false);
    world.miss("a", 0, 1);
    world.health.probed(&key("a", 0), "fs1", false);
    assert_eq!(world.order(false), "a1 b0");
    let shown = &world.health.snapshot()[0];
    assert_eq!(
        (shown.state, shown.options.get("fs1")),
        (State::Open, Some(&false))
    );
    assert_eq!(shown.last_cause.as_deref(), Some("PROGRESS_TIMEOUT"));
    world.health.probed(&key("a", 0), "fs1", true);
    world.health.probed(&key("a", 0), "fs1", true);
    assert_eq!(world.order(false), "a0 a1 b0");
}

#[tokio::test(start_paused = true)]
async fn a_real_call_tries_it_now_and_then() {
    let world = World::new();
    world.miss("a", 0, 3);
    tokio::time::advance(Duration::from_secs(29)).await;
    assert_eq!(world.order(false), "a1 b0");
    tokio::time::advance(Duration::from_secs(1)).await;
    // Not with a caller in need; then with one other, and no second.
    assert_eq!(world.order(true), "a1 b0 a0");
    assert_eq!(world.order(false), "a0 a1 b0");
    assert_eq!(world.order(false), "a1 b0");
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(world.order(false), "a0 a1 b0");
    assert_eq!(world.health.counters().tried, 2);
    // One that stands behind others in use is not wasted a call on.
    world.miss("b", 0, 3);
    tokio::time::advance(Duration::from_secs(60)).await;
    world.answer("a", 0);
    world.answer("a", 0);
    assert_eq!(world.order(false), "a0 a1");
}

#[tokio::test(start_paused = true)]
async fn the_list_is_never_emptied() {
    let world = World::new();
    for (id, place) in [("a", 0), ("a", 1), ("b", 0)] {
        world.miss(id, place, 3);
    }
    assert_eq!(world.order(false), "a0 a1 b0");
    assert_eq!(world.order(true), "a0 a1 b0");
    assert_eq!(world.health.counters().last_resort, 2);
}

#[tokio::test(start_paused = true)]
async fn an_operator_beats_the_circuit() {
    let world = World::new();
    world.miss("a", 0, 3);
    assert!(world.health.force(&key("a", 0), Some(Forced::InUse)));
    assert!(world.health.force(&key("a", 1), Some(Forced::Out)));
    assert_eq!(world.order(false), "a0 b0");
    assert_eq!(world.order(true), "a0 b0 a1");
    assert!(world.health.force(&key("a", 0), None));
    assert_eq!(world.order(false), "b0");
    assert!(world.health.force(&key("b", 0), Some(Forced::Out)));
    // What is switched off by hand stays so, but for an emergency call.
    assert_eq!(world.order(false), "a0");
    assert_eq!(world.order(true), "a0 a1 b0");
    assert!(!world.health.force(&key("c", 0), Some(Forced::Out)));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_with_another_server_begins_anew() {
    let mut world = World::new();
    world.miss("a", 0, 3);
    world.miss("b", 0, 3);
    world.sources[0] = source("a", &["other", "a1"]);
    world.health.keep(&world.sources);
    assert_eq!(world.order(false), "a0 a1");
    world.health.keep(&[]);
    assert!(world.health.snapshot().is_empty());
}
