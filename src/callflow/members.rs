//! From the members that an action names to the devices that ring: users become their devices
//! (devices specification 2.10).

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

use super::{Call, Office, Wanted, data};
use crate::routing::{LegError, Skipped};
use crate::store::StoreError;
use crate::types::DocumentId;

/// Seconds from the year 0, from which documents count, to 1970.
const GREGORIAN_TO_UNIX_S: i64 = 62_167_219_200;

/// A member of a ring group as its document has it.
#[derive(Debug, Clone, Deserialize)]
pub struct Endpoint {
    id: DocumentId,
    #[serde(default)]
    endpoint_type: Kind,
    /// Seconds.
    #[serde(default, deserialize_with = "data::count")]
    delay: Option<u32>,
    /// Seconds.
    #[serde(default, deserialize_with = "data::count")]
    timeout: Option<u32>,
    #[serde(default, deserialize_with = "data::count")]
    weight: Option<u32>,
    /// Gregorian seconds; 0 and the past: not disabled.
    #[serde(default, deserialize_with = "gregorian")]
    disable_until: i64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Device,
    User,
    #[serde(other)]
    Unknown,
}

/// Devices to ring, and members that led to none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expanded {
    pub devices: Vec<Wanted>,
    pub left_out: Vec<Skipped>,
}

impl Expanded {
    fn leave_out(&mut self, member: &DocumentId, reason: LegError) {
        self.left_out.push(Skipped {
            device_id: member.clone(),
            reason,
        });
    }

    /// Adds a user's devices, each as `like` says.
    fn add_user(
        &mut self,
        call: &Call,
        office: &Office<'_>,
        user: &DocumentId,
        like: impl Fn(DocumentId) -> Wanted,
    ) -> Result<(), StoreError> {
        let devices = office.store.devices_of(&call.account_id, user)?;
        if devices.is_empty() {
            let known = office.store.user(&call.account_id, user)?.is_some();
            let reason = if known {
                LegError::NoDevices
            } else {
                LegError::NotFound
            };
            self.leave_out(user, reason);
        }
        self.devices.extend(devices.into_iter().map(like));
        Ok(())
    }
}

/// A user's devices: those hotdesked to them, and the owned ones that are hotdesked to nobody.
///
/// # Errors
/// The store can't be read.
pub fn of_user(
    call: &Call,
    office: &Office<'_>,
    user: &DocumentId,
) -> Result<Expanded, StoreError> {
    let mut expanded = Expanded::default();
    expanded.add_user(call, office, user, Wanted::device)?;
    Ok(expanded)
}

/// The devices of a group's members, in the members' order. (A device that two members lead to,
/// with the same times, rings once: the plan sees to that.)
///
/// # Errors
/// The store can't be read.
pub fn of_group(
    call: &Call,
    office: &Office<'_>,
    endpoints: &[Endpoint],
) -> Result<Expanded, StoreError> {
    let mut expanded = Expanded::default();
    for endpoint in endpoints {
        if endpoint.disable_until.saturating_sub(GREGORIAN_TO_UNIX_S) > office.now {
            expanded.leave_out(&endpoint.id, LegError::DisabledForNow);
            continue;
        }
        let wanted = |device_id| Wanted {
            device_id,
            timeout_s: Some(endpoint.timeout.unwrap_or(office.routing.bridge_timeout_s)),
            delay_s: endpoint.delay.unwrap_or(0),
            weight: endpoint.weight.unwrap_or(Wanted::WEIGHT),
        };
        match endpoint.endpoint_type {
            Kind::Device => expanded.devices.push(wanted(endpoint.id.clone())),
            Kind::User => expanded.add_user(call, office, &endpoint.id, wanted)?,
            Kind::Unknown => expanded.leave_out(&endpoint.id, LegError::UnknownKind),
        }
    }
    Ok(expanded)
}

/// A time in gregorian seconds: a number or a text of its digits; anything else is no time.
fn gregorian<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let seconds = match Value::deserialize(deserializer)? {
        Value::Null => Some(0),
        Value::Number(number) => number.as_i64(),
        Value::String(text) if text.trim().is_empty() => Some(0),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    seconds.ok_or_else(|| D::Error::custom("expected a time in gregorian seconds"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_read_as_people_write_them() {
        let read = |value| serde_json::from_value::<Endpoint>(value);
        let plain = read(json!({"id": "dev_a"})).unwrap();
        assert_eq!(plain.endpoint_type, Kind::Device);
        assert_eq!(
            (plain.delay, plain.timeout, plain.weight),
            (None, None, None)
        );
        assert_eq!(plain.disable_until, 0);
        let texts = json!({"id": "usr_a", "endpoint_type": "user", "delay": "3", "timeout": "0",
            "weight": "7", "disable_until": "63900000000"});
        let texts = read(texts).unwrap();
        assert_eq!(texts.endpoint_type, Kind::User);
        assert_eq!(
            (texts.delay, texts.timeout, texts.weight),
            (Some(3), None, Some(7))
        );
        assert_eq!(texts.disable_until, 63_900_000_000);
        for kind in ["group", "mailbox"] {
            let read = read(json!({"id": "x", "endpoint_type": kind})).unwrap();
            assert_eq!(read.endpoint_type, Kind::Unknown, "{kind}");
        }
        assert!(read(json!({"id": "x", "disable_until": "tomorrow"})).is_err());
        assert!(read(json!({"endpoint_type": "user"})).is_err());
    }
}
