//! The resource document: a carrier, the numbers it takes and its gateways (trunkstore
//! specification 1.4).

use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess};

use super::formatter::{AsFormatters, Formatters};
use super::gateway::Gateway;
use super::lenient::{
    self, AsFields, AsFlag, AsGroup, AsGroups, AsInteger, AsTable, AsText, AsTexts, Fields,
    Lenient, Shape, Table, Text, flag, texts,
};

/// Weight of a resource that names none.
const WEIGHT: u8 = 50;

/// A carrier. Of all accounts if it belongs to the installation, else of its account alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    pub name: Text,
    pub enabled: bool,
    /// 1 to 100, the cheapest first.
    pub weight_cost: u8,
    /// Expressions that are searched in the normalised number, in order.
    pub rules: Box<[Box<str>]>,
    /// Expressions of which the caller's number has to match one, if there are any.
    pub cid_rules: Box<[Box<str>]>,
    pub flags: Box<[Box<str>]>,
    /// Only for calls that ask for flags.
    pub require_flags: bool,
    /// For calls that ask for flags, too, whatever its own are.
    pub ignore_flags: bool,
    /// Its gateways show the emergency caller id.
    pub emergency: bool,
    /// One resource derived for each class that is known.
    pub classifiers: Option<Box<Table<ClassRule>>>,
    pub gateway_strategy: GatewayStrategy,
    pub media: TrunkMedia,
    pub from: FromFormat,
    pub formatters: Option<Box<Table<Formatters>>>,
    /// Numbers that may, and may not, use trunks; read where the settings say so.
    pub flat_rate_whitelist: Text,
    pub flat_rate_blacklist: Text,
    /// Further addresses that the carrier calls from.
    pub inbound_ips: Box<[Box<str>]>,
    /// In their order; a gateway is known by its place.
    pub gateways: Box<[Gateway]>,
}

impl Default for Resource {
    fn default() -> Self {
        Self {
            name: None,
            enabled: true,
            weight_cost: WEIGHT,
            rules: Box::default(),
            cid_rules: Box::default(),
            flags: Box::default(),
            require_flags: false,
            ignore_flags: false,
            emergency: false,
            classifiers: None,
            gateway_strategy: GatewayStrategy::default(),
            media: TrunkMedia::default(),
            from: FromFormat::default(),
            formatters: None,
            flat_rate_whitelist: None,
            flat_rate_blacklist: None,
            inbound_ips: Box::default(),
            gateways: Box::default(),
        }
    }
}

impl Resource {
    /// The gateways that may be dialled, with their places in the list.
    pub fn usable_gateways(&self) -> impl Iterator<Item = (usize, &Gateway)> {
        let gateways = self.gateways.iter().enumerate();
        gateways.filter(|(_, gateway)| gateway.is_usable())
    }
}

/// In which order the gateways of one resource are tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GatewayStrategy {
    #[default]
    Sequential,
    Random,
}

/// What a resource does for one class of numbers.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ClassRule {
    #[serde(deserialize_with = "flag")]
    pub enabled: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub emergency: Option<bool>,
    /// In place of the class's own expression.
    #[serde(deserialize_with = "lenient::text")]
    pub regex: Text,
    /// In place of those of the gateways.
    #[serde(deserialize_with = "lenient::text")]
    pub prefix: Text,
    #[serde(deserialize_with = "lenient::text")]
    pub suffix: Text,
    #[serde(deserialize_with = "weight")]
    pub weight_cost: Option<u8>,
}

/// An object; an empty list is what some tools write for an empty one.
#[derive(Clone, Copy)]
struct AsClassRule;
impl<'de> Shape<'de> for AsClassRule {
    type Value = Option<ClassRule>;
    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        AsGroup(PhantomData).object(object)
    }
    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut empty = true;
        while list.next_element::<IgnoredAny>()?.is_some() {
            empty = false;
        }
        Ok(empty.then(ClassRule::default))
    }
}

fn clamped(weight: i64) -> u8 {
    u8::try_from(weight.clamp(1, 100)).unwrap_or(WEIGHT)
}

fn weight<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u8>, D::Error> {
    Ok(lenient::integer(d)?.map(clamped))
}

/// Media as a resource or a gateway has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrunkMedia {
    /// Audio, then video.
    pub codecs: Box<[Box<str>]>,
    pub fax_option: Option<bool>,
    pub bypass_media: Option<bool>,
    pub rtcp_mux: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MediaFields {
    #[serde(deserialize_with = "lenient::group")]
    audio: CodecFields,
    #[serde(deserialize_with = "lenient::group")]
    video: CodecFields,
    #[serde(deserialize_with = "fax")]
    fax_option: Option<bool>,
    #[serde(deserialize_with = "flag")]
    bypass_media: Option<bool>,
    #[serde(deserialize_with = "flag")]
    rtcp_mux: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CodecFields {
    #[serde(deserialize_with = "texts")]
    codecs: Box<[Box<str>]>,
}

/// A flag, or `auto` of older documents.
struct AsFax;
impl Shape<'_> for AsFax {
    type Value = Option<bool>;
    fn truth(self, truth: bool) -> Option<bool> {
        Some(truth)
    }
    fn text(self, text: &str) -> Option<bool> {
        match text {
            "auto" => Some(true),
            other => AsFlag.text(other),
        }
    }
}

fn fax<'de, D: Deserializer<'de>>(d: D) -> Result<Option<bool>, D::Error> {
    d.deserialize_any(Lenient(AsFax))
}

impl<'de> Deserialize<'de> for TrunkMedia {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let fields = MediaFields::deserialize(d)?;
        let codecs = fields.audio.codecs.iter().chain(&fields.video.codecs);
        Ok(Self {
            codecs: codecs.cloned().collect(),
            fax_option: fields.fax_option,
            bypass_media: fields.bypass_media,
            rtcp_mux: fields.rtcp_mux,
        })
    }
}

