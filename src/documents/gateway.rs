//! A gateway of a carrier: one address, and what it wants of calls (trunkstore specification 1.4).

use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess};

use super::connectivity::{password, port};
use super::lenient::{self, AsGroup, AsText, Lenient, Shape, Text, count, flag, texts};
use super::resource::{FromFormat, TrunkMedia};
use super::sip::{self, CustomHeaders, Password};

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
