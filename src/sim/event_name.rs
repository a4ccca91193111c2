//! FreeSWITCH's event names, and sets of them.

/// Every name that `event` accepts, CUSTOM and ALL apart, in FreeSWITCH's order.
const NAMES: &[&str] = &[
    "CLONE",
    "CHANNEL_CREATE",
    "CHANNEL_DESTROY",
    "CHANNEL_STATE",
    "CHANNEL_CALLSTATE",
    "CHANNEL_ANSWER",
    "CHANNEL_HANGUP",
    "CHANNEL_HANGUP_COMPLETE",
    "CHANNEL_EXECUTE",
    "CHANNEL_EXECUTE_COMPLETE",
    "CHANNEL_HOLD",
    "CHANNEL_UNHOLD",
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
    "API",
    "LOG",
    "INBOUND_CHAN",
    "OUTBOUND_CHAN",
    "STARTUP",
    "SHUTDOWN",
    "PUBLISH",
    "UNPUBLISH",
    "TALK",
    "NOTALK",
    "SESSION_CRASH",
    "MODULE_LOAD",
    "MODULE_UNLOAD",
    "DTMF",
    "MESSAGE",
    "PRESENCE_IN",
    "NOTIFY_IN",
    "PRESENCE_OUT",
    "PRESENCE_PROBE",
    "MESSAGE_WAITING",
    "MESSAGE_QUERY",
    "ROSTER",
    "CODEC",
    "BACKGROUND_JOB",
    "DETECTED_SPEECH",
    "DETECTED_TONE",
    "PRIVATE_COMMAND",
    "HEARTBEAT",
    "TRAP",
    "ADD_SCHEDULE",
    "DEL_SCHEDULE",
    "EXE_SCHEDULE",
    "RE_SCHEDULE",
    "RELOADXML",
    "NOTIFY",
    "PHONE_FEATURE",
    "PHONE_FEATURE_SUBSCRIBE",
    "SEND_MESSAGE",
    "RECV_MESSAGE",
    "REQUEST_PARAMS",
    "CHANNEL_DATA",
    "GENERAL",
    "COMMAND",
    "SESSION_HEARTBEAT",
    "CLIENT_DISCONNECTED",
    "SERVER_DISCONNECTED",
    "SEND_INFO",
    "RECV_INFO",
    "RECV_RTCP_MESSAGE",
    "SEND_RTCP_MESSAGE",
    "CALL_SECURE",
    "NAT",
    "RECORD_START",
    "RECORD_STOP",
    "PLAYBACK_START",
    "PLAYBACK_STOP",
    "CALL_UPDATE",
    "FAILURE",
    "SOCKET_DATA",
    "MEDIA_BUG_START",
    "MEDIA_BUG_STOP",
    "CONFERENCE_DATA_QUERY",
    "CONFERENCE_DATA",
    "CALL_SETUP_REQ",
    "CALL_SETUP_RESULT",
    "CALL_DETAIL",
    "DEVICE_STATE",
    "TEXT",
    "SHUTDOWN_REQUESTED",
];

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
        NAMES
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name))
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
        for name in NAMES {
            let one = EventSet::of(name).unwrap();
            assert!(!seen.intersects(one), "{name}");
            seen = seen.with(one);
        }
        assert!(NAMES.len() < 128);
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
