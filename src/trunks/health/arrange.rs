//! Which of the candidates are tried, in which order.

use tokio::time::Instant;

use super::circuit::State;
use super::{Forced, GatewayKey, Gateways, HealthSettings};
use crate::routing::carriers::Candidate;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    InUse,
    /// Out, and due to be tried.
    Due,
    Out,
    SwitchedOff,
}

/// The candidates in the order in which they are tried, and the others.
pub(super) struct Order {
    pub(super) first: Vec<Candidate>,
    pub(super) left_out: Vec<Candidate>,
    /// The one that is out and is tried all the same, because it is due.
    pub(super) tries: Option<GatewayKey>,
    /// None is in use, so those that are out are tried.
    pub(super) last_resort: bool,
}

pub(super) fn arrange(
    state: &mut Gateways,
    settings: &HealthSettings,
    candidates: Vec<Candidate>,
    emergency: bool,
    now: Instant,
) -> Vec<Candidate> {
    let order = order(state, settings, candidates, emergency, now);
    if let Some(gateway) = order.tries.and_then(|key| state.all.get_mut(&key)) {
        gateway.circuit.trying(now);
        state.counters.tried += 1;
        metrics::counter!("linefinder_gateway_tries_total").increment(1);
    }
    if order.last_resort {
        state.counters.last_resort += 1;
        metrics::counter!("linefinder_gateway_last_resorts_total").increment(1);
    }
    order.first
}

/// What [`arrange`] would do now; nothing is noted.
pub(super) fn order(
    state: &Gateways,
    settings: &HealthSettings,
    candidates: Vec<Candidate>,
    emergency: bool,
    now: Instant,
) -> Order {
    let (mut first, mut out, mut off) =
        (Vec::with_capacity(candidates.len()), Vec::new(), Vec::new());
    let mut in_use = false;
    let mut tries = None;
    for candidate in candidates {
        let key = GatewayKey::of(&candidate);
        match standing(state, &key, settings, now) {
            Standing::InUse => {
                in_use = true;
                first.push(candidate);
            }
            // Behind one that is in use it would hardly be tried. A caller in need is no test.
            Standing::Due if !in_use && !emergency && first.is_empty() => {
                tries = Some(key);
                first.push(candidate);
            }
            Standing::Due | Standing::Out => out.push(candidate),
            Standing::SwitchedOff => off.push(candidate),
        }
    }
    let last_resort = !in_use && !out.is_empty();
    if emergency || !in_use {
        first.append(&mut out);
    }
    if emergency {
        first.append(&mut off);
    }
    out.append(&mut off);
    Order {
        first,
        left_out: out,
        tries,
        last_resort,
    }
}

fn standing(
    state: &Gateways,
    key: &GatewayKey,
    settings: &HealthSettings,
    now: Instant,
) -> Standing {
    let Some(gateway) = state.all.get(key) else {
        return Standing::InUse;
    };
    match (gateway.forced, gateway.circuit.state()) {
        (Some(Forced::InUse), _) | (None, State::Closed) => Standing::InUse,
        (Some(Forced::Out), _) => Standing::SwitchedOff,
        (None, State::Open) if gateway.circuit.is_due(settings, now) => Standing::Due,
        (None, State::Open) => Standing::Out,
    }
}
