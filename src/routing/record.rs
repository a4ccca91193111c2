//! What is recorded, and where it is sent (devices specification 8). Pure parameters: files and
//! uploads are made elsewhere.

use percent_encoding::utf8_percent_encode;

use super::merge::{Level, Merged};
use super::plan::Network;
use super::settings::Settings;
use crate::documents::{CallRecording, Direction, RecordingFields, RecordingSource};

/// File format.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Needs mod_shout.
    #[default]
    Mp3,
    Wav,
}

impl Format {
    /// The file's extension.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Format::Mp3 => "mp3",
            Format::Wav => "wav",
        }
    }

    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Format::Mp3 => "audio/mpeg",
            Format::Wav => "audio/wav",
        }
    }
}

/// When the frames start. `record_session` runs at answer either way: it answers an unanswered
/// channel, so that "at bridge" is a variable that holds frames back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Start {
    #[default]
    Answer,
    Bridge,
}

impl Start {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Start::Answer => "answer",
            Start::Bridge => "bridge",
        }
    }
}

/// Parameters of one recording, defaults applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    pub enabled: bool,
    pub format: Format,
    /// Seconds.
    pub time_limit: u32,
    /// Seconds; FreeSWITCH deletes shorter files.
    pub record_min_sec: u32,
    /// Hertz.
    pub record_sample_rate: u32,
    pub start: Start,
    /// Where the file is sent; None: kept.
    pub url: Option<String>,
}

/// Hertz of a stereo recording whose document names no rate.
const STEREO_RATE: u32 = 16_000;

/// Shortest limit that a document can set, seconds.
const SHORTEST_LIMIT_S: u32 = 5;

/// Parameters for a call to (`Inbound` as the document words it) or from (`Outbound`) an endpoint,
/// by the network of the other side.
#[must_use]
pub fn select(
    endpoint: &Merged<'_>,
    direction: Direction,
    network: Network,
    settings: &Settings,
) -> Recording {
    let owner = || endpoint.owner?.1.attributes.call_recording.as_deref();
    let device = || endpoint.device?.attributes.call_recording.as_deref();
    let account = endpoint.account.recording.as_deref();
    let account = account.and_then(|recording| recording.endpoint.as_deref());
    merged(&[device(), owner(), account], direction, network, settings)
}

/// Parameters of the account's own recording of whole calls.
#[must_use]
pub fn of_account(
    account: &crate::documents::Account,
    direction: Direction,
    network: Network,
    settings: &Settings,
) -> Recording {
    let recording = account.recording.as_deref();
    let recording = recording.and_then(|recording| recording.account.as_deref());
    merged(&[recording], direction, network, settings)
}

/// How a leg to the endpoint is recorded, if it is.
#[must_use]
pub fn of_leg(
    endpoint: &Merged<'_>,
    network: Network,
    settings: &Settings,
) -> Option<Box<Recording>> {
    let recording = select(endpoint, Direction::Inbound, network, settings);
    recording.enabled.then(|| Box::new(recording))
}

/// Levels from the strongest. A level that says anything decides `enabled`: false if it says
/// nothing for this direction and network.
fn merged(
    levels: &[Option<&CallRecording>],
    direction: Direction,
    network: Network,
    settings: &Settings,
) -> Recording {
    let levels = || levels.iter().flatten();
    let fields = || levels().flat_map(|level| in_level(level, direction, network));
    let strongest = levels().next();
    let enabled = strongest.is_some_and(|level| {
        in_level(level, direction, network).find_map(|fields| fields.enabled) == Some(true)
    });
    let format = fields().find_map(|fields| fields.format.as_deref());
    let limit = fields().find_map(|fields| fields.time_limit);
    let limit = limit.filter(|limit| (SHORTEST_LIMIT_S..=settings.max_recording_s).contains(limit));
    let rate = fields().find_map(|fields| fields.record_sample_rate);
    let on_bridge = fields().find_map(|fields| fields.record_on_bridge);
    Recording {
        enabled,
        format: match format {
            Some("wav") => Format::Wav,
            _ => Format::Mp3,
        },
        time_limit: limit.unwrap_or(settings.max_recording_s),
        record_min_sec: fields().find_map(|f| f.record_min_sec).unwrap_or(0),
        record_sample_rate: rate.filter(|rate| *rate > 0).unwrap_or(STEREO_RATE),
        start: match on_bridge {
            Some(true) => Start::Bridge,
            _ => Start::Answer,
        },
        url: fields().find_map(|f| f.url.as_deref()).map(str::to_owned),
    }
}

