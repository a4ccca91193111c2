//! `sip`: how a device authenticates, and how it is reached (devices specification 1.3, 3).

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess};

use super::lenient::{self, AsTable, AsText, Lenient, Shape, Table, Text, count, flag};
use crate::types::InviteFormat;

/// How calls from the device prove who they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AuthMethod {
    #[default]
    Password,
    /// By address; such a device never registers.
    Ip,
}

/// The group that every phone has in line, what few have out of line.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sip {
    username: Text,
    password: Option<Password>,
    pub method: AuthMethod,
    pub invite_format: InviteFormat,
    pub ignore_completed_elsewhere: Option<bool>,
    /// Told to the provisioner; 300 if absent.
    pub expire_seconds: Option<u32>,
    rare: Option<Box<RareSip>>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct RareSip {
    realm: Text,
    ip: Text,
    number: Text,
    route: Text,
    static_invite: Text,
    static_route: Text,
    proxy: Text,
    forward: Text,
    transport: Text,
    custom_sip_interface: Text,
    headers: CustomHeaders,
}

/// A secret that no log line shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Box<str>);

impl Password {
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    #[must_use]
    pub const fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Header values by name; the direction is as seen from the daemon.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CustomHeaders {
    /// On calls that the device makes.
    pub from_device: Option<Box<Table<Box<str>>>>,
    /// On calls to the device.
    pub to_device: Option<Box<Table<Box<str>>>>,
    /// Both ways.
    pub both: Option<Box<Table<Box<str>>>>,
}

macro_rules! rare_texts {
    ($($(#[$doc:meta])* $name:ident)*) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> Option<&str> {
            self.rare.as_ref()?.$name.as_deref()
        }
    )* };
}

impl Sip {
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.password.as_ref().map(|password| &*password.0)
    }

    rare_texts! {
        /// Beats the account's realm.
        realm
        /// Static address, `IP` or `IP:PORT`.
        ip
        /// To-DID instead of the dialled number.
        number
        /// Whole URI for the format `route`.
        route
        /// User part for the format `username`.
        static_invite
        static_route
        proxy
        forward
        transport
        custom_sip_interface
    }

    #[must_use]
    pub fn custom_headers(&self) -> Option<&CustomHeaders> {
        self.rare.as_ref().map(|rare| &rare.headers)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SipFields {
    #[serde(deserialize_with = "lenient::text")]
    username: Text,
    #[serde(deserialize_with = "lenient::text")]
    password: Text,
    #[serde(deserialize_with = "lenient::text")]
    method: Text,
    #[serde(deserialize_with = "lenient::text")]
    invite_format: Text,
    #[serde(deserialize_with = "flag")]
    ignore_completed_elsewhere: Option<bool>,
    #[serde(deserialize_with = "count")]
    expire_seconds: Option<u32>,
    /// The name of `expire_seconds` in older documents.
    #[serde(deserialize_with = "count")]
    registration_expiration: Option<u32>,
    #[serde(deserialize_with = "lenient::text")]
    realm: Text,
    #[serde(deserialize_with = "lenient::text")]
    ip: Text,
    #[serde(deserialize_with = "lenient::text")]
    number: Text,
    #[serde(deserialize_with = "lenient::text")]
    route: Text,
    #[serde(deserialize_with = "lenient::text")]
    static_invite: Text,
    #[serde(deserialize_with = "lenient::text")]
    static_route: Text,
    #[serde(deserialize_with = "lenient::text")]
    proxy: Text,
    #[serde(deserialize_with = "lenient::text")]
    forward: Text,
    #[serde(deserialize_with = "lenient::text")]
    transport: Text,
    #[serde(deserialize_with = "lenient::text")]
    custom_sip_interface: Text,
    #[serde(deserialize_with = "headers")]
    custom_sip_headers: CustomHeaders,
}

/// # Errors
/// Only those of the JSON itself.
pub(super) fn headers<'de, D: Deserializer<'de>>(d: D) -> Result<CustomHeaders, D::Error> {
    d.deserialize_any(Lenient(AsHeaders))
}

struct AsHeaders;
impl<'de> Shape<'de> for AsHeaders {
    type Value = CustomHeaders;

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<CustomHeaders, A::Error> {
        let mut headers = CustomHeaders::default();
        while let Some(key) = object.next_key::<Box<str>>()? {
            match &*key {
                "in" => headers.from_device = object.next_value_seed(Lenient(AsTable(AsText)))?,
                "out" => headers.to_device = object.next_value_seed(Lenient(AsTable(AsText)))?,
                _ => {
                    if let Some(value) = object.next_value_seed(Lenient(AsText))? {
                        headers.both.get_or_insert_default().insert(key, value);
                    }
                }
            }
        }
        Ok(headers)
    }
}

impl<'de> Deserialize<'de> for Sip {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let fields = SipFields::deserialize(d)?;
        let rare = RareSip {
            realm: fields.realm,
            ip: fields.ip,
            number: fields.number,
            route: fields.route,
            static_invite: fields.static_invite,
            static_route: fields.static_route,
            proxy: fields.proxy,
            forward: fields.forward,
            transport: fields.transport,
            custom_sip_interface: fields.custom_sip_interface,
            headers: fields.custom_sip_headers,
        };
        let method = match fields.method.as_deref() {
            Some("ip") => AuthMethod::Ip,
            _ => AuthMethod::Password,
        };
        let format = fields
            .invite_format
            .as_deref()
            .and_then(|format| format.parse().ok());
        Ok(Self {
            username: fields.username,
            password: fields.password.map(Password),
            method,
            invite_format: format.unwrap_or_default(),
            ignore_completed_elsewhere: fields.ignore_completed_elsewhere,
            expire_seconds: fields.expire_seconds.or(fields.registration_expiration),
            rare: (rare != RareSip::default()).then(|| Box::new(rare)),
        })
    }
}
