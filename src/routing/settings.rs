//! What an operator can set about routing. Defaults are those of the device specification.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{numbers, trunk};
use crate::types::NodeName;

/// `privacy_method`: how a hidden identity is kept from a carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrivacyMethod {
    /// The identity is rewritten.
    #[default]
    Kazoo,
    /// The identity is sent, privacy is signalled.
    Sip,
    None,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Sofia profile when neither the device nor its registration names one.
    pub sip_profile: String,
    /// Dialplan context that brings a loopback leg back to the daemon.
    pub forward_context: String,
    /// `host:port` on which a node accepts SIP from its sister nodes.
    pub nodes: BTreeMap<NodeName, String>,
    /// Seconds a device, user or group rings without its own `timeout`.
    pub bridge_timeout_s: u32,
    pub default_ignore_completed_elsewhere: bool,
    pub diversion_on_forward: bool,
    pub forward_hop_limit: usize,
    pub confirm_prompt: String,
    pub anonymous_name: String,
    pub anonymous_number: String,
    pub privacy_method: PrivacyMethod,
    pub ensure_valid_caller_id: bool,
    pub default_asserted_identity: bool,
    /// Codecs for legs behind a loopback without codecs of their own.
    pub loopback_codecs: Vec<String>,
    /// Seconds that an expired registration is still dialled.
    pub registration_grace_s: i64,
    /// Longest recording, seconds.
    pub max_recording_s: u32,
    /// Where FreeSWITCH writes recordings; no blanks in it, `record_session` splits there.
    pub recording_dir: Option<String>,
    /// Files and streams by media id, for music on hold and prompts.
    pub media: BTreeMap<String, String>,
    /// Files by prompt name, where the installed sounds are not to be used.
    pub prompts: BTreeMap<String, String>,
    /// Dial plans that accounts name under `dial_plan.system`; they run last, sorted by key.
    pub system_dial_plans: SystemDialPlans,
    /// Calls from and to customers' PBXs; written beside the others.
    #[serde(flatten)]
    pub trunk: trunk::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sip_profile: "internal".into(),
            forward_context: "default".into(),
            nodes: BTreeMap::new(),
            bridge_timeout_s: 20,
            default_ignore_completed_elsewhere: true,
            diversion_on_forward: true,
            forward_hop_limit: 5,
            confirm_prompt: "ivr/ivr-group_confirm.wav".into(),
            anonymous_name: "Anonymous".into(),
            anonymous_number: "anonymous".into(),
            privacy_method: PrivacyMethod::Kazoo,
            ensure_valid_caller_id: false,
            default_asserted_identity: false,
            loopback_codecs: vec!["PCMU".into(), "PCMA".into()],
            registration_grace_s: 60,
            max_recording_s: 10_800,
            recording_dir: None,
            media: BTreeMap::new(),
            prompts: BTreeMap::new(),
            system_dial_plans: SystemDialPlans::default(),
            trunk: trunk::Settings::default(),
        }
    }
}

impl Settings {
    /// The file of a prompt: the operator's, else the one of the installed sounds.
    #[must_use]
    pub fn prompt(&self, name: &str) -> String {
        let own = self.prompts.get(name).cloned();
        own.unwrap_or_else(|| format!("ivr/{name}.wav"))
    }
}

/// Shared dial plans, in the form of a `dial_plan` whose entries have names; compiled once.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct SystemDialPlans {
    written: Map<String, Value>,
    ready: numbers::SystemDialPlans,
}

impl SystemDialPlans {
    /// Ready to use.
    #[must_use]
    pub const fn plans(&self) -> &numbers::SystemDialPlans {
        &self.ready
    }
}

impl From<Map<String, Value>> for SystemDialPlans {
    fn from(written: Map<String, Value>) -> Self {
        let ready = numbers::SystemDialPlans::new(&written);
        Self { written, ready }
    }
}

impl From<SystemDialPlans> for Map<String, Value> {
    fn from(plans: SystemDialPlans) -> Self {
        plans.written
    }
}

impl PartialEq for SystemDialPlans {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}
