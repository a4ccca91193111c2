//! Dialling: the legs of a dial string, group after group, until one is won.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::dial_string::{ParsedDial, ParsedLeg};
use super::leg::{Channel, EndedBy, is_true};
use super::outgoing::{Outgoing, Said};
use super::session::Session;
use super::sip::Refusal;
use crate::types::HangupCause;

/// The leg that was won.
pub(super) struct Won {
    pub(super) leg: Outgoing,
    /// It has sent early media only; the answer may come.
    pub(super) early: bool,
}

/// Why nobody was won.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost {
    /// `originate_disposition`.
    pub(super) cause: HangupCause,
    /// `originate_failed_cause`, where it differs.
    pub(super) failed: HangupCause,
}

impl From<HangupCause> for Lost {
    fn from(cause: HangupCause) -> Lost {
        Lost {
            cause,
            failed: cause,
        }
    }
}

/// FreeSWITCH rings for a minute when nobody says how long.
const RING: u64 = 60;

/// A leg of the group that rings now.
struct Ringing {
    leg: Option<Outgoing>,
    /// Not dialled yet: `leg_delay_start`.
    starts: Option<(Instant, Target)>,
    /// `leg_timeout` and `leg_progress_timeout`.
    expires: Option<Instant>,
    must_progress: Option<Instant>,
    lost: Option<Lost>,
}

struct Target {
    endpoint: String,
    variables: Vec<(String, String)>,
}

impl Session {
    /// Dials until a leg is won or all are lost. The caller's variables tell the outcome.
    pub(super) async fn originate(&self, dial: ParsedDial) -> Result<Won, Lost> {
        let (global, groups) = flatten(dial);
        let seconds = |name: &str| {
            let own = find(&global, name).map(str::to_owned);
            own.and_then(|text| text.parse::<u64>().ok())
        };
        let caller = |name: &str| self.channel.variable(name)?.parse::<u64>().ok();
        let ring = seconds("originate_timeout")
            .or_else(|| caller("call_timeout"))
            .unwrap_or(RING);
        let until = Instant::now() + self.core.options.scaled(Duration::from_secs(ring));
        let ignore_early = find(&global, "ignore_early_media")
            .map(is_true)
            .unwrap_or_else(|| self.channel.is_true("ignore_early_media"));
        let mut lost = Lost::from(HangupCause::ChanNotImplemented);
        for group in groups {
            match self.ring(group, &global, until, ignore_early).await {
                Ok(won) => return Ok(won),
                Err(why) => lost = why,
            }
            if !self.channel.is_up() || Instant::now() >= until {
                break;
            }
        }
        Err(lost)
    }

