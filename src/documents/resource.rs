//! The resource document: a carrier, the numbers it takes and its gateways (trunkstore
//! specification 1.4).

use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess};

use super::connectivity::{password, port};
use super::formatter::{AsFormatters, Formatters};
use super::lenient::{
    self, AsFields, AsFlag, AsGroup, AsGroups, AsInteger, AsTable, AsText, AsTexts, Fields,
    Lenient, Shape, Table, Text, count, flag, texts,
};
use super::sip::{self, CustomHeaders, Password};

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
                let shape = AsTable(AsGroup::<ClassRule>(PhantomData));
                self.classifiers = map.next_value_seed(Lenient(shape))?;
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

/// One address of a carrier, and what it wants of calls.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gateway {
    enabled: Option<bool>,
    endpoint_type: Text,
    /// Host or address; required.
    pub server: Text,
    pub port: Option<u16>,
    pub username: Text,
    pub password: Option<Password>,
    pub realm: Text,
    /// A URI that is dialled as it is, whatever the number.
    pub route: Text,
    pub prefix: Text,
    pub suffix: Text,
    pub invite_format: Text,
    pub codecs: Box<[Box<str>]>,
    pub caller_id_type: Text,
    /// Seconds.
    pub progress_timeout_s: Option<u32>,
    pub media: TrunkMedia,
    pub custom_sip_headers: CustomHeaders,
    /// The sofia profile that dials it.
    pub custom_sip_interface: Text,
    pub invite_parameters: InviteParameters,
    /// Only calls from its own port are its own.
    pub force_port: bool,
    /// The carrier wants REGISTER: calls go through a gateway of FreeSWITCH's, which is made on every node.
    pub register: bool,
    /// Seconds that a registration is asked for.
    pub expire_seconds: Option<u32>,
    /// Seconds between two SIP OPTIONS; None: it is not asked how it is.
    pub ping_s: Option<u32>,
    pub emergency: Option<bool>,
    pub from: FromFormat,
}

impl Gateway {
    /// Whether it can be dialled: not switched off, of SIP, and with an address.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        let addressed = self.server.is_some() || self.route.is_some();
        self.enabled.unwrap_or(true) && self.is_sip() && addressed
    }

    /// Other kinds (`skype`, `freetdm`, `amqp`) have no place in this switch.
    #[must_use]
    pub fn is_sip(&self) -> bool {
        self.endpoint_type
            .as_deref()
            .is_none_or(|kind| kind == "sip")
    }
}

/// What is added to the URI of the INVITE.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct InviteParameters {
    #[serde(rename = "static", deserialize_with = "texts")]
    pub fixed: Box<[Box<str>]>,
    /// Names of what is looked up for each call.
    #[serde(deserialize_with = "dynamic")]
    pub dynamic: Box<[DynamicParameter]>,
}

/// `NAME` alone, or with the tag it is sent under.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DynamicParameter {
    #[serde(deserialize_with = "lenient::text")]
    pub tag: Text,
    #[serde(deserialize_with = "lenient::text")]
    pub key: Text,
}

struct AsDynamic;
impl<'de> Shape<'de> for AsDynamic {
    type Value = DynamicParameter;
    fn text(self, text: &str) -> DynamicParameter {
        DynamicParameter {
            tag: None,
            key: AsText.text(text),
        }
    }
    fn object<A: MapAccess<'de>>(self, object: A) -> Result<DynamicParameter, A::Error> {
        let read = AsGroup::<DynamicParameter>(PhantomData).object(object)?;
        Ok(read.unwrap_or_default())
    }
}

struct AsDynamics;
impl<'de> Shape<'de> for AsDynamics {
    type Value = Box<[DynamicParameter]>;
    fn list<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = list.next_element_seed(Lenient(AsDynamic))? {
            if one.key.is_some() {
                all.push(one);
            }
        }
        Ok(all.into())
    }
}

