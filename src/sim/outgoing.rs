//! A leg that the node dials: a phone that follows its script, the near half of a loopback pair, or
//! one end of a call to another node.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use super::core::Core;
use super::leg::{CallState, Channel, EndedBy, Kind, is_true};
use super::phone::Step;
use super::sip::Refusal;
use crate::types::HangupCause;

/// What a dialled leg says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    Progress,
    Media,
    Answer,
    /// Down, with the refusal if a phone sent one.
    Refused(Option<Refusal>),
    Digits(String),
}

/// A leg under way.
pub(super) struct Outgoing {
    pub(super) channel: Arc<Channel>,
    pub(super) driver: Driver,
}

pub(super) enum Driver {
    Phone {
        steps: VecDeque<Step>,
        /// When the next step is due.
        due: Instant,
    },
    /// The other end of a pair; it wakes this one's owner.
    Pair(Pair),
}

/// The other end of a pair, and what of it was passed on.
pub(super) struct Pair {
    pub(super) far: Arc<Channel>,
    /// The node that it is a leg of.
    pub(super) core: Arc<Core>,
    /// SIP between two nodes; otherwise a loopback.
    pub(super) is_sip: bool,
    rang: bool,
    media: bool,
}

impl Pair {
    pub(super) fn new(core: Arc<Core>, far: Arc<Channel>, is_sip: bool) -> Pair {
        Pair {
            far,
            core,
            is_sip,
            rang: false,
            media: false,
        }
    }

    /// What FreeSWITCH sends back when it hangs up an unanswered call: the status of the cause, and the
    /// cause itself in a Reason header, unless `respond` wrote the status.
    fn refusal(&self, cause: HangupCause) -> Option<Refusal> {
        if !self.is_sip || self.far.leg().is_answered() {
            return None;
        }
        Some(match super::call::refusal_of(&self.far) {
            (status, true) => Refusal::status(status),
            (status, false) => Refusal::with_cause(status, cause),
        })
    }

    /// The near end is down: BYE or CANCEL.
    pub(super) fn end(&self, cause: HangupCause) {
        let cause = match self.far.leg().is_answered() {
            false if self.is_sip => HangupCause::OriginatorCancel,
            _ => cause,
        };
        self.core.hangup(&self.far, cause, EndedBy::FarEnd);
    }
}

const RING: (&str, &str, u32) = (
    "switch_channel.c",
    "switch_channel_perform_mark_ring_ready_value",
    3507,
);
const MEDIA: (&str, &str, u32) = (
    "switch_channel.c",
    "switch_channel_perform_mark_pre_answered",
    3562,
);
const ANSWER: (&str, &str, u32) = (
    "switch_channel.c",
    "switch_channel_perform_mark_answered",
    3848,
);

impl Outgoing {
    pub(super) fn due(&self) -> Option<Instant> {
        match &self.driver {
            Driver::Phone { steps, due } => (!steps.is_empty()).then_some(*due),
            // It wakes this one's owner.
            Driver::Pair(_) => None,
        }
    }

    /// The next thing that the leg says by now; its events are fired.
    pub(super) fn next(&mut self, core: &Core, now: Instant) -> Option<Said> {
        if !self.channel.is_up() {
            // Killed from outside.
            return Some(Said::Refused(None));
        }
        match &mut self.driver {
            Driver::Phone { steps, due } => loop {
                if *due > now {
                    return None;
                }
                match steps.pop_front()? {
                    Step::Wait(time) => *due += core.options.scaled(time),
                    Step::Ring => {
                        rings(core, &self.channel);
                        return Some(Said::Progress);
                    }
                    Step::EarlyMedia => {
                        sends_media(core, &self.channel);
                        return Some(Said::Media);
                    }
                    Step::Answer => {
                        answers(core, &self.channel);
                        return Some(Said::Answer);
                    }
                    Step::Refuse(refusal) => {
                        self.channel.leg().refused = Some(refusal);
                        core.hangup(&self.channel, refusal.cause, EndedBy::FarEnd);
                        return Some(Said::Refused(Some(refusal)));
                    }
                    Step::HangUp => {
                        core.hangup(&self.channel, HangupCause::NormalClearing, EndedBy::FarEnd);
                        return Some(Said::Refused(None));
                    }
                    Step::Press(digits) => return Some(Said::Digits(digits)),
                }
            },
            Driver::Pair(pair) => {
                let (up, answered, has_media, ringing, cause) = {
                    let leg = pair.far.leg();
                    let ringing = leg.times.progress != 0;
                    (
                        leg.is_up(),
                        leg.is_answered(),
                        leg.media,
                        ringing,
                        leg.cause,
                    )
                };
                if !up {
                    let cause = cause.unwrap_or(HangupCause::NormalClearing);
                    let refusal = pair.refusal(cause);
                    let cause = refusal.map_or(cause, |refusal| refusal.cause);
                    self.channel.leg().refused = refusal;
                    core.hangup(&self.channel, cause, EndedBy::FarEnd);
                    return Some(Said::Refused(refusal));
                }
                if answered && !self.channel.leg().is_answered() {
                    answers(core, &self.channel);
                    return Some(Said::Answer);
                }
                if ringing && !pair.rang {
                    pair.rang = true;
                    rings(core, &self.channel);
                    return Some(Said::Progress);
                }
                if has_media && !pair.media {
                    pair.media = true;
                    sends_media(core, &self.channel);
                    return Some(Said::Media);
                }
                None
            }
        }
    }

    /// This leg is down: the other end of its pair goes too.
    pub(super) fn end_far(&self, cause: HangupCause) {
        if let Driver::Pair(pair) = &self.driver {
            pair.end(cause);
        }
    }
}

fn rings(core: &Core, leg: &Channel) {
    leg.leg().times.progress = core.clock.now_us();
    core.set_call_state(leg, CallState::Ringing);
    core.fire_leg("CHANNEL_PROGRESS", RING, leg, &[]);
}

fn sends_media(core: &Core, leg: &Channel) {
    {
        let mut leg = leg.leg();
        leg.media = true;
        leg.times.progress_media = core.clock.now_us();
    }
    core.fire_leg("CHANNEL_PROGRESS_MEDIA", MEDIA, leg, &[]);
    core.set_call_state(leg, CallState::Early);
}

fn answers(core: &Core, leg: &Channel) {
    {
        let mut leg = leg.leg();
        leg.media = true;
        leg.times.answered = core.clock.now_us();
        // A loopback leg's state is DOWN, a phone's that has not rung RINGING (captures 22 and 29).
        if leg.call_state == CallState::Down && matches!(leg.kind, Kind::Callee(_)) {
            leg.call_state = CallState::Ringing;
        }
    }
    core.fire_leg("CHANNEL_ANSWER", ANSWER, leg, &[]);
    core.set_call_state(leg, CallState::Active);
}

/// Whether a leg asks for a call to go on after `cause` (event socket specification 4.5).
pub(super) fn goes_on(caller: &Channel, cause: HangupCause) -> bool {
    if cause == HangupCause::AttendedTransfer {
        return false;
    }
    let Some(list) = caller.variable("continue_on_fail") else {
        return matches!(
            cause,
            HangupCause::NoAnswer | HangupCause::NoUserResponse | HangupCause::OriginatorCancel
        );
    };
    is_true(&list)
        || list
            .split([',', ' '])
            .any(|word| word.parse::<HangupCause>() == Ok(cause))
}
