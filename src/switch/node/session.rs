//! One connection to a node, from the first byte to the last.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use secrecy::ExposeSecret;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::super::context::Context;
use super::super::wire::{self, Closed, CommandFailure, CommandQueue, FrameReader, Wire};
use super::adrift::{self, Kill};
use super::handle::Node;
use super::reconcile;
use super::registrations::Change;
use super::resync;
use super::sink::{Changes, NodeSink, Pulse};
use super::state::{DownReason, NodeState};
use crate::esl::{Command, Frame, Limits, Line};
use crate::types::HangupCause;

/// Unanswered commands on one node's connection; further callers wait.
const COMMANDS_AT_ONCE: usize = 1024;
/// Registration changes that may wait for the keeper.
const CHANGES_AT_ONCE: usize = 4096;
/// A Core-UUID has 36 characters.
const LONGEST_CORE: usize = 64;
/// How long a stopping daemon waits for its last commands to be heard.
const FAREWELL: Duration = Duration::from_secs(2);

/// Events of every node.
const NODE_EVENTS: &[&str] = &["BACKGROUND_JOB", "HEARTBEAT", "SHUTDOWN"];
/// Events of a node whose parked calls we drive.
const LEG_EVENTS: &[&str] = &[
    "CHANNEL_PARK",
    "CHANNEL_ANSWER",
    "CHANNEL_BRIDGE",
    "CHANNEL_UNBRIDGE",
    "CHANNEL_EXECUTE_COMPLETE",
    "CHANNEL_HANGUP",
    "CHANNEL_HANGUP_COMPLETE",
    "CHANNEL_DESTROY",
    "CHANNEL_UUID",
];
/// Events of a node whose channels are counted, if its calls come over sockets only.
const CHANNEL_EVENTS: &[&str] = &["CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY", "CHANNEL_UUID"];
const SUBCLASSES: &[&str] = &[
    "sofia::register",
    "sofia::unregister",
    "sofia::expire",
    "sofia::sip_user_state",
    "sofia::gateway_add",
    "sofia::gateway_delete",
    "sofia::gateway_state",
];

/// How a connection ended.
pub(super) struct End {
    pub(super) reason: DownReason,
    pub(super) was_live: bool,
}

pub(super) async fn run(node: &Node, context: &Arc<Context>) -> End {
    let pace = node.0.settings.pace;
    let not_live = |reason| End {
        reason,
        was_live: false,
    };
    let address = node.0.settings.address.as_str();
    let mut stream = match wire::connect(address, pace.connect).await {
        Ok(stream) => stream,
        Err(error) => return not_live(DownReason::Unreachable(error.to_string())),
    };
    let mut reader = FrameReader::new(Limits::default());
    if let Err(reason) = log_in(node, &mut stream, &mut reader).await {
        return not_live(reason);
    }
    converse(node, context, stream, reader).await
}

/// `auth/request`, the password, its answer.
async fn log_in(
    node: &Node,
    stream: &mut TcpStream,
    reader: &mut FrameReader,
) -> Result<(), DownReason> {
    let within = node.0.settings.pace.greeting;
    match next(reader, stream, within).await? {
        Frame::AuthRequest => {}
        Frame::Rejected(_) => return Err(DownReason::RefusedByAcl),
        _ => {
            let what = "the peer did not ask for a password".to_owned();
            return Err(DownReason::NotEventSocket(what));
        }
    }
    let password =
        Line::new("password", node.0.settings.password.expose_secret()).map_err(|error| {
            DownReason::Unusable(format!("the node's password can't be sent: {error}"))
        })?;
    let mut bytes = BytesMut::new();
    Command::Auth { password }
        .encode(&mut bytes)
        .map_err(|error| {
            DownReason::Unusable(format!("the node's password can't be sent: {error}"))
        })?;
    stream
        .write_all(&bytes)
        .await
        .map_err(|error| DownReason::Lost(error.to_string()))?;
    match next(reader, stream, within).await? {
        Frame::Reply(reply) if reply.is_ok() => Ok(()),
        Frame::Reply(reply) if reply.text.starts_with("-ERR invalid") => {
            Err(DownReason::WrongPassword)
        }
        Frame::Reply(reply) => Err(DownReason::Lost(format!(
            "FreeSWITCH answered the password with {:?}",
            reply.text.trim()
        ))),
        _ => Err(DownReason::NotEventSocket(
            "the password got no reply".to_owned(),
        )),
    }
}

