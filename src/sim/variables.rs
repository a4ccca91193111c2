//! Channel variables. Those that SIP, the codecs and the call's moments imply are not stored but
//! derived when an event is written, so that a live call stays small; the rest is a short list.

use super::leg::{Kind, Leg, RunState, Sip};
use super::sink::Sink;
use super::sip::Refusal;

/// Variables that were set, in the order of their setting; setting one again moves it to the end,
/// as FreeSWITCH does.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables(Vec<(Box<str>, Box<str>)>);

impl Variables {
    /// An empty value unsets.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        if !value.is_empty() {
            self.0.push((name.into(), value.into()));
        }
    }

    pub(super) fn unset(&mut self, name: &str) {
        self.0
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Adds an element as FreeSWITCH's `push` does: the second element makes the value an array.
    pub(super) fn push(&mut self, name: &str, element: &str) {
        let value = match self.find(name) {
            None => element.to_owned(),
            Some(array) if array.starts_with("ARRAY::") => format!("{array}|:{element}"),
            Some(single) => format!("ARRAY::{single}|:{element}"),
        };
        self.set(name, &value);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

/// A variable's value as an application sees it.
pub(super) fn lookup(leg: &Leg, name: &str) -> Option<String> {
    if let Some(value) = leg.variables.find(name) {
        return Some(value.to_owned());
    }
    struct One<'a> {
        name: &'a str,
        value: Option<String>,
    }
    impl Sink for One<'_> {
        fn put(&mut self, name: &str, value: &str) {
            if name.eq_ignore_ascii_case(self.name) && !value.is_empty() {
                self.value = Some(value.to_owned());
            }
        }
    }
    let mut one = One { name, value: None };
    put_derived(leg, &mut one);
    // The caller profile's fields answer to these names too.
    let party = &leg.party;
    one.value.or_else(|| {
        let field = match name {
            "destination_number" => &party.destination,
            "caller_id_number" => &party.caller_number,
            "caller_id_name" => &party.caller_name,
            "network_addr" => &party.address,
            "context" => &party.context,
            "rdnis" => party.redirected_from.as_ref()?,
            "username" => &party.username,
            _ => return None,
        };
        Some(field.to_string())
    })
}

/// Writes every variable, each name with `variable_` before it.
pub(super) fn put(leg: &Leg, sink: &mut dyn Sink) {
    struct Prefixed<'a> {
        sink: &'a mut dyn Sink,
        name: String,
        set: &'a Variables,
    }
    impl Sink for Prefixed<'_> {
        fn put(&mut self, name: &str, value: &str) {
            // What was set overrides what is derived.
            if self.set.find(name).is_none() {
                self.name.truncate("variable_".len());
                self.name.push_str(name);
                self.sink.put(&self.name, value);
            }
        }
    }
    let mut derived = Prefixed {
        sink,
        name: "variable_".to_owned(),
        set: &leg.variables,
    };
    put_derived(leg, &mut derived);
    let Prefixed { sink, mut name, .. } = derived;
    for (set, value) in leg.variables.iter() {
        name.truncate("variable_".len());
        name.push_str(set);
        sink.put(&name, value);
    }
}

/// What follows from the leg's kind and state.
fn put_derived(leg: &Leg, sink: &mut dyn Sink) {
    let party = &leg.party;
    sink.put("direction", party.direction.as_str());
    sink.put("uuid", &party.uuid);
    sink.put("call_uuid", &leg.call_uuid);
    sink.put_number("session_id", leg.session);
    sink.put("channel_name", &party.channel_name);
    match &leg.kind {
        Kind::Caller(sip) => put_caller(leg, sip, sink),
        Kind::Callee(sip) => put_callee(leg, sip, sink),
        Kind::LoopbackA(other) => put_loopback("A", other, sink),
        Kind::LoopbackB(other) => put_loopback("B", other, sink),
    }
    if matches!(leg.kind, Kind::Caller(_) | Kind::Callee(_)) {
        if leg.media {
            put_media(leg, sink);
        }
        super::report::put_sip_end(leg, sink);
    }
    if matches!(leg.state, RunState::Reporting | RunState::Destroy) {
        super::report::put_report(leg, sink);
    }
}

fn put_loopback(side: &str, other: &str, sink: &mut dyn Sink) {
    sink.put("is_loopback", "true");
    sink.put("loopback_leg", side);
    sink.put("other_loopback_leg_uuid", other);
}

/// A SIP Call-ID that follows from the channel's uuid.
pub(super) fn sip_call_id(uuid: &str) -> String {
    let tail: String = uuid.chars().rev().filter(|c| *c != '-').take(16).collect();
    tail
}

fn tag(uuid: &str) -> &str {
    uuid.get(..8).unwrap_or(uuid)
}

const CODECS: &str = "CORE_PCM_MODULE.PCMU@8000h@20i@64000b,CORE_PCM_MODULE.PCMA@8000h@20i@64000b";
const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, NOTIFY";

/// A session description as a phone on loopback sends one.
fn sdp(port: u16) -> String {
    format!(
        "v=0\r\no=- {port} 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n"
    )
}

