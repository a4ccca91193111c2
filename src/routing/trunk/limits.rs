//! Whether one more call fits (trunkstore specification 5.2): arithmetic over counts.
//!
//! Nothing is tied to a trunk: the sums are made anew for each call, so a call over burst becomes an
//! ordinary one when others end.

use super::decision::{UnitDirection, UnitWanted};
use super::world::{Unreadable, World};
use crate::documents::{Limits, Trunks};
use crate::types::AccountId;
use std::sync::Arc;

/// What other calls use; the call that asks is not among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Units of calls to the account.
    pub inbound: u32,
    /// Units of calls from the account.
    pub outbound: u32,
    /// Calls; both legs of a bridge are one.
    pub calls: u32,
    /// Calls that use a carrier.
    pub consuming: u32,
    /// Calls to the number that is asked about.
    pub of_number: u32,
}

/// Why a call is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Billing {
    /// A trunk carries it.
    FlatRate,
    /// The room that is kept for peaks does.
    FlatRateBurst,
    /// There was no room, but the operator lets it pass.
    SoftLimit,
    /// The account is not limited, or calls of this kind are not.
    Unlimited,
}

impl Billing {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FlatRate => "flat_rate",
            Self::FlatRateBurst => "flat_rate_burst",
            Self::SoftLimit => "soft_limit",
            Self::Unlimited => "unlimited",
        }
    }
}

/// Which limit refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error("{used} calls and the limit `calls` is {limit}")]
    Calls { used: u32, limit: u32 },
    #[error("{used} calls over carriers and the limit `resource_consuming_calls` is {limit}")]
    Consuming { used: u32, limit: u32 },
    #[error(
        "{used} calls to this number and its rule in `inbound_channels_per_did_rules` allows {limit}"
    )]
    Number { used: u32, limit: i64 },
    #[error("trunks are not for this number (flat_rate_whitelist, flat_rate_blacklist)")]
    NotEligible,
    #[error("no trunk is free: {inbound} units in, {outbound} out, with this call")]
    Trunks { inbound: u32, outbound: u32 },
}

/// The limits that hold for an account: its document, or the two-way trunks that its connectivity
/// documents have bought, together. None: it is not limited.
///
/// # Errors
/// The store can't be read.
pub fn of_account(
    account: &AccountId,
    world: &dyn World,
) -> Result<Option<Arc<Limits>>, Unreadable> {
    if let Some(limits) = world.limits(account)? {
        return Ok(Some(limits));
    }
    let documents = world.connectivities(account)?;
    let bought = documents.iter().filter_map(|(_, c)| c.account.trunks);
    let sum = bought.reduce(u32::saturating_add);
    Ok(sum.map(|trunks| Arc::new(Limits::of_trunks(trunks))))
}

/// Judges one unit for one account, or for its reseller. `used` is what others use.
///
/// # Errors
/// The limit that refuses.
pub fn decide(wanted: &UnitWanted, limits: Option<&Limits>, used: &Used) -> Result<Billing, Full> {
    let Some(limits) = limits.filter(|limits| limits.is_enabled()) else {
        return Ok(Billing::Unlimited);
    };
    let decided = room(wanted, limits, used);
    let soft = match wanted.direction {
        UnitDirection::In => limits.is_soft_inbound(),
        UnitDirection::Out => limits.is_soft_outbound(),
    };
    match decided {
        Err(_) if soft => Ok(Billing::SoftLimit),
        decided => decided,
    }
}

fn room(wanted: &UnitWanted, limits: &Limits, used: &Used) -> Result<Billing, Full> {
    let calls = used.calls.saturating_add(1);
    if let Some(limit) = limits.calls().filter(|limit| calls > *limit) {
        return Err(Full::Calls { used: calls, limit });
    }
    let consuming = used.consuming.saturating_add(1);
    if let Some(limit) = limits.resource_consuming_calls()
        && wanted.consuming
        && consuming > limit
    {
        let used = consuming;
        return Err(Full::Consuming { used, limit });
    }
    if wanted.direction == UnitDirection::In {
        per_number(wanted, limits, used.of_number.saturating_add(1))?;
    }
    if !wanted.counted {
        return Ok(Billing::Unlimited);
    }
    if !wanted.eligible {
        return Err(Full::NotEligible);
    }
    trunks(wanted.direction, limits, used)
}

fn per_number(wanted: &UnitWanted, limits: &Limits, used: u32) -> Result<(), Full> {
    let matches = |regex: &regex::Regex| regex.is_match(&wanted.number);
    let mut rules = limits.did_rules().iter();
    // The first that is about the number, in the order of the document.
    let rule = rules.find(|rule| rule.pattern.regex().is_some_and(matches));
    match rule.map(|rule| rule.calls) {
        Some(limit) if limit >= 0 && i64::from(used) > limit => Err(Full::Number { used, limit }),
        _ => Ok(()),
    }
}

fn trunks(direction: UnitDirection, limits: &Limits, used: &Used) -> Result<Billing, Full> {
    let own = |this| u32::from(direction == this);
    let inbound = used.inbound.saturating_add(own(UnitDirection::In));
    let outbound = used.outbound.saturating_add(own(UnitDirection::Out));
    let over = left(limits.inbound(), inbound).saturating_add(left(limits.outbound(), outbound));
    let rest = left(limits.twoway(), over);
    if rest == 0 {
        return Ok(Billing::FlatRate);
    }
    if left(limits.burst(), rest) == 0 {
        return Ok(Billing::FlatRateBurst);
    }
    Err(Full::Trunks { inbound, outbound })
}

/// Units that these trunks do not carry.
const fn left(trunks: Trunks, units: u32) -> u32 {
    match trunks {
        Trunks::Unlimited => 0,
        Trunks::Of(trunks) => units.saturating_sub(trunks),
    }
}
