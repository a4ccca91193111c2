//! Where a call is in its flow, and where each result of an action leads. Pure: the live call,
//! the explanation and the benchmark walk with the same steps.

use std::sync::Arc;

use super::Settings;
use super::settings::MAX_FLOW_DEPTH;
use crate::documents::{Callflow, FlowNode};
use crate::types::HangupCause;

/// The key that every result falls back to.
pub const WILDCARD: &str = "_";

/// What an action makes of the flow (callflow specification 1.4).
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// To child `_`; without one the flow stops.
    Continue,
    /// To this child, else to `_`.
    ContinueTo(String),
    /// Runs another flow; afterwards the present node's `_` child, if it has a real one.
    Branch(Flow),
    /// Runs another flow in place of the rest of this one.
    Replace(Flow),
    /// To the flow that a branch suspended, else hangs up (without a cause: the last failed
    /// bridge's, else NORMAL_CLEARING).
    Stop(Option<HangupCause>),
    /// Hangs up, whatever is suspended.
    HardStop(HangupCause),
    /// The channel belongs to something else now: ends without hanging up.
    Transferred,
}

/// A tree of actions, shared with the document that holds it.
#[derive(Debug, Clone, PartialEq)]
pub enum Flow {
    Callflow(Arc<Callflow>),
    Node(Arc<FlowNode>),
}

impl Flow {
    fn root(&self) -> &FlowNode {
        match self {
            Flow::Callflow(callflow) => &callflow.flow,
            Flow::Node(node) => node,
        }
    }
}

/// Which counter of the call ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exhausted {
    #[error("the call branched {0} times")]
    Branches(u32),
    #[error("the call ran {0} actions")]
    Actions(u32),
    #[error("the flow is more than {MAX_FLOW_DEPTH} nodes deep")]
    Depth,
}

/// What the walk wants after a result was followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Run the action at [`Walk::node`].
    Act,
    /// The flow is over: hang up.
    Finished(Option<HangupCause>),
    /// The flow is over and the channel is no longer ours.
    Transferred,
    Exhausted(Exhausted),
}

/// A node, found by the way down from the root. (Indexes and not references, because the flows
/// that are suspended have to outlive the step that suspended them.)
#[derive(Debug, Clone)]
struct Cursor {
    flow: Flow,
    path: Vec<usize>,
}

impl Cursor {
    const fn top(flow: Flow) -> Self {
        Self {
            flow,
            path: Vec::new(),
        }
    }

    fn node(&self) -> Option<&FlowNode> {
        let mut node = self.flow.root();
        for index in &self.path {
            node = node.children.get_index(*index)?.1;
        }
        Some(node)
    }

    /// The key under which the parent holds this node; None at the root.
    fn key(&self) -> Option<&str> {
        let mut node = self.flow.root();
        let mut key = None;
        for index in &self.path {
            let (name, child) = node.children.get_index(*index)?;
            (key, node) = (Some(name.as_str()), child);
        }
        key
    }

    fn child(&self, key: &str) -> Option<Cursor> {
        let index = self.node()?.children.get_index_of(key)?;
        let mut path = Vec::with_capacity(self.path.len() + 1);
        path.extend_from_slice(&self.path);
        path.push(index);
        Some(Cursor {
            flow: self.flow.clone(),
            path,
        })
    }
}

/// One call's way through its flows.
#[derive(Debug, Clone)]
pub struct Walk {
    at: Cursor,
    suspended: Vec<Cursor>,
    branches: u32,
    actions: u32,
    max_branches: u32,
    max_actions: u32,
}

impl Walk {
    #[must_use]
    pub const fn new(flow: Flow, settings: &Settings) -> Self {
        Self {
            at: Cursor::top(flow),
            suspended: Vec::new(),
            branches: 0,
            actions: 0,
            max_branches: settings.max_branch_count,
            max_actions: settings.max_actions,
        }
    }

    /// Runs `flow` first and returns to the present node when it stops (an account's preflow).
    pub fn precede(&mut self, flow: Flow) {
        let real = std::mem::replace(&mut self.at, Cursor::top(flow));
        self.suspended.push(real);
    }

    /// The first turn: the same checks that every later one passes.
    pub fn begin(&mut self) -> Turn {
        self.arrive()
    }

    /// The node whose action is due or running.
    #[must_use]
    pub fn node(&self) -> &FlowNode {
        static NOTHING: std::sync::LazyLock<FlowNode> = std::sync::LazyLock::new(FlowNode::default);
        self.at.node().unwrap_or_else(|| &NOTHING)
    }

