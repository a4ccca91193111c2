//! Which device is calling. Only what FreeSWITCH itself has established counts; everything that
//! the peer wrote into its SIP (From, headers, the URI's `gw`) does not (ESL specification 4.2).

use crate::documents::AuthMethod;
use crate::routing::Explain;
use crate::store::{Store, StoreError};
use crate::switch::Arrival;
use crate::types::{AccountId, DocumentId};

/// The device that proved who it is, by its password or by its address.
pub(super) fn calling_device(
    store: &Store,
    arrival: &Arrival,
    explain: &mut dyn Explain,
) -> Result<Option<(AccountId, DocumentId)>, StoreError> {
    if let Some((user, realm)) = authenticated_name(arrival) {
        if let Some(device) = store.device_by_address(user, realm)? {
            explain.note(
                "caller",
                format_args!("{user}@{realm} is device {}", device.1),
            );
            return Ok(Some(device));
        }
        // FreeSWITCH knows a user that we don't: a directory beside ours.
        tracing::warn!(call_id = %arrival.call, user, realm,
            "FreeSWITCH authenticated a user that is no device here; treated as an outside caller");
        explain.note(
            "caller",
            format_args!("{user}@{realm} is no device of ours"),
        );
    }
    let Some(source) = arrival.source else {
        return Ok(None);
    };
    let Some((account, id)) = store.device_by_ip(source)? else {
        explain.note("caller", format_args!("no device calls from {source}"));
        return Ok(None);
    };
    let device = store.device(&account, &id)?;
    if device.is_some_and(|device| device.sip.method == AuthMethod::Ip) {
        explain.note(
            "caller",
            format_args!("{source} is the address of device {id}"),
        );
        return Ok(Some((account, id)));
    }
    explain.note(
        "caller",
        format_args!("{source} is the address of device {id}, but that one has to give a password"),
    );
    Ok(None)
}

/// User and domain that FreeSWITCH authenticated: by digest, or by an address list whose entry
/// names a user. Without `sip_authorized` the same variables prove nothing.
fn authenticated_name(arrival: &Arrival) -> Option<(&str, &str)> {
    if arrival.variable("sip_authorized") != Some("true") {
        return None;
    }
    Some((
        arrival.variable("user_name")?,
        arrival.variable("domain_name")?,
    ))
}

/// Devices that forwarded this call. Set by our own legs only: a SIP peer can't set a channel
/// variable of this name.
pub(super) fn forward_chain(arrival: &Arrival) -> Vec<DocumentId> {
    let chain = arrival.variable("lf_forward_chain").unwrap_or_default();
    let ids = chain.split(':').filter(|id| !id.is_empty());
    ids.filter_map(|id| DocumentId::new(id).ok()).collect()
}

pub(super) fn is_behind_loopback(arrival: &Arrival) -> bool {
    arrival.variable("is_loopback").is_some()
}
