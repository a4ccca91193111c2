//! A leg: one channel of the simulated node, and what is known of it at this moment.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use super::call::Observer;
use super::listener::Listener;
use super::lock::lock;
use super::message::Message;
use super::sip::Refusal;
use super::variables::Variables;
use crate::types::HangupCause;

/// Which way a leg was set up, seen from the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Inbound,
    Outbound,
}

impl Direction {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
        }
    }
}

/// FreeSWITCH's channel states that the simulation passes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunState {
    New,
    Init,
    Routing,
    Execute,
    Park,
    ConsumeMedia,
    ExchangeMedia,
    Hangup,
    Reporting,
    Destroy,
}

impl RunState {
    /// `Channel-State` and `Channel-State-Number`.
    pub(super) fn as_wire(self) -> (&'static str, u8) {
        match self {
            RunState::New => ("CS_NEW", 0),
            RunState::Init => ("CS_INIT", 1),
            RunState::Routing => ("CS_ROUTING", 2),
            RunState::Execute => ("CS_EXECUTE", 4),
            RunState::Park => ("CS_PARK", 6),
            RunState::ConsumeMedia => ("CS_CONSUME_MEDIA", 7),
            RunState::ExchangeMedia => ("CS_EXCHANGE_MEDIA", 5),
            RunState::Hangup => ("CS_HANGUP", 10),
            RunState::Reporting => ("CS_REPORTING", 11),
            RunState::Destroy => ("CS_DESTROY", 12),
        }
    }
}

/// `Channel-Call-State`, with its number in CHANNEL_CALLSTATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallState {
    Down,
    Ringing,
    Early,
    Active,
    Hangup,
}

impl CallState {
    pub(super) fn as_wire(self) -> (&'static str, u8) {
        match self {
            CallState::Down => ("DOWN", 0),
            CallState::Ringing => ("RINGING", 2),
            CallState::Early => ("EARLY", 3),
            CallState::Active => ("ACTIVE", 4),
            CallState::Hangup => ("HANGUP", 7),
        }
    }
}

/// The caller profile: whom a leg's `Caller-*` headers name. Replaced as a whole by a transfer.
#[derive(Debug, Clone)]
pub(super) struct Party {
    pub(super) uuid: Arc<str>,
    pub(super) direction: Direction,
    pub(super) username: Box<str>,
    pub(super) caller_name: Box<str>,
    pub(super) caller_number: Box<str>,
    pub(super) address: Box<str>,
    pub(super) destination: Box<str>,
    pub(super) context: Box<str>,
    /// The number dialled before a transfer.
    pub(super) redirected_from: Option<Box<str>>,
    pub(super) channel_name: Box<str>,
    /// The endpoint module, `mod_sofia` or `mod_loopback`.
    pub(super) source: &'static str,
}

/// The SIP side of a leg, from which its `sip_*` variables follow.
#[derive(Debug, Clone)]
pub(super) struct Sip {
    pub(super) profile: Box<str>,
    pub(super) from_user: Box<str>,
    pub(super) from_host: Box<str>,
    pub(super) to_user: Box<str>,
    pub(super) to_host: Box<str>,
    /// The far end's address.
    pub(super) host: Box<str>,
    pub(super) port: u16,
    pub(super) user_agent: Box<str>,
}

/// What kind of channel it is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// A SIP caller.
    Caller(Sip),
    /// A SIP phone that is dialled.
    Callee(Sip),
    /// The half of a loopback pair that the bridge sees, and the half that runs the dialplan.
    LoopbackA(Arc<str>),
    LoopbackB(Arc<str>),
}

/// Moments in microseconds since 1970; 0 has not come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Times {
    pub(super) created: u64,
    pub(super) progress: u64,
    pub(super) progress_media: u64,
    pub(super) answered: u64,
    pub(super) bridged: u64,
    pub(super) hangup: u64,
    pub(super) transferred: u64,
}

/// The partner that `Other-Leg-*` names.
#[derive(Debug, Clone)]
pub(super) struct Other {
    /// `originator` or `originatee`.
    pub(super) role: &'static str,
    pub(super) party: Arc<Party>,
    pub(super) times: Times,
    pub(super) callee: Option<(Box<str>, Box<str>)>,
}

/// Where a leg is sent next, whatever it does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Detour {
    /// `transfer` or `sched_transfer`: an extension in a context.
    Extension { number: String, context: String },
    /// `uuid_transfer ... inline`: applications with their arguments.
    Inline(Vec<(String, String)>),
    /// `park_after_bridge`.
    Park,
}

/// Who ended a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndedBy {
    FarEnd,
    Node,
}

