//! How the carriers' gateways are: a circuit for each, fed by SIP OPTIONS and by the calls themselves.
//!
//! A gateway that has missed [`HealthSettings::misses`] times running is left out until it has answered
//! [`HealthSettings::answers`] times running; meanwhile a real call tries it now and then. An operator can force it either
//! way. What is left out, and when it is not:
//!
//! 1. Gateways in use go first, in their order. One that is out and due to be tried stays in its place.
//! 2. If none is in use, those that are out follow in their order: a call is better tried than refused. Those that an
//!    operator has switched off do not.
//! 3. An emergency call loses none: the ones that are out follow behind those in use, the ones switched off last.

mod arrange;
mod circuit;
mod foresee;
#[cfg(test)]
pub(super) mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::routing::carriers::{Candidate, ResourceSource};
use crate::types::HangupCause;

pub use crate::routing::carriers::GatewayKey;
use circuit::Circuit;
pub use circuit::{Mark, State};

/// When a gateway is left out, and when it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthSettings {
    /// Misses running that take a gateway out.
    pub misses: u32,
    /// Answers running that bring it back.
    pub answers: u32,
    /// Between two real calls that try a gateway which is out.
    pub try_every: Duration,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            misses: 3,
            answers: 2,
            try_every: Duration::from_secs(30),
        }
    }
}

/// An operator's word, which beats the circuit until it is taken back, over a restart as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forced {
    InUse,
    Out,
}

/// A gateway that an operator has forced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForcedGateway {
    #[serde(flatten)]
    pub key: GatewayKey,
    /// With another server it is another gateway.
    pub server: Box<str>,
    pub forced: Forced,
}

/// One gateway as it stands, for showing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GatewayHealth {
    #[serde(flatten)]
    pub key: GatewayKey,
    pub server: Box<str>,
    pub state: State,
    pub forced: Option<Forced>,
    /// Running, if it is in use.
    pub misses: u32,
    /// Running, if it is out.
    pub answers: u32,
    /// What SIP OPTIONS said last, by node.
    pub options: BTreeMap<Box<str>, bool>,
    /// How the last call that tried it ended.
    pub last_cause: Option<Box<str>>,
    /// Seconds since it went out or came back.
    pub for_s: u64,
}

/// What has happened since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct HealthCounters {
    pub opened: u64,
    pub closed: u64,
    /// Real calls that tried a gateway which was out.
    pub tried: u64,
    /// Calls for which no gateway was in use.
    pub last_resort: u64,
}

/// The circuits. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Health(Arc<Inner>);

struct Inner {
    settings: HealthSettings,
    state: Mutex<Gateways>,
    /// Counts the operators' words.
    forced: watch::Sender<u64>,
}

#[derive(Default)]
struct Gateways {
    all: HashMap<GatewayKey, Gateway>,
    counters: HealthCounters,
}

struct Gateway {
    server: Box<str>,
    circuit: Circuit,
    forced: Option<Forced>,
    options: BTreeMap<Box<str>, bool>,
    last_cause: Option<Box<str>>,
}

impl Gateway {
    fn new(server: &str, now: Instant) -> Self {
        Self {
            server: server.into(),
            circuit: Circuit::new(now),
            forced: None,
            options: BTreeMap::new(),
            last_cause: None,
        }
    }
}

