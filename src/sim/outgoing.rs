//! A leg that the node dials: a phone that follows its script, or the near half of a loopback pair.

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
    /// The far half of the pair, and whether its ringing and its media were passed on.
    Loopback {
        far: Arc<Channel>,
        rang: bool,
        media: bool,
    },
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
            Driver::Loopback { .. } => None,
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
            Driver::Loopback { far, rang, media } => {
                let (up, answered, has_media, ringing, cause) = {
                    let leg = far.leg();
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
                    core.hangup(&self.channel, cause, EndedBy::FarEnd);
                    return Some(Said::Refused(None));
                }
                if answered && !self.channel.leg().is_answered() {
                    answers(core, &self.channel);
                    return Some(Said::Answer);
                }
                if ringing && !*rang {
                    *rang = true;
                    rings(core, &self.channel);
                    return Some(Said::Progress);
                }
                if has_media && !*media {
                    *media = true;
                    sends_media(core, &self.channel);
                    return Some(Said::Media);
                }
                None
            }
        }
    }

    /// The other half of a loopback pair goes with this one.
    pub(super) fn far_half(&self) -> Option<&Arc<Channel>> {
        match &self.driver {
            Driver::Loopback { far, .. } => Some(far),
            Driver::Phone { .. } => None,
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

/// The pair's near half is down: the far half goes too.
pub(super) fn end_far_half(core: &Core, far: &Channel, cause: HangupCause) {
    core.hangup(far, cause, EndedBy::FarEnd);
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
