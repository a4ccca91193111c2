//! A call from a PBX (trunkstore specification 3), and what follows on a PBX that did not take one
//! (2.6).

use super::arrival::{calling_server, dialed, normalized};
use super::decision::{
    Attempt, AttemptTo, Decision, Dial, Failover, FailoverTo, Outcome, Reject, Route, RouteKind,
};
use super::hosted::{Calling, Hosted};
use super::hunt::Hunting;
use super::leaving::Behalf;
use super::place::{Placing, place, refused, restricted};
use super::request::Request;
use super::world::{Unreadable, World};
use super::{aleg, identity, numbers, pbx};
use crate::documents::Account;
use crate::routing::{DialLeg, DialString, Endpoint, Explain, Variables, dialing};
use crate::types::{AccountId, HangupCause};

/// Seconds that a URI of a failover has to answer.
const URI_TIMEOUT_S: u32 = 20;

/// Decides a call from a PBX. Pure: no clock, no I/O but through `world`.
///
/// # Errors
/// The store can't be read.
pub fn outbound(
    request: &Request<'_>,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Decision, Unreadable> {
    let nobody = |reason| Decision {
        account: None,
        units: Vec::new(),
        outcome: Outcome::Reject(Reject::forbidden(reason)),
    };
    let Some(server) = calling_server(request, world, explain)? else {
        return Ok(nobody(
            "no server is known by these credentials or this address",
        ));
    };
    let account_id = server.account.clone();
    let Some(account) = enabled(&account_id, world)? else {
        let reject = Reject::forbidden("the account is disabled");
        return Ok(refused(&account_id, reject));
    };
    let Some(server) = Hosted::at(server, None, world)?.filter(Hosted::is_enabled) else {
        let reject = Reject::forbidden("the server is disabled");
        return Ok(refused(&account_id, reject));
    };
    let dialed = dialed(request, request.trunk().outbound_user_field);
    let number = normalized(request, &account, &dialed);
    explain.note(
        "dialed",
        format_args!("{dialed:?} is {number}, {}", numbers::class(&number)),
    );
    if !may_be_called(request, &server, &number) {
        let cause = HangupCause::InvalidNumberFormat;
        let reject = Reject::hangup(
            cause,
            "the number can't be brought into a form for carriers",
        );
        return Ok(refused(&account_id, reject));
    }
    if let Some(reject) = restricted(&account, &number, explain) {
        return Ok(refused(&account_id, reject));
    }
    let calling = Calling {
        number: identity::calling_number(request, &account_id, &account, world)?,
        server,
    };
    let unchecked = identity::outbound(request, &calling, explain);
    let caller = identity::checked(request, &account_id, &account, &unchecked, world, explain)?;
    let placing = Placing {
        account_id: &account_id,
        account: &account,
        behalf: Behalf::Server(&calling),
        dialed: &dialed,
        caller: &caller,
        unchecked: &unchecked,
        failover: false,
    };
    place(request, &placing, &number, world, explain)
}

fn enabled(
    id: &AccountId,
    world: &dyn World,
) -> Result<Option<std::sync::Arc<Account>>, Unreadable> {
    Ok(world.account(id)?.filter(|account| account.is_enabled()))
}

fn may_be_called(request: &Request<'_>, server: &Hosted, number: &str) -> bool {
    let own = server
        .server()
        .and_then(|s| s.options.hunt_non_reconcilable);
    // A server's `false` takes nothing away: it is the default that documents are created with.
    numbers::is_reconcilable(number)
        || numbers::class(number) == dialing::EMERGENCY
        || own == Some(true)
        || request.trunk().default_hunt_non_reconcilable
}

/// Decides where a call goes that nobody has taken. Its own failure ends the call: the decision has
/// no failover.
///
/// # Errors
/// The store can't be read.
pub fn failover(
    request: &Request<'_>,
    failover: &Failover,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Decision, Unreadable> {
    let number = match &failover.to {
        FailoverTo::Sip(uri) => return Ok(to_uri(request, failover, uri, explain)),
        FailoverTo::E164(number) => number,
    };
    let account_id = &failover.account;
    let Some(account) = enabled(account_id, world)? else {
        let reject = Reject::forbidden("the account is disabled");
        return Ok(refused(account_id, reject));
    };
    let server = match failover.server.clone() {
        Some(place) => Hosted::at(place, Some(&failover.did), world)?,
        None => None,
    };
    let Some(server) = server else {
        let reject = Reject::forbidden("the server that the call was for is gone");
        return Ok(refused(account_id, reject));
    };
    let dialed = number.as_str();
    let number = pbx::normal(&account, dialed);
    explain.note("failover", format_args!("to {number}"));
    if let Some(reject) = restricted(&account, &number, explain) {
        return Ok(refused(account_id, reject));
    }
    let calling = Calling {
        server,
        number: None,
    };
    let placing = Placing {
        account_id,
        account: &account,
        behalf: Behalf::Server(&calling),
        dialed,
        caller: &failover.caller,
        unchecked: &failover.caller,
        failover: true,
    };
    place(request, &placing, &number, world, explain)
}

/// A URI as it is written, without a trunk.
fn to_uri(
    request: &Request<'_>,
    failover: &Failover,
    uri: &str,
    explain: &mut dyn Explain,
) -> Decision {
    explain.note("failover", format_args!("to {uri}"));
    let mut attempt = Attempt {
        to: AttemptTo::Uri(uri.to_owned()),
        dial: Dial::Fails(HangupCause::InvalidUrl, "the URI can't be dialled"),
        aleg: Variables::default(),
        answer_timeout_s: Some(URI_TIMEOUT_S),
        progress_timeout_s: None,
        delay_s: 0,
    };
    let uri = match uri
        .get(..4)
        .is_some_and(|head| head.to_ascii_lowercase().starts_with("sip"))
    {
        true => uri.to_owned(),
        false => format!("sip:{uri}"),
    };
    attempt.aleg.set_bool("bypass_media", false);
    match Endpoint::sofia(&request.settings.sip_profile, &uri) {
        Err(error) => explain.note("failover", format_args!("{error}")),
        Ok(endpoint) => {
            let mut variables = Variables::default();
            let caller = &failover.caller;
            variables.set_number("origination_caller_id_number", &caller.number);
            pbx::shown_name(&caller.name, &caller.number, &mut variables);
            pbx::timers(&attempt, &mut variables);
            variables.set_bool("outbound_redirect_fatal", true);
            variables.set("accountcode", failover.account.as_str());
            variables.set("lf_account_id", failover.account.as_str());
            variables.set("lf_direction", "inbound");
            attempt.dial = Dial::Call(DialString {
                groups: vec![vec![DialLeg {
                    variables,
                    endpoint,
                }]],
                ..DialString::default()
            });
        }
    }
    Decision {
        account: Some(failover.account.clone()),
        units: Vec::new(),
        outcome: Outcome::of(Route {
            kind: RouteKind::Uri,
            account: failover.account.clone(),
            number: failover.did.clone(),
            attempts: vec![attempt],
            hunting: Hunting::Servers,
            failover: None,
            aleg: aleg::of_carrier(&failover.account, None),
            privacy: request.privacy.hides_something(),
            ring_ready: false,
            emergency: false,
            guard_s: request.trunk().routing_guard_s,
        }),
    }
}