impl Health {
    #[must_use]
    pub fn new(settings: HealthSettings) -> Self {
        Self(Arc::new(Inner {
            settings,
            state: Mutex::default(),
            forced: watch::Sender::new(0),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Gateways> {
        // Every change is whole before anything in it could panic.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps circuits of these carriers' gateways only; one whose server is another now begins anew.
    pub fn keep(&self, resources: &[ResourceSource]) {
        let now = Instant::now();
        let mut next = HashMap::new();
        let mut state = self.lock();
        for source in resources.iter().filter(|source| source.document.enabled) {
            for (place, document) in source.document.usable_gateways() {
                let key = GatewayKey::new(&source.account, &source.id, place);
                let server = document.server.as_deref().or(document.route.as_deref());
                let server = server.unwrap_or_default();
                let known = state
                    .all
                    .remove(&key)
                    .filter(|known| *known.server == *server);
                next.insert(key, known.unwrap_or_else(|| Gateway::new(server, now)));
            }
        }
        state.all = next;
        show(&state);
    }

    /// The candidates in the order in which they are to be tried, those left out that are out (see above).
    #[must_use]
    pub fn arrange(&self, candidates: Vec<Candidate>, emergency: bool) -> Vec<Candidate> {
        let now = Instant::now();
        let mut state = self.lock();
        arrange::arrange(&mut state, &self.0.settings, candidates, emergency, now)
    }

    /// A call was tried there and ended like this; `answered` or a cause that the far end sent shows that it lives.
    pub fn attempted(&self, key: &GatewayKey, cause: HangupCause, answered: bool) {
        let mark = if answered {
            Some(Mark::Answer)
        } else {
            circuit::mark(cause)
        };
        let mut state = self.lock();
        if let Some(gateway) = state.all.get_mut(key) {
            gateway.last_cause = Some(cause.as_str().into());
        }
        if let Some(mark) = mark {
            self.mark(&mut state, key, mark, cause.as_str());
        }
    }

    /// A node's SIP OPTIONS were answered, or not.
    pub fn probed(&self, key: &GatewayKey, node: &str, up: bool) {
        let mut state = self.lock();
        if let Some(gateway) = state.all.get_mut(key) {
            gateway.options.insert(node.into(), up);
        }
        let mark = if up { Mark::Answer } else { Mark::Miss };
        self.mark(&mut state, key, mark, "SIP OPTIONS");
    }

    fn mark(&self, state: &mut Gateways, key: &GatewayKey, mark: Mark, why: &str) {
        let Some(gateway) = state.all.get_mut(key) else {
            return;
        };
        let turned = gateway.circuit.mark(mark, &self.0.settings, Instant::now());
        match turned {
            Some(State::Open) => {
                state.counters.opened += 1;
                metrics::counter!("linefinder_gateway_circuits_total", "now" => "open")
                    .increment(1);
                tracing::warn!(gateway = %key, server = &*gateway.server, cause = why, "the gateway does not answer: it is left out");
            }
            Some(State::Closed) => {
                state.counters.closed += 1;
                metrics::counter!("linefinder_gateway_circuits_total", "now" => "closed")
                    .increment(1);
                tracing::info!(gateway = %key, server = &*gateway.server, cause = why, "the gateway answers again: it is in use");
            }
            None => {}
        }
        if turned.is_some() {
            show(state);
        }
    }

    /// An operator's word; None takes it back. False: there is no such gateway.
    pub fn force(&self, key: &GatewayKey, forced: Option<Forced>) -> bool {
        let mut state = self.lock();
        let Some(gateway) = state.all.get_mut(key) else {
            return false;
        };
        tracing::info!(gateway = %key, ?forced, "the gateway is forced by hand");
        gateway.forced = forced;
        show(&state);
        drop(state);
        self.0.forced.send_modify(|count| *count += 1);
        true
    }

    /// Counts changes of [`Health::forced_gateways`].
    #[must_use]
    pub fn forced(&self) -> watch::Receiver<u64> {
        self.0.forced.subscribe()
    }

    /// The gateways that are forced, in order.
    #[must_use]
    pub fn forced_gateways(&self) -> Vec<ForcedGateway> {
        let state = self.lock();
        let forced = state.all.iter().filter_map(|(key, gateway)| {
            Some(ForcedGateway {
                key: key.clone(),
                server: gateway.server.clone(),
                forced: gateway.forced?,
            })
        });
        let mut forced: Vec<_> = forced.collect();
        forced.sort_by(|a, b| a.key.cmp(&b.key));
        forced
    }

    /// Forces what was forced before the start, where it is the same gateway still.
    pub fn recall(&self, forced: &[ForcedGateway]) {
        let mut state = self.lock();
        for one in forced {
            let Some(gateway) = state.all.get_mut(&one.key) else {
                continue;
            };
            if gateway.server == one.server {
                tracing::warn!(gateway = %one.key, forced = ?one.forced, "the gateway is still forced by hand");
                gateway.forced = Some(one.forced);
            }
        }
        show(&state);
    }

    /// All gateways, in order.
    #[must_use]
    pub fn snapshot(&self) -> Vec<GatewayHealth> {
        let now = Instant::now();
        let state = self.lock();
        let shown = state.all.iter().map(|(key, gateway)| GatewayHealth {
            key: key.clone(),
            server: gateway.server.clone(),
            state: gateway.circuit.state(),
            forced: gateway.forced,
            misses: gateway.circuit.misses(),
            answers: gateway.circuit.answers(),
            options: gateway.options.clone(),
            last_cause: gateway.last_cause.clone(),
            for_s: now.duration_since(gateway.circuit.since()).as_secs(),
        });
        let mut shown: Vec<_> = shown.collect();
        shown.sort_by(|a, b| a.key.cmp(&b.key));
        shown
    }

    #[must_use]
    pub fn counters(&self) -> HealthCounters {
        self.lock().counters
    }
}

/// How many gateways there are, and how many no ordinary call is sent to.
fn show(state: &Gateways) {
    let out = |gateway: &&Gateway| match gateway.forced {
        Some(forced) => forced == Forced::Out,
        None => gateway.circuit.state() == State::Open,
    };
    let out = u32::try_from(state.all.values().filter(out).count()).unwrap_or(u32::MAX);
    let all = u32::try_from(state.all.len()).unwrap_or(u32::MAX);
    metrics::gauge!("linefinder_gateways").set(all);
    metrics::gauge!("linefinder_gateways_out").set(out);
}
