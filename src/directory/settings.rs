//! What an operator chooses.

use super::credentials::Credentials;

/// The dialplan context of the project's own fragments for phones.
pub const DEFAULT_CONTEXT: &str = "from-device";

/// The dialplan context of the project's own fragments for calls that a phone forwards.
pub const FORWARD_CONTEXT: &str = "linefinder-forward";

/// The dialplan context of the project's own fragments for trunks.
pub const TRUNK_CONTEXT: &str = "from-trunk";

/// How questions are answered.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What FreeSWITCH has to present; None only behind a loopback address.
    pub credentials: Option<Credentials>,
    /// Dialplan context of calls from devices.
    pub user_context: String,
    /// Dialplan context of calls from customers' PBXs.
    pub trunk_context: String,
    /// Milliseconds that FreeSWITCH may keep an answer about a user; 0: not at all.
    pub cacheable_ms: u64,
    /// Sofia profile of dial strings when the question names none.
    pub sip_profile: String,
    /// Contexts in which a call may be bridged at once, if FreeSWITCH asks for its dialplan.
    pub dialplan_contexts: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            credentials: None,
            user_context: DEFAULT_CONTEXT.into(),
            trunk_context: TRUNK_CONTEXT.into(),
            cacheable_ms: 0,
            sip_profile: "internal".into(),
            dialplan_contexts: vec![DEFAULT_CONTEXT.into(), FORWARD_CONTEXT.into()],
        }
    }
}
