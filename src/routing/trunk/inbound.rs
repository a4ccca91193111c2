//! A call from a carrier (trunkstore specification 2).

use super::arrival::{self, dialed};
use super::decision::{
    Attempt, AttemptTo, Decision, Dial, Elsewhere, Failover, FailoverTo, Outcome, Reject, Route,
    RouteKind,
};
use super::gateway::{CarrierCall, LOOP};
use super::hosted::{Calling, Hosted, Servers};
use super::hunt::Hunting;
use super::leaving::Behalf;
use super::numbers::{Owned, Owner};
use super::offnet::{self, Offnet};
use super::pbx::{self, PbxCall};
use super::place::refused;
use super::request::{Party, Request};
use super::units::{self, Kind};
use super::world::{Unreadable, World};
use super::{aleg, hunt};
use crate::routing::carriers::Sender;
use crate::routing::numbers::Normalizer;
use crate::routing::{Explain, Variables};
use crate::types::{AccountId, HangupCause};

/// Decides a call from a carrier. Pure: no clock, no I/O but through `world`.
///
/// # Errors
/// The store can't be read.
pub fn inbound(
    request: &Request<'_>,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Decision, Unreadable> {
    let sender = arrival::sender(request, world, explain)?;
    if sender.is_none() && !request.source.trusted {
        return Ok(Decision {
            account: None,
            units: Vec::new(),
            outcome: Outcome::Reject(Reject::forbidden("nobody known calls from this address")),
        });
    }
    let number = dialed(request, request.trunk().inbound_user_field);
    let number = Normalizer::us().e164(&number);
    let owned = match Owner::of(&number, world, explain)? {
        Owner::Account(owned) => owned,
        Owner::Nobody => {
            return Ok(Decision {
                account: None,
                units: Vec::new(),
                outcome: Outcome::Reject(Reject::hangup(
                    HangupCause::UnallocatedNumber,
                    "the number is nobody's here, or out of service",
                )),
            });
        }
        Owner::Disabled(account) => {
            let reject = Reject::forbidden("the account of the number is disabled");
            return Ok(refused(&account, reject));
        }
    };
    if let Some(marked) = request.header(LOOP)
        && Normalizer::us().e164(marked.trim()) == number
    {
        explain.note("loop", format_args!("a carrier has sent {number} back"));
        let cause = HangupCause::ExchangeRoutingError;
        let reject = Reject::hangup(cause, "a carrier has sent the call back");
        return Ok(refused(&owned.account_id, reject));
    }
    decide(request, &owned, &number, sender.as_ref(), world, explain)
}

fn decide(
    request: &Request<'_>,
    owned: &Owned,
    number: &str,
    sender: Option<&Sender>,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Decision, Unreadable> {
    let caller = prepended(owned, request.caller);
    let resource = sender.map(|sender| &*sender.document);
    // An account's own carrier takes none of its trunks, whichever way the call goes.
    let global = sender.is_none_or(|sender| sender.account.is_installation());
    let mut units = Vec::new();
    if global || request.trunk().authz_local_resources {
        let kind = Kind::OffnetOrigination;
        let account = &owned.account_id;
        units.push(units::wanted(
            request, account, number, kind, resource, world,
        )?);
    }
    let account = Some(owned.account_id.clone());
    if owned.is_elsewhere() {
        explain.note("number", format_args!("{number} is not for a PBX"));
        return Ok(Decision {
            account,
            units,
            outcome: Outcome::Elsewhere(Elsewhere {
                account: owned.account_id.clone(),
                number: number.to_owned(),
                caller,
            }),
        });
    }
    let servers = Servers::of(owned, number, world, explain)?;
    let aleg = aleg::of_carrier(&owned.account_id, sender);
    let forced = servers
        .enabled
        .first()
        .filter(|hosted| hosted.is_forced_out() || owned.is_forced_out(request.trunk()));
    let outcome = match forced {
        Some(first) => {
            explain.note(
                "force_outbound",
                format_args!("{number} goes over carriers"),
            );
            let forced = Forced {
                owned,
                number,
                servers: &servers,
                first,
                sender,
                aleg,
            };
            let (outcome, unit) = forced.decide(request, world, explain)?;
            units.extend(unit);
            outcome
        }
        None => {
            let target = Target {
                kind: RouteKind::Pbx,
                owned,
                number,
                caller: &caller,
                from_account: None,
                aleg,
                fails_over: true,
            };
            to_servers(request, target, &servers, world, explain)?
        }
    };
    Ok(Decision {
        account,
        units,
        outcome,
    })
}

/// What the number's record puts before the caller's name.
fn prepended(owned: &Owned, caller: &Party) -> Party {
    let prepend = owned
        .record
        .as_ref()
        .and_then(|record| record.prepend.as_deref());
    let Some(prepend) = prepend.and_then(|prepend| prepend.text()) else {
        return caller.clone();
    };
    let name = match &*caller.name {
        "" => &*caller.number,
        name => name,
    };
    Party {
        name: [prepend, name].concat(),
        number: caller.number.clone(),
    }
}

/// A number whose PBX is called.
pub struct Target<'a> {
    pub kind: RouteKind,
    pub owned: &'a Owned,
    pub number: &'a str,
    pub caller: &'a Party,
    /// The account that calls, if the call has never left the switch.
    pub from_account: Option<&'a AccountId>,
    pub aleg: Variables,
    pub fails_over: bool,
}

