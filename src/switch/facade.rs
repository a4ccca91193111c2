//! Everything of this room under one handle.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::arrival::IncomingCall;
use super::capacity::Capacity;
use super::context::{Allowed, Context};
use super::listener::{ListenError, OutboundListener};
use super::node::{self, Following, Node, NodeSettings, RegistrationSink};
use super::outbound::Reception;
use crate::esl::{CommandError, Line};
use crate::types::{InvalidId, NodeName};

/// New calls that may wait for the engine to take them.
const WAITING_CALLS: usize = 64;
/// Between the first attempts of nodes that start together.
const STAGGER: Duration = Duration::from_millis(50);
/// For the tasks to end once they have been told.
const ABRUPT: Duration = Duration::from_secs(5);

/// What the switch is told.
#[derive(Clone)]
pub struct SwitchSettings {
    pub nodes: Vec<NodeSettings>,
    /// Where the outbound socket listens; None: calls come by park only.
    pub listen: Option<SocketAddr>,
    /// Who may connect to it.
    pub allow: Allowed,
    /// Calls at once.
    pub max_calls: usize,
    /// The same after a restart, and no other daemon's: calls that a process of ours had claimed
    /// and left behind are known by it. None: they are not looked for.
    pub owner: Option<String>,
    /// Who counts by the nodes' channels; None: nobody does.
    pub following: Option<Following>,
    /// How long a new call waits for the engine before it is left to its fallback; less than
    /// the dialplan's own timer of 3 s.
    pub claim: Duration,
}

impl Default for SwitchSettings {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            listen: None,
            allow: Arc::new(|ip: IpAddr| ip.is_loopback()),
            max_calls: 10_000,
            owner: None,
            following: None,
            claim: Duration::from_millis(1_500),
        }
    }
}

/// Why the switch did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Name(#[from] InvalidId),
    #[error(transparent)]
    Owner(#[from] CommandError),
}

/// The nodes, the outbound listener, and the calls that they bring. Cheap to clone.
#[derive(Clone)]
pub struct Switch(Arc<Inner>);

struct Inner {
    nodes: Vec<Node>,
    listening: Option<SocketAddr>,
    context: Arc<Context>,
    /// The nodes' tasks and the listener's.
    services: TaskTracker,
}

impl Switch {
    /// Binds the listener and starts the nodes, within a runtime. New calls come out of the
    /// receiver; when `shutdown` is cancelled no more are taken, and [`Switch::drain`] waits
    /// for those that are up.
    ///
    /// # Errors
    /// The address to listen on is taken or not ours.
    pub fn start(
        settings: SwitchSettings,
        registrations: Arc<dyn RegistrationSink>,
        shutdown: &CancellationToken,
    ) -> Result<(Switch, mpsc::Receiver<IncomingCall>), StartError> {
        let unknown = NodeName::new("socket")?;
        let listener = settings.listen.map(OutboundListener::bind).transpose()?;
        let (calls, incoming) = mpsc::channel(WAITING_CALLS);
        let context = Arc::new(Context {
            capacity: Capacity::new(settings.max_calls),
            calls,
            registrations,
            following: settings.following,
            owner: settings
                .owner
                .map(|owner| Line::new("owner", owner))
                .transpose()?,
            live: TaskTracker::new(),
            stopping: shutdown.child_token(),
            stop_now: CancellationToken::new(),
        });
        let services = TaskTracker::new();
        let nodes: Vec<Node> = settings.nodes.into_iter().map(Node::new).collect();
        let mut delay = Duration::ZERO;
        for node in &nodes {
            services.spawn(node::run(node.clone(), Arc::clone(&context), delay));
            delay += STAGGER;
        }
        let listening = listener.as_ref().map(OutboundListener::address);
        if let Some(listener) = listener {
            let reception = Reception {
                context: Arc::clone(&context),
                nodes: nodes.clone(),
                seat_within: settings.claim,
                unknown,
            };
            services.spawn(listener.run(Arc::new(reception), settings.allow));
        }
        let switch = Switch(Arc::new(Inner {
            nodes,
            listening,
            context,
            services,
        }));
        Ok((switch, incoming))
    }

    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.0.nodes
    }

    #[must_use]
    pub fn node(&self, name: &NodeName) -> Option<&Node> {
        self.0.nodes.iter().find(|node| node.name() == name)
    }

    /// Where the outbound socket listens (the real port if 0 was asked for).
    #[must_use]
    pub fn listening(&self) -> Option<SocketAddr> {
        self.0.listening
    }

    /// Live, accepted, refused and overflowed calls.
    #[must_use]
    pub fn capacity(&self) -> &Capacity {
        &self.0.context.capacity
    }

    /// When a connection was last served; for a watchdog that is fed by progress.
    #[must_use]
    pub fn last_progress(&self) -> Instant {
        self.0.context.capacity.last_progress()
    }

    /// Takes no new calls, waits at most `limit` for those that are up, then ends every
    /// connection: conversations go on without us, other calls are ended or fall back. Returns
    /// how many calls were left.
    pub async fn drain(&self, limit: Duration) -> usize {
        let context = &self.0.context;
        context.stopping.cancel();
        context.live.close();
        let _ = tokio::time::timeout(limit, context.live.wait()).await;
        let left = context.capacity.live();
        if left > 0 {
            tracing::warn!(calls = left, "stopping although calls are up");
        }
        context.stop_now.cancel();
        self.0.services.close();
        let _ = tokio::time::timeout(ABRUPT, self.0.services.wait()).await;
        let _ = tokio::time::timeout(ABRUPT, context.live.wait()).await;
        left
    }
}
