//! A call to carriers: which gateways, in which order, showing what (trunkstore specification 3.5,
//! 4).

use super::decision::{Reject, Route, RouteKind, UnitWanted};
use super::flags::{self, Facts};
use super::gateway::{self, CarrierCall, Shared};
use super::hunt::{HuntPolicy, Hunting};
use super::request::{Party, Request};
use super::units::{self, Kind};
use super::world::{Unreadable, World};
use super::{arrival, identity, numbers};
use crate::documents::Resource;
use crate::routing::Explain;
use crate::routing::carriers::{Candidate, Wanted};
use crate::routing::dialing;
use crate::types::{AccountId, DocumentId};

/// What carriers have to say to a call.
pub enum Offnet {
    Route(Box<Route>, Option<UnitWanted>),
    /// None takes the number.
    NoCarrier,
    Reject(Reject),
}

/// Finds the gateways of a call. `except` is a carrier that is left out.
///
/// # Errors
/// The store can't be read.
pub fn carriers(
    request: &Request<'_>,
    call: &CarrierCall<'_>,
    except: Option<&DocumentId>,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Offnet, Unreadable> {
    let class = numbers::class(call.number);
    let facts = Facts {
        request,
        account_id: call.account_id,
        behalf: call.behalf,
        number: call.number,
    };
    let flags = flags::of_call(&facts, call.account, explain);
    let hunt = match call.behalf.hunt_account().map(AccountId::new) {
        Some(Ok(hunt)) => Some(hunt),
        Some(Err(error)) => {
            explain.note("carriers", format_args!("hunt_account_id: {error}"));
            return Ok(Offnet::NoCarrier);
        }
        None => None,
    };
    let candidates = select(
        request,
        call,
        class,
        &flags,
        hunt.as_ref(),
        except,
        world,
        explain,
    )?;
    let Some(first) = candidates.first() else {
        return Ok(Offnet::NoCarrier);
    };
    let by_class = class == dialing::EMERGENCY;
    let emergency = by_class || candidates.iter().any(|candidate| candidate.emergency);
    let emergency_caller = match rescuers(request, call, emergency, hunt.is_none(), world)? {
        Ok(caller) => caller,
        Err(reject) => return Ok(Offnet::Reject(reject)),
    };
    if emergency {
        explain.note(
            "emergency",
            format_args!("showing {:?}", emergency_caller.number),
        );
    }
    let shared = Shared {
        caller: call.caller,
        emergency_caller: &emergency_caller,
        emergency,
        flags: &flags,
    };
    let attempts = candidates.iter();
    let attempts = attempts.map(|c| gateway::attempt(request, call, &shared, c, explain));
    let settings = request.trunk();
    // Nothing that a carrier says ends an emergency call.
    let policy = match emergency {
        true => HuntPolicy::Kazoo,
        false => settings.hunt_policy,
    };
    let route = Route {
        kind: RouteKind::Offnet,
        account: call.account_id.clone(),
        number: call.number.to_owned(),
        attempts: attempts.collect(),
        hunting: Hunting::Carriers(policy),
        failover: None,
        aleg: call.behalf.aleg(call.account_id),
        privacy: call.behalf.is_server() && !emergency && request.privacy.hides_something(),
        ring_ready: false,
        emergency,
        guard_s: settings.routing_guard_s,
    };
    let counted = hunt.is_none() || settings.authz_local_resources;
    let unit = match counted && !emergency {
        true => Some(unit(request, call, &first.resource.document, world)?),
        false => None,
    };
    Ok(Offnet::Route(Box::new(route), unit))
}

fn unit(
    request: &Request<'_>,
    call: &CarrierCall<'_>,
    resource: &Resource,
    world: &dyn World,
) -> Result<UnitWanted, Unreadable> {
    let kind = Kind::OffnetTermination;
    units::wanted(
        request,
        call.account_id,
        call.number,
        kind,
        Some(resource),
        world,
    )
}

#[allow(
    clippy::too_many_arguments,
    reason = "each is one line of what carriers are asked for"
)]
fn select(
    request: &Request<'_>,
    call: &CarrierCall<'_>,
    class: &str,
    flags: &[String],
    hunt_account: Option<&AccountId>,
    except: Option<&DocumentId>,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Vec<Candidate>, Unreadable> {
    let ancestors = match hunt_account {
        Some(hunt) if hunt != call.account_id => world.ancestors(call.account_id)?,
        _ => Vec::new(),
    };
    let diverting = request.header("Diversion").and_then(arrival::address);
    let diverting = diverting.filter(|_| request.trunk().cid_rules_honor_diversions);
    let wanted = Wanted {
        number: call.number,
        class,
        flags,
        account: call.account_id,
        ancestors: &ancestors,
        hunt_account,
        caller_number: diverting.map_or(&*call.caller.number, |(user, _)| user),
        except,
        seed: request.seed,
    };
    Ok(world.candidates(&wanted, explain))
}

/// What emergency gateways are shown.
fn rescuers(
    request: &Request<'_>,
    call: &CarrierCall<'_>,
    emergency: bool,
    global: bool,
    world: &dyn World,
) -> Result<Result<Party, Reject>, Unreadable> {
    let shown = call.behalf.emergency(request.caller, call.unchecked);
    if !emergency || !global {
        return Ok(Ok(shown));
    }
    let (id, account) = (call.account_id, call.account);
    identity::known_to_rescuers(request, id, account, shown, call.caller, world)
}
