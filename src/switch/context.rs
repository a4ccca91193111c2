//! What every part of the room shares.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::arrival::IncomingCall;
use super::capacity::Capacity;
use super::node::{Following, RegistrationSink};
use crate::esl::Line;

/// Who may connect to the outbound listener.
pub type Allowed = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

pub(crate) struct Context {
    pub(crate) capacity: Capacity,
    pub(crate) calls: mpsc::Sender<IncomingCall>,
    pub(crate) registrations: Arc<dyn RegistrationSink>,
    /// Who counts by the nodes' channels.
    pub(crate) following: Option<Following>,
    /// Written on the calls that we claim.
    pub(crate) owner: Option<Line>,
    /// One task a call; drained when we stop.
    pub(crate) live: TaskTracker,
    /// No new calls.
    pub(crate) stopping: CancellationToken,
    /// The time for draining is over.
    pub(crate) stop_now: CancellationToken,
}