/// The mutable part of a leg.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) party: Arc<Party>,
    pub(super) kind: Kind,
    pub(super) state: RunState,
    pub(super) call_state: CallState,
    pub(super) call_uuid: Arc<str>,
    pub(super) session: u64,
    pub(super) times: Times,
    /// Media flows: codecs are known, the media variables exist.
    pub(super) media: bool,
    pub(super) variables: Variables,
    pub(super) other: Option<Other>,
    /// `Caller-Callee-ID-Name` and `-Number`.
    pub(super) callee: Option<(Box<str>, Box<str>)>,
    pub(super) queue: VecDeque<Message>,
    /// Event-locked applications that run, one inside the other.
    pub(super) locks: u32,
    /// `uuid_break` was called.
    pub(super) broken: bool,
    pub(super) detour: Option<Detour>,
    pub(super) cause: Option<HangupCause>,
    pub(super) ended_by: EndedBy,
    /// The status that `respond` sent before the answer.
    pub(super) responded: Option<u16>,
    /// Event sockets that control this leg.
    pub(super) sockets: Vec<Arc<Listener>>,
    /// The leg is inside a bridge, up to the teardown after a hang-up.
    pub(super) bridged: bool,
    /// How the far end refused.
    pub(super) refused: Option<Refusal>,
    /// The ACK for the answer has come.
    pub(super) acked: bool,
    /// CHANNEL_HANGUP has been fired.
    pub(super) hangup_told: bool,
    /// The timers that name this leg.
    pub(super) tasks: Vec<u32>,
}

impl Leg {
    /// A leg at its very beginning.
    pub(super) fn new(party: Party, kind: Kind, session: u64, now_us: u64) -> Leg {
        Leg {
            call_uuid: Arc::clone(&party.uuid),
            party: Arc::new(party),
            kind,
            state: RunState::New,
            call_state: CallState::Down,
            session,
            times: Times {
                created: now_us,
                ..Times::default()
            },
            media: false,
            variables: Variables::default(),
            other: None,
            callee: None,
            queue: VecDeque::new(),
            locks: 0,
            broken: false,
            detour: None,
            cause: None,
            ended_by: EndedBy::Node,
            responded: None,
            sockets: Vec::new(),
            bridged: false,
            refused: None,
            acked: false,
            hangup_told: false,
            tasks: Vec::new(),
        }
    }
}

impl Leg {
    pub(super) fn is_up(&self) -> bool {
        self.cause.is_none()
    }

    pub(super) fn is_answered(&self) -> bool {
        self.times.answered != 0
    }

    /// `Answer-State`.
    pub(super) fn answer_state(&self) -> &'static str {
        if self.cause.is_some() {
            "hangup"
        } else if self.is_answered() {
            "answered"
        } else if self.media {
            "early"
        } else {
            "ringing"
        }
    }
}

/// A leg as tasks share it.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) uuid: Arc<str>,
    leg: Mutex<Leg>,
    /// Something happened that the leg's own task must look at.
    pub(super) changed: Notify,
    /// The leg that dialled this one, whose task acts for it too.
    pub(super) owner: Option<Arc<Channel>>,
    /// Whoever placed the call.
    pub(super) observer: Option<Arc<Observer>>,
}

impl Channel {
    pub(super) fn new(
        leg: Leg,
        owner: Option<Arc<Channel>>,
        observer: Option<Arc<Observer>>,
    ) -> Arc<Channel> {
        Arc::new(Channel {
            uuid: Arc::clone(&leg.party.uuid),
            leg: Mutex::new(leg),
            changed: Notify::new(),
            owner,
            observer,
        })
    }

    pub(super) fn leg(&self) -> MutexGuard<'_, Leg> {
        lock(&self.leg)
    }

    pub(super) fn is_up(&self) -> bool {
        self.leg().is_up()
    }

    /// Wakes the task that acts for the leg.
    pub(super) fn poke(&self) {
        self.changed.notify_one();
        self.poke_owner();
    }

    /// Wakes whoever dialled the leg: it rings, has media, or was answered.
    pub(super) fn poke_owner(&self) {
        if let Some(owner) = &self.owner {
            owner.poke();
        }
    }

    /// A variable as applications see it: set ones first, then those that SIP and the media imply.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        super::variables::lookup(&self.leg(), name)
    }

    pub(super) fn set(&self, name: &str, value: &str) {
        self.leg().variables.set(name, value);
    }

    pub(super) fn unset(&self, name: &str) {
        self.leg().variables.unset(name);
    }

    /// Whether the variable holds a text that FreeSWITCH reads as true.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.variable(name).is_some_and(|value| is_true(&value))
    }
}

pub(super) fn is_true(value: &str) -> bool {
    [
        "true", "yes", "on", "enable", "enabled", "active", "allow", "t", "1",
    ]
    .iter()
    .any(|word| value.eq_ignore_ascii_case(word))
        || value.parse::<i64>().is_ok_and(|number| number != 0)
}
