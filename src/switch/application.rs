//! The applications that a leg executes, typed.

use std::borrow::Cow;

use crate::types::HangupCause;

/// What a leg is told to do. Every value is checked or carried by body when it is written
/// (`esl::Command`); nothing here is concatenated by callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Application {
    Answer,
    PreAnswer,
    RingReady,
    /// One channel variable on this leg.
    /// (The name is borrowed where our code fixes it, owned where a plan carries it.)
    Set {
        name: Cow<'static, str>,
        value: String,
    },
    /// Unsets a channel variable.
    Unset {
        name: Cow<'static, str>,
    },
    /// A variable on this leg and the legs it dials.
    Export {
        name: Cow<'static, str>,
        value: String,
    },
    Playback {
        media: String,
    },
    /// `dial_string` comes from `routing::DialString`'s writer only.
    Bridge {
        dial_string: String,
    },
    /// A SIP answer other than 200, before the leg is answered.
    Respond {
        status: u16,
        reason: String,
    },
    /// Whom the caller wants to hide from is asked in the next legs' headers: `full`.
    Privacy {
        mode: &'static str,
    },
    /// Hang-up through the leg's own queue; see [`super::Leg::hangup`] for the immediate one.
    Hangup {
        cause: HangupCause,
    },
    Sleep {
        ms: u32,
    },
}

impl Application {
    /// FreeSWITCH's name of the application.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Application::Answer => "answer",
            Application::PreAnswer => "pre_answer",
            Application::RingReady => "ring_ready",
            Application::Set { .. } => "set",
            Application::Unset { .. } => "unset",
            Application::Export { .. } => "export",
            Application::Playback { .. } => "playback",
            Application::Bridge { .. } => "bridge",
            Application::Respond { .. } => "respond",
            Application::Privacy { .. } => "privacy",
            Application::Hangup { .. } => "hangup",
            Application::Sleep { .. } => "sleep",
        }
    }
}

/// The matching CHANNEL_EXECUTE_COMPLETE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completed {
    /// `Application-Response`; `_none_` and stale texts of earlier applications are None
    /// where the application sets no response of its own (capture fact 25).
    pub response: Option<String>,
    /// The event, for applications whose result is in channel variables.
    pub event: crate::esl::Event,
}
