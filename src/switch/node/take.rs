//! Taking over one parked call: place, claim, arrival, and the task that follows its events.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::arrival::{Arrival, Handoff, IncomingCall};
use super::super::capacity::CallPlace;
use super::super::context::Context;
use super::super::leg::{LegLink, LiveLeg};
use super::super::wire::CommandQueue;
use super::adrift::{self, Kill};
use super::handle::Node;
use super::legs::ParkedLeg;
use super::park::{Claim, Waiting, claim, mark_owner};
use crate::esl::Event;
use crate::types::HangupCause;

/// CHANNEL_HANGUP_COMPLETE follows CHANNEL_HANGUP within milliseconds, later when a socket
/// lingers on the leg; after this it is not coming.
const LAST_WORDS: Duration = Duration::from_secs(12);

/// Whether the call has to be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Unclaimed,
    /// We claimed it over an earlier connection, or at least asked to.
    Us,
}

/// Starts taking a call over. False if this very handoff is known already.
pub(super) fn begin(
    node: &Node,
    context: &Arc<Context>,
    queue: &Arc<CommandQueue>,
    waiting: &Waiting,
    channel: &Event,
    owner: Owner,
) -> bool {
    let Some((leg, earlier)) = node.0.legs.enter(&waiting.uuid, &waiting.timer) else {
        return false;
    };
    if let Some(earlier) = earlier {
        tracing::info!(call_id = %waiting.uuid, node = %node.name(), "the call was handed over again");
        earlier.state.finish();
    }
    let full = context.stopping.is_cancelled() || context.calls.is_closed();
    let place = match owner {
        Owner::Us => Some(context.capacity.place_beyond()),
        Owner::Unclaimed if full => None,
        Owner::Unclaimed => context.capacity.place(),
    };
    let Some(place) = place else {
        node.0.legs.leave(&leg);
        context.capacity.count_refused();
        tracing::warn!(
            call_id = %waiting.uuid,
            node = %node.name(),
            live = context.capacity.live(),
            "no room for another call; it is left to the dialplan's fallback"
        );
        return true;
    };
    let taking = Taking {
        node: node.clone(),
        context: Arc::clone(context),
        queue: Arc::clone(queue),
        leg,
        _place: place,
    };
    // The data are kept until the claim only; they hold the connection's read buffer.
    let channel = channel.clone();
    context.live.spawn(async move {
        if taking.offer(channel, owner).await {
            taking.follow().await;
        }
        taking.node.0.legs.leave(&taking.leg);
    });
    true
}

struct Taking {
    node: Node,
    context: Arc<Context>,
    queue: Arc<CommandQueue>,
    leg: Arc<ParkedLeg>,
    _place: CallPlace,
}

impl Taking {
    /// Claims the call and hands it to the callflow engine.
    async fn offer(&self, channel: Event, owner: Owner) -> bool {
        let uuid = self.leg.state.uuid();
        // First the engine's promise to take it, then the claim: a call that is claimed and
        // goes nowhere is worse than one that falls back.
        let within = self.node.0.settings.pace.claim;
        let Ok(Ok(seat)) = tokio::time::timeout(within, self.context.calls.reserve()).await else {
            self.context.capacity.count_refused();
            tracing::warn!(
                call_id = %uuid,
                node = %self.node.name(),
                "no call was taken out of the queue of new calls for {} ms; this one is left to the dialplan's fallback",
                within.as_millis()
            );
            if owner == Owner::Us {
                self.give_up();
            }
            return false;
        };
        if !self.claimed(&uuid, owner).await {
            return false;
        }
        let name = self.node.name().clone();
        let arrival = match Arrival::read(&channel, name, Handoff::Park) {
            Ok(arrival) => arrival,
            Err(error) => {
                tracing::error!(call_id = %uuid, node = %self.node.name(), %error, "the call can't be taken and is hung up");
                self.give_up();
                return false;
            }
        };
        self.leg.state.arrived(&channel);
        drop(channel);
        self.context.capacity.count_accepted();
        tracing::debug!(call_id = %uuid, node = %self.node.name(), handoff = "park", "claimed");
        let link = LegLink::Node(Arc::clone(&self.queue));
        let leg = Arc::new(LiveLeg::new(Arc::clone(&self.leg.state), link));
        seat.send(IncomingCall { arrival, leg });
        true
    }

    async fn claimed(&self, uuid: &str, owner: Owner) -> bool {
        let node = self.node.name();
        self.leg.asked.store(true, Ordering::Relaxed);
        match claim(&self.queue, &self.leg.timer).await {
            Ok(Claim::Ours) => {
                self.mark(uuid);
                true
            }
            // The timer went when we claimed the call over the connection that broke.
            Ok(Claim::NotOurs) if owner == Owner::Us => true,
            Ok(Claim::NotOurs) => {
                tracing::info!(call_id = uuid, %node, "the call was not ours to claim: its fallback timer has fired, or another daemon was first");
                false
            }
            Ok(Claim::Unclear(reply)) => {
                tracing::error!(call_id = uuid, %node, reply, "FreeSWITCH did not understand the claim");
                if owner == Owner::Us {
                    self.give_up();
                }
                false
            }
            // If the claim was heard, the call has no fallback any more: whoever ended this
            // connection has noted the leg as adrift, and the next connection looks after it.
            Err(error) => {
                tracing::warn!(call_id = uuid, %node, %error, "the claim has no answer");
                false
            }
        }
    }

    /// Nothing waits for this; without it only a crash within the next moments loses the call.
    fn mark(&self, uuid: &str) {
        let Some(owner) = &self.context.owner else {
            return;
        };
        if let Err(error) = mark_owner(&self.queue, uuid, owner) {
            tracing::debug!(call_id = uuid, node = %self.node.name(), %error, "the call has no owner's mark");
        }
    }

    fn give_up(&self) {
        let kill = Kill {
            uuid: self.leg.state.uuid(),
            cause: HangupCause::NormalTemporaryFailure,
        };
        adrift::end(&self.node, &self.queue, &kill);
    }

    /// Applies the call's events in their order until it has ended.
    async fn follow(&self) {
        let state = &self.leg.state;
        let overdue = async {
            state.gone().cancelled().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::pin!(overdue);
        while !state.has_ended() {
            tokio::select! {
                biased;
                event = self.leg.mailbox.next() => state.apply(&event),
                _ = state.ended() => {}
                () = &mut overdue => state.finish(),
            }
        }
    }
}
