//! The listener, its connections, and stopping.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::patience::Patient;
use super::refusals::{Refusing, Telling};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Bytes of a request's head, and of what is read ahead of a body.
const HEAD_MAX: usize = 64 * 1024;

/// After an accept that failed for want of something.
const RETRY: Duration = Duration::from_millis(200);

/// What a peer may hold, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once; more wait in the backlog.
    pub connections: usize,
    /// For a request's head to arrive, and for the next request on a kept connection to begin.
    pub head_within: Duration,
    /// For a whole connection; None where connections are kept.
    pub connection_within: Option<Duration>,
    /// For the peer to read some of its answer.
    pub read_within: Duration,
    /// Whether a connection serves more than one request.
    pub keep_alive: bool,
    /// Lines of a request's head.
    pub headers: usize,
    /// For requests under way when the listener stops.
    pub stop_within: Duration,
}

/// A bound address, which answers once it is run.
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
    refusing: Option<Refusing>,
}

impl Listener {
    /// Must be called within a runtime. Port 0 binds a free one.
    ///
    /// # Errors
    /// The address is taken, or not this machine's.
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok(Listener {
            listener,
            address,
            refusing: None,
        })
    }

    /// Answers as `refusing` says to requests whose heads can't be read; otherwise these get a status and no body.
    #[must_use]
    pub fn refusing(self, refusing: Refusing) -> Listener {
        let refusing = Some(refusing);
        Listener { refusing, ..self }
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown` is cancelled; then closes the listener and ends the requests under way. `serving` makes
    /// the service of a connection; `name` is what the log calls it.
    pub async fn run<S, B>(
        self,
        name: &'static str,
        limits: Limits,
        serving: impl Fn(SocketAddr) -> S,
        shutdown: CancellationToken,
    ) where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
        S::Future: Send,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let connections = TaskTracker::new();
        let places = Arc::new(Semaphore::new(limits.connections));
        tracing::info!(address = %self.address, "the {name} listens");
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
                        let connection = Connection {
                            name,
                            limits,
                            peer,
                            refusing: self.refusing.clone(),
                            shutdown: shutdown.clone(),
                        };
                        connections.spawn(connection.serve(stream, serving(peer), place));
                    }
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    Err(error) => {
                        tracing::error!(%error, "a connection to the {name} can't be accepted");
                        tokio::time::sleep(RETRY).await;
                    }
                },
            }
        }
        drop(self.listener);
        connections.close();
        let ended = tokio::time::timeout(limits.stop_within, connections.wait());
        if ended.await.is_err() {
            tracing::warn!(
                connections = connections.len(),
                "requests to the {name} were cut off"
            );
        }
    }
}

struct Connection {
    name: &'static str,
    limits: Limits,
    peer: SocketAddr,
    refusing: Option<Refusing>,
    shutdown: CancellationToken,
}

impl Connection {
    async fn serve<S, B>(self, stream: TcpStream, service: S, place: Option<OwnedSemaphorePermit>)
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
        B: Body + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let Self {
            name,
            limits,
            peer,
            refusing,
            shutdown,
        } = self;
        // An answer is one small write: it must not wait for company.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "no TCP_NODELAY");
        }
        let stream = Patient::new(stream, limits.read_within);
        let stream = TokioIo::new(Telling::new(stream, refusing));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_within)
            .keep_alive(limits.keep_alive)
            .max_headers(limits.headers)
            .max_buf_size(HEAD_MAX)
            .serve_connection(stream, service);
        let mut connection = pin!(connection);
        let end = async {
            match limits.connection_within {
                Some(within) => tokio::time::sleep(within).await,
                None => std::future::pending().await,
            }
        };
        let mut end = pin!(end);
        let mut stopping = false;
        loop {
            tokio::select! {
                biased;
                served = connection.as_mut() => {
                    if let Err(error) = served {
                        tracing::debug!(%peer, %error, "a connection to the {name} broke");
                    }
                    break;
                }
                () = end.as_mut() => {
                    tracing::warn!(%peer, "a connection to the {name} took too long and was closed");
                    break;
                }
                () = shutdown.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
        drop(place);
    }
}
