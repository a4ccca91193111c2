//! What a PBX's call shows to the far side (trunkstore specification 3.4, 3.5).

use super::arrival;
use super::decision::Reject;
use super::hosted::{Calling, Hosted, Levels};
use super::numbers;
use super::pbx::normal;
use super::request::{Party, Request};
use super::world::{Unreadable, World};
use crate::documents::{Account, Terms, TrunkIdentity};
use crate::routing::Explain;
use crate::types::{AccountId, HangupCause};

/// The feature of a number that emergency services know.
const E911: &str = "e911";

/// The entry of the number that calls, at whichever server of the account lists it.
///
/// # Errors
/// The store can't be read.
pub fn calling_number(
    request: &Request<'_>,
    account_id: &AccountId,
    account: &Account,
    world: &dyn World,
) -> Result<Option<Hosted>, Unreadable> {
    if request.caller.number.is_empty() {
        return Ok(None);
    }
    let number = normal(account, &request.caller.number);
    let places = world.did(&number)?;
    match places
        .into_iter()
        .find(|place| place.account == *account_id)
    {
        Some(place) => Hosted::at(place, Some(&number), world),
        None => Ok(None),
    }
}

/// The outbound identity: the first level that has something counts as a whole, the PBX fills what
/// it lacks.
pub fn outbound(request: &Request<'_>, calling: &Calling, explain: &mut dyn Explain) -> Party {
    let sent = request.caller;
    match first(&calling.levels(), |terms| &terms.caller_id) {
        Some((level, identity)) => {
            explain.note("caller_id", format_args!("of the {level}"));
            filled(identity, sent)
        }
        None => {
            explain.note("caller_id", format_args!("as the PBX sent it"));
            sent.clone()
        }
    }
}

/// The outbound identity with a number that the account may show, where the settings want that.
///
/// # Errors
/// The store can't be read.
pub fn checked(
    request: &Request<'_>,
    account_id: &AccountId,
    account: &Account,
    shown: &Party,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Party, Unreadable> {
    let mut shown = shown.clone();
    if request.settings.ensure_valid_caller_id {
        shown.number = valid(request, account_id, account, &shown.number, world, explain)?;
    }
    Ok(shown)
}

fn first<'a>(
    levels: &Levels<'a>,
    field: impl Fn(&'a Terms) -> &'a TrunkIdentity,
) -> Option<(&'static str, &'a TrunkIdentity)> {
    let mut identities = levels.iter().map(|(level, terms)| (level, field(terms)));
    identities.find(|(_, identity)| !identity.is_empty())
}

fn filled(identity: &TrunkIdentity, sent: &Party) -> Party {
    let or = |own: Option<&str>, sent: &str| own.unwrap_or(sent).to_owned();
    Party {
        name: or(identity.name.as_deref(), &sent.name),
        number: or(identity.number.as_deref(), &sent.number),
    }
}

/// A number that the account may show.
fn valid(
    request: &Request<'_>,
    account_id: &AccountId,
    account: &Account,
    number: &str,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<String, Unreadable> {
    let own = |number: &str| match number {
        "" => Ok(false),
        number => numbers::is_of(&normal(account, number), account_id, world),
    };
    let default = || {
        let default = request.trunk().default_caller_id_number.clone();
        default.unwrap_or_else(|| request.settings.anonymous_number.clone())
    };
    let diverting = request.header("Diversion").and_then(arrival::address);
    if request.trunk().honor_diversions_by_cid_validation
        && let Some((diverting, _)) = diverting
    {
        let own = own(diverting)?;
        explain.note(
            "caller_id",
            format_args!("diverted by {diverting}, the account's own: {own}"),
        );
        return Ok(if own { number.to_owned() } else { default() });
    }
    if own(number)? {
        return Ok(number.to_owned());
    }
    explain.note("caller_id", format_args!("{number:?} is not the account's"));
    let sent = &request.caller.number;
    Ok(if own(sent)? { sent.clone() } else { default() })
}

/// What rescuers see; `outbound` is the identity before `ensure_valid_caller_id`, which would show
/// them `anonymous` in place of a number to call back.
#[must_use]
pub fn emergency(calling: &Calling, sent: &Party, outbound: &Party) -> Party {
    let identity = first(&calling.levels(), |terms| &terms.emergency_caller_id);
    identity.map_or_else(|| outbound.clone(), |(_, identity)| filled(identity, sent))
}

/// `ensure_valid_emergency_cid`: a number that emergency services know, or none of the call.
///
/// # Errors
/// The store can't be read.
pub fn known_to_rescuers(
    request: &Request<'_>,
    account_id: &AccountId,
    account: &Account,
    emergency: Party,
    outbound: &Party,
    world: &dyn World,
) -> Result<Result<Party, Reject>, Unreadable> {
    let settings = request.trunk();
    if !settings.ensure_valid_emergency_cid {
        return Ok(Ok(emergency));
    }
    for candidate in [&emergency.number, &outbound.number] {
        let known = match &**candidate {
            "" => None,
            candidate => world.number(&normal(account, candidate))?,
        };
        let own = known.filter(|(owner, _)| owner == account_id);
        if own.is_some_and(|(_, record)| record.has_feature(E911)) {
            let number = candidate.clone();
            let name = emergency.name.clone();
            return Ok(Ok(Party { name, number }));
        }
    }
    let number = match world.emergency_number(account_id)? {
        Some(number) => number,
        None if settings.deny_invalid_emergency_cid => {
            return Ok(Err(Reject {
                cause: HangupCause::UserBusy,
                sip_status: 486,
                reason: "Emergency service not configured",
            }));
        }
        None => {
            let default = settings.default_emergency_cid_number.clone();
            default.unwrap_or_else(|| request.settings.anonymous_number.clone())
        }
    };
    let name = emergency.name;
    Ok(Ok(Party { name, number }))
}
