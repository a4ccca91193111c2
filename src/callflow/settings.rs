//! What an operator can set about callflows: the `[callflow]` table.

use serde::{Deserialize, Serialize};

/// Limits and habits of the engine. Defaults are those of the callflow specification, 1.3 and 1.4.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Branches (into another callflow, an extension, ...) that one call may take: what stops a
    /// callflow that leads to itself.
    pub max_branch_count: u32,
    /// Actions that one call may run, skipped nodes included.
    pub max_actions: u32,
    /// Callers from outside hear ringing while their flow starts.
    pub ring_ready_offnet: bool,
    /// Folder or prefix under which FreeSWITCH finds an account's media, as `PREFIX/ACCOUNT/ID`.
    /// Empty: `/ACCOUNT/ID`.
    pub media_prefix: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_branch_count: 50,
            max_actions: 1000,
            ring_ready_offnet: true,
            media_prefix: String::new(),
        }
    }
}

/// Nodes on top of one another in one flow. Validation refuses deeper flows; a walk that gets
/// there all the same (a document that predates the rule) ends like any other exhausted call.
pub const MAX_FLOW_DEPTH: usize = 200;
