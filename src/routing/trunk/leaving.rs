//! A call that leaves its account without a server: a device's, or one that a callflow sends on.

use super::decision::{Decision, Reject};
use super::hosted::{Calling, Levels};
use super::place::{Placing, place, refused, restricted};
use super::request::{Party, Request};
use super::world::{Unreadable, World};
use super::{aleg, identity};
use crate::documents::{Account, FromFormat, Terms};
use crate::routing::{Explain, Variables};
use crate::types::{AccountId, DocumentId};

/// A call to an outside number that no server makes.
#[derive(Debug, Clone, Copy)]
pub struct Leaving<'a> {
    pub account_id: &'a AccountId,
    pub account: &'a Account,
    /// By whose rights it goes. What its documents bar has been looked at; a call of nobody's device
    /// is held against the account's own restrictions here.
    pub device: Option<&'a DocumentId>,
    /// Normalised, unless the flow's author wants it as it is.
    pub number: &'a str,
    /// As it was dialled.
    pub dialed: &'a str,
    /// What an ordinary gateway's leg shows, hides and asserts ([`crate::routing::offnet`]).
    pub identity: &'a Variables,
    /// The same for an emergency call.
    pub emergency_identity: &'a Variables,
    /// Whose carriers are used in place of the installation's.
    pub hunt_account: Option<&'a AccountId>,
    /// Flags that a carrier has to have, and names whose values are such flags.
    pub flags: &'a [String],
    pub dynamic_flags: &'a [String],
    /// Times, early media and media as the flow's author wants them.
    pub terms: &'a Terms,
    /// What stands in From where the carrier says nothing of it.
    pub from: &'a FromFormat,
    /// What the caller hears while it rings.
    pub ringback: Option<&'a str>,
}

/// Decides such a call: to a PBX of ours if the number is one's, else to carriers. Pure.
///
/// # Errors
/// The store can't be read.
pub fn leaving(
    request: &Request<'_>,
    call: &Leaving<'_>,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Decision, Unreadable> {
    if call.device.is_none()
        && let Some(reject) = restricted(call.account, call.number, explain)
    {
        return Ok(refused(call.account_id, reject));
    }
    let caller = party(call.identity);
    let placing = Placing {
        account_id: call.account_id,
        account: call.account,
        behalf: Behalf::Account(call),
        dialed: call.dialed,
        caller: &caller,
        unchecked: &caller,
        failover: false,
    };
    place(request, &placing, call.number, world, explain)
}

/// The answer to a call that the caller's documents bar.
#[must_use]
pub fn barred(account: &AccountId) -> Decision {
    use crate::types::HangupCause::OutgoingCallBarred;
    let reason = "the caller may not call numbers of this class";
    refused(account, Reject::hangup(OutgoingCallBarred, reason))
}

fn party(identity: &Variables) -> Party {
    let value = |name| identity.get(name).unwrap_or_default().to_owned();
    Party {
        name: value("origination_caller_id_name"),
        number: value("origination_caller_id_number"),
    }
}

/// In whose name a call goes out.
#[derive(Debug, Clone, Copy)]
pub enum Behalf<'a> {
    Server(&'a Calling),
    Account(&'a Leaving<'a>),
}

impl<'a> Behalf<'a> {
    #[must_use]
    pub fn levels(self) -> Levels<'a> {
        match self {
            Self::Server(calling) => calling.levels(),
            Self::Account(leaving) => Levels {
                entry: None,
                server: None,
                account: leaving.terms,
            },
        }
    }

    /// The account whose carriers are used in place of the installation's.
    #[must_use]
    pub fn hunt_account(self) -> Option<&'a str> {
        match self {
            Self::Server(calling) => calling.hunt_account(),
            Self::Account(leaving) => leaving.hunt_account.map(AccountId::as_str),
        }
    }

    /// Document that is answerable for the call, for records.
    #[must_use]
    pub fn authorizing_id(self) -> &'a str {
        match self {
            Self::Server(calling) => calling.server.place.connectivity.as_str(),
            Self::Account(leaving) => match leaving.device {
                Some(device) => device.as_str(),
                None => leaving.account_id.as_str(),
            },
        }
    }

    /// What the legs of the call say of who makes it.
    pub fn mark(self, variables: &mut Variables) {
        variables.set("lf_authorizing_id", self.authorizing_id());
        let kind = match self {
            Self::Server(calling) => {
                let server = calling.server.place.server;
                variables.set("lf_server_index", server.to_string());
                "sys_info"
            }
            Self::Account(leaving) if leaving.device.is_some() => "device",
            Self::Account(_) => "account",
        };
        variables.set("lf_authorizing_type", kind);
    }

    /// What stands in From where the carrier says nothing of it.
    #[must_use]
    pub fn from(self) -> Option<&'a FromFormat> {
        match self {
            Self::Server(_) => None,
            Self::Account(leaving) => Some(leaving.from),
        }
    }

    /// What is set on the A-leg before the first attempt.
    #[must_use]
    pub fn aleg(self, account: &AccountId) -> Variables {
        let mut aleg = aleg::of_caller(account, self);
        if let Self::Account(leaving) = self
            && let Some(ringback) = leaving.ringback
        {
            aleg.set("ringback", ringback);
        }
        aleg
    }

    /// What an emergency gateway is shown, before it is checked.
    #[must_use]
    pub fn emergency(self, sent: &Party, outbound: &Party) -> Party {
        match self {
            Self::Server(calling) => identity::emergency(calling, sent, outbound),
            Self::Account(leaving) => party(leaving.emergency_identity),
        }
    }

    /// Variables of a leg that identify the caller, to which the gateway adds its own.
    #[must_use]
    pub fn identity(self, emergency: bool) -> Variables {
        match self {
            Self::Server(_) => Variables::default(),
            Self::Account(leaving) if emergency => leaving.emergency_identity.clone(),
            Self::Account(leaving) => leaving.identity.clone(),
        }
    }

    /// The PBX's own privacy goes by the A-leg, an endpoint's by the variables of its legs.
    #[must_use]
    pub const fn is_server(self) -> bool {
        matches!(self, Self::Server(_))
    }
}
