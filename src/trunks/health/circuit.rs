//! The state machine of one gateway. It reads no clock: times are given.

use serde::Serialize;
use tokio::time::Instant;

use super::HealthSettings;
use crate::types::HangupCause;

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The far end said something, be it no.
    Answer,
    /// It said nothing, or that it can't.
    Miss,
}

/// Where a gateway stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// In use.
    Closed,
    /// Left out.
    Open,
}

/// One gateway's circuit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circuit {
    state: State,
    /// Running: misses while closed, answers while open.
    count: u32,
    since: Instant,
    /// When a real call last tried it while open.
    tried: Option<Instant>,
}

impl Circuit {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            state: State::Closed,
            count: 0,
            since: now,
            tried: None,
        }
    }

    pub(super) const fn state(&self) -> State {
        self.state
    }

    pub(super) const fn since(&self) -> Instant {
        self.since
    }

    pub(super) const fn misses(&self) -> u32 {
        match self.state {
            State::Closed => self.count,
            State::Open => 0,
        }
    }

    pub(super) const fn answers(&self) -> u32 {
        match self.state {
            State::Closed => 0,
            State::Open => self.count,
        }
    }

    /// Counts; the new state if it is another.
    pub(super) fn mark(
        &mut self,
        mark: Mark,
        settings: &HealthSettings,
        now: Instant,
    ) -> Option<State> {
        let (counts, enough, other) = match self.state {
            State::Closed => (Mark::Miss, settings.misses, State::Open),
            State::Open => (Mark::Answer, settings.answers, State::Closed),
        };
        if mark != counts {
            self.count = 0;
            return None;
        }
        self.count = self.count.saturating_add(1);
        if self.count < enough.max(1) {
            return None;
        }
        // The first real call waits as long as the next ones do: the gateway was tried a moment ago.
        let tried = matches!(other, State::Open).then_some(now);
        *self = Self {
            state: other,
            count: 0,
            since: now,
            tried,
        };
        Some(other)
    }

    /// It is out, and a real call may try it.
    pub(super) fn is_due(&self, settings: &HealthSettings, now: Instant) -> bool {
        let waited = |tried| now.duration_since(tried) >= settings.try_every;
        self.state == State::Open && self.tried.is_none_or(waited)
    }

    /// A real call is about to try it.
    pub(super) const fn trying(&mut self, now: Instant) {
        self.tried = Some(now);
    }
}

/// What a call's end says of the gateway; None: nothing, as when the caller hung up. A far end that refuses, is busy or
/// does not know the number is alive.
pub(super) const fn mark(cause: HangupCause) -> Option<Mark> {
    use HangupCause as Cause;
    match cause {
        // The caller's doing, or ours; a 408 may be the far phone's silence.
        Cause::None
        | Cause::OriginatorCancel
        | Cause::AttendedTransfer
        | Cause::PickedOff
        | Cause::LoseRace
        | Cause::MandatoryIeMissing
        | Cause::NoUserResponse
        | Cause::InvalidProfile
        | Cause::InvalidUrl
        | Cause::ManagerRequest
        | Cause::SystemShutdown => None,
        // Silence, 5xx, our own failure to reach it.
        Cause::ProgressTimeout
        | Cause::RecoveryOnTimerExpire
        | Cause::NormalTemporaryFailure
        | Cause::NormalCircuitCongestion
        | Cause::NetworkOutOfOrder
        | Cause::DestinationOutOfOrder
        | Cause::SwitchCongestion
        | Cause::ServiceUnavailable
        | Cause::GatewayDown
        | Cause::InvalidGateway => Some(Mark::Miss),
        _ => Some(Mark::Answer),
    }
}
