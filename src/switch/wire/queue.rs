//! Commands on their way out and the callers that wait for the answers.
//!
//! FreeSWITCH's replies carry no id: they come strictly in the order of the commands (capture
//! fact 8). So a command's bytes and its place in the line of waiters are written in one step
//! under one lock, and a place stays in the line when its caller has gone away.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use crate::esl::{Command, CommandError, Event, Reply};

/// Why a command has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandFailure {
    /// FreeSWITCH never saw it; sending it again elsewhere is safe.
    #[error("not sent: {0}")]
    NotSent(Arc<str>),
    /// It left, or part of it; FreeSWITCH may or may not have acted on it.
    #[error("sent, outcome unknown: {0}")]
    OutcomeUnknown(Arc<str>),
    #[error(transparent)]
    Unwritable(#[from] CommandError),
}

/// What FreeSWITCH answered to one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Reply(Reply),
    /// The raw output of `api`.
    Api(Bytes),
    /// The channel, as the answer to `connect`.
    Connected(Event),
}

impl Answer {
    /// The text of the answer, whichever kind it is; `api` output without its line end.
    pub(crate) fn text(&self) -> String {
        match self {
            Answer::Reply(reply) => reply.text.trim().to_owned(),
            Answer::Api(body) => String::from_utf8_lossy(body).trim_end().to_owned(),
            Answer::Connected(_) => "+OK".to_owned(),
        }
    }
}

/// The future answer to one command. Dropping it is harmless: the place in the line stays.
pub(crate) struct PendingAnswer(oneshot::Receiver<Result<Answer, CommandFailure>>);

impl PendingAnswer {
    pub(crate) async fn answer(self) -> Result<Answer, CommandFailure> {
        match self.0.await {
            Ok(answer) => answer,
            Err(_) => Err(CommandFailure::OutcomeUnknown(Arc::from(
                "the connection's task has ended",
            ))),
        }
    }
}

struct Waiter {
    /// How many commands were queued before this one.
    number: u64,
    answer: oneshot::Sender<Result<Answer, CommandFailure>>,
    _room: Option<OwnedSemaphorePermit>,
}

struct Inner {
    out: BytesMut,
    waiters: VecDeque<Waiter>,
    queued: u64,
    /// Commands of which at least one byte may have left.
    sent: u64,
    closed: Option<Arc<str>>,
}

/// Handle to one connection's outgoing side. Any number of callers share it.
pub(crate) struct CommandQueue {
    inner: Mutex<Inner>,
    wake: Notify,
    room: Arc<Semaphore>,
    places: usize,
}

