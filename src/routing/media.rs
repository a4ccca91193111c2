//! Codecs, encryption, fax and bypass of media (devices specification 2.5 to 2.9).

use super::plan::Explain;
use super::{DialLeg, Variables};
use crate::documents::{Device, Media};

/// Kinds of media that documents may name by a URL. Others are for the operator's settings: `shell_stream://` runs a
/// command, `file://` leaves the account's folder.
const STREAMS: [&str; 6] = [
    "local_stream://",
    "silence_stream://",
    "tone_stream://",
    "shout://",
    "http://",
    "https://",
];

/// Whether a document may have this played: a stream of a known kind, or no URL at all.
#[must_use]
pub fn may_be_named(reference: &str) -> bool {
    if !reference.contains("://") {
        return true;
    }
    let known = STREAMS.iter().find(|stream| {
        let start = reference.get(..stream.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(stream))
    });
    // (A second scheme behind the first would be opened by some of FreeSWITCH's modules.)
    known.is_some_and(|stream| {
        !reference
            .get(stream.len()..)
            .unwrap_or_default()
            .contains("://")
    })
}

/// Value of `absolute_codec_string`: audio then video in document order, old names mapped,
/// duplicates dropped. None: nothing listed, the leg offers what the caller has.
#[must_use]
pub fn codecs(media: &Media) -> Option<String> {
    let mut list = String::new();
    for name in media.audio.iter().chain(&media.video) {
        match &**name {
            "G722_32" => add(&mut list, "G7221@32000h"),
            "G722_16" => {
                add(&mut list, "G722");
                add(&mut list, "G7221@16000h");
            }
            "CELT_32" => add(&mut list, "CELT@32000h"),
            "CELT_48" => add(&mut list, "CELT@48000h"),
            "CELT_64" => add(&mut list, "CELT@64000h"),
            other => add(&mut list, other),
        }
    }
    (!list.is_empty()).then_some(list)
}

fn add(list: &mut String, name: &str) {
    // A name with a comma would be two, one with a blank none.
    if name.contains([',', ' ']) || list.split(',').any(|known| known == name) {
        return;
    }
    if !list.is_empty() {
        list.push(',');
    }
    list.push_str(name);
}

/// Codecs of a leg. Behind a loopback a leg without codecs of its own would offer L16 alone.
pub fn offer_codecs(
    variables: &mut Variables,
    device: &Device,
    behind_loopback: bool,
    loopback_codecs: &[String],
) {
    let own = device.media.as_deref().and_then(codecs);
    let default = || behind_loopback.then(|| loopback_codecs.join(","));
    if let Some(list) = own.or_else(default) {
        variables.set("absolute_codec_string", list);
    }
}

/// The device has codecs of its own.
pub fn has_codecs(device: &Device) -> bool {
    device.media.as_deref().and_then(codecs).is_some()
}

/// SRTP and ZRTP. `mandatory` offers RTP/SAVP alone, `optional` also plain RTP.
pub fn encrypt(variables: &mut Variables, media: &Media, explain: &mut dyn Explain) {
    let encryption = media.encryption;
    let methods = encryption.methods;
    if methods.srtp {
        let mode = if encryption.enforce {
            "mandatory"
        } else {
            "optional"
        };
        variables.set("rtp_secure_media", mode);
    }
    if methods.zrtp {
        variables.set_bool("zrtp_secure_media", true);
        variables.set_bool("zrtp_enrollment", true);
    }
    if encryption.enforce && !methods.srtp {
        let what = if methods.zrtp {
            "ZRTP alone, which recent FreeSWITCH lacks: the call is not encrypted"
        } else {
            "no method, so there is nothing to enforce"
        };
        explain.note("encryption", format_args!("enforce_security with {what}"));
    }
}

/// T.38 for a device that speaks it; for a fax without it, called by an endpoint that does, a
/// gateway on the fax's side.
pub fn fax(variables: &mut Variables, device: &Device, caller: Option<&Device>) {
    let speaks = |device: &Device| {
        let media = device.media.as_deref();
        media.and_then(|media| media.fax_option) == Some(true)
    };
    if speaks(device) {
        variables.set_bool("fax_enable_t38", true);
    } else if device.is_fax() && caller.is_some_and(speaks) {
        variables.set("execute_on_answer", "t38_gateway self");
    }
}

/// What one leg says about bypassing media.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bypass {
    pub wanted: bool,
    /// It is recorded, or someone has to press a key.
    pub needs_media: bool,
}

