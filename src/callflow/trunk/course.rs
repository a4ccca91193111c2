//! A decided call from its first attempt to its last.

use std::sync::Arc;

use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::attempt::{self, Clocks, Placed};
use super::door::RANG;
use super::units::Held;
use crate::callflow::report::{Attempt as Reported, AttemptOutcome};
use crate::callflow::stage::Clock;
use crate::callflow::{Context, figures};
use crate::routing::dialing::EMERGENCY;
use crate::routing::numbers::Classifiers;
use crate::routing::trunk::{
    Attempt, AttemptTo, Decision, Dial, Ended, Failover, Outcome, Reject, Route, RouteKind, Step,
    UnitWanted, Unreadable, World, next,
};
use crate::routing::{DialString, Variables};
use crate::switch::{Application, CallError, Leg};
use crate::trunks::fraud;
use crate::trunks::health::GatewayKey;
use crate::trunks::ledger::Marks;
use crate::types::{CallId, HangupCause, NodeName};

/// A call, and what is needed to do something with it.
#[derive(Clone, Copy)]
pub(in crate::callflow) struct Scene<'a> {
    pub(in crate::callflow) call: &'a CallId,
    pub(in crate::callflow) node: &'a NodeName,
    pub(in crate::callflow) leg: &'a Arc<dyn Leg>,
    pub(in crate::callflow) context: &'a Context,
    pub(in crate::callflow) world: &'a (dyn World + Sync),
    pub(in crate::callflow) shutdown: &'a CancellationToken,
    pub(in crate::callflow) clock: Clock,
    /// The caller's leg is the far half of a loopback, which leaves the call soon after the answer.
    pub(in crate::callflow) behind_loopback: bool,
    /// The device or server that calls out, for the fraud guard.
    pub(in crate::callflow) party: Option<&'a str>,
}

/// A call on its way to its PBX or its carriers.
pub(in crate::callflow) struct Course<'a> {
    scene: Scene<'a>,
    /// What became of each attempt.
    attempts: Vec<Reported>,
    held: Held,
    /// The caller's leg has been told what holds for the whole call.
    prepared: bool,
    /// Variables that the last attempt left on the caller's leg.
    left_on_leg: Vec<String>,
    guard: Option<Instant>,
}

/// How a course ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::callflow) enum Finish {
    /// There was a conversation.
    Talked,
    /// The caller's leg is gone, or somebody else has the call.
    Gone,
    /// The caller is to be told.
    Rejected(Reject),
    /// FreeSWITCH keeps the call.
    LetGo,
}

enum Hunted {
    Finished(Finish),
    Failover,
}

type DecideFailover<'f> = dyn Fn(&Failover) -> Result<Decision, Unreadable> + Sync + 'f;

impl<'a> Course<'a> {
    pub(in crate::callflow) fn new(scene: Scene<'a>) -> Self {
        Self {
            scene,
            attempts: Vec::new(),
            held: Held::default(),
            prepared: false,
            left_on_leg: Vec::new(),
            guard: None,
        }
    }

    /// Does what was decided, and what is decided after it if all attempts fail. The units stay
    /// taken until the course is dropped and the leg has ended.
    pub(in crate::callflow) async fn run(
        &mut self,
        decision: Decision,
        failover: &DecideFailover<'_>,
    ) -> Finish {
        match self.follow(decision).await {
            Ok(route) => match self.hunt(&route).await {
                Hunted::Finished(finish) => finish,
                Hunted::Failover => self.fail_over(&route, failover).await,
            },
            Err(reject) => Finish::Rejected(reject),
        }
    }

    /// At most once a call: the failover of a failover is none.
    async fn fail_over(&mut self, route: &Route, decide: &DecideFailover<'_>) -> Finish {
        let Some(failover) = &route.failover else {
            return Finish::Rejected(self.last_refusal());
        };
        tracing::info!(call_id = %self.scene.call, account_id = %failover.account, to = ?failover.to, "failover");
        let decided = match decide(failover) {
            Ok(decided) => decided,
            Err(error) => return Finish::Rejected(self.unreadable(&error)),
        };
        let mut route = match self.follow(decided).await {
            Ok(route) => route,
            Err(reject) => return Finish::Rejected(reject),
        };
        route.failover = None;
        match self.hunt(&route).await {
            Hunted::Finished(finish) => finish,
            Hunted::Failover => Finish::Rejected(self.last_refusal()),
        }
    }

