//! A call at the moment FreeSWITCH hands it over.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::call::Leg;
use crate::esl::Event;
use crate::types::{CallId, NodeName};

/// Channel variables that routing reads, besides all that begin with `lf_`.
pub const WANTED_VARIABLES: &[&str] = &[
    "sip_authorized",
    "sip_auth_username",
    "sip_auth_realm",
    "sip_acl_authed_by",
    "sip_acl_token",
    "sip_gateway",
    "sip_gateway_name",
    "user_name",
    "domain_name",
    "user_context",
    "account_id",
    "sip_req_user",
    "sip_req_host",
    "sip_to_user",
    "sip_to_host",
    "sip_from_user",
    "sip_from_host",
    "sip_contact_user",
    "sip_contact_host",
    "sip_network_ip",
    "sip_network_port",
    "sip_received_ip",
    "sip_received_port",
    "sip_via_protocol",
    "sip_user_agent",
    "sip_cid_type",
    "sip_looped_call",
    "sip_h_Diversion",
    "sip_h_P-Asserted-Identity",
    "max_forwards",
    "privacy",
    "sip_Privacy",
    "is_loopback",
    "loopback_leg",
    "direction",
    // What a sister node hands over; believed from one only.
    "sip_h_X-LF-Account",
    "sip_h_X-LF-Device",
    "sip_h_X-LF-Dialed",
    "sip_h_X-LF-Network",
    "sip_h_X-LF-Source",
    "sip_h_X-LF-Chain",
    "sip_h_X-LF-Caller-Device",
    "sip_h_X-LF-Caller-Owner",
    "sip_h_X-LF-Privacy",
    "sip_h_X-LF-Forwarded",
    "sip_h_X-LF-Options",
    "sip_h_X-LF-Connectivity",
    "sip_h_X-LF-Server",
    "sip_h_X-LF-Media",
    // FreeSWITCH's own note of a transfer, and who says to have asked for it.
    "sip_refer_to",
    "sip_h_Referred-By",
];

/// Headers of the channel that routing reads, under their own name.
const WANTED_HEADERS: &[&str] = &[
    "Caller-Privacy-Hide-Name",
    "Caller-Privacy-Hide-Number",
    "Caller-Screen-Bit",
    "Caller-Context",
    "Caller-RDNIS",
    "Caller-ANI",
    "FreeSWITCH-Switchname",
];

/// Bounds on what a call keeps of its channel data: peers choose some of it.
const MOST_VARIABLES: usize = 96;
/// Headers of the peer's own among them.
const MOST_HEADERS: usize = 24;
const LONGEST_VALUE: usize = 1024;

/// How the call came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handoff {
    /// `socket HOST:PORT async full`.
    Socket,
    /// `park` on a node that we are connected to.
    Park,
    /// Not handed over: FreeSWITCH asks where it goes, by mod_xml_curl.
    Dialplan,
}

/// What is known of a call when it arrives, out of its channel data. Texts are as the peer
/// wrote them: hostile until a typed writer has cleaned them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    pub call: CallId,
    pub node: NodeName,
    pub handoff: Handoff,
    /// `variable_sip_call_id`.
    pub sip_call_id: Option<String>,
    /// `Caller-Destination-Number` of the first CHANNEL_PARK or the connect reply.
    pub destination: String,
    pub caller_number: Option<String>,
    pub caller_name: Option<String>,
    /// `variable_sofia_profile_name`.
    pub profile: Option<String>,
    /// `variable_sip_received_ip`, else `Caller-Network-Addr`.
    pub source: Option<IpAddr>,
    /// `Core-UUID`.
    pub core: String,
    /// Other variables that routing reads (`sip_authorized`, `user_name`, `domain_name`,
    /// `sip_acl_authed_by`, `lf_*`, `Caller-Privacy-*`, ...): those of `WANTED_VARIABLES`, without the `variable_` prefix.
    pub variables: HashMap<Box<str>, Box<str>>,
}

