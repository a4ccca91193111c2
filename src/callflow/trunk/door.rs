//! What trunks have to say to an arriving call, before callflows are asked.

use std::net::IpAddr;

use super::world::Documents;
use crate::callflow::{Context, Office, trust};
use crate::documents::AuthMethod;
use crate::routing::caller::CallerClaim;
use crate::routing::numbers::Normalizer;
use crate::routing::trunk::{
    self, Arrival as Calling, Decision, Digest, Elsewhere, HandedOver, Outcome, Party, Place,
    Reject, Request, Source, UnitWanted, Unreadable, World, limits,
};
use crate::routing::{Explain, Privacy, Silent};
use crate::switch::Arrival;
use crate::types::{AccountId, DocumentId};

/// On the caller's leg: document and index of the server that it was last sent to.
pub(super) const RANG: &str = "lf_rang_server";

/// SIP's own port, where the source's is not told.
const SIP_PORT: u16 = 5060;

/// Where the call belongs.
pub(in crate::callflow) enum Door {
    /// It is a carrier's or a PBX's.
    Trunk {
        decision: Decision,
        /// The server that calls, for the fraud guard.
        party: Option<String>,
    },
    /// It came over a trunk and goes to the account's callflows; it needs these units meanwhile.
    Elsewhere {
        elsewhere: Elsewhere,
        units: Vec<UnitWanted>,
    },
    /// No trunk has to do with it.
    Callflows,
}

/// What a decision about trunks reads of an arriving call.
pub(in crate::callflow) struct Facts<'a> {
    arrival: &'a Arrival,
    caller: Party,
    privacy: Privacy,
    headers: Vec<(String, String)>,
    pub(super) digest: Option<(String, String)>,
    /// The server that has transferred it.
    transferring: Option<Place>,
    /// It is from a carrier, whichever.
    pub(super) trusted: bool,
    now: i64,
    seed: u64,
}

impl<'a> Facts<'a> {
    pub(in crate::callflow) fn of(arrival: &'a Arrival, privacy: Privacy, now: i64) -> Self {
        let headers = arrival.variables.iter().filter_map(|(name, value)| {
            let name = name.strip_prefix("sip_h_")?;
            Some((name.to_owned(), value.to_string()))
        });
        Self {
            arrival,
            caller: Party {
                name: arrival.caller_name.clone().unwrap_or_default(),
                number: arrival.caller_number.clone().unwrap_or_default(),
            },
            privacy,
            headers: headers.collect(),
            digest: None,
            transferring: None,
            trusted: false,
            now,
            seed: fastrand::u64(..),
        }
    }

    fn address(&self) -> Option<(IpAddr, u16)> {
        let arrival = self.arrival;
        let port = ["sip_received_port", "sip_network_port"]
            .into_iter()
            .find_map(|name| arrival.variable(name)?.parse().ok());
        Some((arrival.source?, port.unwrap_or(SIP_PORT)))
    }