    /// The present node has this child, and it is not `{}`: what a result that must not fall back
    /// to `_` asks before it continues there.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        let child = self.node().children.get(key);
        child.is_some_and(|child| !child.is_empty())
    }

    /// The child key that led to the present node; None at the top of a flow.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.at.key()
    }

    /// Flows that wait for the present one to stop.
    #[cfg(test)]
    const fn suspended(&self) -> usize {
        self.suspended.len()
    }

    /// Moves on by an action's result.
    pub fn follow(&mut self, next: Next) -> Turn {
        match next {
            Next::Continue => self.continue_to(WILDCARD),
            Next::ContinueTo(key) => self.continue_to(&key),
            Next::Branch(flow) => self.branch(flow),
            Next::Replace(flow) => {
                self.at = Cursor::top(flow);
                self.arrive()
            }
            Next::Stop(cause) => self.stop(cause),
            Next::HardStop(cause) => Turn::Finished(Some(cause)),
            Next::Transferred => Turn::Transferred,
        }
    }

    fn continue_to(&mut self, key: &str) -> Turn {
        let child = self.at.child(key).or_else(|| self.at.child(WILDCARD));
        match child {
            Some(child) => {
                self.at = child;
                self.arrive()
            }
            None => self.stop(None),
        }
    }

    fn branch(&mut self, flow: Flow) -> Turn {
        if self.branches >= self.max_branches {
            return Turn::Exhausted(Exhausted::Branches(self.max_branches));
        }
        self.branches += 1;
        let back = self.at.child(WILDCARD);
        let back = back.filter(|back| back.node().is_some_and(|node| !node.is_empty()));
        self.suspended.extend(back);
        self.at = Cursor::top(flow);
        self.arrive()
    }

    fn stop(&mut self, cause: Option<HangupCause>) -> Turn {
        match self.suspended.pop() {
            Some(back) => {
                self.at = back;
                self.arrive()
            }
            None => Turn::Finished(cause),
        }
    }

    fn arrive(&mut self) -> Turn {
        if self.at.path.len() >= MAX_FLOW_DEPTH {
            return Turn::Exhausted(Exhausted::Depth);
        }
        if self.node().is_empty() {
            // `{}` reached by continue is a stop. (It recurses once per suspended flow, of which
            // there are at most `max_branches`.)
            return self.stop(None);
        }
        if self.actions >= self.max_actions {
            return Turn::Exhausted(Exhausted::Actions(self.max_actions));
        }
        self.actions += 1;
        Turn::Act
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn flow(value: serde_json::Value) -> Flow {
        Flow::Node(Arc::new(serde_json::from_value(value).unwrap()))
    }

    fn walk(value: serde_json::Value) -> Walk {
        let mut walk = Walk::new(flow(value), &Settings::default());
        assert_eq!(walk.begin(), Turn::Act);
        walk
    }

    fn to(key: &str) -> Next {
        Next::ContinueTo(key.to_owned())
    }

    fn module(walk: &Walk) -> &str {
        walk.node().module.as_deref().unwrap()
    }

    #[test]
    fn a_key_falls_back_to_the_wildcard_and_then_stops() {
        let tree = json!({"module": "a", "children": {
            "1": {"module": "one"}, "_": {"module": "any"}, "empty": {}}});
        for (key, expected) in [("1", "one"), ("2", "any"), ("_", "any")] {
            let mut walk = walk(tree.clone());
            assert_eq!(walk.follow(to(key)), Turn::Act);
            assert_eq!(module(&walk), expected);
            assert_eq!(walk.follow(Next::Continue), Turn::Finished(None));
        }
        // `{}` is there for continue, which stops at it, and missing for a probe.
        let mut walk = walk(tree);
        assert!(walk.has("1") && !walk.has("empty") && !walk.has("2"));
        assert_eq!(walk.follow(to("empty")), Turn::Finished(None));
    }

    #[test]
    fn the_key_that_was_taken_is_known() {
        let mut walk = walk(json!({"module": "a", "children": {"_": {"module": "b"}}}));
        assert_eq!(walk.key(), None);
        walk.follow(to("USER_BUSY"));
        assert_eq!(walk.key(), Some("_"));
    }

    #[test]
    fn a_branch_comes_back_to_the_wildcard() {
        let mut walk = walk(json!({"module": "menu", "children": {
            "_": {"module": "after"}, "1": {"module": "one"}}}));
        let extension = flow(json!({"module": "device"}));
        assert_eq!(walk.follow(Next::Branch(extension)), Turn::Act);
        assert_eq!(module(&walk), "device");
        assert_eq!(
            walk.follow(Next::Stop(Some(HangupCause::UserBusy))),
            Turn::Act
        );
        assert_eq!(module(&walk), "after");
        let cause = Some(HangupCause::CallRejected);
        assert_eq!(walk.follow(Next::Stop(cause)), Turn::Finished(cause));
    }

    #[test]
    fn a_branch_from_a_leaf_suspends_nothing() {
        for leaf in [
            json!({"module": "menu"}),
            json!({"module": "menu", "children": {"_": {}}}),
        ] {
            let mut walk = walk(leaf);
            walk.follow(Next::Branch(flow(json!({"module": "device"}))));
            assert_eq!(walk.suspended(), 0);
            assert_eq!(walk.follow(Next::Continue), Turn::Finished(None));
        }
    }

    #[test]
    fn replacing_keeps_what_is_suspended() {
        let mut walk = walk(json!({"module": "menu", "children": {"_": {"module": "after"}}}));
        walk.follow(Next::Branch(flow(
            json!({"module": "pivot", "children": {"_": {"module": "x"}}}),
        )));
        walk.follow(Next::Replace(flow(json!({"module": "say"}))));
        assert_eq!(module(&walk), "say");
        assert_eq!(walk.follow(Next::Continue), Turn::Act);
        assert_eq!(module(&walk), "after");
    }

    #[test]
    fn a_hard_stop_and_a_transfer_ignore_what_is_suspended() {
        let menu = json!({"module": "menu", "children": {"_": {"module": "after"}}});
        let mut one = walk(menu.clone());
        one.follow(Next::Branch(flow(json!({"module": "hangup"}))));
        let cause = HangupCause::NormalClearing;
        assert_eq!(
            one.follow(Next::HardStop(cause)),
            Turn::Finished(Some(cause))
        );
        let mut two = walk(menu);
        two.follow(Next::Branch(flow(json!({"module": "conference"}))));
        assert_eq!(two.follow(Next::Transferred), Turn::Transferred);
    }

    #[test]
    fn a_flow_that_leads_to_itself_is_stopped_by_the_branch_counter() {
        let own = flow(json!({"module": "callflow", "children": {"_": {"module": "callflow"}}}));
        let mut walk = Walk::new(own.clone(), &Settings::default());
        let mut turn = walk.begin();
        let mut branches = 0;
        while turn == Turn::Act {
            turn = walk.follow(Next::Branch(own.clone()));
            branches += 1;
        }
        assert_eq!(turn, Turn::Exhausted(Exhausted::Branches(50)));
        assert_eq!(branches, 51);
    }

    #[test]
    fn actions_are_counted() {
        let settings = Settings {
            max_actions: 3,
            ..Settings::default()
        };
        let own = flow(json!({"module": "a"}));
        let mut walk = Walk::new(own.clone(), &settings);
        assert_eq!(walk.begin(), Turn::Act);
        assert_eq!(walk.follow(Next::Replace(own.clone())), Turn::Act);
        assert_eq!(walk.follow(Next::Replace(own.clone())), Turn::Act);
        let over = Turn::Exhausted(Exhausted::Actions(3));
        assert_eq!(walk.follow(Next::Replace(own)), over);
    }

    #[test]
    fn a_flow_may_not_be_bottomless() {
        let mut node = FlowNode {
            module: Some("a".into()),
            ..FlowNode::default()
        };
        for _ in 0..MAX_FLOW_DEPTH {
            let child = std::mem::take(&mut node);
            node.module = Some("a".into());
            node.children.insert(WILDCARD.into(), child);
        }
        let mut walk = Walk::new(Flow::Node(Arc::new(node)), &Settings::default());
        let mut turn = walk.begin();
        let mut nodes = 0;
        while turn == Turn::Act {
            nodes += 1;
            turn = walk.follow(Next::Continue);
        }
        assert_eq!(turn, Turn::Exhausted(Exhausted::Depth));
        assert_eq!(nodes, MAX_FLOW_DEPTH);
    }

    #[test]
    fn what_goes_first_comes_back() {
        let settings = Settings::default();
        let mut walk = Walk::new(flow(json!({"module": "real"})), &settings);
        walk.precede(flow(json!({"module": "preflow"})));
        assert_eq!(walk.begin(), Turn::Act);
        assert_eq!(module(&walk), "preflow");
        assert_eq!(walk.follow(Next::Continue), Turn::Act);
        assert_eq!(module(&walk), "real");
    }
}
