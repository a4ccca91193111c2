//! A call that an account makes: to a PBX of ours if the number is here, else to carriers
//! (trunkstore specification 3.3, 3.7).

use super::account;
use super::decision::{Decision, Elsewhere, Outcome, Reject, RouteKind, UnitWanted};
use super::gateway::CarrierCall;
use super::hosted::Servers;
use super::inbound::{Target, to_servers};
use super::leaving::Behalf;
use super::numbers::{self, Owned, Owner};
use super::offnet::{self, Offnet};
use super::pbx;
use super::request::{Party, Request};
use super::units::{self, Kind};
use super::world::{Unreadable, World};
use crate::documents::Account;
use crate::routing::{Explain, dialing};
use crate::types::{AccountId, HangupCause};

/// A call that goes out in somebody's name.
pub struct Placing<'a> {
    pub account_id: &'a AccountId,
    pub account: &'a Account,
    pub behalf: Behalf<'a>,
    /// As it was dialled.
    pub dialed: &'a str,
    /// What the far side is shown, but for rescuers.
    pub caller: &'a Party,
    /// The same before `ensure_valid_caller_id`: what rescuers are shown who have no number of
    /// their own to see.
    pub unchecked: &'a Party,
    /// It is a failover: it has the server's timers, and no failover of its own.
    pub failover: bool,
}