async fn next(
    reader: &mut FrameReader,
    stream: &TcpStream,
    within: Duration,
) -> Result<Frame, DownReason> {
    match tokio::time::timeout(within, reader.next(stream)).await {
        Ok(Ok(frame)) => Ok(frame),
        Ok(Err(closed)) => Err(down(closed)),
        Err(_) => Err(DownReason::NotEventSocket(format!(
            "the peer said nothing within {} ms",
            within.as_millis()
        ))),
    }
}

fn down(closed: Closed) -> DownReason {
    match closed {
        Closed::Rejected => DownReason::RefusedByAcl,
        Closed::Protocol(what) => DownReason::NotEventSocket(what),
        other => DownReason::Lost(other.to_string()),
    }
}

/// The connection's task (reading, writing) beside its conversation (getting in step, liveness).
async fn converse(
    node: &Node,
    context: &Arc<Context>,
    stream: TcpStream,
    reader: FrameReader,
) -> End {
    let pace = node.0.settings.pace;
    let queue = Arc::new(CommandQueue::new(COMMANDS_AT_ONCE));
    let (changes, changed) = mpsc::channel(CHANGES_AT_ONCE);
    let overflowed = Arc::new(AtomicBool::new(false));
    let pulse = Arc::new(Pulse::new(pace.heartbeat));
    let mut sink = NodeSink {
        node: node.clone(),
        context: Arc::clone(context),
        queue: Arc::clone(&queue),
        pulse: Arc::clone(&pulse),
        changes: Changes {
            queue: changes,
            overflowed: Arc::clone(&overflowed),
        },
    };
    let wire = Wire {
        stream,
        reader,
        queue: Arc::clone(&queue),
        reply_timeout: pace.reply,
    };
    let conversation = Conversation {
        node: node.clone(),
        context: Arc::clone(context),
        queue,
        pulse,
        overflowed,
    };
    // Dropping the set ends the conversation with its connection.
    let mut beside = JoinSet::new();
    beside.spawn(conversation.run(changed));
    let reason = tokio::select! {
        closed = wire::drive(wire, &mut sink, CancellationToken::new()) => {
            DownReason::Lost(closed.to_string())
        }
        ended = beside.join_next() => match ended {
            Some(Ok(reason)) => reason,
            _ => DownReason::Lost("the conversation with the node broke off".to_owned()),
        },
    };
    End {
        reason,
        was_live: node.state().borrow().is_live(),
    }
}

struct Conversation {
    node: Node,
    context: Arc<Context>,
    queue: Arc<CommandQueue>,
    pulse: Arc<Pulse>,
    overflowed: Arc<AtomicBool>,
}

impl Conversation {
    /// Runs as long as the connection is good; returns why it isn't any more.
    async fn run(self, changed: mpsc::Receiver<Change>) -> DownReason {
        let core = match self.get_in_step().await {
            Ok(core) => core,
            Err(reason) => return reason,
        };
        self.node.set_queue(Some(Arc::clone(&self.queue)));
        tracing::info!(
            node = %self.node.name(),
            address = self.node.0.settings.address.as_str(),
            core = %core,
            "connected"
        );
        self.node.0.state.send_replace(NodeState::Live { core });
        tokio::select! {
            reason = self.stay_alive() => reason,
            reason = self.follow_registrations(changed) => reason,
            reason = self.say_goodbye() => reason,
            reason = self.reconcile() => reason,
        }
    }

    /// Identity, subscription, then what was missed: in this order, so that nothing falls
    /// between the table and the events (they wait in their channels meanwhile).
    async fn get_in_step(&self) -> Result<Arc<str>, DownReason> {
        let core = self.identify().await?;
        let before = {
            let mut last = self
                .node
                .0
                .last_core
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            last.replace(Arc::clone(&core))
        };
        let first = before.is_none();
        if before.is_some_and(|before| before != core) {
            let gone = self.node.0.adrift.clear();
            tracing::warn!(node = %self.node.name(), calls = gone, "FreeSWITCH was restarted; the calls it had are gone");
        }
        if let Some(following) = &self.context.following {
            following.sink.reading(self.node.name());
        }
        self.subscribe().await?;
        resync::registrations(&self.node, &self.context, &self.queue)
            .await
            .map_err(lost)?;
        if self.node.0.settings.park || self.context.following.is_some() {
            resync::calls(&self.node, &self.context, &self.queue, first)
                .await
                .map_err(lost)?;
        }
        Ok(core)
    }

    async fn identify(&self) -> Result<Arc<str>, DownReason> {
        let command = api("global_getvar", "core_uuid")?;
        let text = self.queue.ask(&command).await.map_err(lost)?.text();
        if text.is_empty() || text.starts_with('-') || text.len() > LONGEST_CORE {
            return Err(DownReason::Lost(format!(
                "FreeSWITCH does not tell its core_uuid, but {text:?}"
            )));
        }
        Ok(Arc::from(text))
    }

