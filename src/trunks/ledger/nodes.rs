//! How far the ledger knows each node's calls, and what the nodes tell.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::{Ledger, Marks};
use crate::switch::{ChannelSink, PresentChannel};
use crate::types::{CallId, NodeName};

#[derive(Debug)]
enum Standing {
    /// It was not reached yet.
    Unread,
    /// Its calls are being read; legs that end meanwhile must not come back with the table.
    Reading {
        since: Instant,
        ended: HashSet<CallId>,
        /// Over the socket of a call: what happens after it is told by nobody.
        glimpse: bool,
    },
    InStep,
    /// There is no connection to it but its calls' own sockets; its calls were read over one of them.
    Seen(Instant),
    Away(Instant),
}

/// Between two looks at a node over the sockets of its calls.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

impl Standing {
    fn reading(glimpse: bool) -> Self {
        Self::Reading {
            since: Instant::now(),
            ended: HashSet::new(),
            glimpse,
        }
    }
}

#[derive(Default)]
pub(super) struct Nodes(HashMap<NodeName, Standing>);

impl Nodes {
    pub(super) fn expect(&mut self, node: NodeName) {
        self.0.entry(node).or_insert(Standing::Unread);
    }

    /// Nodes whose calls are not counted yet, although they may be soon.
    pub(super) fn unread(&self) -> usize {
        let is_unread = |s: &&Standing| matches!(s, Standing::Unread | Standing::Reading { .. });
        self.0.values().filter(is_unread).count()
    }

    /// The nodes known, and since when nothing is known of each, if that is so.
    pub(super) fn standings(&self) -> HashMap<NodeName, Option<Instant>> {
        let away = |standing: &Standing| match standing {
            Standing::Away(since) | Standing::Seen(since) => Some(*since),
            _ => None,
        };
        self.0
            .iter()
            .map(|(name, standing)| (name.clone(), away(standing)))
            .collect()
    }

    fn set(&mut self, node: &NodeName, standing: Standing) -> Option<Standing> {
        self.0.insert(node.clone(), standing)
    }

    fn ended(&mut self, node: &NodeName, call: &CallId) {
        if let Some(Standing::Reading { ended, .. }) = self.0.get_mut(node) {
            ended.insert(call.clone());
        }
    }

    /// As [`Nodes::ended`], told by somebody who knows the call alone.
    pub(super) fn ended_somewhere(&mut self, call: &CallId) {
        for standing in self.0.values_mut() {
            if let Standing::Reading { ended, .. } = standing {
                ended.insert(call.clone());
            }
        }
    }

    /// Whether the node is to be read over the socket of a call; then it is being read.
    fn glimpse(&mut self, node: &NodeName) -> bool {
        let due = match self.0.get(node) {
            None => true,
            Some(Standing::Seen(at)) => at.elapsed() >= LOOK_AGAIN,
            // It is read, or will be, over a connection of its own.
            Some(_) => false,
        };
        if due {
            self.set(node, Standing::reading(true));
        }
        due
    }

    /// How a node stands that has been read.
    fn read(&mut self, node: &NodeName) -> Option<Standing> {
        let glimpse = matches!(
            self.0.get(node),
            Some(Standing::Reading { glimpse: true, .. })
        );
        self.set(
            node,
            if glimpse {
                Standing::Seen(Instant::now())
            } else {
                Standing::InStep
            },
        )
    }
}

impl ChannelSink for Ledger {
    fn reading(&self, node: &NodeName) {
        let mut state = self.lock();
        state.nodes.set(node, Standing::reading(false));
        self.tell(&state);
    }

    fn glimpses(&self, node: &NodeName) -> bool {
        let mut state = self.lock();
        let due = state.nodes.glimpse(node);
        self.tell(&state);
        due
    }

    fn present(&self, node: &NodeName, channels: Vec<PresentChannel>) {
        let mut state = self.lock();
        let before = state.nodes.read(node);
        let Some(Standing::Reading { since, ended, .. }) = before else {
            self.tell(&state);
            return;
        };
        let mut has = HashSet::with_capacity(channels.len());
        let mut adopted = 0;
        for PresentChannel { uuid, mark } in channels {
            let Ok(call) = CallId::new(&uuid) else {
                continue;
            };
            if ended.contains(&call) {
                continue;
            }
            if let Some(mark) = mark {
                adopted += state.adopt(node, &call, Marks::read(&mark));
            }
            has.insert(call);
        }
        let dropped = state.keep_only(node, since, |call| has.contains(call));
        let units = state.len();
        self.tell(&state);
        drop(state);
        if adopted + dropped > 0 {
            tracing::info!(%node, adopted, dropped, units, "trunk units are in step with the node's calls");
        }
    }

    fn unreadable(&self, node: &NodeName) {
        let mut state = self.lock();
        state.nodes.read(node);
        self.tell(&state);
    }

    fn ended(&self, node: &NodeName, uuid: &str) {
        let Ok(call) = CallId::new(uuid) else {
            return;
        };
        let mut state = self.lock();
        state.nodes.ended(node, &call);
        state.ended(&call);
    }

    fn renamed(&self, _: &NodeName, old: &str, new: &str) {
        if let (Ok(old), Ok(new)) = (CallId::new(old), CallId::new(new)) {
            self.lock().renamed(&old, &new);
        }
    }

    fn away(&self, node: &NodeName) {
        let mut state = self.lock();
        let already = matches!(state.nodes.0.get(node), Some(Standing::Away(_)));
        if !already {
            state.nodes.set(node, Standing::Away(Instant::now()));
        }
        self.tell(&state);
    }
}