/// One attempt for each enabled server, one after the other.
///
/// # Errors
/// The store can't be read.
pub fn to_servers(
    request: &Request<'_>,
    target: Target<'_>,
    servers: &Servers,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Outcome, Unreadable> {
    if servers.enabled.is_empty() {
        let reason = "every server of the number is disabled";
        return Ok(Outcome::Reject(Reject::forbidden(reason)));
    }
    let call = PbxCall {
        account_id: &target.owned.account_id,
        account: &target.owned.account,
        number: target.number,
        caller: target.caller,
        from_account: target.from_account,
    };
    let mut attempts = Vec::with_capacity(servers.enabled.len());
    for hosted in &servers.enabled {
        attempts.push(pbx::attempt(request, &call, hosted, world, explain)?);
    }
    let original = match target.from_account {
        Some(_) => target.caller,
        None => request.caller,
    };
    let failover = failover_of(target.owned, target.number, servers, original);
    Ok(Outcome::of(Route {
        kind: target.kind,
        account: target.owned.account_id.clone(),
        number: target.number.to_owned(),
        attempts,
        hunting: Hunting::Servers,
        failover: failover.filter(|_| target.fails_over),
        aleg: target.aleg,
        privacy: request.privacy.hides_something(),
        ring_ready: target.from_account.is_none(),
        emergency: false,
        guard_s: request.trunk().routing_guard_s,
    }))
}

fn failover_of(owned: &Owned, number: &str, servers: &Servers, caller: &Party) -> Option<Failover> {
    let failover = servers.failover(owned)?;
    let to = match (&failover.e164, &failover.sip) {
        (Some(e164), _) => FailoverTo::E164(e164.to_string()),
        (None, Some(sip)) => FailoverTo::Sip(sip.to_string()),
        (None, None) => return None,
    };
    Some(Failover {
        to,
        server: servers.enabled.first().map(|hosted| hosted.place.clone()),
        account: owned.account_id.clone(),
        did: number.to_owned(),
        caller: caller.clone(),
    })
}

/// A call from a carrier for a number whose calls go over carriers: sent to the number itself, but
/// never back to where it came from.
struct Forced<'a> {
    owned: &'a Owned,
    number: &'a str,
    servers: &'a Servers,
    first: &'a Hosted,
    sender: Option<&'a Sender>,
    aleg: Variables,
}

impl Forced<'_> {
    fn decide(
        self,
        request: &Request<'_>,
        world: &dyn World,
        explain: &mut dyn Explain,
    ) -> Result<(Outcome, Option<super::UnitWanted>), Unreadable> {
        let calling = Calling {
            server: self.first.clone(),
            number: None,
        };
        let call = CarrierCall {
            account_id: &self.owned.account_id,
            account: &self.owned.account,
            behalf: Behalf::Server(&calling),
            number: self.number,
            dialed: self.number,
            caller: request.caller,
            unchecked: request.caller,
            loops: Some(self.number),
            timed: true,
        };
        let except = arrival::resource_of(self.sender);
        let found = offnet::carriers(request, &call, except.as_ref(), world, explain)?;
        let failover = failover_of(self.owned, self.number, self.servers, request.caller);
        let (mut route, unit) = match found {
            Offnet::Reject(reject) => return Ok((Outcome::Reject(reject), None)),
            Offnet::Route(route, unit) => (*route, unit),
            Offnet::NoCarrier => (self.without_carrier(request), None),
        };
        route.failover = failover;
        route.aleg = self.aleg;
        route.ring_ready = true;
        Ok((Outcome::of(route), unit))
    }

    fn without_carrier(&self, request: &Request<'_>) -> Route {
        let cause = HangupCause::NoRouteDestination;
        Route {
            kind: RouteKind::Offnet,
            account: self.owned.account_id.clone(),
            number: self.number.to_owned(),
            attempts: vec![Attempt {
                to: AttemptTo::Nobody,
                dial: Dial::Fails(cause, "no other carrier takes the number"),
                aleg: Variables::default(),
                answer_timeout_s: None,
                progress_timeout_s: None,
                delay_s: 0,
            }],
            hunting: Hunting::Carriers(request.trunk().hunt_policy),
            failover: None,
            aleg: Variables::default(),
            privacy: request.privacy.hides_something(),
            ring_ready: true,
            emergency: false,
            guard_s: request.trunk().routing_guard_s,
        }
    }
}

impl Outcome {
    /// A route on which no attempt can be placed, and that has no failover, is a refusal.
    pub(super) fn of(route: Route) -> Self {
        match hunt::next(&route, None) {
            hunt::Step::HangUp(reject) => Self::Reject(reject),
            _ => Self::Route(Box::new(route)),
        }
    }
}
