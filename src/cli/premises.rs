//! What commands about a store work on: the store, open in this process, and what goes with it.

use std::sync::Arc;

use tokio::runtime;

use crate::callflow::Context;
use crate::config::Config;
use crate::daemon::Daemon;
use crate::store::{Store, StoreError};
use crate::switch::Switch;
use crate::trunks::Carriers;

/// An open store with its settings; in the daemon also what it knows of this moment.
#[derive(Clone)]
pub struct Premises {
    pub store: Store,
    pub config: Arc<Config>,
    /// What calls are decided with: the daemon's own, or one made of the store alone.
    pub context: Context,
    /// None: no daemon runs here.
    pub live: Option<Live>,
}

/// What only a running daemon has.
#[derive(Clone)]
pub struct Live {
    pub switch: Switch,
    /// The daemon's, for commands that ask a node: they are on threads that may wait.
    pub runtime: runtime::Handle,
}

impl Premises {
    /// Without a daemon: nobody is registered but who was when it stopped, and no gateway is known to be out.
    ///
    /// # Errors
    /// The carriers can't be read.
    pub fn of_store(config: Config, store: Store, carriers: bool) -> Result<Self, StoreError> {
        let (routing, callflow) = (config.routing.clone(), config.callflow.clone());
        let mut context = Context::new(store.clone(), routing, callflow);
        if carriers {
            context.carriers = Some(Carriers::load(&store)?);
        }
        Ok(Self {
            store,
            config: Arc::new(config),
            context,
            live: None,
        })
    }

    /// Must be called within the daemon's runtime.
    #[must_use]
    pub fn of_daemon(config: &Config, daemon: &Daemon) -> Self {
        let context = daemon.context().clone();
        Self {
            store: context.store.clone(),
            config: Arc::new(config.clone()),
            context,
            live: Some(Live {
                switch: daemon.switch().clone(),
                runtime: runtime::Handle::current(),
            }),
        }
    }
}
