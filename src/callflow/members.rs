//! From the members that an action names to the devices that ring: users become their devices,
//! groups their members (devices specification 2.10).

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

use super::{Call, Office, Wanted, data};
use crate::documents::{DocumentKey, DocumentType, Group, GroupMember};
use crate::routing::{LegError, Skipped, Strategy};
use crate::store::StoreError;
use crate::types::DocumentId;

/// Seconds from the year 0, from which documents count, to 1970.
const GREGORIAN_TO_UNIX_S: i64 = 62_167_219_200;

/// Groups that one action may open, nested ones and repeats included: groups that hold one another make many ways to
/// the same phone.
const MOST_GROUPS: usize = 64;

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
    Group,
    #[serde(other)]
    Unknown,
}

impl Endpoint {
    /// All of a group's members, with these times where they have none of their own.
    pub(super) const fn group(id: DocumentId, timeout: Option<u32>, delay: Option<u32>) -> Self {
        Self {
            id,
            endpoint_type: Kind::Group,
            delay,
            timeout,
            weight: None,
            disable_until: 0,
        }
    }

    /// A group's member; None: its id is none. What it doesn't say, `group` says.
    fn of(member: GroupMember, group: &Endpoint) -> Option<Self> {
        Some(Self {
            id: DocumentId::new(&member.id).ok()?,
            endpoint_type: match member.kind.as_deref() {
                None | Some("device") => Kind::Device,
                Some("user") => Kind::User,
                Some("group") => Kind::Group,
                Some(_) => Kind::Unknown,
            },
            delay: member.delay_s.or(group.delay),
            timeout: member.timeout_s.or(group.timeout),
            weight: member.weight.or(group.weight),
            disable_until: 0,
        })
    }
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
    strategy: Strategy,
) -> Result<Expanded, StoreError> {
    let mut expansion = Expansion {
        call,
        office,
        by_weight: strategy == Strategy::Single,
        inside: Vec::new(),
        opened: 0,
        expanded: Expanded::default(),
    };
    expansion.add_all(endpoints)?;
    Ok(expansion.expanded)
}

/// The group document of this id in the call's account.
///
/// # Errors
/// The store can't be read.
pub fn open(
    call: &Call,
    office: &Office<'_>,
    id: &DocumentId,
) -> Result<Option<Group>, StoreError> {
    let key = DocumentKey {
        kind: DocumentType::Group,
        account: call.account_id.clone(),
        id: id.clone(),
    };
    let document = office.store.document(&key)?;
    Ok(document.map(|document| Group::read(&document.body)))
}

struct Expansion<'a> {
    call: &'a Call,
    office: &'a Office<'a>,
    /// Members of group documents go by their weight, and without one not at all (callflow specification 2.1).
    by_weight: bool,
    /// The groups that the present member stands in.
    inside: Vec<DocumentId>,
    opened: usize,
    expanded: Expanded,
}

impl Expansion<'_> {
    fn add_all(&mut self, endpoints: &[Endpoint]) -> Result<(), StoreError> {
        endpoints.iter().try_for_each(|endpoint| self.add(endpoint))
    }

    fn add(&mut self, endpoint: &Endpoint) -> Result<(), StoreError> {
        let (call, office) = (self.call, self.office);
        if endpoint.disable_until.saturating_sub(GREGORIAN_TO_UNIX_S) > office.now {
            self.expanded
                .leave_out(&endpoint.id, LegError::DisabledForNow);
            return Ok(());
        }
        let wanted = |device_id| Wanted {
            device_id,
            timeout_s: Some(endpoint.timeout.unwrap_or(office.routing.bridge_timeout_s)),
            delay_s: endpoint.delay.unwrap_or(0),
            weight: endpoint.weight.unwrap_or(Wanted::WEIGHT),
        };
        let id = &endpoint.id;
        match endpoint.endpoint_type {
            Kind::Device => self.expanded.devices.push(wanted(id.clone())),
            Kind::User => self.expanded.add_user(call, office, id, wanted)?,
            Kind::Group => self.add_group(endpoint)?,
            Kind::Unknown => self.expanded.leave_out(id, LegError::UnknownKind),
        }
        Ok(())
    }

    fn add_group(&mut self, endpoint: &Endpoint) -> Result<(), StoreError> {
        let id = &endpoint.id;
        if self.inside.contains(id) || self.opened >= MOST_GROUPS {
            tracing::warn!(
                call_id = %self.call.id,
                account_id = %self.call.account_id,
                group = %id,
                "this group is a member of itself, or groups are nested beyond reason; it is left out here"
            );
            self.expanded.leave_out(id, LegError::GroupLoop);
            return Ok(());
        }
        self.opened += 1;
        let Some(group) = open(self.call, self.office, id)? else {
            self.expanded.leave_out(id, LegError::NotFound);
            return Ok(());
        };
        let mut listed = group.endpoints;
        if self.by_weight {
            listed.retain(|member| member.weight.is_some());
            listed.sort_by_key(|member| member.weight);
        }
        let members = listed.into_iter();
        let members: Vec<Endpoint> = members.filter_map(|m| Endpoint::of(m, endpoint)).collect();
        if members.is_empty() {
            self.expanded.leave_out(id, LegError::NoDevices);
        }
        self.inside.push(id.clone());
        self.add_all(&members)?;
        self.inside.pop();
        Ok(())
    }
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
        for (name, kind) in [("group", Kind::Group), ("mailbox", Kind::Unknown)] {
            let read = read(json!({"id": "x", "endpoint_type": name})).unwrap();
            assert_eq!(read.endpoint_type, kind, "{name}");
        }
        assert!(read(json!({"id": "x", "disable_until": "tomorrow"})).is_err());
        assert!(read(json!({"endpoint_type": "user"})).is_err());
    }
}
