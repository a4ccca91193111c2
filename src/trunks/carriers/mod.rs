//! The carriers' table, kept in step with the store, and who may send us calls by address.
//!
//! [`Carriers::load`] reads the documents, `follow` keeps up with the store's change log, `resolver` asks for the names
//! among the addresses. Nothing here is on a call's path but [`Carriers::table`]: the table of the moment, whole.

mod follow;
mod names;
mod resolver;
mod sources;

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::documents::DocumentKey;
use crate::routing::carriers::{Hosts, ResourceSource, Table};
use crate::routing::numbers::Classifiers;
use crate::store::{Store, StoreError};

pub use names::ResolverSettings;
pub use resolver::{Resolve, SystemResolver};
use sources::Sources;

/// What there is to know of carriers and of PBXs known by their addresses. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Carriers(Arc<Inner>);

struct Inner {
    classifiers: &'static Classifiers,
    now: RwLock<Now>,
    /// Counts the tables.
    generation: watch::Sender<u64>,
}

#[derive(Clone)]
struct Now {
    sources: Arc<Sources>,
    hosts: Arc<Hosts>,
    table: Arc<Table>,
}

impl Carriers {
    /// Reads all documents. Blocking; seconds for hundreds of thousands of rules.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn load(store: &Store) -> Result<Self, StoreError> {
        let classifiers = Classifiers::us();
        let sources = Sources::read(store)?;
        let table = Table::compile(&sources.resources(), classifiers);
        Ok(Self(Arc::new(Inner {
            classifiers,
            now: RwLock::new(Now {
                sources: Arc::new(sources),
                hosts: Arc::default(),
                table: Arc::new(table),
            }),
            generation: watch::Sender::new(1),
        })))
    }

    /// The table of this moment; a change makes another, this one stays as it is.
    #[must_use]
    pub fn table(&self) -> Arc<Table> {
        let now = self.0.now.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&now.table)
    }

    /// Counts the changes of what is known here.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.generation.subscribe()
    }

    /// Every carrier's document, disabled ones included, in order of account and id.
    #[must_use]
    pub fn resources(&self) -> Vec<ResourceSource> {
        self.now().sources.resources()
    }

    /// The enabled PBXs that are known by this address, by connectivity document and place among its servers, in order
    /// of documents. More than one of different accounts: none of them, since nobody could tell whom to bill (trunkstore
    /// specification 6.3).
    #[must_use]
    pub fn servers_at(&self, address: IpAddr) -> Vec<(DocumentKey, usize)> {
        let now = self.now();
        now.sources.servers_at(&now.hosts.with(address))
    }

    /// Addresses from which calls need no password: carriers' and PBXs', each once, in order.
    #[must_use]
    pub fn trusted(&self) -> Vec<IpAddr> {
        let now = self.now();
        let literal = now
            .sources
            .hosts()
            .filter_map(|host| host.parse::<IpAddr>().ok());
        let resolved = now
            .hosts
            .resolved()
            .filter(|(name, _)| now.sources.has_host(name));
        let mut all: Vec<IpAddr> = literal.map(|ip| ip.to_canonical()).collect();
        all.extend(resolved.map(|(_, ip)| ip));
        all.sort_unstable();
        all.dedup();
        all
    }

    fn now(&self) -> Now {
        self.0
            .now
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Makes the next state of this one and tells those who watch.
    fn swap(&self, change: impl FnOnce(&mut Now)) {
        {
            let mut now = self.0.now.write().unwrap_or_else(PoisonError::into_inner);
            change(&mut now);
        }
        self.0.generation.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests;
