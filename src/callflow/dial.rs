//! Ringing devices: the one path behind every action that does.

use std::borrow::Cow;
use std::time::Duration;

use super::action::{ActionError, Outcome};
use super::people;
use super::report::{Attempt, AttemptOutcome};
use super::stage::Stage;
use super::{Call, Next, Office};
use crate::routing::{
    self, ActionOptions, BridgePlan, DialRequest, Explain, Member, NoLeg, Silent, Skipped, Source,
    Strategy,
};
use crate::store::StoreError;
use crate::switch::{Application, BridgeOutcome};
use crate::types::{DocumentId, HangupCause};

/// Whom an action wants rung, and how.
#[derive(Debug, Clone)]
pub struct Ring {
    pub members: Vec<Wanted>,
    /// What the action names besides and can't be rung, and why.
    pub left_out: Vec<Skipped>,
    pub source: Source,
    pub strategy: Strategy,
    pub options: ActionOptions,
    /// How often at most; 1 for all but ring groups.
    pub rounds: u32,
    /// The caller is answered before anybody rings.
    pub answers_first: bool,
}

/// A device that an action names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub device_id: DocumentId,
    /// Seconds; None: the action's.
    pub timeout_s: Option<u32>,
    pub delay_s: u32,
    pub weight: u32,
}

impl Wanted {
    /// Weight of a member that has none (device specification 2.10).
    pub const WEIGHT: u32 = 20;

    #[must_use]
    pub const fn device(device_id: DocumentId) -> Self {
        Self {
            device_id,
            timeout_s: None,
            delay_s: 0,
            weight: Self::WEIGHT,
        }
    }
}

/// Decides which legs ring, without ringing them.
///
/// # Errors
/// The store can't be read. (That nobody can be rung is a decision, not an error.)
pub fn plan(
    call: &Call,
    office: &Office<'_>,
    ring: &Ring,
    explain: &mut dyn Explain,
) -> Result<Result<BridgePlan, NoLeg>, StoreError> {
    let members = ring
        .members
        .iter()
        .map(|wanted| people::member(call, office, wanted));
    let members: Vec<Member> = members.collect::<Result<_, _>>()?;
    for left_out in &ring.left_out {
        let (id, reason) = (&left_out.device_id, left_out.reason);
        explain.note("skipped", format_args!("{id}: {reason}"));
    }
    if let ([], [first, ..]) = (members.as_slice(), ring.left_out.as_slice()) {
        return Ok(Err(NoLeg {
            error: first.reason,
            cause: first.reason.cause(),
            skipped: ring.left_out.clone(),
        }));
    }
    let mut options = Cow::Borrowed(&ring.options);
    if call.confirmed {
        options.to_mut().confirmed_leg = true;
    }
    let mut source = ring.source;
    if let Some(hop) = &call.second_hop {
        source = hop.source;
        let options = options.to_mut();
        options.ignore_forward |= hop.forwarded;
        hop.options.apply(options);
    }
    let request = DialRequest {
        settings: office.routing,
        account_id: &call.account_id,
        account: &call.account,
        members: &members,
        caller: &call.caller,
        dialed: &call.dialed,
        source,
        strategy: ring.strategy,
        options: &options,
        node: &call.node,
        aleg_profile: call.profile.as_deref(),
        forward_chain: &call.forward_chain,
        behind_loopback: call.behind_loopback,
        now: office.now,
        seed: office.seed,
    };
    let mut planned = routing::plan(&request, explain);
    let skipped = match &mut planned {
        Ok(plan) => &mut plan.skipped,
        Err(nobody) => &mut nobody.skipped,
    };
    skipped.splice(0..0, ring.left_out.iter().cloned());
    Ok(planned)
}

/// How one attempt to ring somebody ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempted {
    /// A conversation, which is over.
    Answered,
    /// Refused or not answered; `child` is the node's child for the cause, if it has one.
    Failed { child: Option<String> },
    /// There was nobody to ring.
    Nobody,
}

impl From<Attempted> for Next {
    /// Answered: the flow stops. Refused: to the child of the cause or of the SIP status, else to
    /// `_`. Nobody to ring: straight to `_`.
    fn from(attempted: Attempted) -> Self {
        match attempted {
            Attempted::Answered => Next::Stop(None),
            Attempted::Failed { child: Some(child) } => Next::ContinueTo(child),
            Attempted::Failed { child: None } | Attempted::Nobody => Next::Continue,
        }
    }
}

/// Rings them, and goes on by what comes of it.
///
/// # Errors
/// The switch or the store failed; the caller of an action goes on at `_`.
pub async fn ring(stage: &mut Stage, ring: &Ring) -> Outcome {
    Ok(attempt(stage, ring).await?.into())
}

/// Rings them once.
///
/// # Errors
/// The switch or the store failed.
pub async fn attempt(stage: &mut Stage, ring: &Ring) -> Result<Attempted, ActionError> {
    let plan = match plan(&stage.call, &stage.office(), ring, &mut Silent)? {
        Ok(plan) => plan,
        Err(nobody) => {
            nobody_to_ring(stage, &nobody);
            return Ok(Attempted::Nobody);
        }
    };
    let dial_string = plan.dial.render();
    let attempt = begin_attempt(stage, &plan, dial_string.clone());
    let devices = plan.legs.iter().map(|leg| &leg.device_id);
    let _seats = people::seat_all(&stage.call, &stage.office(), devices)?;
    let rings = plan.watched_for_s();
    let rings = rings.map(|seconds| Duration::from_secs(u64::from(seconds)));
    let left = std::mem::replace(&mut stage.left_on_leg, names(&plan));
    let applications = preparation(&plan, &left);
    // The bridge lasts as long as the conversation; the plan is not kept for it.
    drop((plan, left));
    stage.leg.execute_all(applications).await?;
    let outcome = stage.leg.bridge_within(dial_string, rings).await?;
    Ok(conclude(stage, attempt, &outcome))
}