/// The four groups of a level that bear on a call, strongest first: a setting for the network
/// beats one for the direction.
fn in_level<'a>(
    level: &'a CallRecording,
    direction: Direction,
    network: Network,
) -> impl Iterator<Item = &'a RecordingFields> {
    let directed = match direction {
        Direction::Inbound => &level.inbound,
        Direction::Outbound => &level.outbound,
    };
    let on_network = move |source: &'a RecordingSource| match network {
        Network::Onnet => source.onnet.as_deref(),
        Network::Offnet => source.offnet.as_deref(),
    };
    [
        on_network(directed),
        on_network(&level.any),
        directed.any.as_deref(),
        level.any.any.as_deref(),
    ]
    .into_iter()
    .flatten()
}

/// What a recorded call was, for the name and the query of its upload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordedCall<'a> {
    pub from: &'a str,
    pub to: &'a str,
    pub caller_id_name: &'a str,
    pub caller_id_number: &'a str,
    pub call_id: &'a str,
    pub cdr_id: &'a str,
    pub interaction_id: &'a str,
    pub account_id: &'a str,
}

/// Why a recording is kept and not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("recordings are sent to http, https, ftp and ftps URLs only, not to {0:?}")]
pub struct UnknownScheme(pub String);

/// The URL to which a recording is sent.
///
/// # Errors
/// The scheme is none that recordings are sent by.
pub fn upload_url(
    url: &str,
    format: Format,
    call: &RecordedCall<'_>,
) -> Result<String, UnknownScheme> {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    let is = |known: [&str; 2]| {
        scheme.is_some_and(|scheme| known.iter().any(|k| k.eq_ignore_ascii_case(scheme)))
    };
    let id = utf8_percent_encode(call.call_id, PLAIN);
    let name = format!("call_recording_{id}.{}", format.as_str());
    if is(["ftp", "ftps"]) {
        return Ok(format!("{}/{name}", url.trim_end_matches('/')));
    }
    if !is(["http", "https"]) {
        return Err(UnknownScheme(url.to_owned()));
    }
    let query = query(call);
    let url = url.split('#').next().unwrap_or_default();
    let (base, asked) = url.split_once('?').unwrap_or((url, ""));
    if asked.is_empty() {
        let base = base.strip_suffix('/').unwrap_or(base);
        return Ok(format!("{base}/{name}?{query}"));
    }
    let last = asked.rsplit('&').next().unwrap_or_default();
    let joint = match last.split_once('=') {
        Some((_, "")) => "",
        None if !last.is_empty() => "=",
        _ => "&recording=",
    };
    Ok(format!("{url}{joint}{name}&{query}"))
}

/// Percent-encoded unless a letter, a digit or `-_.~`.
const PLAIN: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

fn query(call: &RecordedCall<'_>) -> String {
    let parameters = [
        ("from", call.from),
        ("to", call.to),
        ("caller_id_name", call.caller_id_name),
        ("caller_id_number", call.caller_id_number),
        ("call_id", call.call_id),
        ("cdr_id", call.cdr_id),
        ("interaction_id", call.interaction_id),
        ("account_id", call.account_id),
    ];
    let pair =
        |(name, value): (&str, &str)| format!("{name}={}", utf8_percent_encode(value, PLAIN));
    parameters.map(pair).join("&")
}

