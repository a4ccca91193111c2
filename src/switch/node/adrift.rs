//! Legs that we drove over a connection that broke. FreeSWITCH keeps them: who talks goes on
//! talking. But the claim took their fallback timer away, so a leg that is left without a
//! partner would wait for ever with nobody to drive it; it is watched until it ends, and ended
//! when it has nothing left to do.
//!
//! The flow of such a call is not continued: its place in it is lost with the answers that the
//! connection took along.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::call::BridgeOutcome;
use super::super::leg;
use super::super::wire::CommandQueue;
use super::handle::Node;
use crate::esl::Event;
use crate::types::HangupCause;

#[derive(Default)]
pub(super) struct Adrift(Mutex<HashSet<Box<str>>>);

impl Adrift {
    fn lock(&self) -> MutexGuard<'_, HashSet<Box<str>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    pub(super) fn add(&self, uuid: Box<str>) {
        self.lock().insert(uuid);
    }

    pub(super) fn remove(&self, uuid: &str) -> bool {
        self.lock().remove(uuid)
    }

    pub(super) fn holds(&self, uuid: &str) -> bool {
        self.lock().contains(uuid)
    }

    pub(super) fn all(&self) -> Vec<Box<str>> {
        self.lock().iter().cloned().collect()
    }

    /// FreeSWITCH was restarted: they are all gone.
    pub(super) fn clear(&self) -> usize {
        std::mem::take(&mut *self.lock()).len()
    }
}

/// A leg that must not be left alone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kill {
    pub(super) uuid: Box<str>,
    pub(super) cause: HangupCause,
}

/// Looks at an event of a leg adrift; says if the leg has nothing left to do.
pub(super) fn watch(adrift: &Adrift, event: &Event) -> Option<Kill> {
    let uuid = event.unique_id()?;
    if !adrift.holds(&uuid) {
        return None;
    }
    match event.name() {
        "CHANNEL_HANGUP" | "CHANNEL_HANGUP_COMPLETE" | "CHANNEL_DESTROY" => {
            adrift.remove(&uuid);
            None
        }
        "CHANNEL_EXECUTE_COMPLETE" => {
            let cause = after_application(event)?;
            adrift.remove(&uuid);
            Some(Kill {
                uuid: Box::from(uuid.as_ref()),
                cause,
            })
        }
        _ => None,
    }
}

/// What a leg adrift is hung up with when an application has ended; None: it lives on.
fn after_application(event: &Event) -> Option<HangupCause> {
    let state = event.header("Answer-State");
    if state.as_deref() == Some("hangup") {
        return None;
    }
    // Where the media bypass FreeSWITCH the legs are joined by signalling, and every application ends at that moment:
    // `bridge`, and `park` around it (seen live).
    if event.variable("signal_bridge_to").is_some() {
        return None;
    }
    if event.header("Application").as_deref() != Some("bridge") {
        return Some(HangupCause::NormalTemporaryFailure);
    }
    let answered = state.as_deref() == Some("answered");
    match leg::bridge_outcome(event, answered) {
        BridgeOutcome::Failed { .. } => Some(HangupCause::NormalTemporaryFailure),
        // A loopback that bowed out leaves the parties talking; then nothing was hung up.
        BridgeOutcome::Answered => event
            .variable("last_bridge_hangup_cause")
            .map(|_| HangupCause::NormalClearing),
    }
}

/// Hangs the leg up, without waiting for the answer.
pub(super) fn end(node: &Node, queue: &Arc<CommandQueue>, kill: &Kill) {
    tracing::warn!(
        call_id = %kill.uuid,
        node = %node.name(),
        cause = %kill.cause,
        "a call without anybody to drive it is hung up"
    );
    let sent = leg::kill_command(&kill.uuid, kill.cause)
        .map_err(Into::into)
        .and_then(|command| queue.submit_now(&command));
    if let Err(error) = sent {
        tracing::warn!(call_id = %kill.uuid, %error, "it could not be hung up");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(application: &str, extra: &[(&'static str, &'static str)]) -> Event {
        let mut headers = vec![
            ("Event-Name", "CHANNEL_EXECUTE_COMPLETE"),
            ("Unique-ID", "u"),
            ("Application", application),
        ];
        headers.extend_from_slice(extra);
        Event::from_headers(headers, None)
    }

    fn cause(event: &Event) -> Option<HangupCause> {
        let adrift = Adrift::default();
        adrift.add(Box::from("u"));
        watch(&adrift, event).map(|kill| kill.cause)
    }

    #[test]
    fn talking_parties_are_left_alone() {
        let bowed_out = complete(
            "bridge",
            &[
                ("Answer-State", "answered"),
                ("variable_originate_disposition", "SUCCESS"),
            ],
        );
        assert_eq!(cause(&bowed_out), None);
        for application in ["bridge", "park"] {
            for state in ["early", "answered"] {
                let past_us = complete(
                    application,
                    &[
                        ("Answer-State", state),
                        ("variable_originate_disposition", "SUCCESS"),
                        ("variable_signal_bridge_to", "b"),
                    ],
                );
                assert_eq!(cause(&past_us), None, "{application} {state}");
            }
        }
    }

    #[test]
    fn a_leg_with_nothing_left_to_do_is_ended() {
        let busy = complete(
            "bridge",
            &[
                ("Answer-State", "ringing"),
                ("variable_originate_disposition", "USER_BUSY"),
            ],
        );
        assert_eq!(cause(&busy), Some(HangupCause::NormalTemporaryFailure));
        let done = complete(
            "bridge",
            &[
                ("Answer-State", "answered"),
                ("variable_originate_disposition", "SUCCESS"),
                ("variable_last_bridge_hangup_cause", "NORMAL_CLEARING"),
            ],
        );
        assert_eq!(cause(&done), Some(HangupCause::NormalClearing));
        let played = complete("playback", &[("Answer-State", "answered")]);
        assert_eq!(cause(&played), Some(HangupCause::NormalTemporaryFailure));
    }

    #[test]
    fn a_leg_that_is_not_adrift_is_no_concern() {
        let played = complete("playback", &[("Answer-State", "answered")]);
        assert_eq!(watch(&Adrift::default(), &played), None);
    }
}