fn media_port(leg: &Leg) -> u16 {
    u16::try_from(leg.session % 8000).unwrap_or_default() * 2 + 16_384
}

fn put_caller(leg: &Leg, sip: &Sip, sink: &mut dyn Sink) {
    let Sip {
        profile,
        from_user,
        from_host,
        to_user,
        to_host,
        host,
        port,
        user_agent,
    } = sip;
    let uuid = &leg.party.uuid;
    sink.put("sip_from_user", from_user);
    sink.put("sip_from_uri", &format!("{from_user}@{from_host}"));
    sink.put("sip_from_host", from_host);
    sink.put("sip_from_user_stripped", from_user);
    sink.put("sip_from_tag", tag(uuid));
    sink.put("sip_call_id", &sip_call_id(uuid));
    sink.put("sip_local_network_addr", "127.0.0.1");
    sink.put("sip_network_ip", host);
    sink.put_number("sip_network_port", u64::from(*port));
    sink.put_number("sip_invite_stamp", leg.times.created);
    sink.put("sip_received_ip", host);
    sink.put_number("sip_received_port", u64::from(*port));
    sink.put("sip_via_protocol", "udp");
    put_profile(profile, sink);
    let via = format!(
        "SIP/2.0/UDP {host}:{port};branch=z9hG4bK{};rport={port}",
        tag(uuid)
    );
    sink.put("sip_full_via", &via);
    sink.put(
        "sip_full_from",
        &format!("<sip:{from_user}@{from_host}>;tag={}", tag(uuid)),
    );
    sink.put("sip_full_to", &format!("<sip:{to_user}@{to_host}>"));
    sink.put("sip_allow", ALLOW);
    for (name, value) in [
        ("sip_req_user", &**to_user),
        ("sip_req_host", to_host),
        ("sip_to_user", to_user),
        ("sip_to_host", to_host),
        ("sip_contact_user", from_user),
        ("sip_contact_host", host),
        ("sip_via_host", host),
        ("sip_user_agent", user_agent),
        ("max_forwards", "70"),
        ("ep_codec_string", CODECS),
    ] {
        sink.put(name, value);
    }
    sink.put("sip_req_uri", &format!("{to_user}@{to_host}"));
    sink.put("sip_to_uri", &format!("{to_user}@{to_host}"));
    sink.put("sip_contact_uri", &format!("{from_user}@{host}:{port}"));
    for name in ["sip_contact_port", "sip_via_port", "sip_via_rport"] {
        sink.put_number(name, u64::from(*port));
    }
    sink.put("switch_r_sdp", &sdp(media_port(leg) + 1));
    if leg.acked {
        sink.put_number("sip_cseq", 1);
    }
    if leg.media {
        let disposition = if leg.is_answered() {
            "ANSWER"
        } else {
            "EARLY MEDIA"
        };
        sink.put("endpoint_disposition", disposition);
    } else {
        sink.put("rtp_use_codec_string", "PCMU,PCMA");
        sink.put("endpoint_disposition", "DELAYED NEGOTIATION");
        for name in ["video_media_flow", "audio_media_flow", "text_media_flow"] {
            sink.put(name, "disabled");
        }
    }
    if leg.times.progress != 0 || leg.acked {
        sink.put("sip_to_tag", tag(uuid));
    }
}

fn put_profile(profile: &str, sink: &mut dyn Sink) {
    sink.put("sofia_profile_name", profile);
    sink.put("recovery_profile_name", profile);
    sink.put("sofia_profile_url", "sip:mod_sofia@127.0.0.1:5060");
}

