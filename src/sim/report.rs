//! The variables of a call's report, which exist from CHANNEL_HANGUP_COMPLETE on.

use super::clock::stamp;
use super::leg::{Direction, EndedBy, Kind, Leg};
use super::sink::Sink;
use super::sip::Refusal;

/// Writes causes, moments, durations and packet counts.
pub(super) fn put_report(leg: &Leg, sink: &mut dyn Sink) {
    let times = &leg.times;
    if let Some(cause) = leg.cause {
        sink.put("hangup_cause", cause.as_str());
        sink.put_number("hangup_cause_q850", u64::from(q850(cause.number())));
    }
    if matches!(leg.kind, Kind::Caller(_) | Kind::Callee(_)) && leg.ended_by == EndedBy::Node {
        sink.put("sip_hangup_disposition", disposition(leg));
    }
    sink.put("digits_dialed", "none");
    put_moment("start", times.created, sink);
    put_moment("profile_start", times.created, sink);
    put_moment("answer", times.answered, sink);
    put_moment("bridge", times.bridged, sink);
    put_moment("progress", times.progress, sink);
    put_moment("progress_media", times.progress_media, sink);
    put_moment("end", times.hangup, sink);
    for name in ["last_hold", "resurrect"] {
        put_moment(name, 0, sink);
    }
    for name in ["hold_accum_seconds", "hold_accum_usec", "hold_accum_ms"] {
        sink.put(name, "0");
    }
    if let Some(application) = leg.variables.find("current_application") {
        sink.put("last_app", application);
    }
    if let Some(argument) = leg.variables.find("current_application_data") {
        sink.put("last_arg", argument);
    }
    let party = &leg.party;
    let caller_id = format!("\"{}\" <{}>", party.caller_name, party.caller_number);
    sink.put("caller_id", &caller_id);
    put_durations(leg, sink);
    if leg.media && !matches!(leg.kind, Kind::LoopbackA(_) | Kind::LoopbackB(_)) {
        put_packets(sink);
    }
}

/// What the SIP end of a leg leaves behind: there from CHANNEL_HANGUP on if the far end ended it
/// (captures 23, 45, 57).
pub(super) fn put_sip_end(leg: &Leg, sink: &mut dyn Sink) {
    if leg.is_up() || leg.ended_by == EndedBy::Node {
        return;
    }
    if leg.is_answered() {
        put_term(200, 16, sink);
        // The BYE's own mark comes after CHANNEL_HANGUP.
        if leg.hangup_told {
            sink.put("sip_hangup_disposition", disposition(leg));
        }
        return;
    }
    sink.put("sip_hangup_disposition", disposition(leg));
    let (status, phrase, term) = match &leg.refused {
        Some(refusal) => (
            refusal.status,
            super::sip::phrase(refusal.status),
            refusal.cause.number(),
        ),
        None => (487, "CANCEL", 487),
    };
    sink.put_number("sip_invite_failure_status", u64::from(status));
    sink.put("sip_invite_failure_phrase", phrase);
    if let Some(reason) = leg.refused.and_then(Refusal::reason) {
        sink.put("sip_reason", &reason);
    }
    put_term(status, term, sink);
}

fn put_term(status: u16, cause: u16, sink: &mut dyn Sink) {
    sink.put_number("sip_term_status", u64::from(status));
    sink.put("proto_specific_hangup_cause", &format!("sip:{status}"));
    sink.put_number("sip_term_cause", u64::from(cause));
}

/// FreeSWITCH reports its own causes as normal clearing in Q.850 terms.
fn q850(number: u16) -> u16 {
    if number > 127 { 16 } else { number }
}

/// Who sent what to end the leg.
fn disposition(leg: &Leg) -> &'static str {
    let inbound = leg.party.direction == Direction::Inbound;
    match (leg.ended_by, leg.is_answered(), inbound) {
        (EndedBy::FarEnd, true, _) => "recv_bye",
        (EndedBy::FarEnd, false, true) => "recv_cancel",
        (EndedBy::FarEnd, false, false) => "recv_refuse",
        (EndedBy::Node, true, _) => "send_bye",
        (EndedBy::Node, false, true) => "send_refuse",
        (EndedBy::Node, false, false) => "send_cancel",
    }
}

fn put_moment(name: &str, us: u64, sink: &mut dyn Sink) {
    sink.put(&format!("{name}_stamp"), &stamp(us));
    sink.put_number(&format!("{name}_epoch"), us / 1_000_000);
    sink.put_number(&format!("{name}_uepoch"), us);
}

fn put_durations(leg: &Leg, sink: &mut dyn Sink) {
    let times = &leg.times;
    let since = |start: u64, end: u64| {
        if start == 0 {
            0
        } else {
            end.saturating_sub(start)
        }
    };
    let progress = since(times.created, times.progress);
    let progress_media = since(times.created, times.progress_media);
    let answer = since(times.created, times.answered);
    let wait = since(times.created, times.bridged);
    let duration = since(times.created, times.hangup);
    let billed = since(times.answered, times.hangup);
    for (name, us) in [
        ("duration", duration),
        ("billsec", billed),
        ("progresssec", progress),
        ("answersec", answer),
        ("waitsec", wait),
        ("progress_mediasec", progress_media),
        ("flow_billsec", duration),
    ] {
        sink.put_number(name, us / 1_000_000);
    }
    for (milli, micro, us) in [
        ("mduration", "uduration", duration),
        ("billmsec", "billusec", billed),
        ("progressmsec", "progressusec", progress),
        ("answermsec", "answerusec", answer),
        ("waitmsec", "waitusec", wait),
        ("progress_mediamsec", "progress_mediausec", progress_media),
        ("flow_billmsec", "flow_billusec", duration),
    ] {
        sink.put_number(milli, us / 1000);
        sink.put_number(micro, us);
    }
}

/// The simulation moves no media: the counters are there, and nothing was counted.
fn put_packets(sink: &mut dyn Sink) {
    for name in [
        "in_raw_bytes",
        "in_media_bytes",
        "in_packet_count",
        "in_media_packet_count",
        "in_skip_packet_count",
        "in_jitter_packet_count",
        "in_dtmf_packet_count",
        "in_cng_packet_count",
        "in_flush_packet_count",
        "in_largest_jb_size",
        "out_raw_bytes",
        "out_media_bytes",
        "out_packet_count",
        "out_media_packet_count",
        "out_skip_packet_count",
        "out_dtmf_packet_count",
        "out_cng_packet_count",
        "rtcp_packet_count",
        "rtcp_octet_count",
    ] {
        sink.put(&format!("rtp_audio_{name}"), "0");
    }
    for name in [
        "jitter_min_variance",
        "jitter_max_variance",
        "jitter_loss_rate",
        "jitter_burst_rate",
        "mean_interval",
        "flaw_total",
        "quality_percentage",
        "mos",
    ] {
        sink.put(&format!("rtp_audio_in_{name}"), "0.00");
    }
}
