//! The task that owns a socket: it reads always, writes what is ready, and waits for nobody.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::codec::Decoder as _;
use tokio_util::sync::CancellationToken;

use super::queue::{Answer, CommandQueue};
use crate::esl::{DecodeError, Decoder, Event, Frame, Limits, Notice};

/// Bytes asked of the kernel at a time. One event of a call has 4 to 11 KB (esl spec 1.7).
const READ_SIZE: usize = 16 * 1024;

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Closed {
    /// The peer closed it.
    EndOfStream,
    Io(String),
    /// What came is not the event socket's protocol.
    Protocol(String),
    /// An answer did not come in time. Later answers could no longer be matched, so the
    /// connection ends with it.
    NoReply {
        after: Duration,
    },
    /// The peer's address failed FreeSWITCH's ACL.
    Rejected,
    /// We closed it.
    Stopped,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Closed::EndOfStream => f.write_str("FreeSWITCH closed the connection"),
            Closed::Io(error) => write!(f, "the connection broke: {error}"),
            Closed::Protocol(what) => f.write_str(what),
            Closed::NoReply { after } => {
                write!(f, "no reply within {} ms", after.as_millis())
            }
            Closed::Rejected => f.write_str("FreeSWITCH's acl refuses this address"),
            Closed::Stopped => f.write_str("the connection was closed by Linefinder"),
        }
    }
}

impl From<DecodeError> for Closed {
    fn from(error: DecodeError) -> Closed {
        match error {
            DecodeError::Io(error) => Closed::Io(error.to_string()),
            other => Closed::Protocol(other.to_string()),
        }
    }
}

/// Who takes what arrives outside of replies. Nothing in here may wait.
pub(crate) trait FrameSink {
    fn event(&mut self, event: Event);
    fn notice(&mut self, notice: Notice);
    /// Called for every frame, for liveness.
    fn heard(&mut self) {}
}

/// Reads frames off a socket. A quiet connection holds no buffer, so that ten thousand calls
/// cost what they say and not what they could say.
pub(crate) struct FrameReader {
    buffer: BytesMut,
    decoder: Decoder,
}

impl FrameReader {
    pub(crate) fn new(limits: Limits) -> FrameReader {
        FrameReader {
            buffer: BytesMut::new(),
            decoder: Decoder::new(limits),
        }
    }

    /// A frame that has already arrived.
    fn ready(&mut self) -> Result<Option<Frame>, Closed> {
        if self.buffer.is_empty() {
            return Ok(None);
        }
        let frame = self.decoder.decode(&mut self.buffer)?;
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        Ok(frame)
    }

    /// The next frame. May be dropped at its await without losing a byte.
    pub(crate) async fn next(&mut self, stream: &TcpStream) -> Result<Frame, Closed> {
        loop {
            if let Some(frame) = self.ready()? {
                return Ok(frame);
            }
            stream
                .readable()
                .await
                .map_err(|error| Closed::Io(error.to_string()))?;
            self.buffer.reserve(READ_SIZE);
            match stream.try_read_buf(&mut self.buffer) {
                Ok(0) => return Err(self.end()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.release(),
                Err(error) => return Err(Closed::Io(error.to_string())),
            }
        }
    }

    fn release(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// A forced notice may land inside another frame (esl spec 1.5), so a torn frame before the
    /// end is an end like any other.
    fn end(&mut self) -> Closed {
        match self.decoder.decode_eof(&mut self.buffer) {
            Err(DecodeError::NotEventSocket(what)) => Closed::Protocol(what),
            _ => Closed::EndOfStream,
        }
    }
}

/// One connection's parts.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    pub(crate) reader: FrameReader,
    pub(crate) queue: Arc<CommandQueue>,
    /// An answer that is owed longer than this ends the connection.
    pub(crate) reply_timeout: Duration,
}

/// Runs the connection until it ends; every waiter of the queue has its answer or its failure
/// when this returns or is dropped.
pub(crate) async fn drive(
    wire: Wire,
    sink: &mut impl FrameSink,
    stop: CancellationToken,
) -> Closed {
    let Wire {
        stream,
        mut reader,
        queue,
        reply_timeout,
    } = wire;
    let closing = CloseOnDrop(&queue);
    let closed = exchange(&stream, &mut reader, &queue, reply_timeout, sink, &stop).await;
    queue.close(&closed.to_string());
    drop(closing);
    closed
}

/// Callers must not hang when the task is dropped instead of run to its end.
struct CloseOnDrop<'a>(&'a CommandQueue);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close("the connection's task was stopped");
    }
}

