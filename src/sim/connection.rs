//! One event-socket connection, either way round: a task that reads a command, answers it, then
//! writes what has queued up meanwhile. That order is FreeSWITCH's own (event socket specification
//! 2.11), and with it no event is ever inside or before a reply.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;
use tokio_util::codec::Decoder as _;

use super::core::{Core, Fault};
use super::leg::Channel;
use super::listener::{Listener, Outgoing};
use super::socket::Gate;
use crate::esl::server::{Request, ServerDecoder, ServerFrame};

/// Which way the connection was made.
pub(super) enum Side {
    /// A client connected to the node.
    Inbound,
    /// The node connected to a daemon for one leg.
    Outbound {
        channel: Arc<Channel>,
        gate: Arc<Gate>,
        full: bool,
    },
}

/// How a connection ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Linger {
    No,
    Forever,
    Seconds(u32),
}

/// A connection's state between commands.
pub(super) struct Connection {
    pub(super) core: Arc<Core>,
    pub(super) listener: Arc<Listener>,
    pub(super) side: Side,
    pub(super) authenticated: bool,
    /// `connect` came; before it nothing is answered on an outbound connection.
    pub(super) connected: bool,
    pub(super) linger: Linger,
    pub(super) out: BytesMut,
    pub(super) ended: bool,
    /// When the node gives up: the first command does not come, or the linger time is over.
    pub(super) deadline: Option<Instant>,
    /// A leg that `myevents UUID` tied an inbound connection to.
    pub(super) tied: Option<Arc<Channel>>,
}

const TEXT_SHUTDOWN: &str = "The system is being shut down.";

/// Serves a connection to its end.
pub(super) async fn serve(
    core: Arc<Core>,
    stream: TcpStream,
    side: Side,
    listener: Arc<Listener>,
    queue: UnboundedReceiver<Outgoing>,
) {
    let first_command = core.options.first_command;
    let mut connection = Connection {
        authenticated: matches!(side, Side::Outbound { .. }),
        connected: false,
        linger: Linger::No,
        out: BytesMut::new(),
        ended: false,
        deadline: Some(Instant::now() + first_command),
        tied: None,
        core,
        listener,
        side,
    };
    if let Side::Inbound = connection.side {
        if connection.core.options.refuse_addresses {
            connection.write(&ServerFrame::Rejected);
            connection.end();
        } else {
            connection.write(&ServerFrame::AuthRequest);
        }
    }
    if let Err(error) = connection.run(stream, queue).await {
        tracing::debug!(%error, "event-socket connection broke");
    }
    connection.let_go();
}

impl Connection {
    async fn run(
        &mut self,
        mut stream: TcpStream,
        mut queue: UnboundedReceiver<Outgoing>,
    ) -> std::io::Result<()> {
        let _ = stream.set_nodelay(true);
        let mut decoder = ServerDecoder::new();
        let mut input = BytesMut::new();
        let mut faults = self.core.faults.subscribe();
        // What befell connections before this one is none of its business, a stall apart.
        let before = *faults.borrow_and_update();
        loop {
            self.commands(&mut decoder, &mut input, &mut queue).await;
            stream.write_all(&self.out).await?;
            // Most connections are silent most of the time: none keeps the room of its largest event.
            self.out = BytesMut::new();
            if input.is_empty() {
                input = BytesMut::new();
            }
            if self.ended {
                stream.shutdown().await?;
                // A client that is still writing would otherwise get a reset instead of our last words.
                return drain(&mut stream).await;
            }
            let deadline = self.deadline;
            tokio::select! {
                read = stream.read_buf(&mut input) => {
                    if read? == 0 {
                        return Ok(());
                    }
                }
                Some(outgoing) = queue.recv() => {
                    self.take(outgoing);
                    self.drain(&mut queue);
                }
                () = sleep_until(deadline), if deadline.is_some() => self.end(),
                _ = faults.changed() => {}
            }
            loop {
                let fault = *faults.borrow_and_update();
                match fault {
                    Fault::None => break,
                    Fault::Stalled => {
                        if faults.changed().await.is_err() {
                            return Ok(());
                        }
                    }
                    Fault::Dropped(_) | Fault::Notice(..) if fault == before => break,
                    Fault::Dropped(_) => return Ok(()),
                    Fault::Notice(_, text) => {
                        self.force(text);
                        break;
                    }
                }
            }
        }
    }

