//! Room for a call: the fraud guard's leave, and units of the account and of its reseller.

use std::sync::Arc;
use std::time::Duration;

use super::course::Scene;
use crate::documents::Limits;
use crate::routing::trunk::limits::{self, Billing, Full, Used};
use crate::routing::trunk::{AuthzDefault, Reject, UnitDirection, UnitWanted, Unreadable};
use crate::trunks::ledger::{Claim, Direction, Unit, Usage};
use crate::trunks::{Ledger, fraud};
use crate::types::{AccountId, HangupCause};

/// For the calls of a node that has just been connected to be counted.
const IN_STEP: Duration = Duration::from_secs(5);

/// What a call holds while it lasts.
#[derive(Default)]
pub(in crate::callflow) struct Held {
    units: Vec<Unit>,
    passed: Vec<fraud::Passed>,
}

impl Held {
    /// Takes all of them or none.
    pub(in crate::callflow) async fn take(
        &mut self,
        room: &Scene<'_>,
        wanted: &[UnitWanted],
    ) -> Result<(), Reject> {
        if wanted.is_empty() {
            return Ok(());
        }
        let in_step = room.context.ledger.in_step(IN_STEP).await;
        let mut taken = Vec::with_capacity(wanted.len());
        for unit in wanted {
            match room.take_one(unit, in_step) {
                Ok(unit) => taken.push(unit),
                Err(reject) => {
                    taken.into_iter().for_each(Unit::release);
                    return Err(reject);
                }
            }
        }
        self.units.extend(taken);
        Ok(())
    }

    /// Gives all of them back before the call ends.
    pub(super) fn release(&mut self) {
        self.units.drain(..).for_each(Unit::release);
        self.passed.clear();
    }

    /// Asks the fraud guard for a call to carriers.
    pub(super) fn pass(
        &mut self,
        room: &Scene<'_>,
        attempt: &fraud::Attempt<'_>,
    ) -> Result<(), Reject> {
        let now = tokio::time::Instant::now();
        match room.context.guard.admit(attempt, now) {
            Ok(passed) => {
                self.passed.push(passed);
                Ok(())
            }
            Err(suspicion) => {
                tracing::warn!(
                    call_id = %room.call,
                    account_id = %attempt.account,
                    why = %suspicion,
                    "decision: refused by the fraud guard"
                );
                Err(Reject::hangup(
                    HangupCause::OutgoingCallBarred,
                    "the fraud guard",
                ))
            }
        }
    }
}

/// The limits of an account and of its reseller, where there are any.
type Both = (Option<Arc<Limits>>, Option<Arc<Limits>>);

impl Scene<'_> {
    fn ledger(&self) -> &Ledger {
        &self.context.ledger
    }

    fn limits(&self, account: &AccountId) -> Result<Option<Arc<Limits>>, Unreadable> {
        limits::of_account(account, self.world)
    }

    /// Both limits, where there are any; in their place what the operator wants of calls whose limits
    /// can't be known.
    fn limits_of(&self, wanted: &UnitWanted, in_step: bool) -> Result<Both, Reject> {
        let own = self.limits(&wanted.account);
        let reseller = wanted.reseller.as_ref();
        let resellers = reseller.map_or(Ok(None), |reseller| self.limits(reseller));
        let why = match (own, resellers) {
            (Ok(own), Ok(resellers)) => {
                let holds =
                    |limits: &Option<Arc<Limits>>| limits.as_ref().is_some_and(|l| l.is_enabled());
                if in_step || !(holds(&own) || holds(&resellers)) {
                    return Ok((own, resellers));
                }
                "the calls of a node are still being counted".to_owned()
            }
            (Err(error), _) | (_, Err(error)) => error.to_string(),
        };
        let (call_id, account_id) = (self.call, &wanted.account);
        match self.context.routing.trunk.authz_default_action {
            AuthzDefault::Allow => {
                tracing::error!(%call_id, %account_id, why, "the call's limits can't be known; it is let pass (authz_default_action)");
                Ok((None, None))
            }
            // Nobody may call for free because a document can't be read.
            AuthzDefault::Deny => {
                tracing::error!(%call_id, %account_id, why, "the call's limits can't be known; it is refused (authz_default_action)");
                Err(wanted.refusal)
            }
        }
    }

    fn take_one(&self, wanted: &UnitWanted, in_step: bool) -> Result<Unit, Reject> {
        let (own, resellers) = self.limits_of(wanted, in_step)?;
        let reseller = wanted.reseller.as_ref();
        let claim = Claim {
            node: self.node,
            call: self.call,
            account: &wanted.account,
            reseller,
            direction: direction(wanted.direction),
            number: &wanted.number,
            counted: wanted.counted,
            consuming: wanted.consuming,
        };
        let taken = self.ledger().take(&claim, |whose, usage| {
            let limits = if *whose == wanted.account {
                own.as_deref()
            } else {
                resellers.as_deref()
            };
            limits::decide(wanted, limits, &used(usage))
        });
        match taken {
            Ok((unit, billing)) => {
                self.tell(wanted, billing);
                Ok(unit)
            }
            Err((whose, full)) => Err(self.refused(wanted, &whose, full)),
        }
    }

    fn tell(&self, wanted: &UnitWanted, billing: Option<Billing>) {
        tracing::debug!(
            call_id = %self.call,
            account_id = %wanted.account,
            direction = %direction(wanted.direction),
            billing = billing.map(Billing::as_str),
            "unit taken"
        );
        if billing == Some(Billing::SoftLimit) {
            tracing::warn!(call_id = %self.call, account_id = %wanted.account,
                direction = %direction(wanted.direction), "over the limit, which is a soft one");
        }
    }

    fn refused(&self, wanted: &UnitWanted, whose: &AccountId, full: Full) -> Reject {
        metrics::counter!(
            "linefinder_limits_refused_total",
            "direction" => direction(wanted.direction).as_str(),
        )
        .increment(1);
        tracing::info!(
            call_id = %self.call,
            account_id = %wanted.account,
            limit_of = %whose,
            direction = %direction(wanted.direction),
            why = %full,
            cause = %wanted.refusal.cause,
            "decision: refused by limits"
        );
        wanted.refusal
    }
}

pub(super) const fn direction(direction: UnitDirection) -> Direction {
    match direction {
        UnitDirection::In => Direction::In,
        UnitDirection::Out => Direction::Out,
    }
}

pub(super) const fn used(usage: &Usage) -> Used {
    Used {
        inbound: usage.inbound,
        outbound: usage.outbound,
        calls: usage.calls,
        consuming: usage.consuming,
        of_number: usage.of_number,
    }
}
