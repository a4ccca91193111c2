//! What has happened to a leg so far, and who waits for what to happen next.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, SetOnce, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::super::call::{CallError, Ended};
use super::{bridge, ending};
use crate::esl::Event;

struct Pending {
    id: Uuid,
    application: &'static str,
    done: oneshot::Sender<Result<Event, CallError>>,
}

struct Inner {
    uuid: Box<str>,
    /// In the order in which they were asked for.
    pending: Vec<Pending>,
    answered: bool,
    /// Joined to another leg now.
    joined: bool,
    /// The bridge attempt that runs, or ran last, was answered.
    talked: bool,
    stale_bridge: bool,
    /// The leg that this one is joined to, or was last.
    partner: Option<Box<str>>,
    /// The CHANNEL_UNBRIDGE of the bridge attempt that runs, or ran last.
    parted: Option<Event>,
    /// What CHANNEL_HANGUP told; the complete account follows.
    hangup: Option<Ended>,
    lost: Option<CallError>,
}

/// Fed with the leg's events in their order; asked by the callers that drive the leg.
pub(crate) struct LegState {
    inner: Mutex<Inner>,
    gone: CancellationToken,
    ended: SetOnce<Ended>,
    /// The leg was answered, or parted from the one that it was joined to.
    moved: Notify,
}

/// What becomes of a leg that was joined before an answer.
#[derive(Debug)]
pub(super) enum Settled {
    Answered,
    Parted(Event),
    /// The leg itself is over.
    Over(CallError),
}

/// A caller's wait for one application; leaves no trace when dropped.
pub(super) struct Waiting<'a> {
    state: &'a LegState,
    pub(super) id: Uuid,
    pub(super) done: oneshot::Receiver<Result<Event, CallError>>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.state.lock().pending.retain(|p| p.id != self.id);
    }
}

impl Waiting<'_> {
    /// Nothing that was asked for earlier still runs.
    pub(super) fn is_first(&self) -> bool {
        let inner = self.state.lock();
        inner.pending.first().is_none_or(|p| p.id == self.id)
    }
}