    /// Asks with the request that these facts make.
    pub(in crate::callflow) fn ask<T>(
        &self,
        office: &Office<'_>,
        question: impl FnOnce(&Request<'_>) -> T,
    ) -> T {
        let arrival = self.arrival;
        let variable = |name: &str| arrival.variable(name);
        let digest = self.digest.as_ref();
        let user = |name: &str| arrival.variable(name).unwrap_or_default();
        question(&Request {
            settings: office.routing,
            node: &arrival.node,
            profile: arrival.profile.as_deref(),
            source: Source {
                digest: digest.map(|(user, realm)| Digest { user, realm }),
                server: self.transferring.as_ref(),
                address: self.address(),
                from_host: arrival.variable("sip_from_host"),
                trusted: self.trusted,
            },
            caller: &self.caller,
            privacy: self.privacy,
            request_user: &arrival.destination,
            to_user: user("sip_to_user"),
            from_user: user("sip_from_user"),
            headers: &self.headers,
            variable: &variable,
            now: self.now,
            seed: self.seed,
        })
    }
}

/// Says whether trunks have to do with the call, and what they decide.
///
/// # Errors
/// The store can't be read.
pub(in crate::callflow) fn knock(
    office: &Office<'_>,
    facts: &mut Facts<'_>,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Door, Unreadable> {
    if is_loopback(facts.arrival) {
        return Ok(Door::Callflows);
    }
    if let Some(handed) = handed_over(office, facts.arrival) {
        explain.note(
            "source",
            format_args!(
                "a sister node calls server {} of {}",
                handed.place.server, handed.place.connectivity
            ),
        );
        let decision = facts.ask(office, |request| {
            trunk::handed_over(request, &handed, world, explain)
        })?;
        return Ok(Door::Trunk {
            decision,
            party: None,
        });
    }
    if !may_be_trunk(office, facts, world)? {
        return Ok(Door::Callflows);
    }
    let calling = facts.ask(office, |request| trunk::arrive(request, world, explain))?;
    let (decision, party) = match calling {
        Calling::Carrier(_) => {
            let decided = facts.ask(office, |request| trunk::inbound(request, world, explain));
            (decided?, None)
        }
        Calling::Server(place) => {
            let decided = facts.ask(office, |request| trunk::outbound(request, world, explain));
            (
                decided?,
                Some(format!("{}/{}", place.connectivity, place.server)),
            )
        }
        Calling::Stranger => {
            let number = Normalizer::us().e164(&facts.arrival.destination);
            if world.did(&number)?.is_empty() {
                return Ok(Door::Callflows);
            }
            explain.note(
                "source",
                format_args!("nobody we know calls {number}, which is a PBX's number"),
            );
            let reject = Reject::forbidden("nobody known calls from this address");
            let decision = Decision {
                account: None,
                units: Vec::new(),
                outcome: Outcome::Reject(reject),
            };
            (decision, None)
        }
    };
    Ok(match decision {
        Decision {
            units,
            outcome: Outcome::Elsewhere(elsewhere),
            ..
        } => Door::Elsewhere { elsewhere, units },
        decision => Door::Trunk { decision, party },
    })
}

/// Whether a call has to be looked after for the sake of trunks: it comes over one, or limits hold for
/// the account or its reseller.
pub(in crate::callflow) fn counts(
    context: &Context,
    office: &Office<'_>,
    arrival: &Arrival,
    account: &AccountId,
) -> bool {
    let world = Documents::new(context);
    let mut facts = Facts::of(arrival, Privacy::default(), office.now);
    let mut counts = || -> Result<bool, Unreadable> {
        let door = knock(office, &mut facts, &world, &mut Silent)?;
        if !matches!(door, Door::Callflows) {
            return Ok(true);
        }
        let reseller = world.reseller(account)?;
        for whose in [Some(account), reseller.as_ref()].into_iter().flatten() {
            let limits = limits::of_account(whose, &world)?;
            if limits.is_some_and(|limits| limits.is_enabled()) {
                return Ok(true);
            }
        }
        Ok(false)
    };
    // What can't be read is not let pass uncounted.
    counts().unwrap_or(true)
}

/// Legs of ours are no callers.
pub(super) fn is_loopback(arrival: &Arrival) -> bool {
    arrival.variable("is_loopback").is_some() || arrival.variable("loopback_leg").is_some()
}

/// The rest of a call to a PBX that is registered here. Anybody can write the headers: they are read
/// of a call from the address of another node alone.
fn handed_over(office: &Office<'_>, arrival: &Arrival) -> Option<HandedOver> {
    let source = arrival.source.map(|ip| ip.to_string());
    let claim = trust::claim(office.routing, arrival, source.as_deref());
    let CallerClaim::Sister { node: Some(_) } = claim else {
        return None;
    };
    HandedOver::read(|name| arrival.variable(&format!("sip_h_{name}")))
}

/// The server in whose name a leg goes on that was transferred: the one that it rang, or that rang with
/// it. What the transferring side writes is not asked: the leg itself was marked when it was a trunk's.
fn transferring(arrival: &Arrival) -> Option<Place> {
    let mark = |name| arrival.variable(name);
    let (connectivity, server) = match mark(RANG) {
        Some(rang) => rang.rsplit_once('/')?,
        None if mark("lf_authorizing_type") == Some("sys_info") => {
            (mark("lf_authorizing_id")?, mark("lf_server_index")?)
        }
        None => return None,
    };
    Some(Place {
        account: AccountId::new(mark("lf_account_id")?).ok()?,
        connectivity: DocumentId::new(connectivity).ok()?,
        server: server.parse().ok()?,
    })
}

/// Devices come first (trunkstore specification 6.2).
fn may_be_trunk(
    office: &Office<'_>,
    facts: &mut Facts<'_>,
    world: &dyn World,
) -> Result<bool, Unreadable> {
    let arrival = facts.arrival;
    if trust::rung_by_us(arrival).is_some() {
        return Ok(false);
    }
    if arrival.variable("sip_refer_to").is_some() {
        // Where a leg goes that was transferred is no matter of where it once came from (trunkstore
        // specification 2.1, 3.1).
        facts.transferring = transferring(arrival);
        return Ok(facts.transferring.is_some());
    }
    let store = office.store;
    let source = arrival.source.map(|ip| ip.to_string());
    match trust::claim(office.routing, arrival, source.as_deref()) {
        CallerClaim::Device { username, realm } => {
            let device = store.device_by_address(username, realm);
            if device.map_err(Unreadable::new)?.is_some() {
                return Ok(false);
            }
            let is_server = world.server_by_address(username, realm)?.is_some();
            if is_server {
                facts.digest = Some((username.to_owned(), realm.to_owned()));
            }
            Ok(is_server)
        }
        CallerClaim::Address { ip, .. } => {
            let found = store.device_by_ip(ip).map_err(Unreadable::new)?;
            let Some((account, id)) = found else {
                return Ok(true);
            };
            let device = store.device(&account, &id).map_err(Unreadable::new)?;
            Ok(!device.is_some_and(|device| device.sip.method == AuthMethod::Ip))
        }
        CallerClaim::Untrusted => Ok(true),
        CallerClaim::Sister { .. } => Ok(false),
    }
}
