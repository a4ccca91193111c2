//! Phones behind documents: their registrations, and what is told to them through the nodes that hold these.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::api::context::Context;
use crate::api::time;
use crate::documents::Registration;
use crate::switch::{Notification, Registered};
use crate::types::NodeName;

/// For a node to do as it is told; the answer to the client waits for it.
const WITHIN: Duration = Duration::from_secs(2);

/// Seconds that FreeSWITCH may be late with telling that a registration has lapsed (devices specification 3.6).
const GRACE_S: i64 = 60;

/// Whose phone: what it registers as.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address {
    pub user: String,
    pub realm: String,
}

impl Address {
    /// From a device's document; None when it can't register.
    #[must_use]
    pub(super) fn of_device(body: &Map<String, Value>, account_realm: &str) -> Option<Address> {
        let sip = body.get("sip")?;
        let text = |name: &str| {
            sip.get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        Some(Address {
            user: text("username")?.to_lowercase(),
            realm: text("realm").unwrap_or(account_realm).to_lowercase(),
        })
    }
}

/// Whether a registration is still good.
#[must_use]
pub(super) fn is_live(registration: &Registration) -> bool {
    registration.expires_at.saturating_add(GRACE_S) > time::unix()
}

/// Nodes and profiles that hold registrations of the address.
fn holders(context: &Context, address: &Address) -> BTreeSet<(NodeName, String)> {
    let registrations = context.store.registrations(&address.user, &address.realm);
    let live = registrations.into_iter().filter(is_live);
    live.map(|registration| (registration.node, registration.profile))
        .collect()
}

/// Notifies every contact of the address. A phone that is not registered is told nothing, and nobody of that.
///
/// # Errors
/// A value that can't stand in a NOTIFY.
pub(super) async fn notify(
    context: &Context,
    address: &Address,
    told: &Notification<'_>,
) -> Result<(), crate::switch::NotifyError> {
    for (node, profile) in holders(context, address) {
        let Some(holder) = context.node_named(&node) else {
            continue;
        };
        let to = Registered {
            profile: &profile,
            user: &address.user,
            realm: &address.realm,
            call_id: None,
        };
        match tokio::time::timeout(WITHIN, holder.notify(&to, told)).await {
            Ok(Err(error @ crate::switch::NotifyError::Value { .. })) => return Err(error),
            Ok(Err(error)) => {
                tracing::warn!(%node, user = address.user, %error, "a phone was not notified")
            }
            Err(_) => tracing::warn!(%node, user = address.user, "a node takes no NOTIFY just now"),
            Ok(Ok(())) => {}
        }
    }
    Ok(())
}

/// Drops every registration of the address, on the nodes and in the store.
pub(super) async fn drop_registrations(context: &Context, address: &Address) {
    for (node, profile) in holders(context, address) {
        if let Some(holder) = context.node_named(&node) {
            let of = Registered {
                profile: &profile,
                user: &address.user,
                realm: &address.realm,
                call_id: None,
            };
            match tokio::time::timeout(WITHIN, holder.drop_registration(&of)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%node, user = address.user, %error, "a registration was not dropped");
                }
                Err(_) => {
                    tracing::warn!(%node, user = address.user, "a node drops no registration just now")
                }
            }
        }
        let store = &context.store;
        store.unregister(&node, &address.user, &address.realm, None, None);
    }
}

/// Drops every registration within a realm.
pub(super) async fn drop_realm(context: &Context, realm: &str) {
    let addresses: BTreeSet<String> = context
        .store
        .all_registrations()
        .into_iter()
        .filter(|registration| registration.realm == realm)
        .map(|registration| registration.user)
        .collect();
    for user in addresses {
        let realm = realm.to_owned();
        drop_registrations(context, &Address { user, realm }).await;
    }
}