    /// What the last attempt failed of.
    fn last_refusal(&self) -> Reject {
        let cause = self.attempts.iter().rev().find_map(|a| match a.outcome {
            AttemptOutcome::Failed { cause, .. } | AttemptOutcome::NoLeg { cause, .. } => {
                Some(cause)
            }
            _ => None,
        });
        Reject::hangup(
            cause.unwrap_or(HangupCause::NoRouteDestination),
            "no attempt has succeeded",
        )
    }

    fn unreadable(&self, error: &Unreadable) -> Reject {
        tracing::error!(call_id = %self.scene.call, %error, "the call can't be decided");
        Reject::hangup(
            HangupCause::NormalTemporaryFailure,
            "the documents can't be read",
        )
    }

    /// Takes what the decision needs; gives the route.
    async fn follow(&mut self, decision: Decision) -> Result<Route, Reject> {
        let Decision { units, outcome, .. } = decision;
        let route = match outcome {
            Outcome::Route(route) => *route,
            Outcome::Reject(reject) => {
                // Units are asked for first: their refusal is the earlier one.
                self.take(&units).await?;
                return Err(reject);
            }
            // Whoever asked for a route does not hand the call over any more.
            Outcome::Elsewhere(_) => {
                return Err(Reject::hangup(
                    HangupCause::NoRouteDestination,
                    "the number belongs to another application",
                ));
            }
        };
        if route.kind == RouteKind::Offnet {
            self.ask_guard(&route)?;
        }
        self.take(&units).await?;
        if route.emergency {
            metrics::counter!("linefinder_emergency_calls_total").increment(1);
            tracing::warn!(call_id = %self.scene.call, account_id = %route.account, number = route.number, "emergency call");
        }
        tracing::info!(
            call_id = %self.scene.call,
            account_id = %route.account,
            route = kind(route.kind),
            number = route.number,
            attempts = route.attempts.len(),
            failover = route.failover.is_some(),
            "decision: routed"
        );
        Ok(route)
    }

    async fn take(&mut self, units: &[UnitWanted]) -> Result<(), Reject> {
        self.held.take(&self.scene, units).await
    }

    fn ask_guard(&mut self, route: &Route) -> Result<(), Reject> {
        let attempt = fraud::Attempt {
            call: self.scene.call,
            account: &route.account,
            party: self.scene.party,
            class: class_of(route),
            number: &route.number,
        };
        self.held.pass(&self.scene, &attempt)
    }

    async fn hunt(&mut self, route: &Route) -> Hunted {
        let mut after = None;
        let guard = Duration::from_secs(u64::from(route.guard_s));
        let guard = *self.guard.get_or_insert_with(|| Instant::now() + guard);
        loop {
            let step = next(route, after);
            self.pass_over(route, after, step);
            let index = match step {
                Step::Place(index) => index,
                Step::Failover => return Hunted::Failover,
                Step::Done => {
                    let talked = matches!(after, Some((_, Ended::Answered)));
                    let finish = if talked { Finish::Talked } else { Finish::Gone };
                    return Hunted::Finished(finish);
                }
                Step::HangUp(reject) => return Hunted::Finished(Finish::Rejected(reject)),
            };
            let Some(attempt) = route.attempts.get(index) else {
                return Hunted::Finished(Finish::Rejected(self.last_refusal()));
            };
            match self.place(route, attempt, guard).await {
                Placed::Ended(ended) => after = Some((index, ended)),
                Placed::LetGo => return Hunted::Finished(Finish::LetGo),
            }
        }
    }

    /// Attempts without a leg that the hunt passed over are told, too.
    fn pass_over(&mut self, route: &Route, after: Option<(usize, Ended)>, step: Step) {
        let from = after.map_or(0, |(index, _)| index + 1);
        let to = match (step, after) {
            (Step::Place(index), _) => index,
            (Step::Failover | Step::HangUp(_), None) => route.attempts.len(),
            (Step::Failover | Step::HangUp(_), Some((_, Ended::Failed { cause, sip_status })))
                if route.hunting.goes_on(cause, sip_status) =>
            {
                route.attempts.len()
            }
            _ => return,
        };
        for attempt in route.attempts.get(from..to).unwrap_or_default() {
            let Dial::Fails(cause, error) = attempt.dial else {
                continue;
            };
            let at = self.report(attempt, None);
            let outcome = AttemptOutcome::NoLeg { error, cause };
            figures::attempted(&attempt.to, &outcome);
            self.conclude(at, outcome);
        }
    }