    /// Runs the commands that have arrived, each followed by what queued up meanwhile.
    async fn commands(
        &mut self,
        decoder: &mut ServerDecoder,
        input: &mut BytesMut,
        queue: &mut UnboundedReceiver<Outgoing>,
    ) {
        while !self.ended {
            match decoder.decode(input) {
                Ok(Some(request)) => {
                    self.obey(request).await;
                    self.drain(queue);
                }
                Ok(None) => return,
                // No reply but the notice (capture fact 6).
                Err(error) => {
                    tracing::debug!(%error, "unreadable command");
                    self.end();
                }
            }
        }
    }

    async fn obey(&mut self, request: Request) {
        if self.connected || matches!(self.side, Side::Inbound) {
            self.command(&request).await;
        } else if request.line.to_ascii_lowercase().starts_with("connect") {
            self.deadline = None;
            self.connected = true;
            self.command(&request).await;
            if let Side::Outbound { channel, gate, .. } = &self.side {
                gate.connected.store(true, Ordering::Release);
                channel.poke();
            }
        } else {
            // The first command is executed all the same, but not answered (event socket specification 5).
            self.deadline = None;
            let before = self.out.len();
            self.command(&request).await;
            self.out.truncate(before);
        }
    }

    fn drain(&mut self, queue: &mut UnboundedReceiver<Outgoing>) {
        while let Ok(outgoing) = queue.try_recv() {
            self.take(outgoing);
        }
    }

    fn take(&mut self, outgoing: Outgoing) {
        if self.ended {
            return;
        }
        match outgoing {
            Outgoing::Frame(frame) => self.out.extend_from_slice(&frame),
            Outgoing::LegDown => self.leg_down(),
        }
    }

    /// The controlled leg is down: linger, or end (capture fact 39).
    fn leg_down(&mut self) {
        let (call, channel) = match (&self.side, &self.tied) {
            (Side::Outbound { channel, .. }, _) | (Side::Inbound, Some(channel)) => {
                let name = channel.leg().party.channel_name.to_string();
                (channel.uuid.to_string(), name)
            }
            (Side::Inbound, None) => return,
        };
        let seconds = match self.linger {
            Linger::No => return self.end(),
            Linger::Forever => None,
            Linger::Seconds(seconds) => Some(seconds),
        };
        let after = seconds.map(|seconds| Duration::from_secs(u64::from(seconds)));
        self.deadline = after.map(|after| Instant::now() + after);
        self.write(&ServerFrame::Linger {
            call,
            channel,
            seconds,
        });
    }

    pub(super) fn write(&mut self, frame: &ServerFrame) {
        frame.encode(&mut self.out);
    }

    /// The usual notice, then the end.
    pub(super) fn end(&mut self) {
        if self.ended {
            return;
        }
        let call = match &self.side {
            Side::Inbound => None,
            Side::Outbound { channel, .. } => Some(channel.uuid.to_string()),
        };
        self.write(&ServerFrame::Disconnect { call });
        self.ended = true;
    }

    fn force(&mut self, text: &'static str) {
        if text == TEXT_SHUTDOWN {
            self.write(&ServerFrame::ShuttingDown);
        } else {
            let notice = format!(
                "Content-Type: text/disconnect-notice\nContent-Length: {}\n\n{text}\n",
                text.len() + 1
            );
            self.out.extend_from_slice(notice.as_bytes());
        }
        self.ended = true;
    }

    /// The node forgets the connection; a leg that it held goes its way.
    fn let_go(&self) {
        self.core.remove_listener(self.listener.id);
        let leave = |channel: &Channel| {
            let resume = channel.is_true("socket_resume");
            {
                let mut leg = channel.leg();
                leg.sockets.retain(|socket| socket.id != self.listener.id);
                // `resume` also cuts what runs (event socket specification 5).
                leg.broken |= resume;
            }
            channel.poke();
        };
        if let Some(channel) = &self.tied {
            leave(channel);
        }
        if let Side::Outbound { channel, gate, .. } = &self.side {
            gate.closed.store(true, Ordering::Release);
            leave(channel);
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Reads to the client's end, for a moment.
async fn drain(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut rest = [0; 512];
    let read = async {
        while stream.read(&mut rest).await? > 0 {}
        Ok(())
    };
    match tokio::time::timeout(Duration::from_secs(1), read).await {
        Ok(read) => read,
        Err(_) => Ok(()),
    }
}
