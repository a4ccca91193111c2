//! The attributes that accounts, users and devices share and that merging combines
//! (devices specification 1.2).

use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess};
use serde_json::{Map, Value};

use super::formatter::{AsFormatters, Formatters};
use super::lenient::{
    self, AsFlag, AsGroup, AsSwitch, AsTable, AsText, AsTexts, Fields, Lenient, Shape, Table, Text,
    flag,
};
use super::recording::CallRecording;

/// Every field is optional at every level; rare groups stand out of line because a system holds
/// millions of these.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attributes {
    pub enabled: Option<bool>,
    pub call_waiting: Option<bool>,
    pub do_not_disturb: Option<bool>,
    pub language: Text,
    pub presence_id: Text,
    pub caller_id: Option<Box<CallerIds>>,
    pub caller_id_options: Option<Box<CallerIdOptions>>,
    pub call_forward: Option<Box<CallForward>>,
    /// `music_on_hold.media_id`.
    pub music_on_hold: Option<Box<MusicOnHold>>,
    pub ringtones: Option<Box<Ringtones>>,
    /// As written, in its order; number rules read it.
    pub dial_plan: Option<Box<Map<String, Value>>>,
    pub formatters: Option<Box<Table<Formatters>>>,
    pub call_restriction: Option<Box<Table<Restriction>>>,
    pub outbound_flags: Option<Box<OutboundFlags>>,
    /// None also for an empty object. Not read for accounts, where it has a level more.
    pub call_recording: Option<Box<CallRecording>>,
}

/// Which identity of the caller ids is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerIdKind {
    Internal,
    External,
    Emergency,
}

impl CallerIdKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            CallerIdKind::Internal => "internal",
            CallerIdKind::External => "external",
            CallerIdKind::Emergency => "emergency",
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct CallerIds {
    #[serde(deserialize_with = "lenient::group")]
    pub internal: Identity,
    #[serde(deserialize_with = "lenient::group")]
    pub external: Identity,
    #[serde(deserialize_with = "lenient::group")]
    pub emergency: Identity,
    #[serde(deserialize_with = "lenient::rare")]
    pub asserted: Option<Box<Asserted>>,
    /// Accounts only: the last resort of `ensure_valid_caller_id`.
    #[serde(deserialize_with = "lenient::rare")]
    pub default: Option<Box<Identity>>,
}

