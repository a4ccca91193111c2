//! What a number, its server and its account may each say about a call; the first that says
//! something counts (trunkstore specification 1.1).

use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess};

use super::formatter::Formatter;
use super::lenient::{
    self, AsCount, AsFlag, AsGroup, AsTable, AsText, Fields, Lenient, Shape, Table, Text,
};

/// The fields of one level. Times are seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Terms {
    /// To the answer.
    pub timeout_s: Option<u32>,
    /// To ringing, early media or answer; at least 1.
    pub progress_timeout_s: Option<u32>,
    /// Before the INVITE is sent.
    pub delay_s: Option<u32>,
    pub ignore_early_media: Option<bool>,
    /// `process` keeps the media on the switch, all else bypasses it.
    pub media_handling: Text,
    pub ringback: Text,
    pub sip_headers: Option<Box<Table<Box<str>>>>,
    pub caller_id: TrunkIdentity,
    pub emergency_caller_id: TrunkIdentity,
    pub failover: Option<Box<Failover>>,
    /// Calls to the number go over carriers.
    pub force_outbound: Option<bool>,
    /// How the caller's number is shown to the PBX, by class of the number or `all`.
    pub caller_id_format: Option<Box<Table<CallerIdFormat>>>,
}

impl Fields for Terms {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "timeout" => self.timeout_s = map.next_value_seed(Lenient(AsCount))?,
            "progress_timeout" => {
                let seconds = map.next_value_seed(Lenient(AsCount))?;
                self.progress_timeout_s = seconds.filter(|seconds| *seconds > 0);
            }
            "delay" => self.delay_s = map.next_value_seed(Lenient(AsCount))?,
            "ignore_early_media" => {
                self.ignore_early_media = map.next_value_seed(Lenient(AsFlag))?;
            }
            "media_handling" => self.media_handling = map.next_value_seed(Lenient(AsText))?,
            "ringback" => self.ringback = map.next_value_seed(Lenient(AsText))?,
            "sip_headers" => self.sip_headers = map.next_value_seed(Lenient(AsHeaderList))?,
            "caller_id" => self.caller_id = identity(map)?,
            "emergency_caller_id" => self.emergency_caller_id = identity(map)?,
            "failover" => {
                let shape = AsGroup::<Failover>(PhantomData);
                let failover = map.next_value_seed(Lenient(shape))?;
                self.failover = failover.filter(Failover::is_usable).map(Box::new);
            }
            "force_outbound" => self.force_outbound = map.next_value_seed(Lenient(AsFlag))?,
            "caller_id_options" => {
                let shape = AsGroup::<CallerIdOptions>(PhantomData);
                let options = map.next_value_seed(Lenient(shape))?;
                self.caller_id_format = options.and_then(|options| options.format);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn identity<'de, A: MapAccess<'de>>(map: &mut A) -> Result<TrunkIdentity, A::Error> {
    let shape = AsGroup::<TrunkIdentity>(PhantomData);
    Ok(map.next_value_seed(Lenient(shape))?.unwrap_or_default())
}

/// A caller id of a trunk document; absent parts are not filled from another level.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TrunkIdentity {
    #[serde(rename = "cid_name", deserialize_with = "lenient::text")]
    pub name: Text,
    #[serde(rename = "cid_number", deserialize_with = "lenient::text")]
    pub number: Text,
}

impl TrunkIdentity {
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.name.is_none() && self.number.is_none()
    }
}

/// Where a call goes that the PBX did not take.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Failover {
    /// A number, called like any the account calls; beats `sip`.
    #[serde(deserialize_with = "lenient::text")]
    pub e164: Text,
    /// A URI, dialled as it is written.
    #[serde(deserialize_with = "lenient::text")]
    pub sip: Text,
}

impl Failover {
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        self.e164.is_some() || self.sip.is_some()
    }
}

/// How a number is shown: a named form, or rewritten by rule.
#[derive(Debug, Clone, PartialEq)]
pub enum CallerIdFormat {
    /// `e164`, `npan`, `1npan` or `strip_plus`; unknown words change nothing.
    Named(Box<str>),
    Rule(Box<Formatter>),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CallerIdOptions {
    #[serde(deserialize_with = "formats")]
    format: Option<Box<Table<CallerIdFormat>>>,
}

fn formats<'de, D: serde::Deserializer<'de>>(
    d: D,
) -> Result<Option<Box<Table<CallerIdFormat>>>, D::Error> {
    d.deserialize_any(Lenient(AsTable(AsCallerIdFormat)))
}

#[derive(Clone, Copy)]
struct AsCallerIdFormat;
impl<'de> Shape<'de> for AsCallerIdFormat {
    type Value = Option<CallerIdFormat>;
    fn text(self, text: &str) -> Self::Value {
        (!text.is_empty()).then(|| CallerIdFormat::Named(text.into()))
    }
    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        let rule = AsGroup::<Formatter>(PhantomData).object(object)?;
        Ok(rule.map(|rule| CallerIdFormat::Rule(Box::new(rule))))
    }
}

/// A list of objects of headers, or one object. Of a name written twice the last counts.
struct AsHeaderList;
impl<'de> Shape<'de> for AsHeaderList {
    type Value = Option<Box<Table<Box<str>>>>;
    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        AsTable(AsText).object(object)
    }
    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut all = Table::default();
        while let Some(some) = list.next_element_seed(Lenient(AsTable(AsText)))? {
            all.extend(some.into_iter().flat_map(|table| *table));
        }
        Ok((!all.is_empty()).then(|| Box::new(all)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::DidEntry;
    use super::*;
    use serde_json::{Value, json};

    fn terms(value: Value) -> Terms {
        serde_json::from_value::<DidEntry>(value).unwrap().terms
    }

    #[test]
    fn headers_come_as_a_list_or_as_one_object() {
        let list = terms(json!({"sip_headers": [{"X-A": "1", "X-B": 2}, {"X-A": "3"}, 5]}));
        let one = terms(json!({"sip_headers": {"X-A": "3", "X-B": "2"}}));
        assert_eq!(list.sip_headers, one.sip_headers);
        assert_eq!(terms(json!({"sip_headers": []})).sip_headers, None);
    }

    #[test]
    fn a_failover_without_target_is_none() {
        assert_eq!(
            terms(json!({"failover": {"e164": "", "x": 1}})).failover,
            None
        );
        assert!(
            terms(json!({"failover": {"sip": "sip:a@b"}}))
                .failover
                .is_some()
        );
    }

    #[test]
    fn a_caller_id_format_is_a_word_or_a_rule() {
        let format = json!({"caller_id_options": {"format": {
            "all": "npan", "did_us": {"regex": "^\\+1(.*)$", "prefix": "9"}, "x": 5}}});
        let format = terms(format).caller_id_format.unwrap();
        assert_eq!(format.len(), 2);
        assert_eq!(
            format.get("all"),
            Some(&CallerIdFormat::Named("npan".into()))
        );
        assert!(matches!(
            format.get("did_us"),
            Some(CallerIdFormat::Rule(_))
        ));
    }

    #[test]
    fn a_progress_timer_of_nothing_is_none() {
        assert_eq!(
            terms(json!({"progress_timeout": 0})).progress_timeout_s,
            None
        );
    }
}
