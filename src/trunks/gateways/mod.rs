//! Gateways that carriers need on every node, kept as the documents say without an operator's rescan.
//!
//! FreeSWITCH takes in gateways that it does not know when a profile is rescanned, changes none, and removes none but by
//! `killgw` (trunkstore specification 4.3). Each has a name that says what it is ([`SwitchGateway::name`]), so that a look at
//! the node's table tells what is to be done, after a change as well as after a restart of either side:
//! kill what should not be there, wait until it is gone, rescan for what is missing.

mod keeping;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Carriers;
use crate::routing::carriers::{GatewayKey, SwitchGateway};

pub use keeping::keep;

/// How gateways are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewaySettings {
    /// The sofia profile of gateways that name none.
    pub profile: String,
    /// Between two looks at the node's table, which also count what SIP OPTIONS say.
    pub look_every: Duration,
    /// For a killed gateway to be gone, and for a new one to be there.
    pub settle: Duration,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            profile: "external".into(),
            look_every: Duration::from_secs(15),
            settle: Duration::from_secs(10),
        }
    }
}

/// What every node is to have. Cheap to clone.
#[derive(Clone)]
pub struct Wanted {
    carriers: Carriers,
    profile: Arc<str>,
}

impl Wanted {
    #[must_use]
    pub fn new(carriers: Carriers, settings: &GatewaySettings) -> Self {
        Self {
            carriers,
            profile: settings.profile.as_str().into(),
        }
    }

    /// The gateways of all profiles, or of one.
    #[must_use]
    pub fn gateways(&self, profile: Option<&str>) -> Vec<SwitchGateway> {
        let resources = self.carriers.resources();
        let enabled = resources.iter().filter(|source| source.document.enabled);
        let all = enabled.flat_map(|source| {
            source
                .document
                .usable_gateways()
                .filter_map(|(place, gateway)| {
                    let key = GatewayKey::new(&source.account, &source.id, place);
                    SwitchGateway::of(&key, gateway, &self.profile)
                })
        });
        all.filter(|gateway| profile.is_none_or(|profile| profile == gateway.profile))
            .collect()
    }

    /// Addresses from which calls need no password.
    #[must_use]
    pub fn trusted(&self) -> Vec<IpAddr> {
        self.carriers.trusted()
    }
}
