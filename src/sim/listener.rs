//! The node's end of an event-socket connection as the rest of the node sees it: a subscription
//! and a queue of frames.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::lock::lock;
use super::subscription::Subscription;

/// What other parts of the node put into a connection's queue. The connection writes them between
/// commands, in order, so that no event is ever inside or before the reply that it belongs behind.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// A whole frame.
    Frame(Bytes),
    /// The controlled leg is down: linger or end.
    LegDown,
}

#[derive(Debug)]
pub(super) struct Listener {
    pub(super) id: u64,
    /// The leg that an outbound connection controls.
    pub(super) leg: Option<Arc<str>>,
    subscription: Mutex<Subscription>,
    queue: mpsc::UnboundedSender<Outgoing>,
}

impl Listener {
    pub(super) fn new(
        id: u64,
        leg: Option<Arc<str>>,
    ) -> (Arc<Listener>, mpsc::UnboundedReceiver<Outgoing>) {
        let (queue, receiver) = mpsc::unbounded_channel();
        let listener = Listener {
            id,
            leg,
            subscription: Mutex::new(Subscription::default()),
            queue,
        };
        (Arc::new(listener), receiver)
    }

    /// Looks at or changes the subscription.
    pub(super) fn subscription<T>(&self, look: impl FnOnce(&mut Subscription) -> T) -> T {
        look(&mut lock(&self.subscription))
    }

    /// A connection that has ended takes nothing more, and that is no fault.
    pub(super) fn push(&self, outgoing: Outgoing) {
        let _ = self.queue.send(outgoing);
    }
}
