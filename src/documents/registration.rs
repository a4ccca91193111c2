//! A phone's registration as a FreeSWITCH node reported it.

use serde::{Deserialize, Serialize};

use crate::types::NodeName;

/// Which node holds which contact of `user@realm`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    pub node: NodeName,
    /// The sofia profile that the phone registered on.
    pub profile: String,
    /// Address of record (`from-user`, `from-host`), lower-cased for comparison.
    pub user: String,
    pub realm: String,
    /// As FreeSWITCH tells it: `"2001" <sip:2001@10.0.0.9:5060;fs_nat=yes;fs_path=...>` or the bare URI.
    pub contact: String,
    /// The SIP Call-ID of the registration; with node and profile it names the binding.
    #[serde(default)]
    pub call_id: String,
    #[serde(default)]
    pub network_ip: Option<String>,
    #[serde(default)]
    pub network_port: Option<u16>,
    #[serde(default)]
    pub user_agent: Option<String>,
    /// Unix time in seconds at which it lapses (the 60 s of grace not included).
    pub expires_at: i64,
    /// Unix time in milliseconds at which it was last refreshed; newest rings first.
    #[serde(default)]
    pub updated_ms: i64,
}
