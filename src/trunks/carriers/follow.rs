//! Keeping in step with the store and with the name servers.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::names::{Names, ResolverSettings};
use super::resolver::Resolve;
use super::sources::Sources;
use super::{Carriers, Now};
use crate::routing::carriers::Table;
use crate::store::{Store, StoreError};

/// Writes read from the log at once.
const BATCH: usize = 1024;

impl Carriers {
    /// Follows the store and resolves names until `shutdown` is cancelled. `read_to` is the store's sequence from before
    /// [`Carriers::load`].
    pub async fn follow(
        &self,
        store: Store,
        read_to: u64,
        resolver: Arc<dyn Resolve>,
        settings: ResolverSettings,
        shutdown: CancellationToken,
    ) {
        let mut changes = store.changes();
        // What was written since `read_to`, before anybody watched.
        changes.mark_changed();
        let mut names = Names::default();
        let mut read_to = read_to;
        self.resolve(&mut names, &resolver, &settings).await;
        let mut refresh = tokio::time::interval(settings.refresh);
        refresh.reset();
        loop {
            let mut due = false;
            tokio::select! {
                () = shutdown.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
                _ = refresh.tick() => due = true,
            }
            changes.mark_unchanged();
            match self.catch_up(&store, read_to).await {
                Ok(sequence) => read_to = sequence,
                Err(error) => {
                    tracing::error!(%error, "the carriers can't be read; the last known ones stay in use");
                }
            }
            if due || self.wanted().iter().any(|name| !names.knows(name)) {
                self.resolve(&mut names, &resolver, &settings).await;
            }
        }
    }

    /// Takes in what was written since; returns up to where it has read.
    async fn catch_up(&self, store: &Store, read_to: u64) -> Result<u64, StoreError> {
        let (carriers, store) = (self.clone(), store.clone());
        let done = tokio::task::spawn_blocking(move || carriers.catch_up_blocking(&store, read_to));
        match done.await {
            Ok(result) => result,
            // Only when the runtime ends.
            Err(_) => Ok(read_to),
        }
    }

    /// The same for callers without a runtime.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn catch_up_blocking(&self, store: &Store, mut read_to: u64) -> Result<u64, StoreError> {
        loop {
            let before = self.now();
            let sequence = store.sequence();
            let Some(writes) = store.changes_after(read_to, BATCH)? else {
                // The log does not reach back that far.
                let sources = Sources::read(store)?;
                let table = Table::compile(&sources.resources(), self.0.classifiers);
                self.put(sources, table);
                return Ok(sequence);
            };
            let Some(last) = writes.last() else {
                return Ok(read_to);
            };
            read_to = last.sequence;
            let mut sources = (*before.sources).clone();
            let touched = sources.follow(store, &writes)?;
            if touched.is_nothing() {
                continue;
            }
            let documents = sources.resources();
            let mut table = (*before.table).clone();
            for owner in &touched.owners {
                table = table.with_owner(owner, &documents, self.0.classifiers);
            }
            tracing::info!(
                owners = touched.owners.len(),
                servers = touched.servers,
                "carriers and trunks read again"
            );
            self.put(sources, table);
        }
    }

    fn put(&self, sources: Sources, table: Table) {
        self.swap(|now| {
            *now = Now {
                table: Arc::new(table.with_hosts(Arc::clone(&now.hosts))),
                sources: Arc::new(sources),
                hosts: Arc::clone(&now.hosts),
            };
        });
    }

    /// Names that have to be resolved.
    fn wanted(&self) -> BTreeSet<Box<str>> {
        let now = self.now();
        let names = now
            .sources
            .hosts()
            .filter(|host| host.parse::<IpAddr>().is_err());
        names.map(Box::from).collect()
    }

    async fn resolve(
        &self,
        names: &mut Names,
        resolver: &Arc<dyn Resolve>,
        settings: &ResolverSettings,
    ) {
        if names.refresh(self.wanted(), resolver, settings).await {
            let hosts = Arc::new(names.hosts());
            self.swap(|now| {
                now.table = Arc::new(now.table.with_hosts(Arc::clone(&hosts)));
                now.hosts = hosts;
            });
        }
    }
}
