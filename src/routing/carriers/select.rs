//! Which gateways may carry a call, in order (trunkstore specification 4.2, steps 2 to 6).

use std::sync::Arc;

use super::index::Hit;
use super::pool::Pool;
use super::{Candidate, Carrier, Wanted};
use crate::documents::GatewayStrategy;
use crate::routing::Explain;

/// Carriers without a rule for the number that an explanation names; there may be thousands.
const NAMED: usize = 50;

pub(super) fn select(
    pool: &Pool,
    wanted: &Wanted<'_>,
    explain: &mut dyn Explain,
) -> Vec<Candidate> {
    let hits = pool.hits(wanted.number);
    let class = claimed(pool, wanted).then_some(wanted.class);
    if explain.is_heard() {
        tell_unmatched(pool, &hits, wanted, explain);
        if let Some(class) = class {
            explain.note(
                "carriers",
                format_args!("{class} is a class that carriers claim: no others are asked"),
            );
        }
    }
    let mut candidates = Vec::new();
    for hit in &hits {
        let Some(carrier) = pool.carrier(hit.carrier) else {
            continue;
        };
        if let Some(why) = dropped(pool, hit, carrier, class, wanted) {
            explain.note("carriers", format_args!("{}: {why}", carrier.id));
            continue;
        }
        tell_chosen(carrier, hit, wanted, explain);
        add(carrier, hit, wanted, &mut candidates);
    }
    candidates
}

/// Step 3: some carrier that suits the flags is derived for the class, be it switched off.
fn claimed(pool: &Pool, wanted: &Wanted<'_>) -> bool {
    let suits = |at| {
        pool.carrier(at)
            .is_some_and(|carrier| carrier.suits(wanted.flags))
    };
    pool.of_class(wanted.class).any(suits)
}

fn dropped(
    pool: &Pool,
    hit: &Hit,
    carrier: &Carrier,
    class: Option<&str>,
    wanted: &Wanted<'_>,
) -> Option<&'static str> {
    if wanted.except == Some(&carrier.document_id) {
        return Some("it delivered this call");
    }
    if !carrier.suits(wanted.flags) {
        return Some(match wanted.flags {
            [] => "it requires flags and the call has none",
            _ => "it lacks a flag of the call",
        });
    }
    match (class, carrier.class()) {
        (None, None) => {}
        (Some(class), Some(own)) if class == own => {}
        (Some(_), _) => return Some("it is not for the class of the number"),
        (None, Some(_)) => return Some("it is for one class of numbers, which this is not"),
    }
    if !carrier.enabled {
        return Some("its classifier is disabled");
    }
    if !pool.takes_caller(hit.carrier, wanted.caller_number) {
        return Some("none of its cid_rules matches the caller number");
    }
    None
}

/// Step 6: the gateways of one carrier.
fn add(carrier: &Arc<Carrier>, hit: &Hit, wanted: &Wanted<'_>, candidates: &mut Vec<Candidate>) {
    let from = candidates.len();
    for gateway in carrier.dialable() {
        let own = carrier
            .gateway(gateway)
            .is_some_and(|gateway| gateway.emergency == Some(true));
        candidates.push(Candidate {
            resource: Arc::clone(carrier),
            gateway,
            number_sent: hit.part.of(wanted.number).to_owned(),
            weight: carrier.weight,
            emergency: carrier.emergency || own,
        });
    }
    if carrier.document.gateway_strategy == GatewayStrategy::Random
        && let Some(own) = candidates.get_mut(from..)
    {
        // Another order for each carrier of one call.
        let place = u64::try_from(hit.carrier).unwrap_or_default();
        fastrand::Rng::with_seed(wanted.seed ^ place.rotate_left(32)).shuffle(own);
    }
}

fn tell_chosen(carrier: &Carrier, hit: &Hit, wanted: &Wanted<'_>, explain: &mut dyn Explain) {
    if !explain.is_heard() {
        return;
    }
    let gateways = carrier.dialable().count();
    let rule = carrier.rule(hit.rule).unwrap_or_default();
    let sent = hit.part.of(wanted.number);
    explain.note(
        "carriers",
        format_args!(
            "{}: rule {rule} matches, sends {sent:?}; weight {}, {gateways} gateways",
            carrier.id, carrier.weight
        ),
    );
}

fn tell_unmatched(pool: &Pool, hits: &[Hit], wanted: &Wanted<'_>, explain: &mut dyn Explain) {
    let matched = |at: &usize| hits.binary_search_by_key(at, |hit| hit.carrier).is_ok();
    let mut unmatched = (0..pool.carriers().len()).filter(|at| !matched(at));
    for carrier in unmatched
        .by_ref()
        .take(NAMED)
        .filter_map(|at| pool.carrier(at))
    {
        explain.note(
            "carriers",
            format_args!("{}: no rule matches {}", carrier.id, wanted.number),
        );
    }
    let more = unmatched.count();
    if more > 0 {
        explain.note(
            "carriers",
            format_args!("{more} more carriers without a rule that matches"),
        );
    }
}
