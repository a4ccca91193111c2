//! One call on its own socket: `socket HOST:PORT async full` in the dialplan.
//!
//! When this daemon dies during a conversation the conversation goes on: FreeSWITCH ends the
//! running bridge first and only then runs the action behind `socket` (capture fact 41).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::arrival::{Arrival, Handoff, IncomingCall};
use super::call::CallError;
use super::capacity::CallPlace;
use super::context::Context;
use super::forged::is_forged;
use super::leg::{LegLink, LegState, LiveLeg, kill_command};
use super::node::{Claim, Node, claim, claim_id, glimpse};
use super::wire::{self, Answer, CommandQueue, FrameReader, FrameSink, Wire};
use crate::esl::{Command, Event, Limits, Notice};
use crate::types::{HangupCause, NodeName};

/// From the connection to the claim. FreeSWITCH itself gives up after 25 s (capture fact 5).
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long FreeSWITCH keeps the socket after the hangup; without it the account of the call's
/// end is lost (capture fact 39).
const LINGER_S: u32 = 10;
/// From the hangup to the end of the connection at the latest.
const LAST_WORDS: Duration = Duration::from_secs(15);
/// An answer that takes longer ends the connection.
const REPLY: Duration = Duration::from_secs(15);
/// Unanswered commands of one call.
const COMMANDS_AT_ONCE: usize = 64;
/// What one call may send in one frame. A connect reply with sixty SIP headers has 18 KB
/// (capture fact 4).
const LIMITS: Limits = Limits {
    header_block: 256 << 10,
    body: 1 << 20,
    // The table of a busy node's channels has a kilobyte a leg.
    api_body: 32 << 20,
};

/// What every call on the listener needs.
pub(super) struct Reception {
    pub(super) context: Arc<Context>,
    pub(super) nodes: Vec<Node>,
    /// For a place in the queue of new calls.
    pub(super) seat_within: Duration,
    /// The node of calls that tell no usable name.
    pub(super) unknown: NodeName,
}

impl Reception {
    /// The configured node with this core, else the name that the switch gives itself.
    fn node(&self, channel: &Event) -> NodeName {
        let core = channel.header("Core-UUID");
        let known = self.nodes.iter().find(|node| {
            let live = node.core();
            live.is_some() && live.as_deref() == core.as_deref()
        });
        if let Some(node) = known {
            return node.name().clone();
        }
        let own = channel.header("FreeSWITCH-Switchname");
        own.and_then(|name| NodeName::new(&name).ok())
            .unwrap_or_else(|| self.unknown.clone())
    }
}

/// Serves one connection from its first byte to its last.
pub(super) async fn serve(
    reception: Arc<Reception>,
    stream: TcpStream,
    peer: SocketAddr,
    place: CallPlace,
) {
    wire::tune(&stream);
    let state = Arc::new(LegState::new(""));
    let queue = Arc::new(CommandQueue::new(COMMANDS_AT_ONCE));
    let wire = Wire {
        stream,
        reader: FrameReader::new(LIMITS),
        queue: Arc::clone(&queue),
        reply_timeout: REPLY,
    };
    let mut sink = SocketSink {
        context: Arc::clone(&reception.context),
        state: Arc::clone(&state),
        queue: Arc::clone(&queue),
        said_goodbye: false,
    };
    let stop = reception.context.stop_now.clone();
    let drive = wire::drive(wire, &mut sink, stop);
    tokio::pin!(drive);
    let newcomer = Newcomer {
        reception,
        state: Arc::clone(&state),
        queue: Arc::clone(&queue),
        peer,
    };
    // In a box of its own: a call that is up shall not carry its handshake around.
    let opening = Box::pin(tokio::time::timeout(HANDSHAKE, newcomer.welcome()));
    let welcomed = tokio::select! {
        closed = &mut drive => Err(closed.to_string()),
        welcomed = opening => match welcomed {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refusal)) => Err(refusal.0),
            Err(_) => Err(format!("the handshake took more than {} s", HANDSHAKE.as_secs())),
        },
    };
    let welcome = welcomed.is_ok();
    let closed = match welcomed {
        Ok(()) => tokio::select! {
            closed = &mut drive => closed.to_string(),
            () = overdue(&state) => "FreeSWITCH kept the socket of an ended call".to_owned(),
        },
        Err(why) => {
            tracing::warn!(%peer, call_id = %state.uuid(), why, "a connection to the outbound socket came to nothing");
            leave(&queue, &mut drive).await;
            why
        }
    };
    if welcome && !state.gone().is_cancelled() {
        tracing::warn!(call_id = %state.uuid(), why = closed, "the call's socket is gone; the call is no longer controlled");
    }
    if !state.gone().is_cancelled() {
        state.lose(CallError::NodeLost(closed));
    }
    state.finish();
    drop(place);
}

async fn overdue(state: &LegState) {
    state.gone().cancelled().await;
    tokio::time::sleep(LAST_WORDS).await;
}

/// Says `exit` and waits for the end. A socket that is dropped right after the connect reply
/// would leave the call parked for good (capture fact 42).
async fn leave(queue: &CommandQueue, drive: &mut (impl Future<Output = wire::Closed> + Unpin)) {
    if queue.submit_now(&Command::Exit).is_ok() {
        let _ = tokio::time::timeout(Duration::from_secs(2), drive).await;
    }
}

struct Newcomer {
    reception: Arc<Reception>,
    state: Arc<LegState>,
    queue: Arc<CommandQueue>,
    peer: SocketAddr,
}

