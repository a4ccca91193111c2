//! The handoff by `park`: which parked calls are meant for us, and whose they are.

use std::sync::Arc;

use super::super::wire::{CommandFailure, CommandQueue};
use crate::esl::{Command, Event, Line};

/// The channel variable by which our dialplan marks a call that it hands over.
pub const HANDOFF_MARK: &str = "lf_handoff";
pub const HANDOFF_VALUE: &str = "true";

/// A parked call that waits for a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) uuid: Box<str>,
    /// `last_sched_id`: the fallback timer, whose deletion is the claim.
    pub(super) timer: Box<str>,
}

/// Whether the channel of this event was handed to us and waits (esl spec 4.1, 4.2).
pub(super) fn waiting(channel: &Event) -> Option<Waiting> {
    let is = |value: Option<std::borrow::Cow<'_, str>>, text: &str| value.as_deref() == Some(text);
    if !is(channel.variable(HANDOFF_MARK), HANDOFF_VALUE) {
        return None;
    }
    // Calls on an outbound socket are parked too, and belong to their socket. Legs made by
    // originate or loopback may carry copied variables, except the one that a quickcall rang.
    let inward = is(channel.header("Call-Direction"), "inbound");
    if is(channel.variable("current_application"), "socket")
        || !(inward || is(channel.variable("lf_quickcall"), "true"))
        || is(channel.header("Answer-State"), "hangup")
    {
        return None;
    }
    let uuid = channel.unique_id()?;
    let Some(timer) = claim_id(channel) else {
        tracing::warn!(
            call_id = uuid.as_ref(),
            "a parked call has our mark but no fallback timer (variable last_sched_id), so it can't be claimed; put sched_transfer before park in the dialplan"
        );
        return None;
    };
    Some(Waiting {
        uuid: Box::from(uuid.as_ref()),
        timer,
    })
}

/// The id of the fallback timer, if it is one: a number.
pub(crate) fn claim_id(channel: &Event) -> Option<Box<str>> {
    let id = channel.variable("last_sched_id")?;
    let is_number = !id.is_empty() && id.len() <= 20 && id.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| Box::from(id.as_ref()))
}

/// Whose call it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claim {
    Ours,
    /// The timer has fired, or another daemon was first.
    NotOurs,
    /// FreeSWITCH said something else.
    Unclear(String),
}

/// Deletes the fallback timer. FreeSWITCH tells exactly one caller that it deleted it, which
/// makes this the claim, between several daemons and the timer itself.
pub(crate) async fn claim(queue: &Arc<CommandQueue>, timer: &str) -> Result<Claim, CommandFailure> {
    let command = Command::Api {
        command: Line::new("api", "sched_del")?,
        argument: Some(Line::new("last_sched_id", timer)?),
    };
    let answer = queue.ask(&command).await?.text();
    Ok(read_claim(&answer))
}

/// The channel variable that says which daemon claimed a parked call.
pub(super) const OWNER: &str = "lf_owner";

/// Writes our name on a call that we claimed. A daemon that is started again knows by it which
/// of the calls that wait in park were its own: their fallback timers are gone.
pub(super) fn mark_owner(
    queue: &CommandQueue,
    uuid: &str,
    owner: &Line,
) -> Result<(), CommandFailure> {
    let command = Command::Api {
        command: Line::new("api", "uuid_setvar")?,
        argument: Some(Line::new(
            "owner",
            format!("{uuid} {OWNER} {}", owner.as_str()),
        )?),
    };
    queue.submit_now(&command).map(drop)
}

fn read_claim(answer: &str) -> Claim {
    let count = answer.strip_prefix("+OK Deleted:").map(str::trim);
    match count.and_then(|text| text.parse::<u32>().ok()) {
        Some(0) => Claim::NotOurs,
        Some(_) => Claim::Ours,
        None => Claim::Unclear(answer.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARKED: &[(&str, &str)] = &[
        ("Event-Name", "CHANNEL_PARK"),
        ("Unique-ID", "u-1"),
        ("Call-Direction", "inbound"),
        ("Answer-State", "ringing"),
        ("variable_lf_handoff", "true"),
        ("variable_last_sched_id", "17"),
    ];

    fn changed(name: &str, value: Option<&str>) -> Event {
        let kept = PARKED.iter().copied().filter(|(n, _)| *n != name);
        let added = value.map(|value| (name, value));
        Event::from_headers(kept.chain(added), None)
    }

    #[test]
    fn a_marked_parked_call_waits_for_us() {
        let event = Event::from_headers(PARKED.iter().copied(), None);
        let found = waiting(&event).unwrap();
        assert_eq!((&*found.uuid, &*found.timer), ("u-1", "17"));
    }

    #[test]
    fn a_quickcalls_own_leg_waits_for_us() {
        let mut headers = PARKED.to_vec();
        headers[2].1 = "outbound";
        headers.push(("variable_lf_quickcall", "true"));
        assert!(waiting(&Event::from_headers(headers, None)).is_some());
    }

    #[test]
    fn anything_less_does_not() {
        for (name, value) in [
            ("variable_lf_handoff", None),
            ("variable_lf_handoff", Some("fallback")),
            ("variable_last_sched_id", None),
            ("variable_last_sched_id", Some("17 all")),
            ("variable_current_application", Some("socket")),
            ("Call-Direction", Some("outbound")),
            ("Answer-State", Some("hangup")),
        ] {
            assert_eq!(waiting(&changed(name, value)), None, "{name} {value:?}");
        }
    }

    #[test]
    fn the_claim_is_freeswitchs_word() {
        assert_eq!(read_claim("+OK Deleted: 1"), Claim::Ours);
        assert_eq!(read_claim("+OK Deleted: 0"), Claim::NotOurs);
        let other = "-ERR no reply";
        assert_eq!(read_claim(other), Claim::Unclear(other.to_owned()));
    }
}