    async fn place(&mut self, route: &Route, attempt: &Attempt, guard: Instant) -> Placed {
        let Dial::Call(dial) = &attempt.dial else {
            // (The hunt places calls only.)
            return Placed::Ended(Ended::CallerGone);
        };
        let dial_string = match self.marks().filter(|_| self.scene.behind_loopback) {
            Some(marks) => marked(dial, &marks).render(),
            None => dial.render(),
        };
        let at = self.report(attempt, Some(dial_string.clone()));
        let applications = self.preparation(route, attempt);
        let clocks = Clocks::new(attempt, guard);
        let placed = match self.scene.leg.execute_all(applications).await {
            Ok(_) => {
                attempt::place(&**self.scene.leg, dial_string, clocks, self.scene.shutdown).await
            }
            Err(CallError::Hungup) => Placed::Ended(Ended::CallerGone),
            Err(error) => {
                tracing::warn!(call_id = %self.scene.call, %error, "the caller's leg can't be prepared");
                Placed::LetGo
            }
        };
        let outcome = match placed {
            Placed::Ended(Ended::Answered) => AttemptOutcome::Answered,
            Placed::Ended(Ended::Failed { cause, sip_status }) => {
                AttemptOutcome::Failed { cause, sip_status }
            }
            Placed::Ended(Ended::CallerGone | Ended::GuardExpired) | Placed::LetGo => {
                AttemptOutcome::Unfinished
            }
        };
        self.tell_health(&attempt.to, &outcome);
        figures::attempted(&attempt.to, &outcome);
        self.conclude(at, outcome);
        placed
    }

    /// What a gateway made of a call goes into its circuit.
    fn tell_health(&self, to: &AttemptTo, outcome: &AttemptOutcome) {
        let (
            Some(health),
            AttemptTo::Gateway {
                owner,
                resource,
                gateway,
                ..
            },
        ) = (&self.scene.context.health, to)
        else {
            return;
        };
        let key = GatewayKey::new(owner, resource, *gateway);
        match outcome {
            AttemptOutcome::Answered => {
                health.attempted(&key, HangupCause::NormalClearing, true);
            }
            AttemptOutcome::Failed { cause, .. } => health.attempted(&key, *cause, false),
            AttemptOutcome::NoLeg { .. } | AttemptOutcome::Unfinished => {}
        }
    }

    fn marks(&self) -> Option<Marks> {
        self.scene.context.ledger.marks(self.scene.call)
    }

    /// What the A-leg executes before `bridge`, in one write.
    fn preparation(&mut self, route: &Route, attempt: &Attempt) -> Vec<Application> {
        let first = !std::mem::replace(&mut self.prepared, true);
        let mut aleg = route.aleg.clone();
        for (name, value) in attempt.aleg.iter() {
            aleg.set(name, value);
        }
        if let AttemptTo::Server { place, .. } = &attempt.to {
            let server = format!("{}/{}", place.connectivity, place.server);
            aleg.set(RANG, server);
        }
        if let Some(marks) = self.marks().filter(|_| !self.scene.behind_loopback) {
            aleg.set(Marks::VARIABLE, marks.to_string());
        }
        let stale = std::mem::replace(&mut self.left_on_leg, names(&aleg));
        let stale = stale.into_iter().filter(|name| aleg.get(name).is_none());
        let mut applications: Vec<_> = stale
            .map(|name| Application::Unset { name: name.into() })
            .collect();
        // The cause that we hang up with answers the caller, not some far end's status (trunkstore
        // specification 4.8).
        applications.push(Application::Set {
            name: "sip_ignore_remote_cause".into(),
            value: "true".to_owned(),
        });
        applications.extend(aleg.iter().map(|(name, value)| Application::Set {
            name: name.to_owned().into(),
            value: value.to_owned(),
        }));
        if route.privacy && first {
            applications.push(Application::Privacy { mode: "full" });
        }
        let rings = route.ring_ready && self.scene.context.settings.ring_ready_offnet;
        if rings && first && !self.scene.leg.is_answered() {
            applications.push(Application::RingReady);
        }
        applications
    }

