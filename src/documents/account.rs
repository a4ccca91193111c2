//! The account document: what all users and devices of a tenant share.

use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess};
use serde_json::{Map, Value};

use super::attributes::Attributes;
use super::lenient::{AsFields, AsFlag, AsGroup, AsText, AsTexts, Fields, Lenient, Text};
use super::recording::AccountRecording;

/// An account as the decisions read it. Fields that are only stored stay in the document's JSON.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    pub name: Text,
    pub realm: Text,
    /// The device's caller id beats its owner's.
    pub prefer_device_caller_id: bool,
    pub attributes: Attributes,
    /// Recording of endpoints and of whole calls; `attributes.call_recording` is unused here.
    pub recording: Option<Box<AccountRecording>>,
    /// The account's own rules to E.164, in place of the system's.
    pub e164_converters: Option<Box<Map<String, Value>>>,
    /// Numbers in service, E.164, where the account document itself lists them.
    pub numbers: Box<[Box<str>]>,
    /// Id of the callflow that runs before every other one (callflow specification 1.1).
    pub preflow: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Preflow {
    #[serde(deserialize_with = "super::lenient::text")]
    always: Text,
}

impl Account {
    /// True unless the document says otherwise.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.attributes.enabled.unwrap_or(true)
    }
}

impl Fields for Account {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "name" => self.name = map.next_value_seed(Lenient(AsText))?,
            "realm" => self.realm = map.next_value_seed(Lenient(AsText))?,
            "prefer_device_caller_id" => {
                let flag = map.next_value_seed(Lenient(AsFlag))?;
                self.prefer_device_caller_id = flag.unwrap_or(false);
            }
            "call_recording" => {
                let shape = AsGroup::<AccountRecording>(PhantomData);
                self.recording = map.next_value_seed(Lenient(shape))?.map(Box::new);
            }
            "e164_converters" => {
                let shape = AsGroup::<Map<String, Value>>(PhantomData);
                self.e164_converters = map.next_value_seed(Lenient(shape))?.map(Box::new);
            }
            "numbers" => self.numbers = map.next_value_seed(Lenient(AsTexts))?,
            "preflow" => {
                let preflow = map.next_value_seed(Lenient(AsGroup::<Preflow>(PhantomData)))?;
                self.preflow = preflow.and_then(|preflow| preflow.always);
            }
            _ => return self.attributes.read(key, map),
        }
        Ok(true)
    }
}

impl<'de> Deserialize<'de> for Account {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Lenient(AsFields(PhantomData)))
    }
}
