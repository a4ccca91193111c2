//! Whether there would be room for a call now: what the fraud guard and the limits would say, without taking anything.

use std::fmt;

use serde::Serialize;
use tokio::time::Instant;

use super::course::class_of;
use super::units::{direction, used};
use crate::callflow::Context;
use crate::routing::Explain;
use crate::routing::trunk::limits::{self, Billing, Used};
use crate::routing::trunk::{
    Decision, Outcome, Reject, RouteKind, UnitDirection, UnitWanted, Unreadable, World,
};
use crate::trunks::fraud;
use crate::trunks::ledger::Claim;
use crate::types::{AccountId, CallId, HangupCause, NodeName};

/// A unit that the call takes of an account's limits, or of its reseller's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TakenUnit {
    pub account_id: AccountId,
    pub direction: &'static str,
    /// `flat_rate`, `flat_rate_burst`, `soft_limit` or `unlimited`; None: there is no room.
    pub billing: Option<&'static str>,
    /// Why there is none.
    pub full: Option<String>,
    /// What other calls of the account use now.
    pub in_use: InUse,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct InUse {
    pub inbound: u32,
    pub outbound: u32,
    pub calls: u32,
    pub resource_consuming_calls: u32,
}

impl From<Used> for InUse {
    fn from(used: Used) -> Self {
        Self {
            inbound: used.inbound,
            outbound: used.outbound,
            calls: used.calls,
            resource_consuming_calls: used.consuming,
        }
    }
}

/// A decision and the room for it.
pub(in crate::callflow) struct Foreseen {
    pub(in crate::callflow) units: Vec<TakenUnit>,
    /// What stands in the way, and why in full.
    pub(in crate::callflow) refused: Option<(Reject, String)>,
}

/// Who calls, as ledger and guard know it.
#[derive(Clone, Copy)]
pub(in crate::callflow) struct Who<'a> {
    pub(in crate::callflow) call: &'a CallId,
    pub(in crate::callflow) node: &'a NodeName,
    /// The device or server.
    pub(in crate::callflow) party: Option<&'a str>,
}

/// Asks in the order in which a live call does: the guard for a call to carriers, then each unit.
///
/// # Errors
/// The store can't be read.
pub(in crate::callflow) fn foresee(
    context: &Context,
    world: &dyn World,
    who: Who<'_>,
    decision: &Decision,
    explain: &mut dyn Explain,
) -> Result<Foreseen, Unreadable> {
    let mut foreseen = Foreseen {
        units: Vec::new(),
        refused: None,
    };
    if let Outcome::Route(route) = &decision.outcome
        && route.kind == RouteKind::Offnet
    {
        let attempt = fraud::Attempt {
            call: who.call,
            account: &route.account,
            party: who.party,
            class: class_of(route),
            number: &route.number,
        };
        if let Some(suspicion) = context.guard.foresee(&attempt, Instant::now()) {
            explain.note("fraud", format_args!("{suspicion}"));
            let reject = Reject::hangup(HangupCause::OutgoingCallBarred, "the fraud guard");
            foreseen.refused = Some((reject, suspicion.to_string()));
            return Ok(foreseen);
        }
    }
    for wanted in &decision.units {
        let refused = unit(context, world, who, wanted, &mut foreseen.units)?;
        if refused.is_some() {
            foreseen.refused = refused;
            break;
        }
    }
    Ok(foreseen)
}

fn unit(
    context: &Context,
    world: &dyn World,
    who: Who<'_>,
    wanted: &UnitWanted,
    units: &mut Vec<TakenUnit>,
) -> Result<Option<(Reject, String)>, Unreadable> {
    let claim = Claim {
        node: who.node,
        call: who.call,
        account: &wanted.account,
        reseller: wanted.reseller.as_ref(),
        direction: direction(wanted.direction),
        number: &wanted.number,
        counted: wanted.counted,
        consuming: wanted.consuming,
    };
    let own = limits::of_account(&wanted.account, world)?;
    let resellers = match &wanted.reseller {
        Some(reseller) => limits::of_account(reseller, world)?,
        None => None,
    };
    let mut asked = Vec::new();
    let judged = context.ledger.foresee(&claim, |whose, usage| {
        let limits = match *whose == wanted.account {
            true => own.as_deref(),
            false => resellers.as_deref(),
        };
        let used = used(usage);
        let judged = limits::decide(wanted, limits, &used);
        asked.push((whose.clone(), used, judged));
        judged
    });
    for (account_id, used, judged) in asked {
        units.push(TakenUnit {
            account_id,
            direction: match wanted.direction {
                UnitDirection::In => "inbound",
                UnitDirection::Out => "outbound",
            },
            billing: judged.ok().map(Billing::as_str),
            full: judged.err().map(|full| full.to_string()),
            in_use: used.into(),
        });
    }
    Ok(judged.err().map(|(whose, full)| {
        let why = format!("{}: {whose}: {full}", wanted.refusal.reason);
        (wanted.refusal, why)
    }))
}

impl fmt::Display for TakenUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InUse {
            inbound,
            outbound,
            calls,
            ..
        } = self.in_use;
        write!(f, "{} of {}: ", self.direction, self.account_id)?;
        match (self.billing, &self.full) {
            (_, Some(full)) => write!(f, "no room, {full}")?,
            (Some(billing), None) => f.write_str(billing)?,
            (None, None) => {}
        }
        write!(f, "; {calls} calls up, {inbound} units in, {outbound} out")
    }
}
