//! The group document: endpoints that ring together under one name (callflow specification 2.1).

use serde_json::{Map, Value};

/// A group as decisions read it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// In the document's order.
    pub endpoints: Vec<GroupMember>,
    /// Seconds; 0 is none.
    pub timeout_s: Option<u32>,
    pub strategy: Option<String>,
    pub ignore_forward: Option<bool>,
    pub ringback: Option<String>,
}

/// One entry of `endpoints`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    pub id: String,
    /// `device`, `user` or `group`; absent: `device`.
    pub kind: Option<String>,
    /// Seconds; None: those of whoever names the group.
    pub delay_s: Option<u32>,
    pub timeout_s: Option<u32>,
    pub weight: Option<u32>,
}

impl Group {
    /// Reads a stored document; a field of the wrong type reads as if it were absent.
    #[must_use]
    pub fn read(body: &Map<String, Value>) -> Self {
        let endpoints = body.get("endpoints").and_then(Value::as_object);
        Self {
            endpoints: endpoints
                .into_iter()
                .flatten()
                .map(|(id, member)| GroupMember::read(id, member))
                .collect(),
            timeout_s: count(body.get("timeout")).filter(|seconds| *seconds > 0),
            strategy: text(body.get("strategy")),
            ignore_forward: match body.get("ignore_forward") {
                Some(Value::Bool(flag)) => Some(*flag),
                Some(Value::String(text)) => text.parse().ok(),
                _ => None,
            },
            ringback: text(body.get("ringback")),
        }
    }

    /// Whether the group names this device or user itself.
    #[must_use]
    pub fn names(&self, id: &str) -> bool {
        self.endpoints.iter().any(|member| member.id == id)
    }
}

impl GroupMember {
    fn read(id: &str, member: &Value) -> Self {
        Self {
            id: id.to_owned(),
            kind: text(member.get("type")),
            delay_s: count(member.get("delay")),
            timeout_s: count(member.get("timeout")).filter(|seconds| *seconds > 0),
            weight: count(member.get("weight")).filter(|weight| *weight > 0),
        }
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A number or a text of its digits.
fn count(value: Option<&Value>) -> Option<u32> {
    match value? {
        Value::Number(number) => u32::try_from(number.as_u64()?).ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_group_is_read_as_people_write_it() {
        let body = json!({"name": "Sales", "timeout": "15", "strategy": "single", "ignore_forward": "false",
            "ringback": "", "endpoints": {
                "b": {"type": "user", "delay": 5, "weight": "2"},
                "a": {"type": "device", "timeout": 0},
                "c": 7}});
        let group = Group::read(body.as_object().unwrap());
        assert_eq!(group.timeout_s, Some(15));
        assert_eq!(group.strategy.as_deref(), Some("single"));
        assert_eq!(group.ignore_forward, Some(false));
        assert_eq!(group.ringback, None);
        let ids: Vec<_> = group.endpoints.iter().map(|m| m.id.as_str()).collect();
        assert_eq!(ids, ["b", "a", "c"]);
        let member = &group.endpoints[0];
        assert_eq!((member.delay_s, member.weight), (Some(5), Some(2)));
        assert_eq!(group.endpoints[1].timeout_s, None);
        assert!(group.names("c") && !group.names("d"));
        assert_eq!(Group::read(&Map::new()), Group::default());
    }
}
