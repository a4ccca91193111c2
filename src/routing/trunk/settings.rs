//! What an operator can set about trunks, under the names of the specification.

use serde::{Deserialize, Serialize};

use super::hunt::HuntPolicy;

/// Which header names the number that is called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserField {
    #[default]
    Request,
    To,
}

/// What becomes of a call whose units can't be counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthzDefault {
    Allow,
    #[default]
    Deny,
}

/// A part of `[routing]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Sofia profile that dials carriers without a profile of their own.
    pub carrier_profile: String,
    pub inbound_user_field: UserField,
    pub outbound_user_field: UserField,
    pub hunt_policy: HuntPolicy,
    /// Seconds without an answer after which a call is given up.
    pub routing_guard_s: u32,
    /// Seconds to ringing that a gateway has.
    pub default_progress_timeout: u32,
    /// Calls to PBXs carry the address of record in `X-KAZOO-AOR`.
    pub send_aor_header: bool,
    pub force_port_in_outbound: bool,
    pub force_port_out_outbound: bool,
    /// Calls to our own numbers go over carriers unless a number says otherwise.
    pub default_force_outbound: bool,
    pub default_hunt_non_reconcilable: bool,
    /// The local zone, for the dynamic flag of that name.
    pub zone: Option<String>,
    /// Flags of every call to carriers.
    pub outbound_flags: Vec<String>,
    /// `cid_rules` look at the number that diverted the call, if one did.
    pub cid_rules_honor_diversions: bool,
    pub honor_diversions_by_cid_validation: bool,
    pub default_caller_id_number: Option<String>,
    pub ensure_valid_emergency_cid: bool,
    pub deny_invalid_emergency_cid: bool,
    pub default_emergency_cid_number: Option<String>,
    /// Digits that a dialled number is always taken to lack; None: as the caller's number shows.
    pub fixed_length_shortdial_correction: Option<usize>,
    pub min_shortdial_correction: usize,
    pub max_shortdial_correction: usize,
    /// Calls over an account's own carriers count, too.
    pub authz_local_resources: bool,
    /// Calls of an account whose limits can't be read, or while the calls of a node are still being
    /// counted.
    pub authz_default_action: AuthzDefault,
    /// Expressions of numbers that may, and may not, use trunks; empty: all may.
    pub flat_rate_whitelist: String,
    pub flat_rate_blacklist: String,
    /// A carrier's own lists go before these.
    pub resource_flat_rate_lookup: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            carrier_profile: "external".into(),
            inbound_user_field: UserField::Request,
            outbound_user_field: UserField::Request,
            hunt_policy: HuntPolicy::Kazoo,
            routing_guard_s: 120,
            default_progress_timeout: 8,
            send_aor_header: true,
            force_port_in_outbound: true,
            force_port_out_outbound: true,
            default_force_outbound: false,
            default_hunt_non_reconcilable: false,
            zone: None,
            outbound_flags: Vec::new(),
            cid_rules_honor_diversions: false,
            honor_diversions_by_cid_validation: false,
            default_caller_id_number: None,
            ensure_valid_emergency_cid: false,
            deny_invalid_emergency_cid: false,
            default_emergency_cid_number: None,
            fixed_length_shortdial_correction: None,
            min_shortdial_correction: 2,
            max_shortdial_correction: 5,
            authz_local_resources: false,
            authz_default_action: AuthzDefault::Deny,
            flat_rate_whitelist: String::new(),
            flat_rate_blacklist: String::new(),
            resource_flat_rate_lookup: false,
        }
    }
}
