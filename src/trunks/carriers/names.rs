//! What the host names among carriers' and PBXs' addresses stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;

use super::resolver::Resolve;
use crate::routing::carriers::Hosts;

/// How names are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResolverSettings {
    /// For one answer.
    pub timeout: Duration,
    /// Between two rounds.
    pub refresh: Duration,
    /// Questions at once.
    pub at_once: usize,
}

impl Default for ResolverSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(2),
            refresh: Duration::from_secs(300),
            at_once: 16,
        }
    }
}

/// The last answers by name. A name that can't be resolved keeps its last ones: a name server that is away must not cut
/// off carriers.
#[derive(Default)]
pub(super) struct Names(BTreeMap<Box<str>, Vec<IpAddr>>);

impl Names {
    /// Asks for these names and forgets all others; true: some answer differs from before.
    pub(super) async fn refresh(
        &mut self,
        wanted: BTreeSet<Box<str>>,
        resolver: &Arc<dyn Resolve>,
        settings: &ResolverSettings,
    ) -> bool {
        let asked = wanted.into_iter().map(|name| async move {
            let answer = tokio::time::timeout(settings.timeout, resolver.resolve(&name)).await;
            (name, answer)
        });
        let mut asked = stream::iter(asked).buffer_unordered(settings.at_once.max(1));
        let mut next = BTreeMap::new();
        while let Some((name, answer)) = asked.next().await {
            let found = match answer {
                Ok(Ok(mut found)) if !found.is_empty() => {
                    found.sort_unstable();
                    found.dedup();
                    Some(found)
                }
                Ok(Ok(_)) => told(&name, "it has no address"),
                Ok(Err(error)) => told(&name, &error.to_string()),
                Err(_) => told(&name, "no answer in time"),
            };
            if let Some(found) = found.or_else(|| self.0.get(&name).cloned()) {
                next.insert(name, found);
            }
        }
        let changed = next != self.0;
        self.0 = next;
        changed
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn hosts(&self) -> Hosts {
        let mut hosts = Hosts::default();
        for (name, addresses) in &self.0 {
            hosts.put(name, addresses.iter().copied());
        }
        hosts
    }
}

fn told(name: &str, why: &str) -> Option<Vec<IpAddr>> {
    tracing::warn!(
        host = name,
        error = why,
        "the name of a carrier or PBX can't be resolved"
    );
    None
}
