//! The number record: who owns a number, and in which state it is (trunkstore specification 1.2).

use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess};

use super::lenient::{
    self, AsFields, AsFlag, AsGroup, AsText, AsTexts, Fields, Lenient, Shape, Text, flag,
};
use super::terms::Failover;

/// A number as the decisions read it. The owning account is that of the document's key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NumberRecord {
    pub state: NumberState,
    pub force_outbound: Option<bool>,
    pub failover: Option<Box<Failover>>,
    pub prepend: Option<Box<Prepend>>,
    /// The application that takes its calls; None: nobody has said.
    pub used_by: Text,
    /// Names of features: `e911` and others.
    pub features: Box<[Box<str>]>,
}

/// Where a number is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NumberState {
    #[default]
    InService,
    PortIn,
    PortOut,
    Reserved,
    /// Another: no calls come to it.
    Other,
}

impl NumberState {
    /// Calls to it reach its owner.
    #[must_use]
    pub const fn is_served(self) -> bool {
        !matches!(self, Self::Other)
    }
}

impl NumberRecord {
    #[must_use]
    pub fn has_feature(&self, name: &str) -> bool {
        self.features.iter().any(|feature| &**feature == name)
    }
}

/// What is shown in front of the caller's name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Prepend {
    #[serde(deserialize_with = "flag")]
    pub enabled: Option<bool>,
    #[serde(deserialize_with = "lenient::text")]
    pub name: Text,
}

impl Prepend {
    /// None if it is switched off.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.name.as_deref().filter(|_| self.enabled != Some(false))
    }
}

/// The features as a list of names, or as an object of what they are set to.
#[derive(Default)]
struct Features {
    names: Vec<Box<str>>,
    failover: Option<Failover>,
    prepend: Option<Prepend>,
    force_outbound: Option<bool>,
}

struct AsFeatures;
impl<'de> Shape<'de> for AsFeatures {
    type Value = Features;

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Features, A::Error> {
        let names: Box<[Box<str>]> = AsTexts.list(list)?;
        Ok(Features {
            names: names.into(),
            ..Features::default()
        })
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Features, A::Error> {
        let mut features = Features::default();
        while let Some(key) = object.next_key::<Box<str>>()? {
            match &*key {
                "failover" => {
                    features.failover =
                        object.next_value_seed(Lenient(AsGroup::<Failover>(PhantomData)))?;
                }
                "prepend" => {
                    features.prepend =
                        object.next_value_seed(Lenient(AsGroup::<Prepend>(PhantomData)))?;
                }
                "force_outbound" => {
                    features.force_outbound = object.next_value_seed(Lenient(AsFlag))?;
                }
                _ => {
                    // A feature that is written out as off is none.
                    if object.next_value_seed(Lenient(AsFlag))? == Some(false) {
                        continue;
                    }
                }
            }
            features.names.push(key);
        }
        Ok(features)
    }
}

impl NumberRecord {
    fn add_feature(&mut self, name: &str) {
        if !self.has_feature(name) {
            let mut features = std::mem::take(&mut self.features).into_vec();
            features.push(name.into());
            self.features = features.into();
        }
    }
}

impl Fields for NumberRecord {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "state" | "pvt_state" => {
                let state = map.next_value_seed(Lenient(AsText))?;
                self.state = match state.as_deref() {
                    None | Some("in_service") => NumberState::InService,
                    Some("port_in") => NumberState::PortIn,
                    Some("port_out") => NumberState::PortOut,
                    Some("reserved") => NumberState::Reserved,
                    Some(_) => NumberState::Other,
                };
            }
            "force_outbound" => self.force_outbound = map.next_value_seed(Lenient(AsFlag))?,
            "failover" => {
                let failover = map.next_value_seed(Lenient(AsGroup::<Failover>(PhantomData)))?;
                if let Some(failover) = failover.filter(Failover::is_usable) {
                    self.failover = Some(Box::new(failover));
                }
            }
            "prepend" => {
                let prepend = map.next_value_seed(Lenient(AsGroup::<Prepend>(PhantomData)))?;
                self.prepend = prepend.map(Box::new).or(self.prepend.take());
            }
            "used_by" | "pvt_used_by" => self.used_by = map.next_value_seed(Lenient(AsText))?,
            "e911" => {
                let e911 = map.next_value_seed(Lenient(AsGroup::<IgnoredGroup>(PhantomData)))?;
                if e911.is_some() {
                    self.add_feature("e911");
                }
            }
            "features" | "pvt_features" => {
                let features = map.next_value_seed(Lenient(AsFeatures))?;
                for name in &features.names {
                    self.add_feature(name);
                }
                let failover = features.failover.filter(Failover::is_usable);
                self.failover = self.failover.take().or(failover.map(Box::new));
                self.prepend = self.prepend.take().or(features.prepend.map(Box::new));
                self.force_outbound = self.force_outbound.or(features.force_outbound);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct IgnoredGroup {}

impl<'de> Deserialize<'de> for NumberRecord {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Lenient(AsFields(PhantomData)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn record(value: Value) -> NumberRecord {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_state_that_nobody_knows_serves_no_calls() {
        assert!(record(json!({})).state.is_served());
        assert!(record(json!({"state": "port_out"})).state.is_served());
        assert!(!record(json!({"state": "discovery"})).state.is_served());
    }

    #[test]
    fn features_come_as_names_or_as_an_object() {
        let names = record(json!({"features": ["e911", 5]}));
        assert!(names.has_feature("e911"));
        let object = record(json!({"features": {
            "failover": {"sip": "sip:a@b"}, "prepend": {"name": "VIP"}, "e911": {"x": 1},
            "cnam": false, "force_outbound": true}}));
        assert!(object.has_feature("e911") && !object.has_feature("cnam"));
        assert_eq!(object.prepend.unwrap().text(), Some("VIP"));
        assert_eq!(object.force_outbound, Some(true));
        assert!(object.failover.is_some());
    }

    #[test]
    fn the_field_itself_beats_the_feature() {
        for order in [["failover", "features"], ["features", "failover"]] {
            let mut document = serde_json::Map::new();
            for key in order {
                let value = match key {
                    "failover" => json!({"e164": "+1"}),
                    _ => json!({"failover": {"e164": "+2"}}),
                };
                document.insert(key.to_owned(), value);
            }
            let record = record(Value::Object(document));
            assert_eq!(record.failover.unwrap().e164.as_deref(), Some("+1"));
        }
    }

    #[test]
    fn a_prepend_that_is_off_shows_nothing() {
        let prepend = |value| record(json!({"prepend": value})).prepend.unwrap();
        assert_eq!(prepend(json!({"enabled": false, "name": "x"})).text(), None);
        assert_eq!(
            prepend(json!({"enabled": true, "name": "x"})).text(),
            Some("x")
        );
    }
}
