//! Which units of limits a call needs (trunkstore specification 5.1).

use regex::Regex;

use super::decision::{Reject, UnitDirection, UnitWanted};
use super::numbers;
use super::request::Request;
use super::world::{Unreadable, World};
use crate::documents::{Pattern, Resource};
use crate::types::{AccountId, HangupCause};

/// A toll-free number is paid for by who is called.
const TOLLFREE: &str = "tollfree_us";

/// Kinds of call, by the names that `authz_resource_types` has for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// From a carrier.
    OffnetOrigination,
    /// To a carrier.
    OffnetTermination,
    /// To a PBX of ours, from another.
    OnnetOrigination,
    /// From a PBX of ours, to another.
    OnnetTermination,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::OffnetOrigination => "offnet-origination",
            Self::OffnetTermination => "offnet-termination",
            Self::OnnetOrigination => "onnet-origination",
            Self::OnnetTermination => "onnet-termination",
        }
    }

    const fn direction(self) -> UnitDirection {
        match self {
            Self::OffnetOrigination | Self::OnnetOrigination => UnitDirection::In,
            Self::OffnetTermination | Self::OnnetTermination => UnitDirection::Out,
        }
    }

    const fn refusal(self) -> Reject {
        match self.direction() {
            UnitDirection::In => Reject::hangup(
                HangupCause::UserBusy,
                "no trunk of the called account is free",
            ),
            UnitDirection::Out => Reject::hangup(
                HangupCause::OutgoingCallBarred,
                "no trunk of the calling account is free",
            ),
        }
    }
}

/// The unit that a call to a number needs of an account. `resource` is the carrier, where it is
/// known.
///
/// # Errors
/// The store can't be read.
pub fn wanted(
    request: &Request<'_>,
    account: &AccountId,
    number: &str,
    kind: Kind,
    resource: Option<&Resource>,
    world: &dyn World,
) -> Result<UnitWanted, Unreadable> {
    let direction = kind.direction();
    let limits = world.limits(account)?;
    let listed = limits.is_some_and(|limits| limits.exempts(kind.as_str()));
    let free = direction == UnitDirection::Out && numbers::class(number) == TOLLFREE;
    let reseller = world.reseller(account)?;
    Ok(UnitWanted {
        account: account.clone(),
        reseller: reseller.filter(|reseller| reseller != account),
        direction,
        number: number.to_owned(),
        counted: !listed && !free,
        consuming: matches!(kind, Kind::OffnetOrigination | Kind::OffnetTermination),
        eligible: is_eligible(request, number, resource),
        refusal: kind.refusal(),
    })
}

/// Whether trunks may carry calls of this number.
fn is_eligible(request: &Request<'_>, number: &str, resource: Option<&Resource>) -> bool {
    let settings = request.trunk();
    let resource = resource.filter(|_| settings.resource_flat_rate_lookup);
    let own = |list: fn(&Resource) -> Option<&str>| resource.and_then(list);
    let white = own(|r| r.flat_rate_whitelist.as_deref()).unwrap_or(&settings.flat_rate_whitelist);
    let black = own(|r| r.flat_rate_blacklist.as_deref()).unwrap_or(&settings.flat_rate_blacklist);
    let matches = |list: &str| {
        let pattern = Pattern::new(list);
        let hit = |regex: &Regex| regex.is_match(number);
        pattern.regex().is_some_and(hit)
    };
    (white.is_empty() || matches(white)) && (black.is_empty() || !matches(black))
}
