//! The API's listener.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::exchange::Api;
use super::resources;
use crate::http::{Limits, Listener};

const LIMITS: Limits = Limits {
    connections: 4096,
    head_within: Duration::from_secs(10),
    // Connections are kept.
    connection_within: None,
    read_within: Duration::from_secs(30),
    keep_alive: true,
    headers: 100,
    stop_within: Duration::from_secs(5),
};

/// Why there is no API.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address} for the REST API: {error}")]
pub struct ListenError {
    pub address: SocketAddr,
    #[source]
    pub error: io::Error,
}

/// An address that is ours already; nothing answers there yet.
pub struct Bound(Listener);

impl Bound {
    /// Must be called within a runtime. Port 0 binds a free one.
    ///
    /// # Errors
    /// The address is taken, or not this machine's.
    pub fn to(address: SocketAddr) -> Result<Bound, ListenError> {
        let listener = Listener::bind(address);
        listener
            .map(Bound)
            .map_err(|error| ListenError { address, error })
    }

    /// What will answer there.
    #[must_use]
    pub fn serving(self, context: Context) -> Server {
        let routes = resources::routes();
        Server {
            listener: self.0,
            api: Arc::new(Api { context, routes }),
        }
    }
}

/// A bound API, which answers once it is run.
pub struct Server {
    listener: Listener,
    api: Arc<Api>,
}

impl Server {
    /// Must be called within a runtime. Port 0 binds a free one.
    ///
    /// # Errors
    /// The address is taken, or not this machine's.
    pub fn bind(address: SocketAddr, context: Context) -> Result<Server, ListenError> {
        Ok(Bound::to(address)?.serving(context))
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Answers until `shutdown` is cancelled; then closes the listener and ends the requests under way.
    pub async fn run(self, shutdown: CancellationToken) {
        let api = self.api;
        let serving = |peer: SocketAddr| {
            let api = Arc::clone(&api);
            service_fn(move |request| {
                let answer = Arc::clone(&api).answer(peer.ip(), request);
                async move { Ok::<_, Infallible>(answer.await) }
            })
        };
        self.listener.run("API", LIMITS, serving, shutdown).await;
    }
}
