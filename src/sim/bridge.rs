//! `bridge`: dialling, joining two legs, and what the caller's variables say afterwards.

use std::sync::Arc;

use tokio::time::Instant;

use super::leg::{CallState, Channel, EndedBy, Other, RunState};
use super::lock::lock;
use super::originate::{Lost, Won};
use super::outgoing::{Outgoing, Said, goes_on};
use super::session::Session;
use super::sip::dial_status;
use crate::types::HangupCause;

const BRIDGE: (&str, &str, u32) = (
    "switch_ivr_bridge.c",
    "switch_ivr_multi_threaded_bridge",
    1689,
);
const UNBRIDGE: (&str, &str, u32) = (
    "switch_ivr_bridge.c",
    "switch_ivr_multi_threaded_bridge",
    1761,
);

impl Session {
    pub(super) async fn bridge(&self, argument: &str) {
        self.channel.set("originate_disposition", "failure");
        self.channel.set("DIALSTATUS", "INVALIDARGS");
        match self.originate(super::dial_string::parse(argument)).await {
            Ok(won) => self.join(won).await,
            Err(lost) => self.failed(lost),
        }
    }

    /// Nobody was won (capture fact 36).
    fn failed(&self, Lost { cause, failed }: Lost) {
        let channel = &self.channel;
        channel.set("originate_disposition", cause.as_str());
        channel.set("DIALSTATUS", dial_status(cause));
        channel.set("originate_failed_cause", failed.as_str());
        if !goes_on(channel, cause) {
            self.core.hangup(channel, cause, EndedBy::Node);
        }
    }

    /// Joins the caller with the leg that was won, until one of them leaves.
    async fn join(&self, won: Won) {
        let Won {
            leg: mut callee,
            early,
        } = won;
        let peer = Arc::clone(&callee.channel);
        self.show_callee(&peer);
        if early {
            self.pre_answer();
        } else {
            self.answer();
        }
        self.joined(&peer);
        let cause = self.talk(&mut callee, early).await;
        self.parted(callee, cause);
    }

    fn joined(&self, peer: &Arc<Channel>) {
        let now = self.core.clock.now_us();
        let caller = &self.channel;
        // One lock at a time: events of one leg quote copies of the other's profile.
        let (party, times, callee) = {
            let mut leg = peer.leg();
            leg.bridged = true;
            leg.state = RunState::ExchangeMedia;
            (Arc::clone(&leg.party), leg.times, leg.callee.clone())
        };
        let (caller_party, caller_times) = {
            let mut leg = caller.leg();
            leg.bridged = true;
            leg.other = Some(Other {
                role: "originatee",
                party: Arc::clone(&party),
                times,
                callee: callee.clone(),
            });
            leg.variables.set("originate_disposition", "SUCCESS");
            leg.variables.set("DIALSTATUS", "SUCCESS");
            leg.variables
                .push("originate_causes", &format!("{};NONE", peer.uuid));
            leg.variables.set("signal_bond", &peer.uuid);
            leg.variables.unset("originate_signal_bond");
            (Arc::clone(&leg.party), leg.times)
        };
        peer.leg().other = Some(Other {
            role: "originator",
            party: caller_party,
            times: caller_times,
            callee,
        });
        let extra = [
            ("Bridge-A-Unique-ID", &*caller.uuid),
            ("Bridge-B-Unique-ID", &*peer.uuid),
        ];
        self.core.fire_leg("CHANNEL_BRIDGE", BRIDGE, caller, &extra);
        self.core.set_state(peer, RunState::ExchangeMedia);
        if let Some(observer) = &caller.observer {
            observer.connected(&party.channel_name);
        }
        caller.leg().times.bridged = now;
        caller.leg().acked = true;
        peer.leg().times.bridged = now;
        self.bond(caller, peer, &party.channel_name);
        let caller_name = caller.leg().party.channel_name.clone();
        self.bond(peer, caller, &caller_name);
    }

