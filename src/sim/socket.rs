//! The `socket` application: the node connects to the daemon and lets it drive the leg.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::connection::{self, Side};
use super::listener::Listener;
use super::session::{Session, Woken};

/// How far the daemon's end of an outbound socket has come; the leg's task reads it.
#[derive(Debug, Default)]
pub(super) struct Gate {
    pub(super) connected: AtomicBool,
    pub(super) closed: AtomicBool,
}

impl Gate {
    fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// A daemon that closes this soon after `connect` strands the call (capture fact 42).
const STRANDED: Duration = Duration::from_millis(5);

impl Session {
    /// `HOST:PORT[/PATH][|HOST:PORT...] async full`.
    pub(super) async fn socket(&self, argument: &str) {
        let mut words = argument.split_ascii_whitespace();
        let addresses = words.next().unwrap_or_default();
        let flags: Vec<&str> = words.collect();
        let flag = |name: &str| flags.iter().any(|flag| flag.eq_ignore_ascii_case(name));
        // Refused everywhere: the next action, at once (capture fact 43).
        let Some(stream) = self.reach(addresses).await else {
            return;
        };
        let gate = Arc::new(Gate::default());
        let uuid = Arc::clone(&self.channel.uuid);
        let (listener, queue) = Listener::new(self.core.next_id(), Some(uuid));
        self.channel.leg().sockets.push(Arc::clone(&listener));
        let side = Side::Outbound {
            channel: Arc::clone(&self.channel),
            gate: Arc::clone(&gate),
            full: flag("full"),
        };
        let served = connection::serve(Arc::clone(&self.core), stream, side, listener, queue);
        let dead = self.core.dead.clone();
        tokio::spawn(dead.run_until_cancelled_owned(served));
        self.driven(&gate).await;
    }

    async fn reach(&self, addresses: &str) -> Option<TcpStream> {
        for address in addresses.split('|') {
            let (address, path) = match address.split_once('/') {
                Some((address, path)) => (address, Some(path)),
                None => (address, None),
            };
            // The default port of `socket`.
            let full = if address.contains(':') {
                address.to_owned()
            } else {
                format!("{address}:8084")
            };
            if let Ok(stream) = TcpStream::connect(&full).await {
                let host = full.rsplit_once(':').map_or(&*full, |(host, _)| host);
                self.channel.set("socket_host", host);
                self.channel.set("socket_path", path.unwrap_or_default());
                return Some(stream);
            }
            tracing::debug!(address = full, "no daemon listens there");
        }
        None
    }

    async fn driven(&self, gate: &Gate) {
        let open = || gate.is_connected() || gate.is_closed();
        if !self.hold(open, None).await {
            return;
        }
        if gate.is_connected() {
            let soon = Instant::now() + STRANDED;
            self.hold(|| gate.is_closed(), Some(soon)).await;
        }
        if gate.is_closed() {
            // Closed before `connect` or at once after it: parked for good, whatever the dialplan says next.
            self.hold(|| false, None).await;
            return;
        }
        self.parked();
        loop {
            match self.wait_or(None, || gate.is_closed()).await {
                Woken::HungUp | Woken::Detoured => break,
                Woken::Due => break,
                Woken::Broken => {}
            }
        }
        self.unparked();
    }

    /// Waits without looking at the queue, for a condition or a moment; false if the leg is hung up or
    /// sent elsewhere first.
    async fn hold(&self, until: impl Fn() -> bool, at: Option<Instant>) -> bool {
        loop {
            if matches!(self.interruption(), Some(Woken::HungUp | Woken::Detoured)) {
                return false;
            }
            if until() {
                return true;
            }
            let changed = self.channel.changed.notified();
            match at {
                None => changed.await,
                Some(at) => tokio::select! {
                    biased;
                    () = changed => {}
                    () = tokio::time::sleep_until(at) => return true,
                },
            }
        }
    }
}
