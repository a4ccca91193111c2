//! Whose call this is: what FreeSWITCH established about the caller, matched with our documents.

use std::net::{IpAddr, SocketAddr};

use crate::documents::AuthMethod;
use crate::routing::caller::{CallerClaim, ForwardedCall, Sisters, classify};
use crate::routing::trunk::arrived_for;
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
    /// A call of another account of ours, for this one's callflows.
    Onnet(AccountId),
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

/// Who transferred the call, where FreeSWITCH has carried out a transfer. Referred-By is what a phone wrote, and would
/// let anybody call by another's rights; believed is what we ourselves noted on the leg: whom it rang, or who rang it
/// (callflow specification 1.2, rule 8). Of several that rang, Referred-By says which.
pub(super) fn referrer(
    store: &Store,
    arrival: &Arrival,
    explain: &mut dyn Explain,
) -> Result<Referrer, StoreError> {
    if arrival.variable("sip_refer_to").is_none() {
        return Ok(Referrer::None);
    }
    let Some((account, devices)) = on_the_line(arrival) else {
        explain.note("referred_by", format_args!("a transfer by nobody we know"));
        return Ok(Referrer::Unknown);
    };
    let written = arrival.variable("sip_h_Referred-By").and_then(user);
    for id in &devices {
        let Some(device) = store.device(&account, id)? else {
            continue;
        };
        let named = written.zip(device.sip.username());
        if devices.len() == 1 || named.is_some_and(|(a, b)| a.eq_ignore_ascii_case(b)) {
            explain.note("referred_by", format_args!("transferred by device {id}"));
            return Ok(Referrer::Device(account, id.clone()));
        }
    }
    explain.note(
        "referred_by",
        format_args!("{written:?} was not on the line"),
    );
    Ok(Referrer::Unknown)
}

/// The other side of the leg: the devices that it rang, else the one that rang it.
fn on_the_line(arrival: &Arrival) -> Option<(AccountId, Vec<DocumentId>)> {
    let id = |text: &str| DocumentId::new(text).ok();
    if let Some(account) = arrival.variable("lf_rang_account") {
        let devices = arrival.variable("lf_rang_devices")?.split(':');
        return Some((
            AccountId::new(account).ok()?,
            devices.filter_map(id).collect(),
        ));
    }
    let account = AccountId::new(arrival.variable("lf_account_id")?).ok()?;
    Some((account, vec![id(arrival.variable("lf_caller_device")?)?]))
}

/// The user of `"Name" <sip:user@host:port;params>` or of the bare URI.
fn user(text: &str) -> Option<&str> {
    let uri = match text.rsplit_once('<') {
        Some((_, rest)) => rest.split('>').next()?,
        None => text,
    };
    let (_, rest) = uri.trim().split_once(':')?;
    let (user, _) = rest.split_once('@')?;
    (!user.is_empty()).then_some(user)
}

/// What FreeSWITCH established about the caller. `source` is the arrival's, as text.
pub(super) fn claim<'v>(
    settings: &Settings,
    arrival: &'v Arrival,
    source: Option<&'v str>,
) -> CallerClaim<'v> {
    let variable = |name: &str| match name {
        "sip_received_ip" => source,
        "sip_call_id" => arrival.sip_call_id.as_deref(),
        name => arrival.variable(name),
    };
    let sisters = Sisters {
        at: &|ip| sister_at(settings, arrival, ip),
        acl: None,
    };
    classify(&variable, &sisters)
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
    if let Some(account) = arrived_for(&variable) {
        explain.note(
            "caller",
            format_args!("a call of another account, for {account}"),
        );
        return Ok(Origin::Onnet(account));
    }
    if let Some((account, device)) = rung_by_us(arrival) {
        explain.note(
            "caller",
            format_args!("a call that was placed for device {device}"),
        );
        return Ok(Origin::Device(account, device));
    }
    match claim(settings, arrival, source.as_deref()) {
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

/// The device whose phone we rang for a quickcall: its leg is FreeSWITCH's own, so that no peer has a hand in its
/// variables, and no phone is asked for a password on it.
pub(super) fn rung_by_us(arrival: &Arrival) -> Option<(AccountId, DocumentId)> {
    let is = |name: &str, text: &str| arrival.variable(name) == Some(text);
    if !is("lf_quickcall", "true") || !is("direction", "outbound") {
        return None;
    }
    let account = AccountId::new(arrival.variable("lf_account_id")?).ok()?;
    let device = DocumentId::new(arrival.variable("lf_device_id")?).ok()?;
    Some((account, device))
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