impl CallerIds {
    #[must_use]
    pub const fn identity(&self, kind: CallerIdKind) -> &Identity {
        match kind {
            CallerIdKind::Internal => &self.internal,
            CallerIdKind::External => &self.external,
            CallerIdKind::Emergency => &self.emergency,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Identity {
    #[serde(deserialize_with = "lenient::text")]
    pub name: Text,
    #[serde(deserialize_with = "lenient::text")]
    pub number: Text,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Asserted {
    #[serde(deserialize_with = "lenient::text")]
    pub name: Text,
    #[serde(deserialize_with = "lenient::text")]
    pub number: Text,
    #[serde(deserialize_with = "lenient::text")]
    pub realm: Text,
}

/// `outbound_privacy`: what a carrier is not to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboundPrivacy {
    Full,
    Name,
    Number,
    None,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct CallerIdOptions {
    #[serde(deserialize_with = "privacy")]
    pub outbound_privacy: Option<OutboundPrivacy>,
    #[serde(deserialize_with = "flag")]
    pub ignore_completed_elsewhere: Option<bool>,
}

fn privacy<'de, D: Deserializer<'de>>(d: D) -> Result<Option<OutboundPrivacy>, D::Error> {
    Ok(match lenient::text(d)?.as_deref() {
        Some("full") => Some(OutboundPrivacy::Full),
        Some("name") => Some(OutboundPrivacy::Name),
        Some("number") => Some(OutboundPrivacy::Number),
        Some("none") => Some(OutboundPrivacy::None),
        _ => None,
    })
}

/// Forwarding as one level writes it; defaults apply after merging (devices specification 4.1).
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct CallForward {
    #[serde(deserialize_with = "lenient::text")]
    pub number: Text,
    #[serde(deserialize_with = "flag")]
    pub enabled: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub failover: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub substitute: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub direct_calls_only: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub keep_caller_id: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub require_keypress: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub ignore_early_media: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct MusicOnHold {
    #[serde(deserialize_with = "lenient::text")]
    pub media_id: Text,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Ringtones {
    #[serde(deserialize_with = "lenient::text")]
    pub internal: Text,
    #[serde(deserialize_with = "lenient::text")]
    pub external: Text,
}

/// What one level says about one classifier (or `closed_groups`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Restriction {
    #[serde(deserialize_with = "denies", rename = "action")]
    pub deny: bool,
}

fn denies<'de, D: Deserializer<'de>>(d: D) -> Result<bool, D::Error> {
    Ok(lenient::text(d)?.as_deref() == Some("deny"))
}

/// Flags that select trunks for calls from the endpoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OutboundFlags {
    pub fixed: Box<[Box<str>]>,
    /// Names of properties that are looked up when the call is made.
    pub dynamic: Box<[Box<str>]>,
}

struct AsOutboundFlags;
impl<'de> Shape<'de> for AsOutboundFlags {
    type Value = Option<Box<OutboundFlags>>;

    /// A bare list is the static one.
    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        let flags = OutboundFlags {
            fixed: AsTexts.list(list)?,
            dynamic: Box::default(),
        };
        Ok((!flags.fixed.is_empty()).then(|| Box::new(flags)))
    }
    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Both {
            #[serde(rename = "static", deserialize_with = "lenient::texts")]
            fixed: Box<[Box<str>]>,
            #[serde(deserialize_with = "lenient::texts")]
            dynamic: Box<[Box<str>]>,
        }
        let both = AsGroup::<Both>(PhantomData)
            .object(object)?
            .unwrap_or_default();
        let Both { fixed, dynamic } = both;
        let any = !fixed.is_empty() || !dynamic.is_empty();
        Ok(any.then(|| Box::new(OutboundFlags { fixed, dynamic })))
    }
}

fn boxed<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    map: &mut A,
) -> Result<Option<Box<T>>, A::Error> {
    let group = map.next_value_seed(Lenient(AsGroup::<T>(PhantomData)))?;
    Ok(group.map(Box::new))
}

impl Fields for Attributes {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "enabled" => self.enabled = map.next_value_seed(Lenient(AsFlag))?,
            "call_waiting" => self.call_waiting = map.next_value_seed(Lenient(AsSwitch))?,
            "do_not_disturb" => self.do_not_disturb = map.next_value_seed(Lenient(AsSwitch))?,
            "language" => self.language = map.next_value_seed(Lenient(AsText))?,
            "presence_id" => self.presence_id = map.next_value_seed(Lenient(AsText))?,
            "caller_id" => self.caller_id = boxed(map)?,
            "caller_id_options" => self.caller_id_options = boxed(map)?,
            "call_forward" => self.call_forward = boxed(map)?,
            "music_on_hold" => self.music_on_hold = boxed(map)?,
            "ringtones" => self.ringtones = boxed(map)?,
            "dial_plan" => self.dial_plan = boxed(map)?,
            "formatters" => {
                self.formatters = map.next_value_seed(Lenient(AsTable(AsFormatters)))?;
            }
            "call_restriction" => {
                let shape = AsTable(AsGroup::<Restriction>(PhantomData));
                self.call_restriction = map.next_value_seed(Lenient(shape))?;
            }
            "outbound_flags" => {
                self.outbound_flags = map.next_value_seed(Lenient(AsOutboundFlags))?;
            }
            "call_recording" => {
                self.call_recording = boxed::<_, CallRecording>(map)?.filter(|r| !r.is_empty());
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
