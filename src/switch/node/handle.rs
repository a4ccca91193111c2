//! The handle to a node.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{broadcast, watch};

use super::super::wire::{Answer, CommandFailure, CommandQueue, JobFailure, Jobs};
use super::adrift::Adrift;
use super::gateways::GatewayEvent;
use super::legs::Legs;
use super::settings::NodeSettings;
use super::state::NodeState;
use crate::esl::{Command, Line};
use crate::types::NodeName;

/// Background jobs that may run on one node at once.
const JOBS_AT_ONCE: usize = 64;

/// Events of gateways that a slow listener may be behind.
const GATEWAY_EVENTS: usize = 256;

/// A FreeSWITCH node that we are connected to, or try to be. Cheap to clone; the connection
/// behind it comes and goes.
#[derive(Clone)]
pub struct Node(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) settings: NodeSettings,
    pub(super) state: watch::Sender<NodeState>,
    link: Mutex<Option<Arc<CommandQueue>>>,
    pub(super) jobs: Jobs,
    pub(super) legs: Legs,
    pub(super) adrift: Adrift,
    /// The `Core-UUID` of the last connection: another one means that FreeSWITCH was restarted.
    pub(super) last_core: Mutex<Option<Arc<str>>>,
    pub(super) gateways: broadcast::Sender<GatewayEvent>,
}

impl Node {
    pub(crate) fn new(settings: NodeSettings) -> Node {
        Node(Arc::new(Shared {
            settings,
            state: watch::Sender::new(NodeState::Connecting),
            link: Mutex::new(None),
            jobs: Jobs::new(JOBS_AT_ONCE),
            legs: Legs::default(),
            adrift: Adrift::default(),
            last_core: Mutex::new(None),
            gateways: broadcast::Sender::new(GATEWAY_EVENTS),
        }))
    }

    #[must_use]
    pub fn name(&self) -> &NodeName {
        &self.0.settings.name
    }

    /// `host:port` on which sister nodes reach it by SIP.
    #[must_use]
    pub fn sip(&self) -> Option<&str> {
        self.0.settings.sip.as_deref()
    }

    /// The state now and its changes.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<NodeState> {
        self.0.state.subscribe()
    }

    /// What happens to the node's gateways from now on. Who falls behind reads them anew.
    #[must_use]
    pub fn gateway_events(&self) -> broadcast::Receiver<GatewayEvent> {
        self.0.gateways.subscribe()
    }

    /// Calls that this node has parked for us and that we drive.
    #[must_use]
    pub fn parked_calls(&self) -> usize {
        self.0.legs.len()
    }

    /// `api COMMAND ARGUMENT`: the raw output, line end removed. FreeSWITCH serves nothing else
    /// on this connection meanwhile; what may take longer than a moment belongs in
    /// [`Node::bgapi`].
    ///
    /// # Errors
    /// No connection (nothing was sent), or it was lost with the outcome unknown. A failure
    /// of the command itself is output that begins `-ERR` or `-USAGE`.
    pub async fn api(&self, command: &str, argument: &str) -> Result<String, CommandFailure> {
        let (command, argument) = lines(command, argument)?;
        let answer = self.ask(&Command::Api { command, argument }).await?;
        Ok(answer.text())
    }

    /// `bgapi COMMAND ARGUMENT` under a job id of ours; waits for its output at most `limit`.
    ///
    /// # Errors
    /// As [`Node::api`], and when the job expires or its result is lost with the connection.
    pub async fn bgapi(
        &self,
        command: &str,
        argument: &str,
        limit: Duration,
    ) -> Result<String, JobFailure> {
        let (command, argument) = lines(command, argument)?;
        let queue = self.queue()?;
        self.0.jobs.run(&queue, command, argument, limit).await
    }

    /// `sendevent NAME` with headers taken literally (FreeSWITCH decodes nothing).
    ///
    /// # Errors
    /// As [`Node::api`]; a header that holds a line break is refused before anything is sent.
    pub async fn send_event(
        &self,
        name: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<(), CommandFailure> {
        let mut written = Vec::with_capacity(headers.len());
        for (name, value) in headers {
            written.push((Line::new("header", *name)?, Line::new("value", *value)?));
        }
        let command = Command::SendEvent {
            name: Line::new("event", name)?,
            headers: written,
            body,
        };
        self.ask(&command).await.map(|_| ())
    }

    async fn ask(&self, command: &Command) -> Result<Answer, CommandFailure> {
        self.queue()?.ask(command).await
    }

    /// The connection of this moment.
    pub(in crate::switch) fn queue(&self) -> Result<Arc<CommandQueue>, CommandFailure> {
        let link = self.0.link.lock().unwrap_or_else(PoisonError::into_inner);
        link.clone().ok_or_else(|| {
            let text = format!("node {} is not connected", self.name());
            CommandFailure::NotSent(Arc::from(text))
        })
    }

    pub(super) fn set_queue(&self, queue: Option<Arc<CommandQueue>>) {
        *self.0.link.lock().unwrap_or_else(PoisonError::into_inner) = queue;
    }

    /// The `Core-UUID` of the last connection.
    pub(crate) fn core(&self) -> Option<Arc<str>> {
        let core = self.0.last_core.lock();
        core.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn lines(command: &str, argument: &str) -> Result<(Line, Option<Line>), CommandFailure> {
    let command = Line::new("api command", command)?;
    let argument = match argument {
        "" => None,
        text => Some(Line::new("api argument", text)?),
    };
    Ok((command, argument))
}