    /// Rings one group together.
    async fn ring(
        &self,
        group: Vec<ParsedLeg>,
        global: &[(String, String)],
        until: Instant,
        ignore_early: bool,
    ) -> Result<Won, Lost> {
        let mut legs: Vec<Ringing> = group
            .into_iter()
            .map(|leg| self.prepare(leg, global))
            .collect();
        loop {
            if !self.channel.is_up() {
                self.hang_up_all(&mut legs, HangupCause::OriginatorCancel, None);
                return Err(HangupCause::OriginatorCancel.into());
            }
            if self.channel.leg().detour.is_some() {
                self.hang_up_all(&mut legs, HangupCause::OriginatorCancel, None);
                return Err(HangupCause::OriginatorCancel.into());
            }
            let now = Instant::now();
            for at in 0..legs.len() {
                let Some(ringing) = legs.get_mut(at) else {
                    break;
                };
                if let Some(early) = self.advance(ringing, now, ignore_early)
                    && let Some(leg) = ringing.leg.take()
                {
                    self.hang_up_all(&mut legs, HangupCause::LoseRace, None);
                    return Ok(Won { leg, early });
                }
            }
            if legs.iter().all(|ringing| ringing.lost.is_some()) {
                // FreeSWITCH reports the first leg's cause.
                let first = legs.first().and_then(|ringing| ringing.lost);
                return Err(first.unwrap_or_else(|| HangupCause::ChanNotImplemented.into()));
            }
            if now >= until {
                self.hang_up_all(
                    &mut legs,
                    HangupCause::NoAnswer,
                    Some(HangupCause::NoAnswer),
                );
                return Err(HangupCause::NoAnswer.into());
            }
            if let Some(message) = self.next_message() {
                self.obey(message).await;
                continue;
            }
            let next = legs.iter().filter_map(Ringing::due).min();
            let next = next.map_or(until, |due| due.min(until));
            tokio::select! {
                biased;
                () = self.channel.changed.notified() => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    fn prepare(&self, leg: ParsedLeg, global: &[(String, String)]) -> Ringing {
        let mut variables = leg.variables;
        let clobber = find(global, "local_var_clobber").is_some_and(is_true);
        for (name, value) in global {
            let own = variables
                .iter_mut()
                .find(|(known, _)| known.eq_ignore_ascii_case(name));
            match own {
                // Of a name that stands in both blocks the global value is written last and wins.
                Some(own) if !clobber => value.clone_into(&mut own.1),
                Some(_) => {}
                None => variables.push((name.clone(), value.clone())),
            }
        }
        let number = |name: &str| find(&variables, name).and_then(|text| text.parse::<u64>().ok());
        let life = |seconds: u64| self.core.options.scaled(Duration::from_secs(seconds));
        let start = Instant::now() + life(number("leg_delay_start").unwrap_or(0));
        let timer = |name: &str| {
            let seconds = number(name).filter(|seconds| *seconds > 0)?;
            Some(start + life(seconds))
        };
        Ringing {
            leg: None,
            expires: timer("leg_timeout"),
            must_progress: timer("leg_progress_timeout"),
            lost: None,
            starts: Some((
                start,
                Target {
                    endpoint: leg.endpoint,
                    variables,
                },
            )),
        }
    }

    /// Does what is due on one leg. `Some(early)`: it is won.
    fn advance(&self, ringing: &mut Ringing, now: Instant, ignore_early: bool) -> Option<bool> {
        if ringing.lost.is_some() {
            return None;
        }
        if let Some((_, target)) = ringing.starts.take_if(|(start, _)| *start <= now) {
            match self.dial(&target.endpoint, target.variables) {
                Ok(leg) => ringing.leg = Some(leg),
                Err(cause) => {
                    ringing.lost = Some(cause.into());
                    return None;
                }
            }
        }
        let leg = ringing.leg.as_mut()?;
        let mut lost = None;
        while let Some(said) = leg.next(&self.core, now) {
            match said {
                Said::Progress => {
                    ringing.must_progress = None;
                    self.heard_progress(&leg.channel);
                }
                Said::Media => {
                    ringing.must_progress = None;
                    let ignore = leg
                        .channel
                        .variable("ignore_early_media")
                        .map_or(ignore_early, |text| is_true(&text));
                    if !ignore {
                        return Some(true);
                    }
                }
                Said::Answer => return Some(false),
                Said::Refused(refusal) => {
                    self.refused(leg, refusal);
                    let cause = leg.channel.leg().cause;
                    lost = Some(Lost::from(cause.unwrap_or(HangupCause::NormalUnspecified)));
                    break;
                }
                Said::Digits(_) => {}
            }
        }
        let expired = |timer: Option<Instant>| timer.is_some_and(|at| at <= now);
        if lost.is_none() && expired(ringing.expires) {
            lost = Some(HangupCause::AllottedTimeout.into());
        } else if lost.is_none() && expired(ringing.must_progress) {
            // Capture fact 36: the disposition says NO_ANSWER.
            lost = Some(Lost {
                cause: HangupCause::NoAnswer,
                failed: HangupCause::ProgressTimeout,
            });
        } else if lost.is_none() {
            return None;
        } else if let Some(done) = lost {
            ringing.lost = Some(done);
            ringing.leg = None;
            return None;
        }
        if let (Some(expired), Some(leg)) = (lost, ringing.leg.take()) {
            self.end_leg(&leg, expired.failed);
            ringing.lost = Some(expired);
        }
        None
    }

    /// The far end refused: what the caller's leg remembers of it (capture fact 36).
    fn refused(&self, leg: &Outgoing, refusal: Option<Refusal>) {
        let channel = &self.channel;
        if let Some(refusal) = refusal {
            let status = refusal.status;
            if let Some(reason) = refusal.reason() {
                channel.set("sip_reason", &reason);
            }
            channel.set("sip_invite_failure_status", &status.to_string());
            channel.set("sip_invite_failure_phrase", super::sip::phrase(status));
            channel.set("sip_hangup_phrase", super::sip::phrase(status));
            let specific = format!("sip:{status}");
            channel.set("last_bridge_proto_specific_hangup_cause", &specific);
        }
        let cause = leg.channel.leg().cause;
        let cause = cause.unwrap_or(HangupCause::NormalUnspecified);
        leg.end_far(cause);
        self.remember_cause(&leg.channel, cause);
        self.core.report(&leg.channel);
        self.core.destroy(&leg.channel);
    }

    fn remember_cause(&self, leg: &Channel, cause: HangupCause) {
        let mut caller = self.channel.leg();
        caller
            .variables
            .set("last_bridge_hangup_cause", cause.as_str());
        let entry = format!("{};{cause}", leg.uuid);
        caller.variables.push("originate_causes", &entry);
    }

    /// Hangs a leg up that is not wanted any more.
    fn end_leg(&self, leg: &Outgoing, cause: HangupCause) {
        leg.end_far(cause);
        let leg = &leg.channel;
        self.core.hangup(leg, cause, EndedBy::Node);
        if cause != HangupCause::LoseRace {
            self.remember_cause(leg, cause);
        }
        self.core.report(leg);
        self.core.destroy(leg);
    }

    fn hang_up_all(&self, legs: &mut [Ringing], cause: HangupCause, lost: Option<HangupCause>) {
        for ringing in legs {
            ringing.starts = None;
            if let Some(leg) = ringing.leg.take() {
                self.end_leg(&leg, cause);
                ringing.lost = Some(lost.unwrap_or(cause).into());
            }
        }
    }

    /// 180 from a phone: the caller hears it, and sees the callee's name.
    fn heard_progress(&self, leg: &Channel) {
        self.show_callee(leg);
        self.ring_ready();
    }

    pub(super) fn show_callee(&self, leg: &Channel) {
        let callee = leg.leg().callee.clone();
        self.channel.leg().callee = callee;
    }
}

impl Ringing {
    /// When something happens on this leg next.
    fn due(&self) -> Option<Instant> {
        if self.lost.is_some() {
            return None;
        }
        let start = self.starts.as_ref().map(|(start, _)| *start);
        let step = self.leg.as_ref().and_then(Outgoing::due);
        [start, step, self.expires, self.must_progress]
            .into_iter()
            .flatten()
            .min()
    }
}

/// An enterprise originate rings all its parts at once; here they become one group.
fn flatten(dial: ParsedDial) -> (Vec<(String, String)>, VecDeque<Vec<ParsedLeg>>) {
    let mut global = dial.global;
    if dial.enterprise.is_empty() {
        return (global, dial.groups.into());
    }
    let mut all = Vec::new();
    for part in dial.enterprise {
        let (part_global, groups) = flatten(part);
        global.extend(part_global);
        all.extend(groups.into_iter().flatten());
    }
    (global, VecDeque::from([all]))
}

pub(super) fn find<'a>(variables: &'a [(String, String)], name: &str) -> Option<&'a str> {
    variables
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}
