//! The device document: a phone, a gateway or a forwarded number.

use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess};
use serde_json::{Map, Value, json};

use super::attributes::Attributes;
use super::lenient::{AsFields, AsFlag, AsGroup, AsText, Fields, Lenient, Text};
use super::media::Media;
use super::sip::Sip;

/// A device as the decisions read it. Fields that are only stored (`contact_list`, `flags`,
/// `mac_address`, `metaflows`, `provision`, `timezone`) stay in the document's JSON.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Device {
    pub name: Text,
    pub device_type: Text,
    /// The nominal owner; hotdesking replaces it.
    pub owner_id: Text,
    /// Ids of the users hotdesked to this device.
    pub hotdesk_users: Box<[Box<str>]>,
    pub sip: Sip,
    pub media: Option<Box<Media>>,
    pub attributes: Attributes,
    pub exclude_from_queues: bool,
    pub register_overwrite_notify: bool,
    pub suppress_unregister_notifications: bool,
    /// Inverse of `mwi_unsolicited_updates`, so that false is the default of both.
    no_unsolicited_mwi: bool,
}

impl Device {
    /// True unless the document says otherwise.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.attributes.enabled.unwrap_or(true)
    }

    /// Tell the phone about messages without a subscription.
    #[must_use]
    pub const fn mwi_unsolicited_updates(&self) -> bool {
        !self.no_unsolicited_mwi
    }

    /// `device_type` is `fax`.
    #[must_use]
    pub fn is_fax(&self) -> bool {
        self.device_type.as_deref() == Some("fax")
    }

    /// The document with the defaults of devices specification 1.3 and 4.1 filled in, for display.
    #[must_use]
    pub fn effective(body: &Map<String, Value>) -> Value {
        let mut effective = Value::Object(body.clone());
        fill(&mut effective, &defaults());
        effective
    }
}

fn defaults() -> Value {
    json!({
        "enabled": true,
        "call_forward": {
            "enabled": false, "failover": false, "substitute": true, "direct_calls_only": false,
            "keep_caller_id": true, "require_keypress": true, "ignore_early_media": true,
        },
        "call_restriction": {},
        "call_waiting": {"enabled": true},
        "caller_id_options": {"outbound_privacy": "none"},
        "contact_list": {"exclude": false},
        "do_not_disturb": {"enabled": false},
        "exclude_from_queues": false,
        "hotdesk": {"users": {}},
        "media": {
            "audio": {"codecs": []},
            "encryption": {"enforce_security": false, "methods": []},
            "video": {"codecs": []},
        },
        "metaflows": {"binding_digit": "*", "listen_on": "self"},
        "mwi_unsolicited_updates": true,
        "outbound_flags": [],
        "register_overwrite_notify": false,
        "sip": {"method": "password", "invite_format": "username", "expire_seconds": 300},
        "suppress_unregister_notifications": false,
    })
}

fn fill(value: &mut Value, defaults: &Value) {
    let (Value::Object(have), Value::Object(defaults)) = (value, defaults) else {
        return;
    };
    for (key, default) in defaults {
        match have.get_mut(key) {
            Some(inner) => fill(inner, default),
            None => {
                have.insert(key.clone(), default.clone());
            }
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Hotdesk {
    #[serde(deserialize_with = "super::lenient::table")]
    users: Option<Box<super::lenient::Table<serde::de::IgnoredAny>>>,
}

impl Fields for Device {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "name" => self.name = map.next_value_seed(Lenient(AsText))?,
            "device_type" => self.device_type = map.next_value_seed(Lenient(AsText))?,
            "owner_id" => self.owner_id = map.next_value_seed(Lenient(AsText))?,
            "hotdesk" => {
                let hotdesk = map.next_value_seed(Lenient(AsGroup::<Hotdesk>(PhantomData)))?;
                let users = hotdesk.and_then(|hotdesk| hotdesk.users);
                self.hotdesk_users = users
                    .map(|users| users.into_keys().collect())
                    .unwrap_or_default();
            }
            "sip" => {
                let sip = map.next_value_seed(Lenient(AsGroup::<Sip>(PhantomData)))?;
                self.sip = sip.unwrap_or_default();
            }
            "media" => {
                let media = map.next_value_seed(Lenient(AsGroup::<Media>(PhantomData)))?;
                self.media = media.map(Box::new);
            }
            "exclude_from_queues" => self.exclude_from_queues = truth(map)?.unwrap_or(false),
            "register_overwrite_notify" => {
                self.register_overwrite_notify = truth(map)?.unwrap_or(false);
            }
            "suppress_unregister_notifications" => {
                self.suppress_unregister_notifications = truth(map)?.unwrap_or(false);
            }
            "mwi_unsolicited_updates" => self.no_unsolicited_mwi = truth(map)? == Some(false),
            _ => return self.attributes.read(key, map),
        }
        Ok(true)
    }
}

fn truth<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<bool>, A::Error> {
    map.next_value_seed(Lenient(AsFlag))
}

impl<'de> Deserialize<'de> for Device {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Lenient(AsFields(PhantomData)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Value) -> Device {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_document_full_of_wrong_types_is_an_empty_one() {
        let wrong = json!({
            "name": {}, "enabled": "maybe", "owner_id": [], "hotdesk": {"users": [1]}, "sip": "x",
            "media": 7, "call_forward": true, "caller_id": {"internal": {"number": []}},
            "dial_plan": [], "formatters": 3, "call_restriction": {"did_us": "deny"},
            "outbound_flags": "a", "call_recording": {}, "mwi_unsolicited_updates": 0,
        });
        let mut device = read(wrong);
        assert_eq!(device.attributes.caller_id.take(), Some(Box::default()));
        assert_eq!(device, Device::default());
        assert!(device.is_enabled() && device.mwi_unsolicited_updates());
        assert_eq!(read(json!([1, 2])), Device::default());
    }

    #[test]
    fn texts_stand_for_booleans() {
        let device = read(json!({"enabled": "false", "exclude_from_queues": "true"}));
        assert!(!device.is_enabled() && device.exclude_from_queues);
    }

    #[test]
    fn outbound_flags_come_as_list_or_object() {
        let list = read(json!({"outbound_flags": ["fax"]}));
        let object = read(json!({"outbound_flags": {"static": ["fax"], "dynamic": ["zone"]}}));
        let (list, object) = (
            list.attributes.outbound_flags.unwrap(),
            object.attributes.outbound_flags.unwrap(),
        );
        assert_eq!(list.fixed, object.fixed);
        assert_eq!((list.dynamic.len(), object.dynamic.len()), (0, 1));
    }

    #[test]
    fn defaults_never_replace_what_is_written() {
        let body = json!({"name": "N", "sip": {"method": "ip"}, "outbound_flags": {"static": []}});
        let effective = Device::effective(body.as_object().unwrap());
        assert_eq!(effective.pointer("/sip/method"), Some(&json!("ip")));
        assert_eq!(effective.pointer("/sip/expire_seconds"), Some(&json!(300)));
        assert_eq!(
            effective.pointer("/outbound_flags"),
            Some(&json!({"static": []}))
        );
    }

    #[test]
    fn passwords_do_not_show() {
        let device = read(json!({"sip": {"username": "2001", "password": "s3cret99"}}));
        assert!(!format!("{device:?}").contains("s3cret99"));
        assert_eq!(device.sip.password().unwrap(), "s3cret99");
    }

    #[test]
    fn a_plain_device_is_small() {
        // A system holds millions: 100 devices to 50 kB.
        assert!(std::mem::size_of::<Device>() <= 480);
    }
}
