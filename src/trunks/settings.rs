//! What an operator can set about carriers' gateways: the `[trunks]` table.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::carriers::ResolverSettings;
use super::gateways::GatewaySettings;
use super::health::HealthSettings;

/// When a gateway is left out, how nodes are kept in step, and how carriers' names are resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Misses running that take a gateway out.
    pub gateway_misses: u32,
    /// Answers running that bring it back.
    pub gateway_answers: u32,
    /// Seconds between two real calls that try a gateway which is out.
    pub gateway_try_every_s: u32,
    /// Seconds between two looks at a node's gateways.
    pub gateway_look_every_s: u32,
    /// Seconds for a node to remove a gateway, or to take one in.
    pub gateway_settle_s: u32,
    /// Seconds between two look-ups of the names among the addresses.
    pub resolve_every_s: u32,
    /// Seconds for one answer.
    pub resolve_timeout_s: u32,
    /// Look-ups at once.
    pub resolve_at_once: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            gateway_misses: 3,
            gateway_answers: 2,
            gateway_try_every_s: 30,
            gateway_look_every_s: 15,
            gateway_settle_s: 10,
            resolve_every_s: 300,
            resolve_timeout_s: 2,
            resolve_at_once: 16,
        }
    }
}

impl Settings {
    #[must_use]
    pub fn health(&self) -> HealthSettings {
        HealthSettings {
            misses: self.gateway_misses,
            answers: self.gateway_answers,
            try_every: seconds(self.gateway_try_every_s),
        }
    }

    #[must_use]
    pub fn resolver(&self) -> ResolverSettings {
        ResolverSettings {
            timeout: seconds(self.resolve_timeout_s),
            refresh: seconds(self.resolve_every_s),
            at_once: self.resolve_at_once,
        }
    }

    /// For gateways that name no sofia profile: `profile`.
    #[must_use]
    pub fn gateways(&self, profile: &str) -> GatewaySettings {
        GatewaySettings {
            profile: profile.to_owned(),
            look_every: seconds(self.gateway_look_every_s),
            settle: seconds(self.gateway_settle_s),
        }
    }
}

fn seconds(count: u32) -> Duration {
    Duration::from_secs(count.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_set_is_what_each_part_says_itself() {
        let settings = Settings::default();
        assert_eq!(settings.health(), HealthSettings::default());
        assert_eq!(settings.resolver(), ResolverSettings::default());
        assert_eq!(settings.gateways("external"), GatewaySettings::default());
    }
}
