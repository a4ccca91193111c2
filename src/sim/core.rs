//! One incarnation of a node: from its start to its end under one Core-UUID.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::event::Firing;
use super::gateways::Gateways;
use super::leg::Channel;
use super::link::Links;
use super::listener::Listener;
use super::lock::lock;
use super::options::NodeOptions;
use super::phone::Phones;
use super::registrar::Registrar;
use super::scheduler::Scheduler;

/// What befalls every connection of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// Neither read nor write, until another fault or None.
    Stalled,
    /// The connections end without a word; new ones are accepted. The number tells one time from the next.
    Dropped(u64),
    /// A forced notice, then the end; numbered likewise.
    Notice(u64, &'static str),
}

pub(super) struct Core {
    pub(super) uuid: Arc<str>,
    pub(super) options: Arc<NodeOptions>,
    pub(super) clock: Clock,
    pub(super) phones: Arc<Phones>,
    pub(super) registrar: Arc<Registrar>,
    pub(super) gateways: Gateways,
    /// Ways to other nodes.
    pub(super) links: Arc<Links>,
    pub(super) scheduler: Scheduler,
    /// Cancelled when the process is gone: everything stops at once, without a word.
    pub(super) dead: CancellationToken,
    /// What befalls every connection at once.
    pub(super) faults: watch::Sender<Fault>,
    channels: Mutex<HashMap<Arc<str>, Arc<Channel>>>,
    listeners: RwLock<Vec<Arc<Listener>>>,
    pub(super) closing: AtomicBool,
    sequence: AtomicU64,
    ids: AtomicU64,
    sessions: AtomicU64,
    peak: AtomicUsize,
}

impl Core {
    pub(super) fn new(
        options: Arc<NodeOptions>,
        phones: Arc<Phones>,
        registrar: Arc<Registrar>,
        links: Arc<Links>,
    ) -> Arc<Core> {
        Arc::new(Core {
            uuid: new_uuid(),
            options,
            clock: Clock::start(),
            phones,
            registrar,
            gateways: Gateways::default(),
            links,
            scheduler: Scheduler::default(),
            dead: CancellationToken::new(),
            faults: watch::Sender::new(Fault::None),
            channels: Mutex::default(),
            listeners: RwLock::default(),
            closing: AtomicBool::new(false),
            sequence: AtomicU64::new(500),
            ids: AtomicU64::new(1),
            sessions: AtomicU64::new(0),
            peak: AtomicUsize::new(0),
        })
    }

    pub(super) fn hostname(&self) -> String {
        format!("{}.example", self.options.name)
    }

    pub(super) fn next_sequence(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn sessions_so_far(&self) -> u64 {
        self.sessions.load(Ordering::Relaxed)
    }

    pub(super) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    // Channels.

    pub(super) fn add_channel(&self, channel: &Arc<Channel>) {
        let mut channels = lock(&self.channels);
        channels.insert(Arc::clone(&channel.uuid), Arc::clone(channel));
        self.peak.fetch_max(channels.len(), Ordering::Relaxed);
    }

    pub(super) fn remove_channel(&self, uuid: &str) {
        lock(&self.channels).remove(uuid);
    }

    /// A leg by its uuid, down or not.
    pub(super) fn any_channel(&self, uuid: &str) -> Option<Arc<Channel>> {
        lock(&self.channels).get(uuid).cloned()
    }

    /// A leg that is up: from the hang-up on FreeSWITCH refuses look-ups (event socket specification 4.6).
    pub(super) fn channel(&self, uuid: &str) -> Option<Arc<Channel>> {
        self.any_channel(uuid).filter(|channel| channel.is_up())
    }

    pub(super) fn channels(&self) -> Vec<Arc<Channel>> {
        lock(&self.channels).values().cloned().collect()
    }

    pub(super) fn channel_count(&self) -> usize {
        lock(&self.channels).len()
    }

    /// Tells whoever placed the call of an event of its leg.
    pub(super) fn note(&self, channel: &Channel, name: &'static str, extra: &[(&str, &str)]) {
        if let Some(observer) = &channel.observer {
            observer.note(self.clock.now_us(), name, extra);
        }
    }

    // Listeners.

    /// Puts the connection among those that hear of every leg, or takes it out: a connection that
    /// hears of its own leg alone is found through the leg, so that ten thousand of them cost an
    /// event nothing.
    pub(super) fn update_listener(&self, listener: &Arc<Listener>) {
        let hears_all = listener.subscription(|s| !s.is_empty() && !s.only_own_leg);
        let mut listeners = self
            .listeners
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|known| known.id != listener.id);
        if hears_all {
            listeners.push(Arc::clone(listener));
        }
    }

    pub(super) fn remove_listener(&self, id: u64) {
        let mut listeners = self
            .listeners
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| listener.id != id);
    }

    pub(super) fn each_listener(&self, mut visit: impl FnMut(&Listener)) {
        let listeners = self
            .listeners
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        for listener in listeners.iter() {
            visit(listener);
        }
    }

    /// HEARTBEAT for as long as the node lives.
    pub(super) async fn beat(self: Arc<Core>) {
        let mut interval = tokio::time::interval(self.options.heartbeat);
        interval.tick().await;
        loop {
            interval.tick().await;
            self.heartbeat();
        }
    }

    pub(super) fn heartbeat(&self) {
        let up = self.clock.up();
        let up_text = super::clock::uptime_text(up);
        let up_ms = up.as_millis().to_string();
        let count = self.channel_count().to_string();
        let most = self.options.max_sessions.to_string();
        let total = self.sessions_so_far().to_string();
        let peak = self.peak().to_string();
        let extra = [
            ("Event-Info", "System Ready"),
            ("Up-Time", &*up_text),
            ("FreeSWITCH-Version", super::VERSION),
            ("Uptime-msec", &up_ms),
            ("Session-Count", &count),
            ("Max-Sessions", &most),
            ("Session-Per-Sec", "100"),
            ("Session-Per-Sec-Last", "0"),
            ("Session-Per-Sec-Max", "3"),
            ("Session-Per-Sec-FiveMin", "3"),
            ("Session-Since-Startup", &total),
            ("Session-Peak-Max", &peak),
            ("Session-Peak-FiveMin", &peak),
            ("Idle-CPU", "44.200000"),
        ];
        let source = ("switch_core.c", "send_heartbeat", 95);
        self.fire(&Firing::general("HEARTBEAT", source, &extra), &[]);
    }
}

/// A uuid as FreeSWITCH makes one.
pub(super) fn new_uuid() -> Arc<str> {
    let mut buffer = uuid::Uuid::encode_buffer();
    Arc::from(&*uuid::Uuid::new_v4().hyphenated().encode_lower(&mut buffer))
}
