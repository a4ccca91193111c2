//! Whose call this is: what FreeSWITCH established about the caller, matched with our documents.

use std::net::{IpAddr, SocketAddr};

use crate::documents::AuthMethod;
use crate::routing::caller::{CallerClaim, ForwardedCall, Sisters, classify};
use crate::routing::{Explain, HandedOver, Settings};
use crate::store::{Store, StoreError};
use crate::switch::Arrival;
use crate::types::{AccountId, DocumentId, NodeName};

/// Where a call comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Device(AccountId, DocumentId),
    /// The far side of a leg that forwarded a call.
    Forwarded(ForwardedCall),
    /// The rest of a decision that a sister node has begun.
    HandedOver(HandedOver),
    Outside,
}

/// Who transferred a call here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Referrer {
    /// Nobody: the caller dialled.
    None,
    Device(AccountId, DocumentId),
    /// Somebody who is no device of ours.
    Unknown,
}

impl Referrer {
    pub(super) fn into_device(self) -> Option<DocumentId> {
        match self {
            Referrer::Device(_, device) => Some(device),
            Referrer::None | Referrer::Unknown => None,
        }
    }
}

/// Reads Referred-By, which is believed only where FreeSWITCH has carried out a transfer: in an INVITE it is what the
/// peer wrote, and would let anybody call by another's rights (callflow specification 1.2, rule 8).
pub(super) fn referrer(
    store: &Store,
    arrival: &Arrival,
    explain: &mut dyn Explain,
) -> Result<Referrer, StoreError> {
    let marks = ["transfer_refer_from", "transfer_refer_for", "sip_refer_to"];
    if !marks.iter().any(|mark| arrival.variable(mark).is_some()) {
        return Ok(Referrer::None);
    }
    let Some(text) = arrival.variable("sip_h_Referred-By") else {
        return Ok(Referrer::None);
    };
    let Some((user, realm)) = address(text) else {
        explain.note("referred_by", format_args!("{text:?} is no address"));
        return Ok(Referrer::Unknown);
    };
    Ok(match store.device_by_address(user, realm)? {
        Some((account, device)) => {
            explain.note(
                "referred_by",
                format_args!("transferred by device {device}"),
            );
            Referrer::Device(account, device)
        }
        None => {
            explain.note(
                "referred_by",
                format_args!("{user}@{realm} is no device of ours"),
            );
            Referrer::Unknown
        }
    })
}

/// User and host of `"Name" <sip:user@host:port;params>` or of the bare URI.
fn address(text: &str) -> Option<(&str, &str)> {
    let uri = match text.rsplit_once('<') {
        Some((_, rest)) => rest.split('>').next()?,
        None => text,
    };
    let (_, rest) = uri.trim().split_once(':')?;
    let (user, host) = rest.split_once('@')?;
    let host = host.split([':', ';', '?']).next()?;
    (!user.is_empty() && !host.is_empty()).then_some((user, host))
}

pub(super) fn origin(
    store: &Store,
    settings: &Settings,
    arrival: &Arrival,
    explain: &mut dyn Explain,
) -> Result<Origin, StoreError> {
    let source = arrival.source.map(|ip| ip.to_string());
    let variable = |name: &str| match name {
        "sip_received_ip" => source.as_deref(),
        "sip_call_id" => arrival.sip_call_id.as_deref(),
        name => arrival.variable(name),
    };
    if let Some(forwarded) = ForwardedCall::read(&variable) {
        explain.note(
            "caller",
            format_args!("forwarded by device {}", forwarded.device),
        );
        return Ok(Origin::Forwarded(forwarded));
    }
    let sisters = Sisters {
        at: &|ip| sister_at(settings, arrival, ip),
        acl: None,
    };
    match classify(&variable, &sisters) {
        CallerClaim::Device { username, realm } => {
            if let Some((account, device)) = store.device_by_address(username, realm)? {
                explain.note(
                    "caller",
                    format_args!("{username}@{realm} is device {device}"),
                );
                return Ok(Origin::Device(account, device));
            }
            // FreeSWITCH knows a user that we don't: a directory beside ours.
            tracing::warn!(call_id = %arrival.call, username, realm,
                "FreeSWITCH authenticated a user that is no device here; treated as an outside caller");
            explain.note(
                "caller",
                format_args!("{username}@{realm} is no device of ours"),
            );
        }
        CallerClaim::Sister { node } => {
            let header = |name: &str| arrival.variable(&format!("sip_h_{name}"));
            if let Some(handed) = HandedOver::read(header) {
                explain.note("caller", format_args!("handed over by {node:?}"));
                return Ok(Origin::HandedOver(handed));
            }
        }
        CallerClaim::Address { ip, .. } => return by_address(store, ip, explain),
        CallerClaim::Untrusted => {}
    }
    explain.note("caller", format_args!("nobody we know"));
    Ok(Origin::Outside)
}

/// A device that authenticates by its address.
fn by_address(store: &Store, ip: IpAddr, explain: &mut dyn Explain) -> Result<Origin, StoreError> {
    let Some((account, id)) = store.device_by_ip(ip)? else {
        explain.note("caller", format_args!("no device calls from {ip}"));
        return Ok(Origin::Outside);
    };
    let device = store.device(&account, &id)?;
    if device.is_some_and(|device| device.sip.method == AuthMethod::Ip) {
        explain.note("caller", format_args!("{ip} is the address of device {id}"));
        return Ok(Origin::Device(account, id));
    }
    let why = "that one has to give a password";
    explain.note(
        "caller",
        format_args!("{ip} is the address of device {id}, but {why}"),
    );
    Ok(Origin::Outside)
}

/// The other node that calls from this address. Over UDP a node calls from its SIP port, which
/// tells it from a phone on the same machine.
fn sister_at(settings: &Settings, arrival: &Arrival, ip: IpAddr) -> Option<NodeName> {
    let port = match arrival.variable("sip_via_protocol") {
        Some("udp") | None => arrival.variable("sip_received_port"),
        Some(_) => None,
    };
    let is_at = |address: &str| match address.parse::<SocketAddr>() {
        Ok(known) => {
            let same_port = port.is_none_or(|port| port == known.port().to_string());
            known.ip() == ip && same_port
        }
        Err(_) => address.parse() == Ok(ip),
    };
    let mut others = settings
        .nodes
        .iter()
        .filter(|(name, _)| **name != arrival.node);
    others
        .find(|(_, address)| is_at(address))
        .map(|(name, _)| name.clone())
}
