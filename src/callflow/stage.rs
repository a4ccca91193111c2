//! A call while its flow runs: what an action may see and touch.

use std::sync::Arc;

use tokio::time::Instant;

use super::report::{Attempt, AttemptOutcome, Step};
use super::walk::Walk;
use super::{Call, Context, Office};
use crate::documents::FlowNode;
use crate::routing::trunk::is_private;
use crate::switch::{Arrival, Leg};
use crate::types::HangupCause;

/// Handed to every action.
pub struct Stage {
    pub call: Call,
    pub leg: Arc<dyn Leg>,
    pub context: Context,
    /// Why the last attempt to ring somebody failed, while nothing else has happened since: the
    /// cause that the caller gets if the flow ends here.
    pub failure: Option<HangupCause>,
    pub(super) walk: Walk,
    pub(super) path: Vec<Step>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) decided_us: Option<u64>,
    /// Variables that the last attempt to ring somebody left on the caller's leg.
    pub(super) left_on_leg: Vec<String>,
    /// Variables that must not reach another node's leg: headers that the caller has no right to send.
    pub(super) private: Vec<String>,
    /// What the caller's leg said when it arrived, as far as carriers may ask for it.
    pub(super) told: Told,
    clock: Clock,
}

/// When the call arrived; later times are counted from there, on the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    arrived: Instant,
    /// Unix time of the arrival, seconds.
    unix: i64,
}

impl Clock {
    pub(super) fn start(unix: i64) -> Self {
        Self {
            arrived: Instant::now(),
            unix,
        }
    }

    pub(super) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.arrived.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn elapsed_us(&self) -> u64 {
        u64::try_from(self.arrived.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    pub(super) fn now(&self) -> i64 {
        let elapsed = i64::try_from(self.arrived.elapsed().as_secs()).unwrap_or(i64::MAX);
        self.unix.saturating_add(elapsed)
    }
}

impl Stage {
    pub(super) fn new(
        call: Call,
        walk: Walk,
        leg: Arc<dyn Leg>,
        context: &Context,
        clock: Clock,
    ) -> Self {
        Self {
            walk,
            call,
            leg,
            context: context.clone(),
            failure: None,
            path: Vec::new(),
            attempts: Vec::new(),
            decided_us: None,
            left_on_leg: Vec::new(),
            private: Vec::new(),
            told: Told::default(),
            clock,
        }
    }

    /// The node whose action runs.
    #[must_use]
    pub fn node(&self) -> &FlowNode {
        self.walk.node()
    }

    /// The node has this child, and it is not `{}`. An action that must not fall back to `_`
    /// asks before it returns `ContinueTo`.
    #[must_use]
    pub fn has_child(&self, key: &str) -> bool {
        self.walk.has(key)
    }

    /// What a decision made now reads.
    #[must_use]
    pub fn office(&self) -> Office<'_> {
        self.context.office(self.clock.now(), fastrand::u64(..))
    }

    pub(super) const fn clock(&self) -> Clock {
        self.clock
    }

    /// Milliseconds since the call arrived.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        self.clock.elapsed_ms()
    }

    /// The first decision about whom to ring has been made.
    pub(super) fn decided(&mut self) {
        self.decided_us.get_or_insert(self.clock.elapsed_us());
    }

    pub(super) fn end_attempt(&mut self, attempt: usize, outcome: AttemptOutcome) {
        let now = self.elapsed_ms();
        if let Some(attempt) = self.attempts.get_mut(attempt) {
            attempt.outcome = outcome;
            attempt.took_ms = now.saturating_sub(attempt.at_ms);
        }
    }

    /// Gives the time they took to the step and the attempt that the call's end cut short.
    pub(super) fn close_open_steps(&mut self) {
        let now = self.elapsed_ms();
        if let Some(step) = self.path.last_mut().filter(|step| step.took_ms == 0) {
            step.took_ms = now.saturating_sub(step.at_ms);
        }
        let unfinished = |a: &&mut Attempt| a.outcome == AttemptOutcome::Unfinished;
        if let Some(attempt) = self.attempts.last_mut().filter(unfinished) {
            attempt.took_ms = now.saturating_sub(attempt.at_ms);
        }
    }
}

/// Headers of the caller's that go on to carriers, and variables of ours by which carriers are chosen. A
/// call is up for minutes: no more is kept of its arrival.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// `X-` headers, by name.
    pub(super) headers: Vec<(String, String)>,
    variables: Vec<(Box<str>, Box<str>)>,
}

impl Told {
    pub(super) fn of(arrival: &Arrival) -> Self {
        let (mut headers, mut variables) = (Vec::new(), Vec::new());
        for (name, value) in &arrival.variables {
            if let Some(header) = name.strip_prefix("sip_h_") {
                let head = header.get(..2);
                if head.is_some_and(|head| head.eq_ignore_ascii_case("x-")) && !is_private(name) {
                    headers.push((header.to_owned(), value.to_string()));
                }
            } else if name.starts_with("lf_") {
                variables.push((name.clone(), value.clone()));
            }
        }
        headers.sort_unstable();
        Self { headers, variables }
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(known, _)| **known == *name);
        found.map(|(_, value)| &**value)
    }
}
