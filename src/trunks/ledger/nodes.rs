//! How far the ledger knows each node's calls, and what the nodes tell.

use std::collections::{HashMap, HashSet};

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
    },
    InStep,
    Away(Instant),
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

    /// The nodes known, and since when each is away, if it is.
    pub(super) fn standings(&self) -> HashMap<NodeName, Option<Instant>> {
        let away = |standing: &Standing| match standing {
            Standing::Away(since) => Some(*since),
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
}

impl ChannelSink for Ledger {
    fn reading(&self, node: &NodeName) {
        let mut state = self.lock();
        let standing = Standing::Reading {
            since: Instant::now(),
            ended: HashSet::new(),
        };
        state.nodes.set(node, standing);
        self.tell(&state);
    }

    fn present(&self, node: &NodeName, channels: Vec<PresentChannel>) {
        let mut state = self.lock();
        let before = state.nodes.set(node, Standing::InStep);
        let Some(Standing::Reading { since, ended }) = before else {
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
        state.nodes.set(node, Standing::InStep);
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
