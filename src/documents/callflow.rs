//! The callflow document: which numbers lead to it, and the tree of actions.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A callflow (`spec` of callflows, 1.1). Unknown fields are kept in the stored JSON, not here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Callflow {
    pub name: Option<String>,
    /// Dialled strings that match exactly.
    pub numbers: Vec<String>,
    /// Regular expressions searched in the dialled string.
    pub patterns: Vec<String>,
    pub flow: FlowNode,
}

/// One node: an action, its data, and where its results lead.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FlowNode {
    pub module: Option<String>,
    pub data: Map<String, Value>,
    /// `_` is the wildcard.
    pub children: IndexMap<String, FlowNode>,
}

impl FlowNode {
    /// `{}`: reached by continue, it stops the flow.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.module.is_none() && self.data.is_empty() && self.children.is_empty()
    }
}
