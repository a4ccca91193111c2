//! The listener for `socket HOST:PORT async full`.
//!
//! A connection that is accepted and dropped leaves its call parked for good (capture fact
//! 42); one that is refused makes FreeSWITCH run the next dialplan action at once. So a daemon
//! that is full, or stopping, closes its listener, and serves what the kernel had already
//! accepted for it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::capacity::CallPlace;
use super::context::Allowed;
use super::outbound::{self, Reception};
use super::wire;

/// Between attempts to listen again, and after an accept that failed for want of something.
const RETRY: Duration = Duration::from_secs(1);
/// The accept loop shows that it lives, for the watchdog.
const TICK: Duration = Duration::from_secs(5);

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address} for FreeSWITCH's socket connections: {error}")]
pub struct ListenError {
    pub address: SocketAddr,
    #[source]
    pub error: io::Error,
}

/// A bound listener, not yet accepting.
pub(super) struct OutboundListener {
    listener: TcpListener,
    address: SocketAddr,
}

impl OutboundListener {
    /// Must be called within a runtime.
    pub(super) fn bind(address: SocketAddr) -> Result<OutboundListener, ListenError> {
        let bound = wire::listen(address).and_then(|listener| {
            let address = listener.local_addr()?;
            Ok(OutboundListener { listener, address })
        });
        bound.map_err(|error| ListenError { address, error })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until the shared context says stop.
    pub(super) async fn run(self, reception: Arc<Reception>, allowed: Allowed) {
        let door = Door { reception, allowed };
        let context = Arc::clone(&door.reception.context);
        let mut open = Some(self.listener);
        loop {
            if let Some(listener) = open.take() {
                let why = door.accept(&listener).await;
                door.close(listener);
                match why {
                    Why::Stopping => return,
                    Why::Full => tracing::warn!(
                        address = %self.address,
                        live = context.capacity.live(),
                        "as many calls as allowed: the listener is closed until there is room"
                    ),
                    Why::Broken => pause().await,
                }
            }
            tokio::select! {
                biased;
                () = context.stopping.cancelled() => return,
                () = context.capacity.roomy() => {}
            }
            match wire::listen(self.address) {
                Ok(listener) => {
                    tracing::info!(address = %self.address, "listening again");
                    open = Some(listener);
                }
                Err(error) => {
                    tracing::error!(address = %self.address, %error, "can't listen again; calls go to their fallback");
                    tokio::select! {
                        () = context.stopping.cancelled() => return,
                        () = pause() => {}
                    }
                }
            }
        }
    }
}

async fn pause() {
    tokio::time::sleep(RETRY).await;
}

/// Why accepting ended.
enum Why {
    Stopping,
    Full,
    Broken,
}

struct Door {
    reception: Arc<Reception>,
    allowed: Allowed,
}

impl Door {
    async fn accept(&self, listener: &TcpListener) -> Why {
        let context = &self.reception.context;
        loop {
            tokio::select! {
                biased;
                () = context.stopping.cancelled() => return Why::Stopping,
                () = context.capacity.full() => return Why::Full,
                () = tokio::time::sleep(TICK) => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => self.let_in(stream, peer),
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    // Most likely no more file descriptors: a closed listener is the honest answer.
                    Err(error) => {
                        tracing::error!(%error, "a connection can't be accepted; the listener is closed for a moment");
                        return Why::Broken;
                    }
                },
            }
            context.capacity.progressed();
        }
    }

    /// Closes the listener and serves the connections that were waiting in it: their calls have
    /// left the dialplan already. What arrives between the last of them and the close is reset,
    /// and its call falls back when its timer fires.
    fn close(&self, listener: TcpListener) {
        let waiting = match listener.into_std() {
            Ok(listener) => listener,
            Err(error) => {
                tracing::warn!(%error, "the closing listener could not be emptied");
                return;
            }
        };
        while let Ok((stream, peer)) = waiting.accept() {
            let stream = stream
                .set_nonblocking(true)
                .and_then(|()| TcpStream::from_std(stream));
            match stream {
                Ok(stream) => self.let_in(stream, peer),
                Err(error) => {
                    tracing::warn!(%peer, %error, "a waiting connection could not be served")
                }
            }
        }
    }

    fn let_in(&self, stream: TcpStream, peer: SocketAddr) {
        if !(self.allowed)(peer.ip()) {
            tracing::warn!(%peer, "a connection to the outbound socket from an address that [handoff] allow does not list; closed");
            return;
        }
        let place: CallPlace = self.reception.context.capacity.place_beyond();
        let serving = outbound::serve(Arc::clone(&self.reception), stream, peer, place);
        self.reception.context.live.spawn(serving);
    }
}
