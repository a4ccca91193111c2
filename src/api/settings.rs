//! What an operator chooses.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Who may take a number that is nobody's yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FreeNumbers {
    #[default]
    Anyone,
    /// The master account alone; others use what it has given to them.
    Superduper,
}

/// `[api]`; there is no API without `listen`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Where it listens.
    pub listen: Option<SocketAddr>,
    /// The file of the server's secret; None: beside the store, with the store's name and `.secret`.
    pub secret_file: Option<PathBuf>,
    /// Where the audit log goes; None: beside the store, with the store's name and `.audit.jsonl`. Empty: nowhere.
    pub audit_log: Option<PathBuf>,
    /// Seconds that a token is good for.
    pub token_auth_expiry_s: u64,
    /// Reverse proxies, whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Tokens that a client's bucket holds; 0 switches rate limiting, and the lockout after failed logins, off.
    pub rate_tokens: u32,
    /// Tokens that come back every second.
    pub rate_refill_per_s: u32,
    /// Cost of a request other than 1: `"PUT user_auth" = 35`, or `"devices" = 2` for all verbs.
    pub rate_costs: BTreeMap<String, u32>,
    /// Show `********` in place of SIP passwords to users who are no admins.
    pub redact_sip_passwords: bool,
    /// Users who are no admins change only themselves and their own devices.
    pub enforce_user_roles: bool,
    /// What a generated realm ends with.
    pub realm_suffix: String,
    /// Dialplan context in which the second half of a quickcall dials.
    pub quickcall_context: String,
    /// Who may take a number that is nobody's yet, as a number, in a callflow or in a trunk.
    pub free_numbers: FreeNumbers,
    /// Name of the master account that a daemon with an empty store makes; None: it makes none.
    pub master_name: Option<String>,
    /// Its realm; None: generated.
    pub master_realm: Option<String>,
    /// Its admin's name, with the file of the password; None: it has no user.
    pub master_user: Option<String>,
    pub master_password_file: Option<PathBuf>,
    /// Webhooks may go to loopback and private networks.
    pub allow_private_webhooks: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: None,
            secret_file: None,
            audit_log: None,
            token_auth_expiry_s: 3600,
            trusted_proxies: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            rate_tokens: 100,
            rate_refill_per_s: 10,
            rate_costs: BTreeMap::new(),
            redact_sip_passwords: false,
            enforce_user_roles: false,
            realm_suffix: "sip.internal".into(),
            quickcall_context: "from-device".into(),
            free_numbers: FreeNumbers::Anyone,
            master_name: None,
            master_realm: None,
            master_user: None,
            master_password_file: None,
            allow_private_webhooks: false,
        }
    }
}
