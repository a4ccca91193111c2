//! A call that goes on at the node which holds the registration: what travels in private headers,
//! and what is read from them (devices specification 3.6).
//!
//! Only the rest of the decision is left to the second node: formats, ringtones, codecs, headers.
//! Time-outs and delays are the first node's. The headers are believed from sister nodes alone
//! ([`super::caller`]); from anybody else they are just text.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::Variables;
use super::forward;
use super::leg::LegContext;
use super::plan::{ActionOptions, Explain, Network, Privacy, Source};
use crate::types::{AccountId, DocumentId};

const ACCOUNT: &str = "X-LF-Account";
const DEVICE: &str = "X-LF-Device";
const DIALED: &str = "X-LF-Dialed";
const NETWORK: &str = "X-LF-Network";
const SOURCE: &str = "X-LF-Source";
const CHAIN: &str = "X-LF-Chain";
const CALLER_DEVICE: &str = "X-LF-Caller-Device";
const CALLER_OWNER: &str = "X-LF-Caller-Owner";
const PRIVACY: &str = "X-LF-Privacy";
const FORWARDED: &str = "X-LF-Forwarded";
const OPTIONS: &str = "X-LF-Options";

/// Characters of the options' header; an arrival keeps no more than 1024 of any value.
const LONGEST_OPTIONS: usize = 1000;

/// What the ringing action asked for and only the second node can do. (In base64, as percent signs don't survive
/// FreeSWITCH's own encoding of events: ESL specification 1.6.)
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HandedOptions {
    #[serde(rename = "a", skip_serializing_if = "Option::is_none")]
    pub alert_info: Option<String>,
    #[serde(rename = "i", skip_serializing_if = "Option::is_none")]
    pub static_invite: Option<String>,
    #[serde(rename = "s", skip_serializing_if = "std::ops::Not::not")]
    pub suppress_clid: bool,
    #[serde(rename = "h", skip_serializing_if = "IndexMap::is_empty")]
    pub custom_sip_headers: IndexMap<String, String>,
}

impl HandedOptions {
    fn of(options: &ActionOptions) -> Self {
        Self {
            alert_info: options.alert_info.clone(),
            static_invite: options.static_invite.clone(),
            suppress_clid: options.suppress_clid,
            custom_sip_headers: options.custom_sip_headers.clone(),
        }
    }

    /// Adds them to the second node's own.
    pub fn apply(&self, options: &mut ActionOptions) {
        options.alert_info.clone_from(&self.alert_info);
        options.static_invite.clone_from(&self.static_invite);
        options.suppress_clid = self.suppress_clid;
        let headers = self.custom_sip_headers.iter();
        let headers = headers.map(|(name, value)| (name.clone(), value.clone()));
        options.custom_sip_headers.extend(headers);
    }

    /// None: there is nothing to tell, or too much.
    fn written(&self, explain: &mut dyn Explain) -> Option<String> {
        if *self == Self::default() {
            return None;
        }
        let text = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).ok()?);
        if text.len() > LONGEST_OPTIONS {
            explain.note(
                "sister",
                format_args!("ringtone and headers of the action are too long to travel; left out"),
            );
            return None;
        }
        Some(text)
    }

    fn read(text: &str) -> Option<Self> {
        let json = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        serde_json::from_slice(&json).ok()
    }
}

/// The part of a decision that the first node leaves to the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedOver {
    pub account: AccountId,
    pub device: DocumentId,
    pub dialed: String,
    pub network: Network,
    pub source: Source,
    pub forward_chain: Vec<DocumentId>,
    pub caller_device: Option<DocumentId>,
    pub caller_owner: Option<DocumentId>,
    pub privacy: Privacy,
    /// The first node has built the forwarded leg, if there is one.
    pub forwarded: bool,
    pub options: HandedOptions,
}