impl CommandQueue {
    /// `room`: how many commands may be unanswered at once; further callers wait their turn.
    pub(crate) fn new(room: usize) -> CommandQueue {
        CommandQueue {
            inner: Mutex::new(Inner {
                out: BytesMut::new(),
                waiters: VecDeque::new(),
                queued: 0,
                sent: 0,
                closed: None,
            }),
            wake: Notify::new(),
            room: Arc::new(Semaphore::new(room)),
            places: room,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here panics while it holds the lock; a poisoned lock is still consistent.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends one command and waits for its answer.
    pub(crate) async fn ask(&self, command: &Command) -> Result<Answer, CommandFailure> {
        self.submit(command).await?.answer().await
    }

    /// Queues one command; resolves when it has its place in the line.
    pub(crate) async fn submit(&self, command: &Command) -> Result<PendingAnswer, CommandFailure> {
        let permit = self.permit().await?;
        self.place(command, Some(permit))
    }

    /// Queues several commands back to back: nobody's command gets in between and, when the
    /// socket is free, they leave in one write. None is queued if one can't be written.
    pub(crate) async fn submit_all(
        &self,
        commands: &[Command],
    ) -> Result<Vec<PendingAnswer>, CommandFailure> {
        // A list longer than the room takes all of the room.
        let places = u32::try_from(commands.len().clamp(1, self.places)).unwrap_or(1);
        let mut permit = match Arc::clone(&self.room).acquire_many_owned(places).await {
            Ok(permit) => Some(permit),
            Err(_) => return Err(self.lock().not_sent()),
        };
        let mut inner = self.lock();
        let mut bytes = BytesMut::new();
        for command in commands {
            command.encode(&mut bytes)?;
        }
        inner.refuse_if_closed()?;
        inner.out.extend_from_slice(&bytes);
        let last = commands.len().saturating_sub(1);
        let pending = (0..commands.len())
            .map(|at| inner.wait(if at == last { permit.take() } else { None }))
            .collect();
        drop(inner);
        self.wake.notify_one();
        Ok(pending)
    }

    /// Queues a command without waiting for room: for the few that tidy up.
    pub(crate) fn submit_now(&self, command: &Command) -> Result<PendingAnswer, CommandFailure> {
        self.place(command, None)
    }

    fn place(
        &self,
        command: &Command,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<PendingAnswer, CommandFailure> {
        let mut inner = self.lock();
        inner.refuse_if_closed()?;
        command.encode(&mut inner.out)?;
        let pending = inner.wait(permit);
        drop(inner);
        self.wake.notify_one();
        Ok(pending)
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, CommandFailure> {
        match Arc::clone(&self.room).acquire_owned().await {
            Ok(permit) => Ok(permit),
            Err(_) => Err(self.lock().not_sent()),
        }
    }

    /// Resolves when there may be something to write.
    pub(crate) async fn wake(&self) {
        self.wake.notified().await;
    }

    /// Everything that is ready, for one write, and how many commands it completes.
    pub(crate) fn take(&self) -> Option<(Bytes, u64)> {
        let mut inner = self.lock();
        if inner.out.is_empty() {
            return None;
        }
        let batch = std::mem::take(&mut inner.out).freeze();
        Some((batch, inner.queued))
    }

    /// The first byte of the batch that ends with command number `upto` has left.
    pub(crate) fn mark_sent(&self, upto: u64) {
        self.lock().sent = upto;
    }

    /// FreeSWITCH owes us an answer.
    pub(crate) fn owes(&self) -> bool {
        let inner = self.lock();
        let owed = |w: &Waiter| w.number < inner.sent;
        inner.waiters.front().is_some_and(owed)
    }

    /// Hands an answer to the first in the line. False if nobody waits, which means that the
    /// line has slipped and no further answer can be trusted.
    #[must_use]
    pub(crate) fn answer(&self, answer: Answer) -> bool {
        let mut inner = self.lock();
        let sent = inner.sent;
        if inner.waiters.front().is_none_or(|w| w.number >= sent) {
            return false;
        }
        let first = inner.waiters.pop_front();
        drop(inner);
        if let Some(waiter) = first {
            // The caller may have gone; its place has now been used up all the same.
            let _ = waiter.answer.send(Ok(answer));
        }
        true
    }

    /// The connection is over: everybody in the line learns it now.
    pub(crate) fn close(&self, why: &str) {
        self.room.close();
        let mut inner = self.lock();
        if inner.closed.is_some() {
            return;
        }
        let why: Arc<str> = Arc::from(why);
        inner.closed = Some(Arc::clone(&why));
        inner.out = BytesMut::new();
        let sent = inner.sent;
        let waiters = std::mem::take(&mut inner.waiters);
        drop(inner);
        for waiter in waiters {
            let failure = if waiter.number < sent {
                CommandFailure::OutcomeUnknown(Arc::clone(&why))
            } else {
                CommandFailure::NotSent(Arc::clone(&why))
            };
            let _ = waiter.answer.send(Err(failure));
        }
    }
}

impl Inner {
    fn refuse_if_closed(&self) -> Result<(), CommandFailure> {
        match &self.closed {
            None => Ok(()),
            Some(_) => Err(self.not_sent()),
        }
    }

    fn not_sent(&self) -> CommandFailure {
        let why = self.closed.clone();
        CommandFailure::NotSent(why.unwrap_or_else(|| Arc::from("the connection is closed")))
    }

    fn wait(&mut self, permit: Option<OwnedSemaphorePermit>) -> PendingAnswer {
        let (answer, pending) = oneshot::channel();
        self.waiters.push_back(Waiter {
            number: self.queued,
            answer,
            _room: permit,
        });
        self.queued += 1;
        PendingAnswer(pending)
    }
}
