//! A leg's states, its hang-up and its end, with the events that tell of them.

use super::core::Core;
use super::headers::Detail;
use super::leg::{CallState, Channel, Direction, EndedBy, RunState};
use super::listener::Outgoing;
use crate::types::HangupCause;

const CHANNEL_C: &str = "switch_channel.c";
pub(super) const STATE: (&str, &str, u32) =
    (CHANNEL_C, "switch_channel_perform_set_running_state", 2409);
const CALLSTATE: (&str, &str, u32) = (CHANNEL_C, "switch_channel_perform_set_callstate", 302);
pub(super) const CREATE: (&str, &str, u32) = (
    "switch_core_state_machine.c",
    "switch_core_session_run",
    626,
);
const HANGUP: (&str, &str, u32) = (CHANNEL_C, "switch_channel_perform_hangup", 3410);
const HANGUP_COMPLETE: (&str, &str, u32) = (
    "switch_core_state_machine.c",
    "switch_core_session_reporting_state",
    945,
);
const DESTROY: (&str, &str, u32) = (
    "switch_core_session.c",
    "switch_core_session_perform_destroy",
    1588,
);

impl Core {
    pub(super) fn set_state(&self, channel: &Channel, state: RunState) {
        channel.leg().state = state;
        self.fire_detail("CHANNEL_STATE", STATE, channel, Detail::Basic, &[]);
    }

    pub(super) fn set_call_state(&self, channel: &Channel, state: CallState) {
        let before = {
            let mut leg = channel.leg();
            if leg.call_state == state {
                return;
            }
            std::mem::replace(&mut leg.call_state, state)
        };
        let number = state.as_wire().1.to_string();
        let extra = [
            ("Original-Channel-Call-State", before.as_wire().0),
            ("Channel-Call-State-Number", &number),
        ];
        self.fire_detail(
            "CHANNEL_CALLSTATE",
            CALLSTATE,
            channel,
            Detail::Basic,
            &extra,
        );
    }

    /// Hangs a leg up, whatever it does; false if it was down already.
    pub(super) fn hangup(&self, channel: &Channel, cause: HangupCause, by: EndedBy) -> bool {
        let bridged = {
            let mut leg = channel.leg();
            if leg.cause.is_some() {
                return false;
            }
            leg.cause = Some(cause);
            leg.ended_by = by;
            leg.times.hangup = self.clock.now_us();
            if leg.bridged && by == EndedBy::FarEnd {
                let role = match leg.party.direction {
                    Direction::Inbound => "originator",
                    Direction::Outbound => "originatee",
                };
                leg.variables.set("last_bridge_role", role);
            }
            leg.bridged
        };
        self.fire_leg("CHANNEL_HANGUP", HANGUP, channel, &[]);
        channel.leg().hangup_told = true;
        // In a bridge the leg's own thread is slow to notice, and the event sockets are told first: that
        // is why the end of a bridged call is lost without linger (capture fact 39).
        if bridged {
            self.tell_sockets(channel);
        }
        channel.poke();
        true
    }

    fn tell_sockets(&self, channel: &Channel) {
        for socket in &channel.leg().sockets {
            socket.push(Outgoing::LegDown);
        }
    }

    /// The end of a leg that is hung up: states, report. The channel stays until its sockets let go.
    pub(super) fn report(&self, channel: &Channel) {
        self.set_state(channel, RunState::Hangup);
        self.set_call_state(channel, CallState::Hangup);
        self.set_state(channel, RunState::Reporting);
        self.fire_leg("CHANNEL_HANGUP_COMPLETE", HANGUP_COMPLETE, channel, &[]);
        let (told, tasks) = {
            let mut leg = channel.leg();
            (leg.bridged, std::mem::take(&mut leg.tasks))
        };
        if !told {
            self.tell_sockets(channel);
        }
        for task in tasks {
            self.scheduler.take(task);
        }
        if let Some(observer) = &channel.observer {
            observer.end(channel, self.clock.now_us(), false);
        }
    }

    /// The very end: no connection holds the channel any more.
    pub(super) fn destroy(&self, channel: &Channel) {
        self.fire_leg("CHANNEL_DESTROY", DESTROY, channel, &[]);
        self.set_state(channel, RunState::Destroy);
        self.remove_channel(&channel.uuid);
    }
}
