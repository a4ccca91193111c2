//! What every call of the daemon shares.

use std::sync::Arc;

use tokio::time::Instant;

use super::action::Entry;
use super::{LiveCalls, Office, Settings, actions};
use crate::routing;
use crate::store::Store;
use crate::trunks::{Carriers, Guard, Health, Ledger, fraud};

/// Cheap to clone: each call's task holds one.
#[derive(Clone)]
pub struct Context {
    pub store: Store,
    pub routing: Arc<routing::Settings>,
    pub settings: Arc<Settings>,
    pub live: LiveCalls,
    /// Units of trunks in use.
    pub ledger: Ledger,
    /// None: calls of carriers are known by nobody, and go to nobody.
    pub carriers: Option<Carriers>,
    /// How the carriers' gateways are.
    pub health: Option<Health>,
    /// What looks like fraud.
    pub guard: Guard,
    /// The actions that flows may name.
    pub actions: &'static [Entry],
}

impl Context {
    #[must_use]
    pub fn new(store: Store, routing: routing::Settings, settings: Settings) -> Self {
        Self {
            store,
            routing: Arc::new(routing),
            settings: Arc::new(settings),
            live: LiveCalls::default(),
            ledger: Ledger::default(),
            carriers: None,
            health: None,
            guard: Guard::new(fraud::Settings::default(), Instant::now()),
            actions: actions::ALL,
        }
    }

    /// What a decision made at `now` (Unix time, seconds) reads.
    #[must_use]
    pub fn office(&self, now: i64, seed: u64) -> Office<'_> {
        Office {
            store: &self.store,
            routing: &self.routing,
            settings: &self.settings,
            live: &self.live,
            now,
            seed,
        }
    }

    /// The action of this name.
    #[must_use]
    pub fn action(&self, module: &str) -> Option<&'static Entry> {
        self.actions.iter().find(|entry| entry.module == module)
    }
}

/// Seconds since 1970: the one place where a call reads the wall clock.
#[must_use]
pub fn unix_now() -> i64 {
    jiff::Timestamp::now().as_second()
}