/// Which level switched a recording on or off, for explanation.
#[must_use]
pub fn decided_by(endpoint: &Merged<'_>) -> Option<Level> {
    let owner = || endpoint.owner?.1.attributes.call_recording.as_deref();
    let device = || endpoint.device?.attributes.call_recording.as_deref();
    let account = || endpoint.account.recording.as_deref()?.endpoint.as_deref();
    device()
        .map(|_| Level::Device)
        .or_else(|| owner().map(|_| Level::Owner))
        .or_else(|| account().map(|_| Level::Account))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::{Account, Device, User};
    use crate::types::DocumentId;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn select_from(
        account: Value,
        owner: Value,
        device: Value,
        direction: Direction,
        network: Network,
    ) -> Recording {
        let account: Account =
            serde_json::from_value(json!({"call_recording": {"endpoint": account}})).unwrap();
        let mut device = json!({"owner_id": "u", "call_recording": device});
        let device: Device = serde_json::from_value(device.take()).unwrap();
        let user: User = serde_json::from_value(json!({"call_recording": owner})).unwrap();
        let users = [(DocumentId::new("u").unwrap(), Arc::new(user))];
        let endpoint = Merged::of_device(&account, &device, &users);
        select(&endpoint, direction, network, &Settings::default())
    }

    #[test]
    fn a_setting_for_the_network_beats_one_for_the_direction() {
        let device = json!({
            "inbound": {"onnet": {"time_limit": 11}, "any": {"time_limit": 12, "record_min_sec": 2, "record_sample_rate": 8000}},
            "any": {"onnet": {"time_limit": 13, "record_min_sec": 3}, "any": {"enabled": true, "format": "wav", "record_sample_rate": 9000}},
        });
        let of = |direction, network| {
            let none = Value::Null;
            let r = select_from(none.clone(), none, device.clone(), direction, network);
            (
                r.enabled,
                r.time_limit,
                r.record_min_sec,
                r.record_sample_rate,
            )
        };
        use {
            Direction::{Inbound, Outbound},
            Network::{Offnet, Onnet},
        };
        assert_eq!(of(Inbound, Onnet), (true, 11, 3, 8000));
        assert_eq!(of(Inbound, Offnet), (true, 12, 2, 8000));
        assert_eq!(of(Outbound, Onnet), (true, 13, 3, 9000));
        assert_eq!(of(Outbound, Offnet), (true, 10_800, 0, 9000));
    }

    #[test]
    fn a_level_that_speaks_at_all_decides_whether() {
        let account =
            || json!({"any": {"any": {"enabled": true, "format": "wav", "url": "https://a/"}}});
        let of = |owner, device, direction, network| {
            let r = select_from(account(), owner, device, direction, network);
            (r.enabled, r.format.as_str(), r.url.is_some())
        };
        use {
            Direction::{Inbound, Outbound},
            Network::{Offnet, Onnet},
        };
        let device = || json!({"inbound": {"onnet": {"enabled": true, "format": "ogg"}}});
        assert_eq!(
            of(json!({}), json!({}), Outbound, Offnet),
            (true, "wav", true)
        );
        assert_eq!(of(json!({}), device(), Inbound, Onnet), (true, "mp3", true));
        assert_eq!(
            of(json!({}), device(), Outbound, Onnet),
            (false, "wav", true)
        );
        assert_eq!(
            of(json!({"any": {}}), json!({}), Inbound, Onnet),
            (false, "wav", true)
        );
        assert_eq!(
            of(json!({"any": {}}), device(), Inbound, Onnet),
            (true, "mp3", true)
        );
    }

    #[test]
    fn limits_are_bounded_and_the_bridge_wins() {
        let of = |fields: Value| {
            let device = json!({"any": {"any": fields}});
            let r = select_from(
                Value::Null,
                Value::Null,
                device,
                Direction::Inbound,
                Network::Onnet,
            );
            (r.time_limit, r.start)
        };
        assert_eq!(of(json!({"time_limit": 20_000})), (10_800, Start::Answer));
        assert_eq!(
            of(json!({"time_limit": 4, "record_on_answer": true})),
            (10_800, Start::Answer)
        );
        assert_eq!(
            of(json!({"time_limit": 5, "record_on_bridge": true, "record_on_answer": true})),
            (5, Start::Bridge)
        );
    }

    #[test]
    fn upload_addresses() {
        let call = RecordedCall {
            call_id: "a/b c",
            from: "+1",
            ..RecordedCall::default()
        };
        let of = |url| upload_url(url, Format::Wav, &call).unwrap();
        let name = "call_recording_a%2Fb%20c.wav";
        for (url, head) in [
            (
                "https://h/in/",
                format!("https://h/in/{name}?from=%2B1&to=&"),
            ),
            ("https://h/in", format!("https://h/in/{name}?from=")),
            ("https://h/in?", format!("https://h/in/{name}?from=")),
            ("http://h/?k=1&f=", format!("http://h/?k=1&f={name}&from=")),
            ("http://h/?k=1&f", format!("http://h/?k=1&f={name}&from=")),
            (
                "http://h/?k=1",
                format!("http://h/?k=1&recording={name}&from="),
            ),
        ] {
            assert!(of(url).starts_with(&head), "{url}: {}", of(url));
        }
        assert_eq!(of("ftp://h/in/"), format!("ftp://h/in/{name}"));
        assert!(upload_url("file:///etc", Format::Mp3, &call).is_err());
    }
}