/// Decides a call to a normalised number.
///
/// # Errors
/// The store can't be read.
pub fn place(
    request: &Request<'_>,
    call: &Placing<'_>,
    number: &str,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Decision, Unreadable> {
    if let Some(decision) = once(request, call, number, world, explain)? {
        return Ok(decision);
    }
    let corrected = lengthened(request, call, number);
    if let Some(corrected) = corrected {
        explain.note(
            "short_dial",
            format_args!("{number} is taken for {corrected}"),
        );
        if let Some(reject) = restricted(call.account, &corrected, explain) {
            return Ok(refused(call.account_id, reject));
        }
        if let Some(decision) = once(request, call, &corrected, world, explain)? {
            return Ok(decision);
        }
    }
    let reject = Reject::hangup(
        HangupCause::NoRouteDestination,
        "no carrier takes the number",
    );
    Ok(refused(call.account_id, reject))
}

/// A refusal before any unit is asked for.
pub fn refused(account: &AccountId, reject: Reject) -> Decision {
    Decision {
        account: Some(account.clone()),
        units: Vec::new(),
        outcome: Outcome::Reject(reject),
    }
}

/// Whether the account may not call numbers of this class.
pub fn restricted(account: &Account, number: &str, explain: &mut dyn Explain) -> Option<Reject> {
    let class = numbers::class(number);
    let table = account.attributes.call_restriction.as_ref()?;
    let denied = table.get(class).is_some_and(|restriction| restriction.deny);
    if denied {
        explain.note(
            "restriction",
            format_args!("the account may not call {class}"),
        );
    }
    denied.then(|| Reject::forbidden("the account may not call numbers of this class"))
}

/// None: nobody takes the number.
fn once(
    request: &Request<'_>,
    call: &Placing<'_>,
    number: &str,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Option<Decision>, Unreadable> {
    if let Some(decision) = onnet(request, call, number, world, explain)? {
        return Ok(Some(decision));
    }
    let carrier_call = CarrierCall {
        account_id: call.account_id,
        account: call.account,
        behalf: call.behalf,
        number,
        dialed: call.dialed,
        caller: call.caller,
        unchecked: call.unchecked,
        loops: None,
        // Of a flow's action it is the time that its author gives each carrier.
        timed: call.failover || !call.behalf.is_server(),
    };
    Ok(
        match offnet::carriers(request, &carrier_call, None, world, explain)? {
            Offnet::NoCarrier => None,
            Offnet::Reject(reject) => Some(refused(call.account_id, reject)),
            Offnet::Route(route, unit) => Some(Decision {
                account: Some(call.account_id.clone()),
                units: unit.into_iter().collect(),
                outcome: Outcome::of(*route),
            }),
        },
    )
}

/// A number of ours is called without a carrier; None: it is not, or is not to be.
fn onnet(
    request: &Request<'_>,
    call: &Placing<'_>,
    number: &str,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Option<Decision>, Unreadable> {
    if call.behalf.hunt_account().is_some() {
        explain.note("onnet", format_args!("hunt_account_id: carriers only"));
        return Ok(None);
    }
    let Owner::Account(owned) = Owner::of(number, world, explain)? else {
        return Ok(None);
    };
    let servers = Servers::of(&owned, number, world, explain)?;
    let forced = servers
        .enabled
        .first()
        .is_some_and(|hosted| hosted.is_forced_out());
    if forced || owned.is_forced_out(request.trunk()) {
        explain.note("onnet", format_args!("force_outbound: over carriers"));
        return Ok(None);
    }
    let units = onnet_units(request, call, &owned, number, world)?;
    let decided = |outcome| Decision {
        account: Some(call.account_id.clone()),
        units,
        outcome,
    };
    if owned.is_elsewhere() && (call.failover || !call.behalf.is_server()) {
        // The leg has tried servers, or is in a callflow, already: the callflow of the number's account
        // runs behind a loopback.
        let through = match account::through(request, call, &owned, number) {
            Ok(outcome) => outcome,
            Err(why) => {
                explain.note("onnet", format_args!("{number}: {why}; over carriers"));
                return Ok(None);
            }
        };
        explain.note(
            "onnet",
            format_args!("{number} goes to the callflows of {}", owned.account_id),
        );
        return Ok(Some(decided(through)));
    }
    if owned.is_elsewhere() {
        explain.note("onnet", format_args!("{number} is not for a PBX"));
        return Ok(Some(decided(Outcome::Elsewhere(Elsewhere {
            account: owned.account_id,
            number: number.to_owned(),
            caller: call.caller.clone(),
        }))));
    }
    let target = Target {
        kind: RouteKind::Onnet,
        owned: &owned,
        number,
        caller: call.caller,
        from_account: Some(call.account_id),
        aleg: call.behalf.aleg(call.account_id),
        fails_over: !call.failover,
    };
    let outcome = to_servers(request, target, &servers, world, explain)?;
    Ok(Some(decided(outcome)))
}

/// The calling account is asked first.
fn onnet_units(
    request: &Request<'_>,
    call: &Placing<'_>,
    owned: &Owned,
    number: &str,
    world: &dyn World,
) -> Result<Vec<UnitWanted>, Unreadable> {
    let wanted = |account, kind| units::wanted(request, account, number, kind, None, world);
    Ok(vec![
        wanted(call.account_id, Kind::OnnetTermination)?,
        wanted(&owned.account_id, Kind::OnnetOrigination)?,
    ])
}

/// A number dialled without its area: the first digits of the caller's number go before it.
fn lengthened(request: &Request<'_>, call: &Placing<'_>, number: &str) -> Option<String> {
    if numbers::class(number) == dialing::EMERGENCY {
        return None;
    }
    let settings = request.trunk();
    let bare = |number: &str| number.strip_prefix('+').unwrap_or(number).to_owned();
    let (own, dialed) = (bare(&call.caller.number), bare(number));
    let lacks = match settings.fixed_length_shortdial_correction {
        Some(fixed) => fixed,
        None => {
            let lacks = own.chars().count().checked_sub(dialed.chars().count())?;
            let between = settings.min_shortdial_correction..=settings.max_shortdial_correction;
            between.contains(&lacks).then_some(lacks)?
        }
    };
    let head: String = own.chars().take(lacks).collect();
    let whole = head.chars().count() == lacks && head.bytes().all(|b| b.is_ascii_digit());
    let corrected = pbx::normal(call.account, &[&*head, &dialed].concat());
    (whole && lacks > 0 && corrected != number).then_some(corrected)
}