impl LegState {
    /// `uuid` may be empty until the answer to `connect` has told it.
    pub(crate) fn new(uuid: &str) -> LegState {
        LegState {
            inner: Mutex::new(Inner {
                uuid: Box::from(uuid),
                pending: Vec::new(),
                answered: false,
                joined: false,
                talked: false,
                stale_bridge: false,
                partner: None,
                parted: None,
                hangup: None,
                lost: None,
            }),
            gone: CancellationToken::new(),
            ended: SetOnce::new(),
            moved: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what the channel data say at the handoff.
    pub(crate) fn arrived(&self, channel: &Event) {
        let mut inner = self.lock();
        if let Some(uuid) = channel.unique_id() {
            inner.uuid = Box::from(uuid.as_ref());
        }
        inner.answered = is_answered(channel);
        inner.stale_bridge = bridge::is_stale(channel);
    }

    pub(crate) fn uuid(&self) -> Box<str> {
        self.lock().uuid.clone()
    }

    pub(crate) fn gone(&self) -> &CancellationToken {
        &self.gone
    }

    pub(crate) async fn ended(&self) -> Ended {
        self.ended.wait().await.clone()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.get().is_some()
    }

    pub(super) fn is_answered(&self) -> bool {
        self.lock().answered
    }

    /// Two parties talk: the call lives without us.
    pub(crate) fn is_joined(&self) -> bool {
        let inner = self.lock();
        inner.joined && inner.answered
    }

    pub(super) fn talked(&self) -> bool {
        self.lock().talked
    }

    /// The leg that the bridge attempt which runs has joined to this one, answered or not.
    pub(super) fn partner(&self) -> Option<Box<str>> {
        let inner = self.lock();
        inner.partner.clone().filter(|_| inner.joined)
    }

    /// FreeSWITCH has said that the leg is hung up.
    pub(super) fn is_hung_up(&self) -> bool {
        self.lock().hangup.is_some()
    }

    /// Notes that an attempt begins; true if an earlier one left variables behind.
    pub(super) fn begin_bridge(&self) -> bool {
        let mut inner = self.lock();
        inner.talked = false;
        inner.partner = None;
        inner.parted = None;
        std::mem::replace(&mut inner.stale_bridge, true)
    }

    /// Waits until a leg that was joined before an answer is answered, parted or over.
    pub(super) async fn settled(&self) -> Settled {
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            {
                let mut inner = self.lock();
                if let Some(error) = self.refused(&inner) {
                    return Settled::Over(error);
                }
                if inner.answered {
                    return Settled::Answered;
                }
                if let Some(event) = inner.parted.take() {
                    return Settled::Parted(event);
                }
            }
            tokio::select! {
                () = moved => {}
                () = self.gone.cancelled() => {}
            }
        }
    }

    /// Why the leg can't be told anything any more.
    pub(crate) fn refusal(&self) -> Option<CallError> {
        self.refused(&self.lock())
    }

    fn refused(&self, inner: &Inner) -> Option<CallError> {
        let over = inner.hangup.is_some() || self.has_ended();
        let hungup = over.then_some(CallError::Hungup);
        inner.lost.clone().or(hungup)
    }

    /// Registers a wait before the application is sent. (Under one lock with the question whether
    /// the leg is over: a hangup in between would find nobody to tell, and nobody would be told
    /// later.)
    pub(super) fn wait_for(&self, application: &'static str) -> Result<Waiting<'_>, CallError> {
        let id = Uuid::new_v4();
        let (sender, done) = oneshot::channel();
        let mut inner = self.lock();
        if let Some(error) = self.refused(&inner) {
            return Err(error);
        }
        inner.pending.push(Pending {
            id,
            application,
            done: sender,
        });
        drop(inner);
        Ok(Waiting {
            state: self,
            id,
            done,
        })
    }

    /// One event of this leg.
    pub(crate) fn apply(&self, event: &Event) {
        match event.name() {
            "CHANNEL_EXECUTE_COMPLETE" => self.completed(event),
            "CHANNEL_ANSWER" => {
                let mut inner = self.lock();
                inner.answered = true;
                inner.talked |= inner.joined;
                drop(inner);
                self.moved.notify_waiters();
            }
            "CHANNEL_BRIDGE" => {
                // With early media this comes before the answer (capture fact 35).
                let answered = is_answered(event);
                let partner = event
                    .header("Other-Leg-Unique-ID")
                    .or_else(|| event.header("Bridge-B-Unique-ID"));
                let partner = partner.map(|uuid| Box::from(uuid.as_ref()));
                let mut inner = self.lock();
                inner.joined = true;
                inner.partner = partner;
                inner.answered |= answered;
                inner.talked |= answered;
                drop(inner);
                self.moved.notify_waiters();
            }
            "CHANNEL_UNBRIDGE" => {
                let mut inner = self.lock();
                inner.joined = false;
                inner.partner = None;
                inner.parted = Some(event.clone());
                drop(inner);
                self.moved.notify_waiters();
            }
            "CHANNEL_UUID" => {
                if let Some(uuid) = event.unique_id() {
                    self.lock().uuid = Box::from(uuid.as_ref());
                }
            }
            "CHANNEL_HANGUP" => self.hung_up(event),
            "CHANNEL_HANGUP_COMPLETE" => {
                self.hung_up(event);
                let _ = self.ended.set(ending::read(event));
            }
            "CHANNEL_DESTROY" => {
                self.hung_up(event);
                self.finish();
            }
            _ => {}
        }
    }

    fn completed(&self, event: &Event) {
        let id = event.header("Application-UUID");
        let Some(id) = id.and_then(|text| Uuid::try_parse(&text).ok()) else {
            return;
        };
        let mut inner = self.lock();
        inner.answered |= is_answered(event);
        let found = inner.pending.iter().position(|p| p.id == id);
        let pending = found.map(|at| inner.pending.remove(at));
        drop(inner);
        if let Some(pending) = pending {
            let _ = pending.done.send(Ok(event.clone()));
        }
    }

    /// Ends every wait at once; what the applications report after this is history.
    fn hung_up(&self, event: &Event) {
        let mut inner = self.lock();
        if inner.hangup.is_some() {
            return;
        }
        inner.hangup = Some(ending::read(event));
        inner.joined = false;
        inner.partner = None;
        let pending = std::mem::take(&mut inner.pending);
        drop(inner);
        for waiting in pending {
            let result = if waiting.application == "hangup" {
                Ok(event.clone())
            } else {
                Err(CallError::Hungup)
            };
            let _ = waiting.done.send(result);
        }
        self.gone.cancel();
    }

    /// We can no longer drive the leg, whatever becomes of it.
    pub(crate) fn lose(&self, error: CallError) {
        let mut inner = self.lock();
        if inner.hangup.is_some() || inner.lost.is_some() {
            return;
        }
        inner.lost = Some(error.clone());
        let pending = std::mem::take(&mut inner.pending);
        drop(inner);
        for waiting in pending {
            let _ = waiting.done.send(Err(error.clone()));
        }
        self.gone.cancel();
    }

    /// Nothing more will be heard of the leg: its end is what has been told so far.
    pub(crate) fn finish(&self) {
        let mut inner = self.lock();
        let known = inner.hangup.clone();
        let _ = self.ended.set(known.unwrap_or_else(ending::unknown_end));
        let pending = std::mem::take(&mut inner.pending);
        drop(inner);
        for waiting in pending {
            let _ = waiting.done.send(Err(CallError::Hungup));
        }
        self.gone.cancel();
    }
}

fn is_answered(event: &Event) -> bool {
    event.header("Answer-State").as_deref() == Some("answered")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    /// Who comes to wait while the leg ends is either refused or told, whichever was first.
    #[test]
    fn nobody_is_left_waiting_for_a_leg_that_ended_meanwhile() {
        const ROUNDS: usize = 8_000;
        type End<'a> = &'a (dyn Fn(&LegState) + Sync);
        let hangup = Event::from_headers([("Event-Name", "CHANNEL_HANGUP")], None);
        let ends: [(&str, End<'_>); 3] = [
            ("hangup", &|state| state.apply(&hangup)),
            ("lost", &|state| state.lose(CallError::Overflow)),
            ("finished", &LegState::finish),
        ];
        for (how, end) in ends {
            let states: Vec<_> = (0..ROUNDS).map(|_| Arc::new(LegState::new("u"))).collect();
            let mut left = Vec::new();
            // Both threads spin to the same moment; the pauses sweep over each other's steps.
            let round = AtomicUsize::new(0);
            let done = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    for (at, state) in states.iter().enumerate() {
                        while round.load(Ordering::Acquire) <= at {
                            std::hint::spin_loop();
                        }
                        (0..at % 200).for_each(|_| std::hint::spin_loop());
                        end(state);
                        done.store(at + 1, Ordering::Release);
                    }
                });
                for (at, state) in states.iter().enumerate() {
                    round.store(at + 1, Ordering::Release);
                    let waiting = state.wait_for("bridge");
                    while done.load(Ordering::Acquire) <= at {
                        std::thread::yield_now();
                    }
                    if let Ok(mut waiting) = waiting {
                        let told = waiting.done.try_recv();
                        if told.map(drop) == Err(TryRecvError::Empty) {
                            left.push(at);
                        }
                    }
                }
            });
            assert_eq!(left, [0_usize; 0], "{how}");
        }
    }
}
