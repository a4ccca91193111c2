//! The tables other than nodes.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::section::Section;
use crate::api;
use crate::callflow;
use crate::routing;
use crate::store::StoreSettings;
use crate::trunks::{self, fraud};

impl Section for StoreSettings {
    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        if self.path == PathBuf::new() {
            report("path", "expected the folder of the store".into());
        }
        if self.cache_documents == 0 {
            report("cache_documents", "expected at least 1".into());
        }
        if self.backup_keep == 0 {
            report("backup_keep", "expected at least 1".into());
        }
        if self.files.as_ref() == Some(&PathBuf::new()) {
            report("files", "expected a folder".into());
        }
        if self.backups.as_ref() == Some(&PathBuf::new()) {
            report("backups", "expected a folder".into());
        }
    }
}

const NO_RECORDING: &str = "has no effect in this version, which records nothing";

impl Section for routing::Settings {
    const REFUSED: &'static [(&'static str, &'static str)] = &[
        (
            "nodes",
            "is not set here; write sip = \"HOST:PORT\" in [nodes.NAME]",
        ),
        ("recording_dir", NO_RECORDING),
        ("max_recording_s", NO_RECORDING),
        (
            "prompts",
            "has no effect in this version, which plays no prompts",
        ),
    ];

    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        if self.bridge_timeout_s == 0 {
            report("bridge_timeout_s", "expected at least 1 second".into());
        }
        if self.registration_grace_s < 0 {
            report("registration_grace_s", "expected 0 or more seconds".into());
        }
        check_trunks(&self.trunk, report);
        // They go into dial strings as they are, so they have the alphabet of FreeSWITCH's own names.
        for (key, value) in [
            ("sip_profile", &self.sip_profile),
            ("forward_context", &self.forward_context),
            ("carrier_profile", &self.trunk.carrier_profile),
        ] {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if value.is_empty() || !value.chars().all(plain) {
                report(key, "expected letters, digits and . _ - only".into());
            }
        }
    }
}

fn check_trunks(trunk: &routing::trunk::Settings, report: &mut dyn FnMut(&str, String)) {
    if trunk.routing_guard_s == 0 {
        report("routing_guard_s", "expected at least 1 second".into());
    }
    if trunk.min_shortdial_correction > trunk.max_shortdial_correction {
        let least = trunk.min_shortdial_correction;
        let expected = format!("expected at least min_shortdial_correction, {least}");
        report("max_shortdial_correction", expected);
    }
    for (key, list) in [
        ("flat_rate_whitelist", &trunk.flat_rate_whitelist),
        ("flat_rate_blacklist", &trunk.flat_rate_blacklist),
    ] {
        // One that doesn't compile would refuse every call, or none.
        if let Err(error) = regex::Regex::new(list) {
            report(key, format!("expected a regular expression: {error}"));
        }
    }
}

/// An address, or a range of them such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    network: IpAddr,
    prefix: u8,
}

impl Subnet {
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => same_start(
                network.to_bits().into(),
                address.to_bits().into(),
                32,
                self.prefix,
            ),
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                same_start(network.to_bits(), address.to_bits(), 128, self.prefix)
            }
            _ => false,
        }
    }

    #[must_use]
    pub const fn network(&self) -> IpAddr {
        self.network
    }

    /// Length of the prefix in bits.
    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }
}

fn same_start(a: u128, b: u128, width: u8, prefix: u8) -> bool {
    let ignored = u32::from(width.saturating_sub(prefix));
    a.checked_shr(ignored).unwrap_or(0) == b.checked_shr(ignored).unwrap_or(0)
}

impl TryFrom<String> for Subnet {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("expected an address or range such as 10.0.0.0/8, found {text:?}");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.as_str(), None),
        };
        let network: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = if network.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| wrong())?,
            None => width,
        };
        if prefix > width {
            return Err(wrong());
        }
        Ok(Self { network, prefix })
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> String {
        format!("{}/{}", subnet.network, subnet.prefix)
    }
}

/// `[handoff]`: how calls reach us.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HandoffSettings {
    /// Take calls over the outbound socket (`socket HOST:PORT async full`).
    pub socket: bool,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Who may connect to it.
    pub allow: Vec<Subnet>,
    /// Take calls that connected nodes park.
    pub park: bool,
    /// Calls at once; the listener is closed while there are that many.
    pub max_calls: usize,
    /// Milliseconds to wait for FreeSWITCH's answer to a claim; the dialplan's own timer is 3 s.
    pub claim_timeout_ms: u64,
    /// Seconds that a stopping daemon waits for its calls.
    pub drain_s: u64,
}

impl Default for HandoffSettings {
    fn default() -> Self {
        let loopback = ["127.0.0.0/8", "::1"];
        Self {
            socket: true,
            listen: SocketAddr::from(([127, 0, 0, 1], 8084)),
            allow: loopback
                .into_iter()
                .filter_map(|text| Subnet::try_from(text.to_owned()).ok())
                .collect(),
            park: true,
            max_calls: 10_000,
            claim_timeout_ms: 1_500,
            drain_s: 20,
        }
    }
}