    fn report(&mut self, attempt: &Attempt, dial_string: Option<String>) -> usize {
        let to = attempt::name(&attempt.to);
        if let Some(dial_string) = &dial_string {
            tracing::info!(call_id = %self.scene.call, attempt = self.attempts.len() + 1, to, "trying");
            tracing::debug!(call_id = %self.scene.call, dial_string, "bridge");
        }
        self.attempts.push(Reported {
            to: Some(to),
            dial_string,
            devices: Vec::new(),
            skipped: Vec::new(),
            outcome: AttemptOutcome::Unfinished,
            at_ms: self.scene.clock.elapsed_ms(),
            took_ms: 0,
        });
        self.attempts.len() - 1
    }

    fn conclude(&mut self, at: usize, outcome: AttemptOutcome) {
        let now = self.scene.clock.elapsed_ms();
        let Some(attempt) = self.attempts.get_mut(at) else {
            return;
        };
        attempt.took_ms = now.saturating_sub(attempt.at_ms);
        attempt.outcome = outcome;
        match &attempt.outcome {
            AttemptOutcome::Failed { cause, sip_status } => tracing::info!(
                call_id = %self.scene.call, attempt = at + 1, to = attempt.to, %cause, sip_status,
                took_ms = attempt.took_ms, "the attempt failed"
            ),
            AttemptOutcome::NoLeg { error, cause } => tracing::info!(
                call_id = %self.scene.call, attempt = at + 1, to = attempt.to, %cause, error,
                "nothing to try there"
            ),
            AttemptOutcome::Answered | AttemptOutcome::Unfinished => {}
        }
    }

    /// An earlier action left these variables on the caller's leg.
    pub(in crate::callflow) fn takes_over(&mut self, left: Vec<String>) {
        self.left_on_leg = left;
    }

    /// The variables that the next action finds on the caller's leg.
    pub(in crate::callflow) fn leaves(&mut self) -> Vec<String> {
        std::mem::take(&mut self.left_on_leg)
    }

    /// Nobody was reached: the call goes on without the units, and its leg is not to say that it has
    /// them.
    pub(in crate::callflow) async fn gives_back(&mut self) {
        self.held.release();
        let ledger = &self.scene.context.ledger;
        let marked = self
            .left_on_leg
            .iter()
            .position(|name| name == Marks::VARIABLE);
        let Some(at) = marked.filter(|_| !self.scene.leg.gone().is_cancelled()) else {
            return;
        };
        // Of a call that came over a trunk its own unit stays.
        let marks = ledger.marks(self.scene.call).map(|marks| marks.to_string());
        let name = Marks::VARIABLE.into();
        let application = match marks {
            Some(value) => Application::Set { name, value },
            None => {
                self.left_on_leg.remove(at);
                Application::Unset { name }
            }
        };
        if let Err(error) = self.scene.leg.execute(application).await {
            tracing::debug!(call_id = %self.scene.call, %error, "the mark of the units stays on the leg");
        }
    }

    /// What became of each attempt so far.
    pub(in crate::callflow) fn take_attempts(&mut self) -> Vec<Reported> {
        std::mem::take(&mut self.attempts)
    }
}

/// With the marks on the legs that are dialled: they outlive the half of a loopback that dials them.
fn marked(dial: &DialString, marks: &Marks) -> DialString {
    let mut dial = dial.clone();
    for leg in dial.groups.iter_mut().flatten() {
        leg.variables.set(Marks::VARIABLE, marks.to_string());
    }
    dial
}

pub(super) fn class_of(route: &Route) -> &str {
    if route.emergency {
        return EMERGENCY;
    }
    Classifiers::us().classify(&route.number)
}

fn names(aleg: &Variables) -> Vec<String> {
    aleg.iter().map(|(name, _)| name.to_owned()).collect()
}

pub(in crate::callflow) const fn kind(kind: RouteKind) -> &'static str {
    match kind {
        RouteKind::Pbx => "pbx",
        RouteKind::Onnet => "onnet",
        RouteKind::Offnet => "offnet",
        RouteKind::Uri => "uri",
    }
}