fn put_callee(leg: &Leg, sip: &Sip, sink: &mut dyn Sink) {
    let Sip {
        profile,
        from_user,
        from_host,
        to_user,
        to_host,
        host,
        port,
        user_agent,
    } = sip;
    let uuid = &leg.party.uuid;
    let target = format!("{to_user}@{to_host}");
    put_profile(profile, sink);
    for (name, value) in [
        ("is_outbound", "true"),
        ("sip_profile_name", &**profile),
        ("sip_local_network_addr", "127.0.0.1"),
        ("text_media_flow", "disabled"),
        ("audio_media_flow", "sendrecv"),
        ("video_media_flow", "sendrecv"),
        ("sip_req_uri", &target),
        ("sip_to_host", to_host),
        ("sip_from_host", from_host),
        ("max_forwards", "69"),
        ("originator_codec", CODECS),
        ("originate_early_media", "true"),
        ("originate_endpoint", "sofia"),
        ("rtp_use_codec_string", CODECS),
        ("local_media_ip", "127.0.0.1"),
        ("advertised_media_ip", "127.0.0.1"),
        ("sip_outgoing_contact_uri", "<sip:mod_sofia@127.0.0.1:5060>"),
    ] {
        sink.put(name, value);
    }
    sink.put("sip_destination_url", &format!("sip:{target}"));
    sink.put_number("local_media_port", u64::from(media_port(leg)));
    sink.put("rtp_local_sdp_str", &sdp(media_port(leg)));
    sink.put("switch_m_sdp", &sdp(media_port(leg) + 1));
    let spoke = leg.times.progress != 0 || leg.media;
    if !spoke && leg.refused.is_none() {
        return;
    }
    // Something came back.
    sink.put("sip_call_id", uuid);
    if leg.refused.is_none_or(Refusal::is_from_phone) {
        sink.put("sip_reply_host", host);
        sink.put("sip_network_ip", host);
    }
    sink.put_number("sip_reply_port", u64::from(*port));
    sink.put_number("sip_network_port", u64::from(*port));
    if !spoke {
        return;
    }
    // The phone has said more than no: its headers are known.
    for (name, value) in [
        ("sip_user_agent", &**user_agent),
        ("sip_allow", ALLOW),
        ("sip_from_display", &leg.party.caller_name),
        ("sip_from_user", from_user),
        ("sip_to_user", to_user),
        ("sip_contact_user", to_user),
        ("sip_contact_host", host),
        ("sip_to_tag", tag(uuid)),
        ("sip_from_tag", tag(uuid)),
    ] {
        sink.put(name, value);
    }
    let via = format!("SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK{}", tag(uuid));
    sink.put("sip_full_via", &via);
    sink.put("sip_recover_via", &via);
    sink.put("sip_from_uri", &format!("{from_user}@{from_host}"));
    sink.put(
        "sip_full_from",
        &format!("<sip:{from_user}@{from_host}>;tag={}", tag(uuid)),
    );
    sink.put("sip_to_uri", &target);
    sink.put("sip_full_to", &format!("<sip:{target}>;tag={}", tag(uuid)));
    sink.put("sip_contact_uri", &format!("{to_user}@{host}:{port}"));
    sink.put(
        "sip_recover_contact",
        &format!("<sip:{to_user}@{host}:{port}>"),
    );
    sink.put_number("sip_cseq", leg.session);
    for name in ["sip_to_port", "sip_contact_port"] {
        sink.put_number(name, u64::from(*port));
    }
    if leg.media {
        sink.put("switch_r_sdp", &sdp(media_port(leg) + 2));
        sink.put("ep_codec_string", CODECS);
        if leg.times.bridged != 0 {
            // Joined by early media is not answered.
            let disposition = if leg.is_answered() {
                "ANSWER"
            } else {
                "EARLY MEDIA"
            };
            sink.put("endpoint_disposition", disposition);
        }
    }
}

fn put_media(leg: &Leg, sink: &mut dyn Sink) {
    for (name, value) in [
        ("remote_video_media_flow", "inactive"),
        ("remote_text_media_flow", "inactive"),
        ("remote_audio_media_flow", "sendrecv"),
        ("audio_media_flow", "sendrecv"),
        ("video_media_flow", "disabled"),
        ("text_media_flow", "disabled"),
        ("rtp_use_codec_string", "PCMU,PCMA"),
        ("rtp_audio_recv_pt", "0"),
        ("rtp_use_codec_name", "PCMU"),
        ("rtp_use_codec_rate", "8000"),
        ("rtp_use_codec_ptime", "20"),
        ("rtp_use_codec_channels", "1"),
        ("rtp_last_audio_codec_string", "PCMU@8000h@20i@1c"),
        ("read_codec", "PCMU"),
        ("original_read_codec", "PCMU"),
        ("read_rate", "8000"),
        ("original_read_rate", "8000"),
        ("write_codec", "PCMU"),
        ("write_rate", "8000"),
        ("dtmf_type", "rfc2833"),
        ("local_media_ip", "127.0.0.1"),
        ("advertised_media_ip", "127.0.0.1"),
        ("rtp_use_pt", "0"),
        ("rtp_2833_send_payload", "101"),
        ("rtp_2833_recv_payload", "101"),
        ("remote_media_ip", "127.0.0.1"),
    ] {
        sink.put(name, value);
    }
    sink.put_number("rtp_use_ssrc", leg.session);
    sink.put_number("local_media_port", u64::from(media_port(leg)));
    sink.put_number("remote_media_port", u64::from(media_port(leg)) + 1);
    if leg.is_answered() && matches!(leg.kind, Kind::Caller(_)) {
        sink.put("rtp_local_sdp_str", &sdp(media_port(leg)));
    }
    if leg.other.is_some() || leg.callee.is_some() {
        sink.put("switch_m_sdp", &sdp(media_port(leg) + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_element_makes_an_array() {
        let mut variables = Variables::default();
        variables.push("originate_causes", "a;USER_BUSY");
        assert_eq!(variables.find("originate_causes"), Some("a;USER_BUSY"));
        variables.push("originate_causes", "b;NO_ANSWER");
        variables.push("originate_causes", "c;NONE");
        assert_eq!(
            variables.find("originate_causes"),
            Some("ARRAY::a;USER_BUSY|:b;NO_ANSWER|:c;NONE")
        );
    }

    #[test]
    fn setting_again_replaces_and_empty_unsets() {
        let mut variables = Variables::default();
        variables.set("a", "1");
        variables.set("b", "2");
        variables.set("A", "3");
        let all: Vec<_> = variables.iter().collect();
        assert_eq!(all, [("b", "2"), ("A", "3")]);
        variables.set("b", "");
        assert_eq!(variables.find("b"), None);
    }
}