fn dynamic<'de, D: Deserializer<'de>>(d: D) -> Result<Box<[DynamicParameter]>, D::Error> {
    d.deserialize_any(Lenient(AsDynamics))
}

/// The plain fields of a gateway, as serde reads them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct GatewayFields {
    #[serde(deserialize_with = "flag")]
    enabled: Option<bool>,
    #[serde(deserialize_with = "lenient::text")]
    endpoint_type: Text,
    #[serde(deserialize_with = "lenient::text")]
    server: Text,
    #[serde(deserialize_with = "port")]
    port: Option<u16>,
    #[serde(deserialize_with = "lenient::text")]
    username: Text,
    #[serde(deserialize_with = "password")]
    password: Option<Password>,
    #[serde(deserialize_with = "lenient::text")]
    realm: Text,
    #[serde(deserialize_with = "lenient::text")]
    route: Text,
    #[serde(deserialize_with = "lenient::text")]
    prefix: Text,
    #[serde(deserialize_with = "lenient::text")]
    suffix: Text,
    #[serde(deserialize_with = "lenient::text")]
    invite_format: Text,
    #[serde(deserialize_with = "texts")]
    codecs: Box<[Box<str>]>,
    #[serde(deserialize_with = "lenient::text")]
    caller_id_type: Text,
    #[serde(deserialize_with = "count")]
    progress_timeout: Option<u32>,
    #[serde(deserialize_with = "flag")]
    bypass_media: Option<bool>,
    #[serde(deserialize_with = "lenient::group")]
    media: TrunkMedia,
    #[serde(deserialize_with = "sip::headers")]
    custom_sip_headers: CustomHeaders,
    #[serde(deserialize_with = "lenient::text")]
    custom_sip_interface: Text,
    #[serde(deserialize_with = "lenient::group")]
    invite_parameters: InviteParameters,
    #[serde(deserialize_with = "flag")]
    force_port: Option<bool>,
    #[serde(deserialize_with = "flag")]
    register: Option<bool>,
    #[serde(deserialize_with = "count")]
    expire_seconds: Option<u32>,
    #[serde(deserialize_with = "count")]
    ping: Option<u32>,
    #[serde(deserialize_with = "flag")]
    emergency: Option<bool>,
    #[serde(deserialize_with = "flag")]
    format_from_uri: Option<bool>,
    #[serde(deserialize_with = "lenient::text")]
    from_uri_realm: Text,
    #[serde(deserialize_with = "flag")]
    from_account_realm: Option<bool>,
}

impl<'de> Deserialize<'de> for Gateway {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let fields = GatewayFields::deserialize(d)?;
        let mut media = fields.media;
        media.bypass_media = fields.bypass_media.or(media.bypass_media);
        Ok(Self {
            enabled: fields.enabled,
            endpoint_type: fields.endpoint_type,
            server: fields.server,
            port: fields.port,
            username: fields.username,
            password: fields.password,
            realm: fields.realm,
            route: fields.route,
            prefix: fields.prefix,
            suffix: fields.suffix,
            invite_format: fields.invite_format,
            codecs: fields.codecs,
            caller_id_type: fields.caller_id_type,
            progress_timeout_s: fields.progress_timeout.filter(|seconds| *seconds > 0),
            media,
            custom_sip_headers: fields.custom_sip_headers,
            custom_sip_interface: fields.custom_sip_interface,
            invite_parameters: fields.invite_parameters,
            force_port: fields.force_port == Some(true),
            register: fields.register == Some(true),
            expire_seconds: fields.expire_seconds.filter(|seconds| *seconds > 0),
            ping_s: fields.ping.filter(|seconds| *seconds > 0),
            emergency: fields.emergency,
            from: FromFormat {
                format_from_uri: fields.format_from_uri,
                from_uri_realm: fields.from_uri_realm,
                from_account_realm: fields.from_account_realm,
            },
        })
    }
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