    /// What each leg's variables say of the other while they are joined.
    fn bond(&self, leg: &Channel, other: &Channel, other_name: &str) {
        let callee = leg.leg().callee.clone();
        let mut leg = leg.leg();
        leg.variables.set("bridge_to", &other.uuid);
        leg.variables.set("last_bridge_to", &other.uuid);
        leg.variables.set("bridge_channel", other_name);
        leg.variables.set("bridge_uuid", &other.uuid);
        leg.variables.set("signal_bond", &other.uuid);
        if let Some((name, number)) = callee {
            leg.variables.set("last_sent_callee_id_name", &name);
            leg.variables.set("last_sent_callee_id_number", &number);
        }
    }

    /// While they are joined. Gives the cause with which the conversation ended.
    async fn talk(&self, callee: &mut Outgoing, early: bool) -> HangupCause {
        let mut unanswered = early;
        loop {
            if let Some(cause) = self.channel.leg().cause {
                return cause;
            }
            let now = Instant::now();
            while let Some(said) = callee.next(&self.core, now) {
                match said {
                    Said::Answer if unanswered => {
                        unanswered = false;
                        self.answer();
                    }
                    Said::Refused(refusal) => {
                        let cause = callee.channel.leg().cause;
                        if let Some(refusal) = refusal {
                            let specific = format!("sip:{}", refusal.status);
                            self.channel
                                .set("last_bridge_proto_specific_hangup_cause", &specific);
                        }
                        return cause.unwrap_or(HangupCause::NormalClearing);
                    }
                    Said::Digits(digits) => self.core.press(&callee.channel, &digits),
                    Said::Answer | Said::Progress | Said::Media => {}
                }
            }
            let leaving = {
                let mut leg = self.channel.leg();
                leg.broken = false;
                leg.detour.is_some()
            };
            if leaving {
                return HangupCause::NormalClearing;
            }
            if let Some(message) = self.next_message() {
                self.obey(message).await;
                continue;
            }
            let changed = self.channel.changed.notified();
            match callee.due() {
                None => changed.await,
                Some(due) => tokio::select! {
                    biased;
                    () = changed => {}
                    () = tokio::time::sleep_until(due) => {}
                },
            }
        }
    }

    fn parted(&self, callee: Outgoing, cause: HangupCause) {
        let (core, caller, peer) = (&self.core, &self.channel, &callee.channel);
        let caller_up = caller.is_up();
        let callee_left = !peer.is_up();
        let answered = peer.leg().is_answered();
        core.hangup(peer, cause, EndedBy::Node);
        callee.end_far(cause);
        peer.leg().variables.unset("bridge_to");
        {
            let mut leg = caller.leg();
            leg.variables.unset("bridge_to");
            leg.variables.set("bridge_hangup_cause", cause.as_str());
        }
        // The one that stayed remembers how the other left.
        let stayed = if callee_left { caller } else { peer };
        {
            let mut leg = stayed.leg();
            leg.variables.set("bridge_hangup_cause", cause.as_str());
            leg.variables
                .set("last_bridge_hangup_cause", cause.as_str());
            if answered {
                leg.variables.set("sip_hangup_phrase", "OK");
                leg.variables
                    .set("last_bridge_proto_specific_hangup_cause", "sip:200");
            }
        }
        if caller_up {
            // Capture 22: the report of a callee that left comes before the caller's UNBRIDGE.
            core.report(peer);
            core.destroy(peer);
        } else {
            lock(&self.parting).push(Arc::clone(peer));
        }
        let extra = [
            ("Bridge-A-Unique-ID", &*caller.uuid),
            ("Bridge-B-Unique-ID", &*peer.uuid),
        ];
        core.fire_leg("CHANNEL_UNBRIDGE", UNBRIDGE, caller, &extra);
        if !caller_up {
            return;
        }
        {
            let mut leg = caller.leg();
            leg.bridged = false;
        }
        if caller.leg().detour.is_some() {
            return;
        }
        if !answered {
            // Only early media was joined: the attempt has failed after all.
            if !goes_on(caller, cause) {
                core.hangup(caller, cause, EndedBy::Node);
            }
            return;
        }
        if let Some(detour) = self.after_bridge() {
            caller.leg().detour = Some(detour);
        } else if caller.is_true("hangup_after_bridge") {
            core.hangup(caller, HangupCause::NormalClearing, EndedBy::Node);
        }
        if caller.is_up() {
            core.set_call_state(caller, CallState::Active);
        }
    }
}
