//! FreeSWITCH's event names, and sets of them.

use crate::esl::EVENT_NAMES;

/// What `myevents` subscribes to: channel events and what a leg hears; no jobs, no recordings,
/// no prompts (event socket specification 2.6).
const MY_EVENTS: &[&str] = &[
    "CHANNEL_CREATE",
    "CHANNEL_DATA",
    "CHANNEL_DESTROY",
    "CHANNEL_STATE",
    "CHANNEL_ANSWER",
    "CHANNEL_HANGUP",
    "CHANNEL_HANGUP_COMPLETE",
    "CHANNEL_EXECUTE",
    "CHANNEL_EXECUTE_COMPLETE",
    "CHANNEL_BRIDGE",
    "CHANNEL_UNBRIDGE",
    "CHANNEL_PROGRESS",
    "CHANNEL_PROGRESS_MEDIA",
    "CHANNEL_OUTGOING",
    "CHANNEL_PARK",
    "CHANNEL_UNPARK",
    "CHANNEL_APPLICATION",
    "CHANNEL_ORIGINATE",
    "CHANNEL_UUID",
    "DTMF",
    "TALK",
    "NOTALK",
    "DETECTED_SPEECH",
];

const ALL: u128 = u128::MAX;

/// A set of event names; CUSTOM has subclasses and is kept beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct EventSet(u128);

impl EventSet {
    pub(super) const EMPTY: EventSet = EventSet(0);

    pub(super) fn all() -> EventSet {
        EventSet(ALL)
    }

    pub(super) fn my_events() -> EventSet {
        MY_EVENTS
            .iter()
            .filter_map(|name| EventSet::of(name))
            .fold(EventSet::EMPTY, EventSet::with)
    }

    /// The set of one name, or None if FreeSWITCH knows no such event. Names match in any case.
    pub(super) fn of(name: &str) -> Option<EventSet> {
        let exact = EVENT_NAMES.iter().position(|known| *known == name);
        exact
            .or_else(|| {
                EVENT_NAMES
                    .iter()
                    .position(|known| known.eq_ignore_ascii_case(name))
            })
            .map(|bit| EventSet(1 << bit))
    }

    pub(super) fn with(self, other: EventSet) -> EventSet {
        EventSet(self.0 | other.0)
    }

    pub(super) fn without(self, other: EventSet) -> EventSet {
        EventSet(self.0 & !other.0)
    }

    pub(super) fn intersects(self, other: EventSet) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn is_all(self) -> bool {
        self.0 == ALL
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_own_bit() {
        let mut seen = EventSet::EMPTY;
        for name in EVENT_NAMES {
            let one = EventSet::of(name).unwrap();
            assert!(!seen.intersects(one), "{name}");
            seen = seen.with(one);
        }
        assert!(EVENT_NAMES.len() < 128);
        assert_eq!(EventSet::of("NO_SUCH_EVENT"), None);
    }

    #[test]
    fn myevents_has_the_documented_names_and_no_others() {
        let mine = EventSet::my_events();
        for name in ["CHANNEL_PARK", "DTMF", "CHANNEL_STATE"] {
            assert!(mine.intersects(EventSet::of(name).unwrap()), "{name}");
        }
        for name in ["BACKGROUND_JOB", "CHANNEL_CALLSTATE", "PLAYBACK_START"] {
            assert!(!mine.intersects(EventSet::of(name).unwrap()), "{name}");
        }
    }
}
