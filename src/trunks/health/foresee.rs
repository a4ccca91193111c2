//! What the gateways' health would mean for a call now, told.

use tokio::time::Instant;

use super::arrange::{Order, order};
use super::{Forced, GatewayKey, Health, State};
use crate::routing::carriers::Candidate;

impl Health {
    /// The candidates as [`Health::arrange`] would order them, and a sentence for each whose health counts. Nothing is noted:
    /// no gateway that is out is tried for the sake of an explanation.
    #[must_use]
    pub fn foresee(
        &self,
        candidates: Vec<Candidate>,
        emergency: bool,
    ) -> (Vec<Candidate>, Vec<String>) {
        let state = self.lock();
        let now = Instant::now();
        let Order {
            first,
            left_out,
            tries,
            last_resort,
        } = order(&state, &self.0.settings, candidates, emergency, now);
        let how = |candidate: &Candidate| {
            let gateway = state.all.get(&GatewayKey::of(candidate))?;
            Some(match (gateway.forced, gateway.circuit.state()) {
                (Some(Forced::Out), _) => "switched off by hand".to_owned(),
                (Some(Forced::InUse), _) | (None, State::Closed) => return None,
                (None, State::Open) => match &gateway.last_cause {
                    Some(cause) => format!("circuit open, last call {cause}"),
                    None => "circuit open".to_owned(),
                },
            })
        };
        let mut told = Vec::new();
        for candidate in &left_out {
            if let Some(how) = how(candidate) {
                told.push(format!("{} is left out: {how}", name(candidate)));
            }
        }
        for candidate in &first {
            let Some(how) = how(candidate) else { continue };
            let why = if tries.as_ref() == Some(&GatewayKey::of(candidate)) {
                "it is time to try it"
            } else if emergency {
                "an emergency call loses no gateway"
            } else if last_resort {
                "none else is in use"
            } else {
                continue;
            };
            told.push(format!("{} stays: {how}, but {why}", name(candidate)));
        }
        (first, told)
    }
}

fn name(candidate: &Candidate) -> String {
    format!("{}, gateway {}", candidate.resource.id, candidate.gateway)
}