/// Why a connection is not taken as a call.
struct Refusal(String);

impl Newcomer {
    /// Opens the connection, claims the call, hands it to the engine.
    async fn welcome(self) -> Result<(), Refusal> {
        let channel = self.open().await?;
        self.state.arrived(&channel);
        let context = &self.reception.context;
        let call_id = self.state.uuid();
        let timer = claim_id(&channel);
        let node = self.reception.node(&channel);
        // First the engine's promise to take it, then the claim.
        let seat = tokio::time::timeout(self.reception.seat_within, context.calls.reserve()).await;
        let Ok(Ok(seat)) = seat else {
            context.capacity.count_refused();
            if timer.is_none() {
                // No fallback would fetch it from where it is parked.
                self.give_up(&call_id).await;
            }
            return Err(Refusal("no new calls are taken at the moment".to_owned()));
        };
        if let Some(timer) = &timer {
            self.claimed(timer).await?;
        }
        let arrival = match Arrival::read(&channel, node, Handoff::Socket) {
            Ok(arrival) => arrival,
            Err(error) => {
                self.give_up(&call_id).await;
                return Err(Refusal(error.to_string()));
            }
        };
        drop(channel);
        if let Some(following) = &context.following {
            let node = &arrival.node;
            let connected = self
                .reception
                .nodes
                .iter()
                .any(|known| known.name() == node);
            if !connected {
                glimpse(node, following, &self.queue).await;
            }
        }
        context.capacity.count_accepted();
        tracing::debug!(%call_id, node = %arrival.node, handoff = "socket", "claimed");
        let link = LegLink::Socket(Arc::clone(&self.queue));
        let leg = Arc::new(LiveLeg::new(Arc::clone(&self.state), link));
        seat.send(IncomingCall { arrival, leg });
        Ok(())
    }

    /// `connect` and what must stand before anything happens, in one write.
    async fn open(&self) -> Result<Event, Refusal> {
        let commands = [
            Command::Connect,
            Command::Linger {
                seconds: Some(LINGER_S),
            },
            Command::MyEvents,
        ];
        let answers = self.queue.submit_all(&commands).await;
        let mut answers = answers
            .map_err(|error| Refusal(error.to_string()))?
            .into_iter();
        let mut channel = None;
        if let Some(connected) = answers.next() {
            match connected.answer().await {
                Ok(Answer::Connected(event)) => channel = Some(event),
                Ok(other) => {
                    return Err(Refusal(format!(
                        "the peer answered connect with {:?}; is it FreeSWITCH?",
                        other.text()
                    )));
                }
                Err(error) => return Err(Refusal(error.to_string())),
            }
        }
        let channel = channel.ok_or_else(|| Refusal("no answer to connect".to_owned()))?;
        check_mode(&channel)?;
        for answer in answers {
            match answer.answer().await {
                Ok(answer) if answer.text().starts_with("+OK") => {}
                Ok(answer) => {
                    return Err(Refusal(format!(
                        "FreeSWITCH refuses the opening: {}",
                        answer.text()
                    )));
                }
                Err(error) => return Err(Refusal(error.to_string())),
            }
        }
        Ok(channel)
    }

    async fn claimed(&self, timer: &str) -> Result<(), Refusal> {
        match claim(&self.queue, timer).await {
            Ok(Claim::Ours) => Ok(()),
            Ok(Claim::NotOurs) => Err(Refusal(
                "the call was not ours to claim: its fallback timer has fired, or another daemon was first".to_owned(),
            )),
            Ok(Claim::Unclear(reply)) => Err(Refusal(format!(
                "FreeSWITCH did not understand the claim: {reply}"
            ))),
            Err(error) => Err(Refusal(error.to_string())),
        }
    }

    async fn give_up(&self, call_id: &str) {
        tracing::warn!(call_id, peer = %self.peer, "the call has no fallback and is hung up");
        if let Ok(command) = kill_command(call_id, HangupCause::NormalTemporaryFailure) {
            let _ = self.queue.ask(&command).await;
        }
    }
}

/// Both words of `async full` are needed: without `full` there is no linger and no claim,
/// without `async` every command blocks the socket (capture facts 45, 46).
fn check_mode(channel: &Event) -> Result<(), Refusal> {
    let is =
        |header: &str, expected: &str| channel.header(header).is_none_or(|value| value == expected);
    if is("Socket-Mode", "async") && is("Control", "full") {
        Ok(())
    } else {
        Err(Refusal(
            "the dialplan's socket action lacks `async full` behind the address".to_owned(),
        ))
    }
}

struct SocketSink {
    context: Arc<Context>,
    state: Arc<LegState>,
    queue: Arc<CommandQueue>,
    said_goodbye: bool,
}

impl FrameSink for SocketSink {
    fn heard(&mut self) {
        self.context.capacity.progressed();
    }

    fn event(&mut self, event: Event) {
        if is_forged(&event) {
            tracing::warn!(call_id = %self.state.uuid(), event = event.name(), "an event was sent by another client of the node; ignored");
            return;
        }
        self.state.apply(&event);
        // The connection holds the leg until it is closed (capture fact 40).
        if self.state.has_ended() && !self.said_goodbye {
            self.said_goodbye = true;
            let _ = self.queue.submit_now(&Command::Exit);
        }
    }

    fn notice(&mut self, notice: Notice) {
        // The linger notice is no end: the last events come after it (capture fact 39).
        tracing::debug!(call_id = %self.state.uuid(), linger = notice.linger, "notice");
    }
}
