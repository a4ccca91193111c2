//! Carriers' gateways on every node, and what the directory says of trunks.

use std::net::IpAddr;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::supervise::supervised;
use crate::directory::Trunks;
use crate::routing::carriers::SwitchGateway;
use crate::switch::Switch;
use crate::trunks::gateways::{GatewaySettings, Wanted, keep};
use crate::trunks::{Carriers, Health};

/// Answers the directory's questions about trunks.
pub(super) struct Known(Wanted);

impl Known {
    pub(super) fn new(carriers: Carriers, settings: &GatewaySettings) -> Self {
        Self(Wanted::new(carriers, settings))
    }
}

impl Trunks for Known {
    fn gateways(&self, profile: &str) -> Vec<SwitchGateway> {
        self.0.gateways(Some(profile))
    }

    fn trusted(&self) -> Vec<IpAddr> {
        self.0.trusted()
    }
}

/// Keeps every node's gateways in step until `shutdown` is cancelled.
pub(super) async fn keep_all(
    switch: Switch,
    carriers: Carriers,
    health: Health,
    settings: GatewaySettings,
    shutdown: CancellationToken,
) {
    let wanted = Wanted::new(carriers, &settings);
    let mut nodes = JoinSet::new();
    for node in switch.nodes() {
        let (node, wanted, health) = (node.clone(), wanted.clone(), health.clone());
        let (settings, until) = (settings.clone(), shutdown.clone());
        let keep = move || {
            keep(
                node.clone(),
                wanted.clone(),
                health.clone(),
                settings.clone(),
                until.clone(),
            )
        };
        nodes.spawn(supervised("gateways", shutdown.clone(), keep));
    }
    while nodes.join_next().await.is_some() {}
}
