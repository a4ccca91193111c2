//! A call that goes on at the node which holds the registration: what travels in private headers,
//! and what is read from them (devices specification 3.6).
//!
//! Only the rest of the decision is left to the second node: formats, ringtones, codecs, headers.
//! Time-outs and delays are the first node's. The headers are believed from sister nodes alone
//! ([`super::caller`]); from anybody else they are just text.

use super::Variables;
use super::forward;
use super::leg::LegContext;
use super::plan::{Network, Privacy, Source};
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
}

/// Writes the headers of a leg to a sister node.
pub(super) fn hand_over(context: &LegContext<'_>, variables: &mut Variables) {
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
