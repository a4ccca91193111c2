//! The listener for mod_xml_curl, its connections, and stopping.
//!
//! FreeSWITCH opens a connection for each look-up and waits for the answer in a thread that phones need (capture fact
//! 57). A closed port costs it nothing, a silent one its whole time-out: so the listener closes first when the daemon
//! stops, and nobody can hold a connection open.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::service::TowerToHyperService;
use tokio_util::sync::CancellationToken;

use super::dialplan::Dialplan;
use super::http::{self, Desk};
use super::settings::Settings;
use super::trunks::Trunks;
use crate::http::{Limits, Listener};
use crate::store::Store;

const LIMITS: Limits = Limits {
    connections: 1024,
    head_within: Duration::from_secs(3),
    // FreeSWITCH's own time-out is 2 s as shipped.
    connection_within: Some(Duration::from_secs(10)),
    read_within: Duration::from_secs(10),
    keep_alive: false,
    headers: 100,
    stop_within: Duration::from_secs(2),
};

/// Why there is no directory.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address} for mod_xml_curl's look-ups: {error}")]
pub struct ListenError {
    pub address: SocketAddr,
    #[source]
    pub error: io::Error,
}

/// A bound directory, which answers once it is run.
pub struct Server {
    listener: Listener,
    desk: Desk,
}

impl Server {
    /// Must be called within a runtime. Port 0 binds a free one.
    ///
    /// # Errors
    /// The address is taken, or not this machine's.
    pub fn bind(
        address: SocketAddr,
        store: Store,
        settings: Settings,
    ) -> Result<Server, ListenError> {
        let listener = Listener::bind(address).map_err(|error| ListenError { address, error })?;
        Ok(Server {
            listener,
            desk: Desk::new(store, settings),
        })
    }

    /// Lets it answer for the dialplan, too.
    #[must_use]
    pub fn with_dialplan(mut self, dialplan: Arc<dyn Dialplan>) -> Self {
        self.desk = self.desk.with_dialplan(dialplan);
        self
    }

    /// Lets it answer for gateways and for trunks' addresses, too.
    #[must_use]
    pub fn with_trunks(mut self, trunks: Arc<dyn Trunks>) -> Self {
        self.desk = self.desk.with_trunks(trunks);
        self
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Answers until `shutdown` is cancelled; then closes the listener and ends the look-ups under way.
    pub async fn run(self, shutdown: CancellationToken) {
        let service = TowerToHyperService::new(http::service(self.desk));
        self.listener
            .run("directory", LIMITS, |_| service.clone(), shutdown)
            .await;
    }
}
