//! What the nodes tell of registrations goes into the store.

use tokio::sync::watch;

use crate::documents::Registration;
use crate::store::Store;
use crate::switch::{Reach, RegistrationEvent, RegistrationSink, Unregistered};
use crate::types::NodeName;

/// Keeps the store's registrations as the nodes have them.
pub(super) struct Keeper {
    store: Store,
    /// Counts what was told, for those who wait for a phone.
    told: watch::Sender<u64>,
}

impl Keeper {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            told: watch::Sender::new(0),
        }
    }

    pub(super) fn told(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }

    fn tell(&self) {
        self.told.send_modify(|count| *count += 1);
    }
}

impl RegistrationSink for Keeper {
    fn register(&self, node: &NodeName, event: RegistrationEvent) {
        tracing::debug!(%node, user = event.user, realm = event.realm, contact = event.contact, "registered");
        self.store.register(kept(node, event));
        self.tell();
    }

    fn unregister(&self, node: &NodeName, gone: Unregistered) {
        tracing::debug!(%node, user = gone.user, realm = gone.realm, "unregistered");
        self.store.unregister(
            node,
            &gone.user,
            &gone.realm,
            gone.call_id.as_deref(),
            gone.contact.as_deref(),
        );
        self.tell();
    }

    fn reach(&self, node: &NodeName, reach: Reach) {
        let (user, contact) = (reach.user, reach.contact);
        if reach.reachable {
            tracing::info!(%node, user, contact, "the phone answers pings again");
        } else {
            tracing::warn!(%node, user, contact, "the phone is registered but answers no ping; calls to it may fail");
        }
    }

    fn replace(&self, node: &NodeName, events: Vec<RegistrationEvent>) {
        tracing::info!(%node, registrations = events.len(), "registrations read");
        let kept = events.into_iter().map(|event| kept(node, event)).collect();
        self.store.replace_registrations(node, kept);
        self.tell();
    }
}

fn kept(node: &NodeName, event: RegistrationEvent) -> Registration {
    Registration {
        node: node.clone(),
        profile: event.profile,
        user: event.user.to_lowercase(),
        realm: event.realm.to_lowercase(),
        contact: event.contact,
        call_id: event.call_id,
        network_ip: event.network_ip,
        network_port: event.network_port,
        user_agent: event.user_agent,
        expires_at: event.expires_at,
        updated_ms: jiff::Timestamp::now().as_millisecond(),
    }
}