fn names(plan: &BridgePlan) -> Vec<String> {
    plan.aleg.iter().map(|(name, _)| name.to_owned()).collect()
}

/// What the A-leg executes before `bridge`, in one write. `left` is what an earlier attempt set: a
/// ringback or a bypass of media was meant for its own phones.
fn preparation(plan: &BridgePlan, left: &[String]) -> Vec<Application> {
    let stale = left.iter().filter(|name| plan.aleg.get(name).is_none());
    let mut applications: Vec<_> = stale
        .map(|name| Application::Unset {
            name: name.clone().into(),
        })
        .collect();
    applications.push(
        // Otherwise the SIP status of a failed leg, even of an earlier one, would answer the caller
        // in place of the cause that we hang up with (ESL specification 8.5).
        Application::Set {
            name: "sip_ignore_remote_cause".into(),
            value: "true".to_owned(),
        },
    );
    applications.extend(plan.aleg.iter().map(|(name, value)| Application::Set {
        name: name.to_owned().into(),
        value: value.to_owned(),
    }));
    if plan.ring_ready {
        applications.push(Application::RingReady);
    }
    applications
}

fn conclude(stage: &mut Stage, attempt: usize, outcome: &BridgeOutcome) -> Attempted {
    match *outcome {
        BridgeOutcome::Answered => {
            stage.end_attempt(attempt, AttemptOutcome::Answered);
            stage.failure = None;
            Attempted::Answered
        }
        BridgeOutcome::Failed { cause, sip_status } => {
            stage.end_attempt(attempt, AttemptOutcome::Failed { cause, sip_status });
            stage.failure = Some(cause);
            let taken = failure_keys(cause, sip_status)
                .into_iter()
                .find(|key| stage.has_child(key));
            tracing::info!(
                call_id = %stage.call.id,
                account_id = %stage.call.account_id,
                attempt = attempt + 1,
                %cause,
                sip_status,
                child = taken.as_deref().unwrap_or("_"),
                "the attempt failed"
            );
            Attempted::Failed { child: taken }
        }
    }
}

/// The children that a failed bridge looks for, in order (callflow specification 1.8).
pub(super) fn failure_keys(cause: HangupCause, sip_status: Option<u16>) -> Vec<String> {
    let mut keys = vec![cause.as_str().to_owned()];
    if cause.is_ring_timeout() && cause != HangupCause::NoAnswer {
        keys.push(HangupCause::NoAnswer.as_str().to_owned());
    }
    if let Some(status) = sip_status {
        keys.push(format!("sip:{status}"));
        keys.push(status.to_string());
    }
    keys
}

fn nobody_to_ring(stage: &mut Stage, nobody: &NoLeg) {
    tracing::info!(
        call_id = %stage.call.id,
        account_id = %stage.call.account_id,
        error = %nobody.error,
        cause = %nobody.cause,
        skipped = %Listed(&nobody.skipped),
        "nobody to ring"
    );
    stage.decided();
    stage.failure = Some(nobody.cause);
    let attempt = Attempt {
        to: None,
        dial_string: None,
        devices: Vec::new(),
        skipped: reasons(&nobody.skipped),
        outcome: AttemptOutcome::NoLeg {
            error: nobody.error.as_str(),
            cause: nobody.cause,
        },
        at_ms: stage.elapsed_ms(),
        took_ms: 0,
    };
    stage.attempts.push(attempt);
}

fn begin_attempt(stage: &mut Stage, plan: &BridgePlan, dial_string: String) -> usize {
    stage.decided();
    let mut devices: Vec<DocumentId> = plan.legs.iter().map(|l| l.device_id.clone()).collect();
    devices.dedup();
    tracing::info!(
        call_id = %stage.call.id,
        account_id = %stage.call.account_id,
        attempt = stage.attempts.len() + 1,
        devices = ?devices,
        legs = plan.legs.len(),
        skipped = %Listed(&plan.skipped),
        "ringing"
    );
    tracing::debug!(call_id = %stage.call.id, dial_string, "bridge");
    stage.attempts.push(Attempt {
        to: None,
        dial_string: Some(dial_string),
        devices,
        skipped: reasons(&plan.skipped),
        outcome: AttemptOutcome::Unfinished,
        at_ms: stage.elapsed_ms(),
        took_ms: 0,
    });
    stage.attempts.len() - 1
}

fn reasons(skipped: &[routing::Skipped]) -> Vec<(DocumentId, &'static str)> {
    let reason = |s: &routing::Skipped| (s.device_id.clone(), s.reason.as_str());
    skipped.iter().map(reason).collect()
}

/// Skipped members as one log field.
struct Listed<'a>(&'a [routing::Skipped]);

impl std::fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, skipped) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} {}", skipped.device_id, skipped.reason)?;
        }
        Ok(())
    }
}
