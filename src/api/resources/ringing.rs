//! Phones that ring because a client wants so: where they are, and the legs that reach them.

use serde_json::Value;

use super::phones::{Address, is_live};
use crate::api::reply::{Refusal, unreadable};
use crate::api::request::Request;
use crate::documents::{DocumentType, Registration};
use crate::routing::{Contact, DialLeg, Endpoint, Variables};
use crate::store::Stored;
use crate::types::DocumentId;

/// A phone and where it is; None: it is not registered, so that it is told of and does not ring.
pub(super) struct Ringing {
    pub device: Stored,
    pub address: Address,
    pub registration: Option<Registration>,
}

/// The devices that a user owns.
///
/// # Errors
/// The store.
pub(super) fn devices_of(request: &Request, user: &DocumentId) -> Result<Vec<Stored>, Refusal> {
    let store = &request.context.store;
    let mut devices = Vec::new();
    for id in store
        .devices_of(&request.owner(), user)
        .map_err(unreadable)?
    {
        let key = request.key(DocumentType::Device, id.as_str())?;
        devices.extend(store.stored(&key).map_err(unreadable)?);
    }
    Ok(devices)
}

/// Those of the devices that are enabled and can register, newest registration first.
///
/// # Errors
/// The request has no account.
pub(super) fn phones(request: &Request, devices: Vec<Stored>) -> Result<Vec<Ringing>, Refusal> {
    let realm = &request.account()?.realm;
    let mut phones = Vec::new();
    for device in devices {
        let body = &device.document.body;
        if body.get("enabled").and_then(Value::as_bool) == Some(false) {
            continue;
        }
        let Some(address) = Address::of_device(body, realm) else {
            continue;
        };
        let registration = request
            .context
            .store
            .registrations(&address.user, &address.realm)
            .into_iter()
            .find(is_live);
        phones.push(Ringing {
            device,
            address,
            registration,
        });
    }
    phones.sort_by_key(|phone| {
        let heard = phone.registration.as_ref();
        std::cmp::Reverse(heard.map(|registration| registration.updated_ms))
    });
    Ok(phones)
}

impl Ringing {
    /// What rings it; None: it is not registered, or what it registered can't be dialled.
    pub(super) fn leg(&self, account: &str) -> Option<DialLeg> {
        let registration = self.registration.as_ref()?;
        let id = self.device.document.key.id.as_str();
        let made = Contact::parse(&registration.contact)
            .and_then(|contact| Endpoint::sofia(&registration.profile, contact.uri()));
        let endpoint = match made {
            Ok(endpoint) => endpoint,
            Err(error) => {
                tracing::warn!(device_id = id, %error, "a contact can't be dialled");
                return None;
            }
        };
        // Whose call it is when it comes back through the dialplan, as the directory tells it of a phone.
        let mut variables = Variables::default();
        variables.set("lf_account_id", account);
        variables.set("lf_device_id", id);
        let owner = self.device.document.body.get("owner_id");
        if let Some(owner) = owner.and_then(Value::as_str) {
            variables.set("lf_owner_id", owner);
        }
        Some(DialLeg {
            variables,
            endpoint,
        })
    }
}
