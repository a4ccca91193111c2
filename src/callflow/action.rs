//! What an action is. Adding one: a file in `actions/` that implements [`Action`], its schema in
//! `schemas/actions/`, and a line in `actions::ALL`.

use std::future::Future;

use serde::de::DeserializeOwned;

use super::stage::Stage;
use super::trunk::Errand;
use super::{Call, Next, Office, Ring};
use crate::documents::FlowNode;
use crate::store::StoreError;
use crate::switch::{BoxFuture, CallError};
use crate::types::HangupCause;

/// Why an action could not do its work. The flow goes on at child `_`.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    #[error("its data can't be used: {0}; correct the callflow")]
    Data(#[from] serde_json::Error),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the store can't be read: {0}")]
    Store(#[from] StoreError),
    #[error("it panicked, which is a fault of linefinder: {0}")]
    Panicked(String),
}

impl ActionError {
    /// The system failed, not the flow's author.
    pub(super) const fn is_fault(&self) -> bool {
        !matches!(self, ActionError::Data(_))
    }
}

pub type Outcome = Result<Next, ActionError>;

/// What an action would do, as far as that can be told without a call.
#[derive(Debug, Clone)]
pub enum Foreseen {
    Next(Next),
    /// Rings somebody; a failure goes to the cause's child, else to `_`.
    Ring(Ring),
    /// Sends the caller to carriers; a refusal goes to the cause's child, else to `_`.
    Leave(Box<Errand>),
    /// Answers the caller with this SIP status.
    Respond {
        status: u16,
        cause: HangupCause,
    },
}

/// One action of a flow.
pub trait Action: Send + Sync + 'static {
    /// The name that a flow node's `module` gives it.
    const MODULE: &'static str;
    /// The node's `data`, parsed. What may be in it is in `schemas/actions/MODULE.json`, by which
    /// callflows are checked when they are stored.
    type Data: DeserializeOwned + Send;

    /// What it would do, for explanations and for the decision without a switch. An action whose
    /// result depends on the caller says where the flow usually goes: on.
    ///
    /// # Errors
    /// The store can't be read.
    fn foresee(data: Self::Data, call: &Call, office: &Office<'_>) -> Result<Foreseen, StoreError> {
        let _ = (data, call, office);
        Ok(Foreseen::Next(Next::Continue))
    }

    /// Does it. May be dropped at any await when the caller hangs up: what must be undone is held
    /// by a guard.
    fn run(data: Self::Data, stage: &mut Stage) -> impl Future<Output = Outcome> + Send;
}

/// An action in the list, its type erased.
#[derive(Clone, Copy)]
pub struct Entry {
    pub module: &'static str,
    run: for<'s> fn(&'s mut Stage) -> BoxFuture<'s, Outcome>,
    foresee: fn(&FlowNode, &Call, &Office<'_>) -> Result<Foreseen, ActionError>,
}

impl Entry {
    #[must_use]
    pub const fn of<A: Action>() -> Self {
        Self {
            module: A::MODULE,
            run: |stage| {
                Box::pin(async move {
                    let data = parse::<A>(stage.node())?;
                    A::run(data, stage).await
                })
            },
            foresee: |node, call, office| Ok(A::foresee(parse::<A>(node)?, call, office)?),
        }
    }

    /// Runs the action at the stage's present node.
    pub fn run<'s>(&self, stage: &'s mut Stage) -> BoxFuture<'s, Outcome> {
        (self.run)(stage)
    }

    /// # Errors
    /// The node's data can't be used, or the store can't be read.
    pub fn foresee(
        &self,
        node: &FlowNode,
        call: &Call,
        office: &Office<'_>,
    ) -> Result<Foreseen, ActionError> {
        (self.foresee)(node, call, office)
    }
}

fn parse<A: Action>(node: &FlowNode) -> Result<A::Data, serde_json::Error> {
    serde::Deserialize::deserialize(&node.data)
}

/// `data.skip_module`, which every action takes: the node is passed over.
pub(super) fn is_skipped(node: &FlowNode) -> bool {
    match node.data.get("skip_module") {
        Some(serde_json::Value::Bool(skip)) => *skip,
        Some(serde_json::Value::String(text)) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}