async fn exchange(
    stream: &TcpStream,
    reader: &mut FrameReader,
    queue: &CommandQueue,
    reply_timeout: Duration,
    sink: &mut impl FrameSink,
    stop: &CancellationToken,
) -> Closed {
    let mut batch = Batch::default();
    // Since when the first of the line is owed its answer.
    let mut owed_since: Option<Instant> = None;
    loop {
        if batch.bytes.is_empty() {
            batch.refill(queue);
        }
        let deadline = owed_since.map(|since| since + reply_timeout);
        tokio::select! {
            biased;
            () = stop.cancelled() => return Closed::Stopped,
            written = batch.write(stream), if !batch.bytes.is_empty() => {
                match written {
                    Ok(()) => {
                        queue.mark_sent(batch.upto);
                        owed_since = owed_since.or_else(|| Some(Instant::now()));
                    }
                    Err(error) => return Closed::Io(error.to_string()),
                }
            }
            frame = reader.next(stream) => {
                let frame = match frame {
                    Ok(frame) => frame,
                    Err(closed) => return closed,
                };
                sink.heard();
                let answered = match dispatch(frame, queue, sink) {
                    Ok(answered) => answered,
                    Err(closed) => return closed,
                };
                if answered {
                    owed_since = queue.owes().then(Instant::now);
                }
                // A burst must not keep the tasks from running that drain the mailboxes.
                tokio::task::consume_budget().await;
            }
            () = queue.wake(), if batch.bytes.is_empty() => {}
            () = sleep_until(deadline), if deadline.is_some() => {
                return Closed::NoReply { after: reply_timeout };
            }
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Whether the frame was an answer.
fn dispatch(frame: Frame, queue: &CommandQueue, sink: &mut impl FrameSink) -> Result<bool, Closed> {
    let answer = match frame {
        Frame::Reply(reply) => Answer::Reply(reply),
        Frame::Api(body) => Answer::Api(body),
        Frame::Connected(event) => Answer::Connected(event),
        Frame::Event(event) => {
            sink.event(event);
            return Ok(false);
        }
        Frame::Notice(notice) => {
            sink.notice(notice);
            return Ok(false);
        }
        Frame::Log(_) | Frame::Spill(_) => return Ok(false),
        Frame::Rejected(_) => return Err(Closed::Rejected),
        Frame::AuthRequest => {
            return Err(Closed::Protocol(
                "FreeSWITCH asked for the password again".to_owned(),
            ));
        }
        Frame::Unknown { content_type, .. } => {
            tracing::debug!(content_type, "a frame of unknown kind was skipped");
            return Ok(false);
        }
    };
    if queue.answer(answer) {
        Ok(true)
    } else {
        Err(Closed::Protocol(
            "a reply that no command waits for; the order of replies can't be trusted".to_owned(),
        ))
    }
}

/// What is being written.
#[derive(Default)]
struct Batch {
    bytes: Bytes,
    upto: u64,
}

impl Batch {
    fn refill(&mut self, queue: &CommandQueue) {
        if let Some((bytes, upto)) = queue.take() {
            self.bytes = bytes;
            self.upto = upto;
        }
    }

    /// Writes what the socket takes now; dropping the future loses nothing.
    async fn write(&mut self, stream: &TcpStream) -> io::Result<()> {
        loop {
            stream.writable().await?;
            match stream.try_write(&self.bytes) {
                Ok(count) => {
                    tracing::trace!(bytes = count, "written");
                    self.bytes.advance(count);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}
