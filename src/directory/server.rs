//! The listener for mod_xml_curl, its connections, and stopping.
//!
//! FreeSWITCH opens a connection for each look-up and waits for the answer in a thread that phones need (capture fact
//! 57). A closed port costs it nothing, a silent one its whole time-out: so the listener closes first when the daemon
//! stops, and nobody can hold a connection open.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::http;
use super::settings::Settings;
use crate::store::Store;

/// Connections that wait to be accepted: FreeSWITCH's threads all at once.
const BACKLOG: u32 = 1024;

/// Connections at once; more wait in the backlog.
const CONNECTIONS: usize = 1024;

/// For the request's head to arrive.
const HEAD_WITHIN: Duration = Duration::from_secs(3);

/// For a whole exchange. FreeSWITCH's own time-out is 2 s as shipped.
const EXCHANGE_WITHIN: Duration = Duration::from_secs(10);

/// For look-ups under way when the daemon stops.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// After an accept that failed for want of something.
const RETRY: Duration = Duration::from_millis(200);

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
    listener: TcpListener,
    address: SocketAddr,
    service: Router,
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
        let bound = listen(address).and_then(|listener| {
            let address = listener.local_addr()?;
            Ok((listener, address))
        });
        let (listener, address) = bound.map_err(|error| ListenError { address, error })?;
        Ok(Server {
            listener,
            address,
            service: http::service(store, settings),
        })
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown` is cancelled; then closes the listener and ends the look-ups under way.
    pub async fn run(self, shutdown: CancellationToken) {
        let connections = TaskTracker::new();
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        tracing::info!(address = %self.address, "the directory listens");
        loop {
            // The semaphore is never closed.
            let place = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                place = Arc::clone(&places).acquire_owned() => place.ok(),
            };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        connections.spawn(serve(stream, peer, self.service.clone(), place));
                    }
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    Err(error) => {
                        tracing::error!(%error, "a look-up's connection can't be accepted");
                        tokio::time::sleep(RETRY).await;
                    }
                },
            }
        }
        drop(self.listener);
        connections.close();
        if tokio::time::timeout(STOP_WITHIN, connections.wait())
            .await
            .is_err()
        {
            tracing::warn!(connections = connections.len(), "look-ups were cut off");
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    service: Router,
    place: Option<OwnedSemaphorePermit>,
) {
    // The answer is one small write: it must not wait for company.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "no TCP_NODELAY");
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    match tokio::time::timeout(EXCHANGE_WITHIN, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%peer, %error, "a look-up's connection broke"),
        Err(_) => tracing::warn!(%peer, "a look-up's connection took too long and was closed"),
    }
    drop(place);
}