/// Why channel data are no call that we can take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the channel data have no usable {0}")]
pub struct NoArrival(pub &'static str);

impl Arrival {
    /// Reads the channel data of a handoff (CHANNEL_PARK, CHANNEL_DATA) and keeps no more of
    /// them than routing needs.
    ///
    /// # Errors
    /// The data name no channel.
    pub fn read(channel: &Event, node: NodeName, handoff: Handoff) -> Result<Arrival, NoArrival> {
        let uuid = channel.unique_id().ok_or(NoArrival("Unique-ID"))?;
        let call = CallId::new(&uuid).map_err(|_| NoArrival("Unique-ID"))?;
        let source = channel
            .variable("sip_received_ip")
            .or_else(|| channel.header("Caller-Network-Addr"))
            .and_then(|text| text.parse().ok());
        Ok(Arrival {
            call,
            node,
            handoff,
            sip_call_id: channel.variable("sip_call_id").map(bounded),
            destination: channel
                .header("Caller-Destination-Number")
                .map(bounded)
                .unwrap_or_default(),
            caller_number: channel.header("Caller-Caller-ID-Number").map(bounded),
            caller_name: channel.header("Caller-Caller-ID-Name").map(bounded),
            profile: channel.variable("sofia_profile_name").map(bounded),
            source,
            core: channel.header("Core-UUID").map(bounded).unwrap_or_default(),
            variables: wanted(channel),
        })
    }

    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(AsRef::as_ref)
    }
}

fn bounded(text: Cow<'_, str>) -> String {
    match text.char_indices().nth(LONGEST_VALUE) {
        None => text.into_owned(),
        Some(_) => text.chars().take(LONGEST_VALUE).collect(),
    }
}

fn wanted(channel: &Event) -> HashMap<Box<str>, Box<str>> {
    let mut kept = HashMap::new();
    let mut headers = 0;
    for (name, value) in channel.headers() {
        let name = match name.strip_prefix("variable_") {
            Some(name) if name.starts_with("lf_") || WANTED_VARIABLES.contains(&name) => name,
            // Carriers and PBXs pass headers on (trunkstore specification 4.4).
            Some(name) if name.starts_with("sip_h_") && headers < MOST_HEADERS => {
                headers += 1;
                name
            }
            None if WANTED_HEADERS.contains(&name.as_ref()) => name.as_ref(),
            _ => continue,
        };
        if kept.len() >= MOST_VARIABLES {
            tracing::warn!(left_out = name, "the channel has too many variables");
            break;
        }
        // The first of a repeated name counts, as in FreeSWITCH's own look-up.
        if !kept.contains_key(name) {
            kept.insert(Box::from(name), bounded(value).into_boxed_str());
        }
    }
    kept.shrink_to_fit();
    kept
}

/// A call for the callflow engine: what it is, and the handle to drive it.
pub struct IncomingCall {
    pub arrival: Arrival,
    pub leg: Arc<dyn Leg>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(extra: &[(&'static str, &'static str)]) -> Event {
        let mut headers = vec![
            ("Event-Name", "CHANNEL_DATA"),
            ("Core-UUID", "core-1"),
            ("Unique-ID", "u-1"),
            ("Caller-Destination-Number", "1002"),
            ("Caller-Caller-ID-Number", "1001"),
            ("Caller-Network-Addr", "10.0.0.1"),
            ("variable_sip_received_ip", "10.0.0.9"),
            ("variable_user_name", "1001"),
            ("variable_switch_r_sdp", "v=0"),
            ("variable_lf_class", "device"),
        ];
        headers.extend_from_slice(extra);
        Event::from_headers(headers, None)
    }

    fn node() -> NodeName {
        NodeName::new("fs1").unwrap()
    }

    #[test]
    fn keeps_what_routing_reads_and_nothing_else() {
        let arrival = Arrival::read(&channel(&[]), node(), Handoff::Park).unwrap();
        assert_eq!(arrival.destination, "1002");
        assert_eq!(arrival.source, "10.0.0.9".parse().ok());
        assert_eq!(arrival.variable("user_name"), Some("1001"));
        assert_eq!(arrival.variable("lf_class"), Some("device"));
        assert_eq!(arrival.variable("switch_r_sdp"), None);
    }

    #[test]
    fn the_first_of_a_repeated_variable_counts() {
        let twice = channel(&[("variable_user_name", "9999")]);
        let arrival = Arrival::read(&twice, node(), Handoff::Socket).unwrap();
        assert_eq!(arrival.variable("user_name"), Some("1001"));
    }

    #[test]
    fn a_channel_without_a_name_is_refused() {
        let event = Event::from_headers([("Event-Name", "CHANNEL_DATA")], None);
        assert!(Arrival::read(&event, node(), Handoff::Socket).is_err());
    }
}
