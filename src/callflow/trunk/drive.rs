//! An arriving call, as far as trunks have to do with it.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::course::{Course, Finish, Scene, kind};
use super::door::{Door, Facts, is_loopback, knock};
use super::units::Held;
use super::world::Documents;
use crate::callflow::stage::Clock;
use crate::callflow::{CallReport, Context, Verdict, admission};
use crate::routing::Silent;
use crate::routing::trunk::{self, Elsewhere, Failover, Outcome, Reject};
use crate::switch::{Arrival, Leg};
use crate::types::HangupCause;

/// Whose the call is.
pub(in crate::callflow) enum Driven {
    /// It was a trunk's, and came to this.
    Finished(Finish),
    /// It is the callflows'; what it came over, and what it holds until its end.
    Callflows(Option<Elsewhere>, Held),
}

/// Does what trunks have to do with a call.
pub(in crate::callflow) async fn drive(
    arrival: &Arrival,
    leg: &Arc<dyn Leg>,
    context: &Context,
    shutdown: &CancellationToken,
    clock: Clock,
    report: &mut CallReport,
) -> Driven {
    let office = context.office(clock.now(), 0);
    let world = Documents::new(context);
    let privacy = admission::privacy_of(arrival);
    let mut facts = Facts::of(arrival, privacy, clock.now());
    let (decision, party) = match knock(&office, &mut facts, &world, &mut Silent) {
        Ok(Door::Callflows) => return Driven::Callflows(None, Held::default()),
        Ok(Door::Elsewhere { elsewhere, units }) => {
            let scene = scene(arrival, leg, context, &world, shutdown, clock);
            let mut held = Held::default();
            return match held.take(&scene, &units).await {
                Ok(()) => Driven::Callflows(Some(elsewhere), held),
                Err(reject) => {
                    report.account_id = Some(elsewhere.account);
                    report.decision = refused(&arrival.destination);
                    Driven::Finished(Finish::Rejected(reject))
                }
            };
        }
        Ok(Door::Trunk { decision, party }) => (decision, party),
        Err(error) => {
            tracing::error!(call_id = %arrival.call, node = %arrival.node, %error, "the call can't be decided");
            let cause = HangupCause::NormalTemporaryFailure;
            let reject = Reject::hangup(cause, "the documents can't be read");
            return Driven::Finished(Finish::Rejected(reject));
        }
    };
    report.decided_us = Some(clock.elapsed_us());
    report.account_id.clone_from(&decision.account);
    report.decision = match &decision.outcome {
        Outcome::Route(route) => Verdict::Trunk {
            route: kind(route.kind),
            number: route.number.clone(),
        },
        Outcome::Reject(_) | Outcome::Elsewhere(_) => refused(&arrival.destination),
    };
    let mut scene = scene(arrival, leg, context, &world, shutdown, clock);
    scene.party = party.as_deref();
    let mut course = Course::new(scene);
    course.takes_over(private(arrival));
    let decide = |failover: &Failover| {
        facts.ask(&office, |request| {
            trunk::failover(request, failover, &world, &mut Silent)
        })
    };
    let finish = course.run(decision, &decide).await;
    report.attempts = course.take_attempts();
    if let Finish::Rejected(reject) = finish {
        tracing::info!(
            call_id = %arrival.call,
            account_id = report.account_id.as_ref().map(AsRef::<str>::as_ref),
            cause = %reject.cause,
            sip_status = reject.sip_status,
            why = reject.reason,
            "decision: the caller is turned away"
        );
    }
    Driven::Finished(finish)
}

fn scene<'a>(
    arrival: &'a Arrival,
    leg: &'a Arc<dyn Leg>,
    context: &'a Context,
    world: &'a Documents<'a>,
    shutdown: &'a CancellationToken,
    clock: Clock,
) -> Scene<'a> {
    Scene {
        call: &arrival.call,
        node: &arrival.node,
        leg,
        context,
        world,
        shutdown,
        clock,
        behind_loopback: is_loopback(arrival),
        party: None,
    }
}

/// Headers that only nodes of ours may send each other; FreeSWITCH would copy a caller's to the leg
/// that it dials, which may be one to such a node.
pub(in crate::callflow) fn private(arrival: &Arrival) -> Vec<String> {
    let names = arrival.variables.keys();
    // Any name that FreeSWITCH makes a variable of; others it could not copy either.
    let plain = |name: &str| {
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let private = names.filter(|name| trunk::is_private(name) && plain(name));
    private.map(|name| name.to_string()).collect()
}

fn refused(number: &str) -> Verdict {
    Verdict::Trunk {
        route: "reject",
        number: number.to_owned(),
    }
}
