//! Where a node's frames go. Nothing here waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::context::Context;
use super::super::forged::is_forged;
use super::super::wire::{CommandQueue, FrameSink};
use super::adrift;
use super::channels;
use super::gateways;
use super::handle::Node;
use super::legs::Delivery;
use super::park;
use super::registrations::{self, Change};
use super::resync;
use super::take;
use crate::esl::{Event, Notice};

/// When the node was last heard, and how often its heart beats.
pub(super) struct Pulse {
    started: Instant,
    heard: AtomicU64,
    beat: AtomicU64,
    interval: AtomicU64,
}

impl Pulse {
    pub(super) fn new(interval: Duration) -> Pulse {
        Pulse {
            started: Instant::now(),
            heard: AtomicU64::new(0),
            beat: AtomicU64::new(0),
            interval: AtomicU64::new(millis(interval)),
        }
    }

    fn now(&self) -> u64 {
        millis(self.started.elapsed())
    }

    pub(super) fn heard(&self) {
        self.heard.store(self.now(), Ordering::Relaxed);
    }

    /// A HEARTBEAT. Two of them tell the interval that switch.conf sets.
    pub(super) fn beat(&self) {
        let now = self.now();
        let before = self.beat.swap(now, Ordering::Relaxed);
        if before > 0 {
            let interval = now.saturating_sub(before).clamp(1_000, 60_000);
            self.interval.store(interval, Ordering::Relaxed);
        }
    }

    pub(super) fn silent_for(&self) -> Duration {
        self.since(&self.heard)
    }

    pub(super) fn beatless_for(&self) -> Duration {
        self.since(&self.beat)
    }

    pub(super) fn interval(&self) -> Duration {
        Duration::from_millis(self.interval.load(Ordering::Relaxed))
    }

    fn since(&self, at: &AtomicU64) -> Duration {
        Duration::from_millis(self.now().saturating_sub(at.load(Ordering::Relaxed)))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Registration changes on their way to the keeper. Bounded: what does not fit is made good by
/// reading the whole table.
pub(super) struct Changes {
    pub(super) queue: mpsc::Sender<Change>,
    pub(super) overflowed: Arc<AtomicBool>,
}

pub(super) struct NodeSink {
    pub(super) node: Node,
    pub(super) context: Arc<Context>,
    pub(super) queue: Arc<CommandQueue>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) changes: Changes,
}

impl FrameSink for NodeSink {
    fn heard(&mut self) {
        self.pulse.heard();
        self.context.capacity.progressed();
    }

    fn event(&mut self, event: Event) {
        if is_forged(&event) {
            tracing::warn!(
                node = %self.node.name(),
                event = event.name(),
                "an event that only FreeSWITCH should produce was sent by another client of the node; ignored"
            );
            return;
        }
        match event.name() {
            "HEARTBEAT" => self.pulse.beat(),
            "BACKGROUND_JOB" => self.node.0.jobs.finished(&event),
            "CUSTOM" => match gateways::read(&event) {
                // Nobody may be listening.
                Some(told) => drop(self.node.0.gateways.send(told)),
                None => self.registration(&event),
            },
            "SHUTDOWN" => tracing::warn!(node = %self.node.name(), "FreeSWITCH is shutting down"),
            "CHANNEL_PARK" => self.parked(event),
            _ => self.deliver(event),
        }
    }

    fn notice(&mut self, notice: Notice) {
        let text = String::from_utf8_lossy(&notice.text);
        tracing::info!(node = %self.node.name(), text = text.trim(), "FreeSWITCH ends the connection");
    }
}

impl NodeSink {
    fn parked(&self, event: Event) {
        if self.node.0.settings.park
            && let Some(waiting) = park::waiting(&event)
            && take::begin(
                &self.node,
                &self.context,
                &self.queue,
                &waiting,
                &event,
                take::Owner::Unclaimed,
            )
        {
            return;
        }
        self.deliver(event);
    }

    fn deliver(&self, event: Event) {
        channels::tell(&self.node, &self.context, &event);
        if self.node.0.adrift.is_empty() {
            self.to_leg(event);
            return;
        }
        if let Some(kill) = adrift::watch(&self.node.0.adrift, &event) {
            adrift::end(&self.node, &self.queue, &kill);
        }
        self.to_leg(event);
    }

    fn to_leg(&self, event: Event) {
        let uuid = event.unique_id().map(|uuid| uuid.into_owned());
        if let Delivery::Overflowed { asked } = self.node.0.legs.deliver(event) {
            self.context.capacity.count_overflow();
            tracing::error!(
                node = %self.node.name(),
                call_id = uuid,
                "the call's mailbox overflowed: its task does not keep up with its events; the call is no longer controlled"
            );
            if asked && let Some(uuid) = uuid {
                resync::look_after_lost(&self.node, &self.context, &self.queue, uuid.into());
            }
        }
    }

    fn registration(&self, event: &Event) {
        let now = jiff::Timestamp::now().as_second();
        let Some(change) = registrations::read(event, now) else {
            return;
        };
        if let Change::Refused(why) = change {
            tracing::warn!(
                node = %self.node.name(),
                user = event.header("from-user").as_deref(),
                realm = event.header("from-host").as_deref(),
                username = event.header("username").as_deref(),
                why,
                "a registration event was ignored"
            );
            return;
        }
        if self.changes.queue.try_send(change).is_err() {
            self.changes.overflowed.store(true, Ordering::Relaxed);
        }
    }
}
