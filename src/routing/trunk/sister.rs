//! A call to a PBX whose registration another node holds: what travels in private headers, and the
//! rest of the decision at the node that holds it.
//!
//! The first node has decided everything but the leg itself: units, timers, the order of servers and
//! the failover are its own. The second decides the leg, with its own documents: format, codecs,
//! headers, and which contact.

use super::aleg;
use super::decision::{Decision, Outcome, Reject, Route, RouteKind};
use super::hosted::Hosted;
use super::hunt::Hunting;
use super::pbx::{self, PbxCall};
use super::place::refused;
use super::request::Request;
use super::world::{Place, Unreadable, World};
use crate::routing::{Explain, Variables};
use crate::types::{AccountId, DocumentId};

const ACCOUNT: &str = "X-LF-Account";
const CONNECTIVITY: &str = "X-LF-Connectivity";
const SERVER: &str = "X-LF-Server";
const DIALED: &str = "X-LF-Dialed";
const MEDIA: &str = "X-LF-Media";

/// What every private header begins with, as a variable of the leg on which it came.
const PRIVATE: &str = "sip_h_x-lf-";

/// Media may go past the switch, as far as the first node is concerned.
const BYPASS: &str = "bypass";

/// Seconds that the second node lets a PBX ring. The first node keeps the time; this only sees to it
/// that nothing rings for ever.
pub(super) const RINGS_S: u32 = 3600;

/// The server and the number that a sister node asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedOver {
    pub place: Place,
    /// Normalised.
    pub number: String,
    /// The first node leads media past itself.
    pub bypass: bool,
}

/// Writes the headers of a leg to a sister node.
pub(super) fn hand_over(place: &Place, number: &str, bypass: bool, variables: &mut Variables) {
    variables.set_header(ACCOUNT, place.account.as_str());
    variables.set_header(CONNECTIVITY, place.connectivity.as_str());
    variables.set_header(SERVER, &place.server.to_string());
    variables.set_header(DIALED, number);
    variables.set_header(MEDIA, if bypass { BYPASS } else { "process" });
}

/// Whether a variable of an arriving leg is a private header. Whoever sent it, it is not to be passed
/// on: FreeSWITCH copies the headers of a caller to the leg that it dials.
#[must_use]
pub fn is_private(variable: &str) -> bool {
    let head = variable.get(..PRIVATE.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(PRIVATE))
}

impl HandedOver {
    /// Reads them; `header` looks one up by its name. To be believed of sister nodes alone. None:
    /// they are not there, or make no sense.
    #[must_use]
    pub fn read<'v>(header: impl Fn(&str) -> Option<&'v str>) -> Option<Self> {
        Some(Self {
            place: Place {
                account: AccountId::new(header(ACCOUNT)?).ok()?,
                connectivity: DocumentId::new(header(CONNECTIVITY)?).ok()?,
                server: header(SERVER)?.parse().ok()?,
            },
            number: header(DIALED)?.to_owned(),
            bypass: header(MEDIA) == Some(BYPASS),
        })
    }
}

/// Decides the rest of a call that a sister node has begun: one attempt at the contact that this
/// node holds. It takes no unit and fails over to nothing, since the first node does both.
///
/// # Errors
/// The store can't be read.
pub fn handed_over(
    request: &Request<'_>,
    handed: &HandedOver,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Decision, Unreadable> {
    let place = &handed.place;
    let account = world.account(&place.account)?;
    let Some(account) = account.filter(|account| account.is_enabled()) else {
        let reject = Reject::forbidden("the account of the server is disabled");
        return Ok(refused(&place.account, reject));
    };
    let hosted = Hosted::at(place.clone(), Some(&handed.number), world)?;
    let Some(hosted) = hosted.filter(Hosted::is_enabled) else {
        let reject = Reject::forbidden("the server is disabled, or no longer there");
        return Ok(refused(&place.account, reject));
    };
    let call = PbxCall {
        account_id: &place.account,
        account: &account,
        number: &handed.number,
        caller: request.caller,
        from_account: None,
    };
    let attempt = pbx::rest(request, &call, &hosted, handed.bypass, world, explain)?;
    Ok(Decision {
        account: Some(place.account.clone()),
        units: Vec::new(),
        outcome: Outcome::of(Route {
            kind: RouteKind::Pbx,
            account: place.account.clone(),
            number: handed.number.clone(),
            attempts: vec![attempt],
            hunting: Hunting::Servers,
            failover: None,
            aleg: aleg::of_sister(place),
            privacy: request.privacy.hides_something(),
            ring_ready: false,
            emergency: false,
            guard_s: RINGS_S,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let handed = HandedOver {
            place: Place {
                account: AccountId::new("a").unwrap(),
                connectivity: DocumentId::new("c").unwrap(),
                server: 2,
            },
            number: "+12125551234".into(),
            bypass: true,
        };
        let mut variables = Variables::default();
        hand_over(&handed.place, &handed.number, handed.bypass, &mut variables);
        let header = |name: &str| variables.get(&format!("sip_h_{name}"));
        assert_eq!(HandedOver::read(header), Some(handed));
        assert_eq!(HandedOver::read(|_| None), None);
    }

    #[test]
    fn private_headers_are_known_in_any_case() {
        assert!(is_private("sip_h_X-LF-Account") && is_private("sip_h_x-lf-anything"));
        assert!(
            !is_private("sip_h_X-L") && !is_private("sip_h_X-Other") && !is_private("lf_units")
        );
    }
}