/// Writes the headers of a leg to a sister node.
pub(super) fn hand_over(
    context: &LegContext<'_>,
    variables: &mut Variables,
    explain: &mut dyn Explain,
) {
    let request = context.request;
    let caller = context.caller.caller;
    let mut set = |name: &str, value: &str| {
        if !value.is_empty() {
            variables.set_header(name, value);
        }
    };
    set(ACCOUNT, request.account_id.as_str());
    set(DEVICE, context.member.device_id.as_str());
    set(DIALED, &super::clean::user_part(request.dialed));
    set(NETWORK, network_word(caller.network));
    set(SOURCE, source_word(request.source));
    set(CHAIN, &forward::joined(request.forward_chain.iter()));
    for (name, id) in [
        (CALLER_DEVICE, &caller.device_id),
        (CALLER_OWNER, &caller.owner_id),
    ] {
        set(name, id.as_ref().map_or("", DocumentId::as_str));
    }
    if caller.privacy.hides_something() {
        set(PRIVACY, caller.privacy.tokens());
    }
    // With every contact elsewhere the other node decides about forwarding as well.
    let forwarded = request.options.ignore_forward || context.forwarded_here;
    set(FORWARDED, if forwarded { "true" } else { "false" });
    let options = HandedOptions::of(request.options).written(explain);
    set(OPTIONS, options.as_deref().unwrap_or_default());
}

impl HandedOver {
    /// Reads what the first node wrote; `header` looks up a header's value by its name. None: the
    /// headers are not there or make no sense.
    #[must_use]
    pub fn read<'v>(header: impl Fn(&str) -> Option<&'v str>) -> Option<Self> {
        let id = |name| DocumentId::new(header(name)?).ok();
        let dialed = percent_encoding::percent_decode_str(header(DIALED).unwrap_or_default());
        let privacy = header(PRIVACY).unwrap_or_default();
        Some(Self {
            account: AccountId::new(header(ACCOUNT)?).ok()?,
            device: id(DEVICE)?,
            dialed: dialed.decode_utf8().ok()?.into_owned(),
            network: match header(NETWORK)? {
                "onnet" => Network::Onnet,
                "offnet" => Network::Offnet,
                _ => return None,
            },
            source: source(header(SOURCE)?)?,
            forward_chain: forward::chain(header(CHAIN).unwrap_or_default()),
            caller_device: id(CALLER_DEVICE),
            caller_owner: id(CALLER_OWNER),
            privacy: Privacy {
                hide_name: privacy.contains("hide_name"),
                hide_number: privacy.contains("hide_number"),
            },
            forwarded: header(FORWARDED) == Some("true"),
            options: header(OPTIONS)
                .and_then(HandedOptions::read)
                .unwrap_or_default(),
        })
    }
}

const fn network_word(network: Network) -> &'static str {
    match network {
        Network::Onnet => "onnet",
        Network::Offnet => "offnet",
    }
}

const SOURCES: [(Source, &str); 7] = [
    (Source::Device, "device"),
    (Source::User, "user"),
    (Source::RingGroup, "ring_group"),
    (Source::Queue, "queue"),
    (Source::Page, "page"),
    (Source::Menu, "menu"),
    (Source::Feature, "feature"),
];

fn source_word(source: Source) -> &'static str {
    let found = SOURCES.iter().find(|(known, _)| *known == source);
    found.map_or("device", |(_, word)| word)
}

fn source(word: &str) -> Option<Source> {
    let found = SOURCES.iter().find(|(_, known)| *known == word);
    found.map(|(source, _)| *source)
}

#[cfg(test)]
mod tests {
    use super::super::plan::Silent;
    use super::*;

    #[test]
    fn options_arrive_as_they_left() {
        let options = ActionOptions {
            alert_info: Some("<http://x.test/ring%20tone>;info=a,b".into()),
            static_invite: Some("+49 30".into()),
            suppress_clid: true,
            custom_sip_headers: IndexMap::from([("X-A".to_owned(), "ä'$|]".to_owned())]),
            ..ActionOptions::default()
        };
        let written = HandedOptions::of(&options).written(&mut Silent).unwrap();
        let safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(written.chars().all(safe), "{written}");
        let mut read = ActionOptions::default();
        HandedOptions::read(&written).unwrap().apply(&mut read);
        assert_eq!(read.alert_info, options.alert_info);
        assert_eq!(read.static_invite, options.static_invite);
        assert!(read.suppress_clid);
        assert_eq!(read.custom_sip_headers, options.custom_sip_headers);
    }

    #[test]
    fn nothing_and_too_much_are_not_written() {
        let mut options = ActionOptions::default();
        assert_eq!(HandedOptions::of(&options).written(&mut Silent), None);
        options.alert_info = Some("x".repeat(2000));
        assert_eq!(HandedOptions::of(&options).written(&mut Silent), None);
        assert_eq!(HandedOptions::read("%%"), None);
    }
}
