//! Calls that need nobody after their bridge: FreeSWITCH may be told whom to ring, and the rest is its own.

use super::action::{Foreseen, is_skipped};
use super::admission::{Route, admit};
use super::{Call, Context, Office, dial, people, trunk};
use crate::documents::FlowNode;
use crate::routing::{BridgePlan, Merged, Silent};
use crate::store::StoreError;
use crate::switch::Arrival;

/// A call whose whole flow is one bridge.
#[derive(Debug, Clone)]
pub struct Unattended {
    pub call: Call,
    pub plan: BridgePlan,
}

/// Decides about a call as a live one is decided. None: it needs somebody, because anything may come after the bridge,
/// be it a refusal that is told to the caller, another action, another round, a recording, a key press, or a later call
/// that must learn that somebody is busy. Such a call is handed over.
#[must_use]
pub fn unattended(context: &Context, office: &Office<'_>, arrival: &Arrival) -> Option<Unattended> {
    // (What is refused is refused, and logged, by whoever it is handed to.)
    let admitted = admit(office, arrival, &mut Silent).ok()?;
    let Route::Callflow(found) = &admitted.route else {
        return None;
    };
    let call = &admitted.call;
    // Calls from outside use up what the account may use at once.
    let inside = call.caller.device_id.is_some();
    if !inside || call.confirmed || admitted.preflow.is_some() {
        return None;
    }
    // Nobody would count it, nor give its units back.
    if trunk::counts(context, office, arrival, &call.account_id) {
        return None;
    }
    let plan = only_bridge(context, office, call, &found.callflow.flow)?;
    let told = |error: StoreError| {
        tracing::warn!(call_id = %call.id, %error, "the store can't be read; the call is handed over");
    };
    let busy_tone = anybody_without_call_waiting(office, call, &plan).map_err(told);
    if busy_tone != Ok(false) {
        return None;
    }
    Some(Unattended {
        plan,
        call: admitted.call,
    })
}

fn only_bridge(
    context: &Context,
    office: &Office<'_>,
    call: &Call,
    node: &FlowNode,
) -> Option<BridgePlan> {
    let goes_on = node.children.values().any(|child| !child.is_empty());
    if goes_on || is_skipped(node) {
        return None;
    }
    let entry = context.action(node.module.as_deref()?)?;
    let Ok(Foreseen::Ring(ring)) = entry.foresee(node, call, office) else {
        return None;
    };
    if ring.rounds > 1 || ring.answers_first {
        return None;
    }
    let plan = dial::plan(call, office, &ring, &mut Silent).ok()?.ok()?;
    let recorded = plan.legs.iter().any(|leg| leg.recording.is_some());
    let mut legs = plan.dial.groups.iter().flatten();
    let confirmed = legs.any(|leg| leg.variables.get("group_confirm_key").is_some());
    (!recorded && !confirmed).then_some(plan)
}

/// Call waiting is a matter of knowing who is on a call; of an unattended one nobody knows.
fn anybody_without_call_waiting(
    office: &Office<'_>,
    call: &Call,
    plan: &BridgePlan,
) -> Result<bool, StoreError> {
    let caller = &call.caller;
    let owner = caller.owner_id.as_ref().zip(caller.owner.as_deref());
    let own = Merged::of_caller(&call.account, caller.device.as_deref(), owner);
    if own.is_some_and(|own| !own.call_waiting().0) {
        return Ok(true);
    }
    for leg in &plan.legs {
        let Some(device) = office.store.device(&call.account_id, &leg.device_id)? else {
            continue;
        };
        let users = people::users_of(office.store, &call.account_id, &device)?;
        let merged = Merged::of_device(&call.account, &device, &users);
        if !merged.call_waiting().0 {
            return Ok(true);
        }
    }
    Ok(false)
}
