//! `call_recording`: which calls of an endpoint are recorded, and how (devices specification 8).

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess};

use super::lenient::{self, AsGroup, Lenient, Shape, Text, count, flag};
use std::marker::PhantomData;

/// One level's settings by direction. `inbound` is a call to the endpoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallRecording {
    pub any: RecordingSource,
    pub inbound: RecordingSource,
    pub outbound: RecordingSource,
    /// The object had a key, known or not: such a level always decides `enabled`.
    present: bool,
}

impl CallRecording {
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        !self.present
    }
}

/// Settings by the network of the other side.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RecordingSource {
    #[serde(deserialize_with = "lenient::rare")]
    pub any: Option<Box<RecordingFields>>,
    #[serde(deserialize_with = "lenient::rare")]
    pub onnet: Option<Box<RecordingFields>>,
    #[serde(deserialize_with = "lenient::rare")]
    pub offnet: Option<Box<RecordingFields>>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RecordingFields {
    #[serde(deserialize_with = "flag")]
    pub enabled: Option<bool>,
    #[serde(deserialize_with = "lenient::text")]
    pub format: Text,
    /// Seconds.
    #[serde(deserialize_with = "count")]
    pub time_limit: Option<u32>,
    /// Seconds.
    #[serde(deserialize_with = "count")]
    pub record_min_sec: Option<u32>,
    /// Hertz.
    #[serde(deserialize_with = "count")]
    pub record_sample_rate: Option<u32>,
    #[serde(deserialize_with = "flag")]
    pub record_on_answer: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub record_on_bridge: Option<bool>,
    #[serde(deserialize_with = "lenient::text")]
    pub url: Text,
}

/// An account's `call_recording`: of its endpoints, and of whole calls.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct AccountRecording {
    #[serde(deserialize_with = "non_empty")]
    pub endpoint: Option<Box<CallRecording>>,
    #[serde(deserialize_with = "non_empty")]
    pub account: Option<Box<CallRecording>>,
}

fn non_empty<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Box<CallRecording>>, D::Error> {
    Ok(lenient::rare::<D, CallRecording>(d)?.filter(|r| !r.is_empty()))
}

struct AsCallRecording;
impl<'de> Shape<'de> for AsCallRecording {
    type Value = CallRecording;
    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<CallRecording, A::Error> {
        let mut recording = CallRecording::default();
        let source = || Lenient(AsGroup::<RecordingSource>(PhantomData));
        while let Some(key) = object.next_key::<Box<str>>()? {
            recording.present = true;
            let slot = match &*key {
                "any" => &mut recording.any,
                "inbound" => &mut recording.inbound,
                "outbound" => &mut recording.outbound,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *slot = object.next_value_seed(source())?.unwrap_or_default();
        }
        Ok(recording)
    }
}

impl<'de> Deserialize<'de> for CallRecording {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Lenient(AsCallRecording))
    }
}