/// What stands in the From of calls to the carrier.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FromFormat {
    pub format_from_uri: Option<bool>,
    pub from_uri_realm: Text,
    pub from_account_realm: Option<bool>,
}

impl Fields for FromFormat {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "format_from_uri" => self.format_from_uri = map.next_value_seed(Lenient(AsFlag))?,
            "from_uri_realm" => self.from_uri_realm = map.next_value_seed(Lenient(AsText))?,
            "from_account_realm" => {
                self.from_account_realm = map.next_value_seed(Lenient(AsFlag))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn is_set<'de, A: MapAccess<'de>>(map: &mut A) -> Result<bool, A::Error> {
    Ok(map.next_value_seed(Lenient(AsFlag))? == Some(true))
}

impl Fields for Resource {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "name" => self.name = map.next_value_seed(Lenient(AsText))?,
            "enabled" => self.enabled = map.next_value_seed(Lenient(AsFlag))?.unwrap_or(true),
            "weight_cost" => {
                let weight = map.next_value_seed(Lenient(AsInteger))?;
                self.weight_cost = weight.map_or(WEIGHT, clamped);
            }
            "rules" => self.rules = map.next_value_seed(Lenient(AsTexts))?,
            "cid_rules" => self.cid_rules = map.next_value_seed(Lenient(AsTexts))?,
            "flags" => self.flags = map.next_value_seed(Lenient(AsTexts))?,
            "require_flags" => self.require_flags = is_set(map)?,
            "ignore_flags" => self.ignore_flags = is_set(map)?,
            "emergency" => self.emergency |= is_set(map)?,
            "caller_id_options" => {
                let shape = AsGroup::<CallerIdType>(PhantomData);
                let kind = map.next_value_seed(Lenient(shape))?.and_then(|o| o.kind);
                self.emergency |= kind.as_deref() == Some("emergency");
            }
            "classifiers" => {
                self.classifiers = map.next_value_seed(Lenient(AsTable(AsClassRule)))?;
            }
            "gateway_strategy" => {
                let word = map.next_value_seed(Lenient(AsText))?;
                self.gateway_strategy = match word.as_deref() {
                    Some("random") => GatewayStrategy::Random,
                    _ => GatewayStrategy::Sequential,
                };
            }
            "media" => {
                let shape = AsGroup::<TrunkMedia>(PhantomData);
                self.media = map.next_value_seed(Lenient(shape))?.unwrap_or_default();
            }
            "formatters" => {
                self.formatters = map.next_value_seed(Lenient(AsTable(AsFormatters)))?;
            }
            "flat_rate_whitelist" => {
                self.flat_rate_whitelist = map.next_value_seed(Lenient(AsText))?;
            }
            "flat_rate_blacklist" => {
                self.flat_rate_blacklist = map.next_value_seed(Lenient(AsText))?;
            }
            "inbound_ips" => self.inbound_ips = map.next_value_seed(Lenient(AsTexts))?,
            "gateways" => self.gateways = map.next_value_seed(Lenient(AsGroups(PhantomData)))?,
            _ => return self.from.read(key, map),
        }
        Ok(true)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CallerIdType {
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    kind: Text,
}

impl<'de> Deserialize<'de> for Resource {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Lenient(AsFields(PhantomData)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn resource(value: Value) -> Resource {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn weights_are_clamped_and_default_to_the_middle() {
        for (written, weight) in [
            (json!(null), 50),
            (json!(0), 1),
            (json!(-5), 1),
            (json!("7"), 7),
            (json!(1000), 100),
            (json!("x"), 50),
        ] {
            let read = resource(json!({"weight_cost": written}));
            assert_eq!(read.weight_cost, weight, "{written}");
        }
        assert_eq!(resource(json!({})).weight_cost, 50);
    }

    #[test]
    fn gateways_keep_their_places() {
        let resource = resource(json!({"gateways": [
            {"server": "a"}, {"server": "b", "enabled": "false"}, 5,
            {"server": "c", "endpoint_type": "skype"}, {"server": "d", "port": "5083"}]}));
        let places: Vec<usize> = resource.usable_gateways().map(|(at, _)| at).collect();
        assert_eq!(places, [0, 4]);
        assert_eq!(resource.gateways[4].port, Some(5083));
    }

    #[test]
    fn an_emergency_resource_by_flag_or_by_type() {
        assert!(resource(json!({"emergency": true})).emergency);
        assert!(resource(json!({"caller_id_options": {"type": "emergency"}})).emergency);
        assert!(!resource(json!({"caller_id_options": {"type": "external"}})).emergency);
    }

    #[test]
    fn media_headers_and_parameters_of_a_gateway() {
        let resource = resource(json!({
        "media": {"audio": {"codecs": ["PCMU"]}, "video": {"codecs": ["H264"]}, "fax_option": "auto"},
        "gateways": [{
            "server": "a", "bypass_media": true, "password": "secret",
            "custom_sip_headers": {"out": {"X-A": "1"}, "in": {"X-B": "1"}, "X-C": "1"},
            "invite_parameters": {"static": ["a=b"], "dynamic": ["zone", {"tag": "t", "key": "k"}, 5]},
        }]}));
        assert_eq!(resource.media.codecs.len(), 2);
        assert_eq!(resource.media.fax_option, Some(true));
        let gateway = &resource.gateways[0];
        assert_eq!(gateway.media.bypass_media, Some(true));
        assert!(gateway.custom_sip_headers.to_device.is_some());
        assert_eq!(gateway.invite_parameters.dynamic.len(), 2);
        assert!(!format!("{gateway:?}").contains("secret"));
    }
}
