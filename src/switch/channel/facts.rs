//! What `uuid_dump` tells of a channel.

use serde_json::{Map, Value};

use crate::types::{AccountId, CallId, DocumentId};

/// A channel at the moment of the question. Texts are as peers wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub uuid: CallId,
    /// Whose it is, by our own variable; None: nobody's whom we know.
    pub account: Option<AccountId>,
    pub answered: bool,
    /// `inbound` or `outbound`, seen from FreeSWITCH.
    pub direction: String,
    pub destination: Option<String>,
    /// What it authenticated as.
    pub username: Option<String>,
    pub owner: Option<DocumentId>,
    /// The device, server or carrier that stands behind it.
    pub authorizing: Option<DocumentId>,
    pub authorizing_type: Option<String>,
    /// The channel that it is joined to; before an answer the one that rings for it.
    pub other_leg: Option<CallId>,
    /// It is joined to the other leg.
    pub bridged: bool,
    pub presence: Option<String>,
    /// Unix seconds at which it came into being.
    pub created_at: Option<i64>,
}

impl Channel {
    /// Reads the answer to `uuid_dump UUID json`; None: there is no such channel.
    pub(super) fn read(text: &str) -> Option<Channel> {
        let dump: Map<String, Value> = serde_json::from_str(text).ok()?;
        let text = |name: &str| {
            let found = dump.get(name).and_then(Value::as_str);
            found.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let id = |name: &str| DocumentId::new(dump.get(name)?.as_str()?).ok();
        let call = |name: &str| CallId::new(dump.get(name)?.as_str()?).ok();
        let device = id("variable_lf_device_id");
        let stated = text("variable_lf_authorizing_type");
        // The second where the media bypass FreeSWITCH.
        let joined = call("variable_bridge_uuid").or_else(|| call("variable_signal_bridge_to"));
        let microseconds =
            text("Caller-Channel-Created-Time").and_then(|at| at.parse::<i64>().ok());
        Some(Channel {
            uuid: call("Unique-ID")?,
            account: text("variable_lf_account_id").and_then(|id| AccountId::new(&id).ok()),
            answered: text("Answer-State").as_deref() == Some("answered"),
            direction: text("Call-Direction").unwrap_or_default(),
            destination: text("Caller-Destination-Number"),
            username: text("variable_user_name").or_else(|| text("variable_lf_username")),
            owner: id("variable_lf_owner_id"),
            authorizing_type: match (&device, stated) {
                (_, Some(stated)) => Some(stated),
                (Some(_), None) => Some("device".to_owned()),
                (None, None) => None,
            },
            authorizing: id("variable_lf_authorizing_id").or(device),
            bridged: joined.is_some(),
            other_leg: joined
                .or_else(|| call("variable_signal_bond"))
                .or_else(|| call("Other-Leg-Unique-ID")),
            presence: text("variable_presence_id").or_else(|| text("Channel-Presence-ID")),
            created_at: microseconds.map(|at| at / 1_000_000),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_device_that_talks() {
        let dump = json!({
            "Unique-ID": "u-1", "Answer-State": "answered", "Call-Direction": "inbound",
            "Caller-Destination-Number": "1002", "Caller-Channel-Created-Time": "1700000000123456",
            "variable_lf_account_id": "acc1", "variable_lf_device_id": "dev1", "variable_lf_owner_id": "bob",
            "variable_user_name": "1001", "variable_bridge_uuid": "u-2", "variable_presence_id": "",
        });
        let channel = Channel::read(&dump.to_string()).unwrap();
        assert_eq!(channel.account, AccountId::new("acc1").ok());
        assert_eq!(channel.authorizing, DocumentId::new("dev1").ok());
        assert_eq!(channel.authorizing_type.as_deref(), Some("device"));
        assert_eq!(channel.other_leg, CallId::new("u-2").ok());
        assert_eq!(channel.created_at, Some(1_700_000_000));
        assert!(channel.answered && channel.bridged);
        assert_eq!(channel.presence, None);
        let past_us = dump.to_string().replace("bridge_uuid", "signal_bridge_to");
        assert!(Channel::read(&past_us).unwrap().bridged);
    }

    #[test]
    fn a_leg_that_rings_is_not_joined() {
        let dump = json!({"Unique-ID": "u-1", "Answer-State": "ringing", "Other-Leg-Unique-ID": "u-2",
            "variable_lf_authorizing_id": "trunk", "variable_lf_authorizing_type": "sys_info"});
        let channel = Channel::read(&dump.to_string()).unwrap();
        assert!(!channel.answered && !channel.bridged);
        assert_eq!(channel.other_leg, CallId::new("u-2").ok());
        assert_eq!(channel.authorizing_type.as_deref(), Some("sys_info"));
        assert_eq!(channel.account, None);
    }

    #[test]
    fn what_is_no_channel_is_none() {
        for text in [
            "-ERR No such channel!",
            "",
            "{}",
            "[]",
            "{\"Unique-ID\":\"a b\"}",
        ] {
            assert_eq!(Channel::read(text), None, "{text}");
        }
    }
}
