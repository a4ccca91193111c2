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

pub(super) fn arrange(
    state: &mut Gateways,
    settings: &HealthSettings,
    candidates: Vec<Candidate>,
    emergency: bool,
    now: Instant,
) -> Vec<Candidate> {
    let (mut first, mut out, mut off) =
        (Vec::with_capacity(candidates.len()), Vec::new(), Vec::new());
    let mut in_use = false;
    for candidate in candidates {
        let key = GatewayKey::of(&candidate);
        match standing(state, &key, settings, now) {
            Standing::InUse => {
                in_use = true;
                first.push(candidate);
            }
            // Behind one that is in use it would hardly be tried. A caller in need is no test.
            Standing::Due if !in_use && !emergency && first.is_empty() => {
                if let Some(gateway) = state.all.get_mut(&key) {
                    gateway.circuit.trying(now);
                }
                state.counters.tried += 1;
                metrics::counter!("linefinder_gateway_tries_total").increment(1);
                first.push(candidate);
            }
            Standing::Due | Standing::Out => out.push(candidate),
            Standing::SwitchedOff => off.push(candidate),
        }
    }
    if emergency || !in_use {
        if !in_use && !out.is_empty() {
            state.counters.last_resort += 1;
            metrics::counter!("linefinder_gateway_last_resorts_total").increment(1);
        }
        first.append(&mut out);
    }
    if emergency {
        first.append(&mut off);
    }
    first
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