/// `bypass_media` of the A-leg: true only if every leg can; false if one asked for it or a loopback
/// is among them; None: left alone.
#[must_use]
pub fn bypass<'a>(
    legs: impl Iterator<Item = (&'a DialLeg, Bypass)>,
    aleg_profile: Option<&str>,
) -> Option<bool> {
    let (mut every, mut any, mut count) = (true, false, 0);
    for (leg, bypass) in legs {
        let same_profile = leg
            .endpoint
            .profile()
            .is_some_and(|profile| aleg_profile == Some(profile));
        every &= bypass.wanted && same_profile && !bypass.needs_media;
        any |= bypass.wanted || leg.endpoint.is_loopback();
        count += 1;
    }
    match (count > 0 && every, any) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::{Endpoint, Silent};
    use serde_json::{Value, json};

    fn media(value: Value) -> Media {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn old_codec_names_are_mapped_and_duplicates_dropped() {
        let list = |audio: &[&str], video: &[&str]| {
            codecs(&media(
                json!({"audio": {"codecs": audio}, "video": {"codecs": video}}),
            ))
        };
        assert_eq!(
            list(
                &["G722", "G722_16", "G7221@32000h", "G722_32"],
                &["H264", "H264"]
            )
            .as_deref(),
            Some("G722,G7221@16000h,G7221@32000h,H264")
        );
        assert_eq!(
            list(&["CELT_32", "CELT_64", "a,b", "Speex"], &[]).as_deref(),
            Some("CELT@32000h,CELT@64000h,Speex")
        );
        assert_eq!(list(&[], &[]), None);
    }

    #[test]
    fn encryption_table() {
        let variables = |value: Value| {
            let mut variables = Variables::default();
            encrypt(
                &mut variables,
                &media(json!({"encryption": value})),
                &mut Silent,
            );
            let get = |name| variables.get(name).map(str::to_owned);
            (
                get("rtp_secure_media"),
                get("zrtp_secure_media"),
                get("zrtp_enrollment"),
            )
        };
        let text = |text: &str| Some(text.to_owned());
        let yes = || text("true");
        assert_eq!(
            variables(json!({"enforce_security": true})),
            (None, None, None)
        );
        assert_eq!(
            variables(json!({"methods": ["srtp", "zrtp"]})),
            (text("optional"), yes(), yes())
        );
        assert_eq!(
            variables(json!({"methods": ["zrtp", "srtp"], "enforce_security": true})),
            (text("mandatory"), yes(), yes())
        );
        assert_eq!(
            variables(json!({"methods": ["zrtp"], "enforce_security": true})),
            (None, yes(), yes())
        );
    }

    #[test]
    fn fax_gateway_only_between_a_fax_and_a_t38_caller() {
        let device = |value: Value| -> Device { serde_json::from_value(value).unwrap() };
        let set = |called: Value, caller: Value| {
            let mut variables = Variables::default();
            fax(&mut variables, &device(called), Some(&device(caller)));
            variables
                .iter()
                .map(|(n, v)| format!("{n}={v}"))
                .collect::<Vec<_>>()
        };
        let t38 = || json!({"media": {"fax_option": "auto"}});
        assert_eq!(set(t38(), json!({})), ["fax_enable_t38=true"]);
        assert_eq!(
            set(json!({"device_type": "fax"}), t38()),
            ["execute_on_answer=t38_gateway self"]
        );
        assert!(set(json!({"device_type": "fax"}), json!({})).is_empty());
        assert!(set(json!({}), t38()).is_empty());
    }

    #[test]
    fn media_is_bypassed_only_if_every_leg_can() {
        let leg = |endpoint: &str| DialLeg {
            variables: Variables::default(),
            endpoint: match endpoint {
                "loopback" => Endpoint::loopback("1", "default").unwrap(),
                profile => Endpoint::sofia(profile, "sip:a@b").unwrap(),
            },
        };
        let wanted = Bypass {
            wanted: true,
            needs_media: false,
        };
        let decide = |legs: &[(&str, Bypass)]| {
            let legs: Vec<_> = legs.iter().map(|(e, b)| (leg(e), *b)).collect();
            bypass(legs.iter().map(|(leg, b)| (leg, *b)), Some("internal"))
        };
        let needs_media = Bypass {
            wanted: true,
            needs_media: true,
        };
        let no = Bypass::default();
        assert_eq!(decide(&[("internal", wanted)]), Some(true));
        assert_eq!(
            decide(&[("internal", wanted), ("internal", wanted)]),
            Some(true)
        );
        assert_eq!(
            decide(&[("internal", wanted), ("internal", no)]),
            Some(false)
        );
        assert_eq!(decide(&[("external", wanted)]), Some(false));
        assert_eq!(decide(&[("internal", needs_media)]), Some(false));
        assert_eq!(decide(&[("loopback", no)]), Some(false));
        assert_eq!(decide(&[("internal", no)]), None);
    }
}
