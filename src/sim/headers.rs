//! The headers of a channel event: the leg itself, its caller profile, its partner.

use super::leg::{Leg, Other, Party, RunState, Times};
use super::sink::Sink;

/// How much of a leg an event carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// The leg and its profile, no variables: CHANNEL_STATE, CHANNEL_CALLSTATE, DTMF
    /// (event socket specification 8.1).
    Basic,
    /// With variables.
    Full,
}

/// Writes a leg's part of an event.
pub(super) fn put_leg(leg: &Leg, detail: Detail, sink: &mut dyn Sink) {
    put_state(leg, sink);
    // Before CS_INIT there is no caller profile yet (capture 07).
    if leg.state != RunState::New {
        put_party("Caller", &leg.party, &leg.callee, &leg.times, sink);
    }
    if let Some(other) = &leg.other {
        put_other(other, sink);
    }
    if detail == Detail::Full {
        super::variables::put(leg, sink);
    }
}

/// Writes the connect reply's own copy of the profile (capture fact 4).
pub(super) fn put_channel_profile(leg: &Leg, sink: &mut dyn Sink) {
    put_party("Channel", &leg.party, &leg.callee, &leg.times, sink);
}

fn put_state(leg: &Leg, sink: &mut dyn Sink) {
    let party = &leg.party;
    let (state, number) = leg.state.as_wire();
    sink.put("Channel-State", state);
    sink.put("Channel-Call-State", leg.call_state.as_wire().0);
    sink.put_number("Channel-State-Number", u64::from(number));
    sink.put("Channel-Name", &party.channel_name);
    sink.put("Unique-ID", &party.uuid);
    let direction = party.direction.as_str();
    sink.put("Call-Direction", direction);
    sink.put("Presence-Call-Direction", direction);
    let dialplan = matches!(
        leg.kind,
        super::leg::Kind::Caller(_) | super::leg::Kind::LoopbackB(_)
    );
    sink.put(
        "Channel-HIT-Dialplan",
        if dialplan { "true" } else { "false" },
    );
    if let Some(presence) = leg.variables.find("presence_id") {
        sink.put("Channel-Presence-ID", presence);
    }
    sink.put("Channel-Call-UUID", &leg.call_uuid);
    sink.put("Answer-State", leg.answer_state());
    if let Some(cause) = leg.cause {
        sink.put("Hangup-Cause", cause.as_str());
    }
    if leg.media {
        for side in ["Read", "Write"] {
            sink.put(&format!("Channel-{side}-Codec-Name"), "PCMU");
            sink.put(&format!("Channel-{side}-Codec-Rate"), "8000");
            sink.put(&format!("Channel-{side}-Codec-Bit-Rate"), "64000");
        }
    }
}

fn put_other(other: &Other, sink: &mut dyn Sink) {
    sink.put("Other-Type", other.role);
    put_party("Other-Leg", &other.party, &other.callee, &other.times, sink);
}

/// Writes a profile under a prefix. The partner's copy has no `Profile-Index`.
fn put_party(
    prefix: &str,
    party: &Party,
    callee: &Option<(Box<str>, Box<str>)>,
    times: &Times,
    sink: &mut dyn Sink,
) {
    let mut name = String::with_capacity(48);
    let mut put = |field: &str, value: &str| {
        name.clear();
        name.push_str(prefix);
        name.push('-');
        name.push_str(field);
        sink.put(&name, value);
    };
    put("Direction", party.direction.as_str());
    put("Logical-Direction", party.direction.as_str());
    put("Username", &party.username);
    put("Dialplan", "XML");
    put("Caller-ID-Name", &party.caller_name);
    put("Caller-ID-Number", &party.caller_number);
    put("Orig-Caller-ID-Name", &party.caller_name);
    put("Orig-Caller-ID-Number", &party.caller_number);
    if let Some((callee_name, callee_number)) = callee {
        put("Callee-ID-Name", callee_name);
        put("Callee-ID-Number", callee_number);
    }
    put("Network-Addr", &party.address);
    put("ANI", &party.caller_number);
    put("Destination-Number", &party.destination);
    put("Unique-ID", &party.uuid);
    put("Source", party.source);
    put("Context", &party.context);
    if let Some(number) = &party.redirected_from {
        put("RDNIS", number);
    }
    put("Channel-Name", &party.channel_name);
    if prefix != "Other-Leg" {
        put("Profile-Index", "1");
    }
    for (field, us) in [
        ("Profile-Created-Time", times.created),
        ("Channel-Created-Time", times.created),
        ("Channel-Answered-Time", times.answered),
        ("Channel-Progress-Time", times.progress),
        ("Channel-Progress-Media-Time", times.progress_media),
        ("Channel-Hangup-Time", times.hangup),
        ("Channel-Transfer-Time", times.transferred),
        ("Channel-Resurrect-Time", 0),
        ("Channel-Bridged-Time", times.bridged),
        ("Channel-Last-Hold", 0),
        ("Channel-Hold-Accum", 0),
    ] {
        put(field, &us.to_string());
    }
    put("Screen-Bit", "true");
    put("Privacy-Hide-Name", "false");
    put("Privacy-Hide-Number", "false");
}