impl Section for HandoffSettings {
    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        if self.max_calls == 0 {
            report("max_calls", "expected at least 1".into());
        }
        if !(50..=2_500).contains(&self.claim_timeout_ms) {
            let why = "expected 50 to 2500, less than the 3 s of the dialplan's timer";
            report("claim_timeout_ms", why.into());
        }
        if self.socket && self.allow.is_empty() {
            report("allow", "expected an address; or set socket = false".into());
        }
    }
}

/// `[console]`: commands that are typed while the daemon runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsoleSettings {
    /// Do them, for the daemon's own user and for root.
    pub enabled: bool,
}

impl Default for ConsoleSettings {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Section for ConsoleSettings {}

impl Section for api::Settings {
    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        if !(60..=604_800).contains(&self.token_auth_expiry_s) {
            report("token_auth_expiry_s", "expected 60 s to a week".into());
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        if self.realm_suffix.is_empty() || !self.realm_suffix.chars().all(plain) {
            let why = "expected a domain in lower-case letters, digits and . _ -";
            report("realm_suffix", why.into());
        }
        let name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if self.quickcall_context.is_empty() || !self.quickcall_context.chars().all(name) {
            report(
                "quickcall_context",
                "expected letters, digits and . _ - only".into(),
            );
        }
        if self.rate_tokens > 0 && self.rate_refill_per_s == 0 {
            let why = "expected at least 1; rate_tokens = 0 switches the limits off";
            report("rate_refill_per_s", why.into());
        }
        if self
            .rate_costs
            .keys()
            .any(|name| name.trim() != name || name.is_empty())
        {
            report(
                "rate_costs",
                "expected keys such as \"PUT devices\" or \"devices\"".into(),
            );
        }
        if self.master_user.is_some() != self.master_password_file.is_some() {
            let why = "expected together with master_password_file, and that with it";
            report("master_user", why.into());
        }
        if self.master_name.is_none() && (self.master_realm.is_some() || self.master_user.is_some())
        {
            report(
                "master_name",
                "expected with master_realm and master_user".into(),
            );
        }
        if self
            .secret_file
            .as_ref()
            .is_some_and(|path| path.as_os_str().is_empty())
        {
            report("secret_file", "expected the path of a file".into());
        }
    }
}

impl Section for callflow::Settings {
    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        if self.max_actions == 0 {
            report("max_actions", "expected at least 1".into());
        }
    }
}

impl Section for trunks::Settings {
    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        for (key, value) in [
            ("gateway_misses", self.gateway_misses),
            ("gateway_answers", self.gateway_answers),
        ] {
            if value == 0 {
                report(key, "expected at least 1".into());
            }
        }
        for (key, value) in [
            ("gateway_try_every_s", self.gateway_try_every_s),
            ("gateway_look_every_s", self.gateway_look_every_s),
            ("gateway_settle_s", self.gateway_settle_s),
            ("resolve_every_s", self.resolve_every_s),
            ("resolve_timeout_s", self.resolve_timeout_s),
        ] {
            if value == 0 {
                report(key, "expected at least 1 second".into());
            }
        }
        if self.resolve_at_once == 0 {
            report("resolve_at_once", "expected at least 1".into());
        }
    }
}

impl Section for fraud::Settings {
    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        if self.warn_percent > 100 {
            report("warn_percent", "expected 0 to 100 percent".into());
        }
        if self.block_after > 0 && self.block_s == 0 {
            let why = "expected at least 1 second; block_after = 0 switches blocks off";
            report("block_s", why.into());
        }
    }
}

/// `[metrics]`: figures for Prometheus; they are not served without `listen`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricsSettings {
    /// Where `GET /metrics` is answered.
    pub listen: Option<SocketAddr>,
}

impl Section for MetricsSettings {}

/// Form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// journald under systemd, text on a terminal, JSON otherwise.
    #[default]
    Auto,
    Text,
    Json,
    Journald,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogSettings {
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,linefinder::switch=debug`.
    pub level: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::Auto,
            level: "info".into(),
        }
    }
}

impl Section for LogSettings {
    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        if tracing_subscriber::EnvFilter::try_new(&self.level).is_err() || self.level.is_empty() {
            let levels = "expected error, warn, info, debug or trace, or a filter such as \
                          info,linefinder::switch=debug";
            report("level", levels.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets() {
        let parse = |text: &str| Subnet::try_from(text.to_owned());
        let ten = parse("10.0.0.0/8").unwrap();
        assert!(ten.contains("10.1.2.3".parse().unwrap()));
        assert!(ten.contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!ten.contains("11.1.2.3".parse().unwrap()));
        assert!(
            parse("0.0.0.0/0")
                .unwrap()
                .contains("9.9.9.9".parse().unwrap())
        );
        assert!(parse("::/0").unwrap().contains("fe80::1".parse().unwrap()));
        assert!(
            parse("192.0.2.7")
                .unwrap()
                .contains("192.0.2.7".parse().unwrap())
        );
        assert!(
            !parse("192.0.2.7")
                .unwrap()
                .contains("192.0.2.6".parse().unwrap())
        );
        for bad in ["10.0.0.0/33", "::1/129", "ten", "10.0.0.0/", ""] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