    async fn subscribe(&self) -> Result<(), DownReason> {
        let legs = if self.node.0.settings.park {
            LEG_EVENTS
        } else if self.context.following.is_some() {
            CHANNEL_EVENTS
        } else {
            &[]
        };
        let line = |name: &&str| Line::new("event", *name);
        let unwritable = |error: crate::esl::CommandError| DownReason::Unusable(error.to_string());
        let names = NODE_EVENTS.iter().chain(legs).map(line);
        let command = Command::Events {
            names: names.collect::<Result<_, _>>().map_err(unwritable)?,
            subclasses: SUBCLASSES
                .iter()
                .map(line)
                .collect::<Result<_, _>>()
                .map_err(unwritable)?,
        };
        let reply = self.queue.ask(&command).await.map_err(lost)?.text();
        if reply.starts_with("+OK") {
            Ok(())
        } else {
            Err(DownReason::Lost(format!(
                "FreeSWITCH refuses the event subscription: {reply}"
            )))
        }
    }

    /// Returns when the node is dead: silent to a probe, or without a heartbeat for two and a
    /// half of its intervals although it answers.
    async fn stay_alive(&self) -> DownReason {
        loop {
            let interval = self.pulse.interval();
            let quiet = interval.mul_f64(1.5);
            let silent = self.pulse.silent_for();
            if silent < quiet {
                tokio::time::sleep(quiet - silent).await;
                if self.pulse.beatless_for() >= interval.mul_f64(2.5) {
                    return DownReason::Lost("no heartbeat; the events have stopped".to_owned());
                }
                continue;
            }
            let within = self.node.0.settings.pace.probe;
            let probe = match api("hostname", "") {
                Ok(command) => command,
                Err(reason) => return reason,
            };
            match tokio::time::timeout(within, self.queue.ask(&probe)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return lost(error),
                Err(_) => {
                    return DownReason::Lost(format!(
                        "the node is silent and a probe has no answer within {} ms",
                        within.as_millis()
                    ));
                }
            }
            if self.pulse.beatless_for() >= interval.mul_f64(2.5) {
                return DownReason::Lost("no heartbeat; the events have stopped".to_owned());
            }
        }
    }

    async fn reconcile(&self) -> DownReason {
        let mut turn = 0;
        loop {
            tokio::time::sleep(self.node.0.settings.pace.reconcile).await;
            let looked = reconcile::legs(&self.node, &self.context, &self.queue, &mut turn).await;
            if let Err(error) = looked {
                return lost(error);
            }
        }
    }

    async fn follow_registrations(&self, mut changed: mpsc::Receiver<Change>) -> DownReason {
        let name = self.node.name();
        let keeper = &self.context.registrations;
        while let Some(change) = changed.recv().await {
            let mut reload = self.overflowed.swap(false, Ordering::Relaxed);
            match change {
                Change::Registered(registration) => keeper.register(name, registration),
                Change::Unregistered(gone) => keeper.unregister(name, gone),
                Change::Reach(reach) => keeper.reach(name, reach),
                Change::Unclear => reload = true,
                Change::Refused(_) => {}
            }
            if reload
                && let Err(error) =
                    resync::registrations(&self.node, &self.context, &self.queue).await
            {
                return lost(error);
            }
        }
        DownReason::Lost("the connection's task has ended".to_owned())
    }

    /// When the time for draining is over: calls that talk are left to FreeSWITCH, the others
    /// are ended, since nobody would.
    async fn say_goodbye(&self) -> DownReason {
        self.context.stop_now.cancelled().await;
        for leg in self.node.0.legs.all() {
            if leg.state.is_joined() || leg.state.gone().is_cancelled() {
                continue;
            }
            let kill = Kill {
                uuid: leg.state.uuid(),
                cause: HangupCause::NormalTemporaryFailure,
            };
            adrift::end(&self.node, &self.queue, &kill);
        }
        let exit = self.queue.submit_now(&Command::Exit);
        if let Ok(pending) = exit {
            let _ = tokio::time::timeout(FAREWELL, pending.answer()).await;
        }
        DownReason::Lost("Linefinder is stopping".to_owned())
    }
}

fn lost(error: CommandFailure) -> DownReason {
    DownReason::Lost(error.to_string())
}

fn api(command: &str, argument: &str) -> Result<Command, DownReason> {
    let unwritable = |error: crate::esl::CommandError| DownReason::Unusable(error.to_string());
    Ok(Command::Api {
        command: Line::new("api", command).map_err(unwritable)?,
        argument: match argument {
            "" => None,
            text => Some(Line::new("api", text).map_err(unwritable)?),
        },
    })
}
