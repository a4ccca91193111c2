//! The connectivity document: a customer's PBXs, their numbers, and how they want to be called
//! (trunkstore specification 1.1).

use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess};

use super::lenient::{
    self, AsCount, AsFields, AsFlag, AsGroup, AsGroups, AsText, AsTexts, Fields, Lenient, Shape,
    Table, Text,
};
use super::sip::{AuthMethod, Password};
use super::terms::Terms;

/// One document of trunks; an account may have several.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Connectivity {
    /// A label.
    pub name: Text,
    pub account: TrunkAccount,
    /// In the order in which they are tried.
    pub servers: Box<[Server]>,
}

impl Connectivity {
    /// Every entry of every server, as written, with the index of its server. The keys are not
    /// normalised.
    pub fn dids(&self) -> impl Iterator<Item = (usize, &str, &DidEntry)> {
        let servers = self.servers.iter().enumerate();
        servers.flat_map(|(index, server)| {
            let entries = server.dids.iter().flat_map(|table| table.iter());
            entries.map(move |(number, entry)| (index, &**number, entry))
        })
    }
}

impl Fields for Connectivity {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "name" => self.name = map.next_value_seed(Lenient(AsText))?,
            "account" => {
                self.account = map.next_value_seed(Lenient(AsFields(PhantomData)))?;
            }
            "servers" => self.servers = map.next_value_seed(Lenient(AsGroups(PhantomData)))?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// `account`: what applies to all servers of the document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrunkAccount {
    /// The SIP realm of the account; the API writes it.
    pub auth_realm: Text,
    /// Two-way trunks bought; limits calls only where the account has no limits document.
    pub trunks: Option<u32>,
    pub terms: Terms,
    pub flags: Box<[Box<str>]>,
    pub dynamic_flags: Box<[Box<str>]>,
}

impl Fields for TrunkAccount {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "auth_realm" => self.auth_realm = map.next_value_seed(Lenient(AsText))?,
            "trunks" => self.trunks = map.next_value_seed(Lenient(AsCount))?,
            "flags" => self.flags = map.next_value_seed(Lenient(AsTexts))?,
            "dynamic_flags" => self.dynamic_flags = map.next_value_seed(Lenient(AsTexts))?,
            _ => return self.terms.read(key, map),
        }
        Ok(true)
    }
}

/// One entry of `servers`: a customer's PBX.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Server {
    pub name: Text,
    /// Entries by number, as written.
    pub dids: Option<Box<Table<DidEntry>>>,
    pub auth: ServerAuth,
    pub options: ServerOptions,
    enabled: Option<bool>,
    /// Where old documents keep the codecs.
    codecs: Box<[Box<str>]>,
}

impl Server {
    /// False if the server or its options say so: the API writes the one, older tools the other.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled.unwrap_or(true) && self.options.enabled.unwrap_or(true)
    }

    /// The static address, which beats a registration whatever the method is.
    #[must_use]
    pub fn ip(&self) -> Option<&str> {
        self.auth.ip.as_deref().or(self.options.ip.as_deref())
    }

    /// The port of the static address, which may stand elsewhere than the address.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.auth.port.or(self.options.port)
    }

    #[must_use]
    pub fn codecs(&self) -> &[Box<str>] {
        match &*self.options.codecs {
            [] => &self.codecs,
            codecs => codecs,
        }
    }

    #[must_use]
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

impl Fields for Server {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "name" => self.name = map.next_value_seed(Lenient(AsText))?,
            "DIDs" => self.dids = map.next_value_seed(Lenient(AsDids))?,
            "auth" => {
                let shape = AsGroup::<ServerAuth>(PhantomData);
                self.auth = map.next_value_seed(Lenient(shape))?.unwrap_or_default();
            }
            "options" => {
                self.options = map.next_value_seed(Lenient(AsFields(PhantomData)))?;
            }
            "enabled" => self.enabled = map.next_value_seed(Lenient(AsFlag))?,
            "codecs" => self.codecs = map.next_value_seed(Lenient(AsTexts))?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Entries by number. An entry without anything, however that is written (`null`, `[]`), lists its
/// number as much as one that says something.
struct AsDids;
impl<'de> Shape<'de> for AsDids {
    type Value = Option<Box<Table<DidEntry>>>;
    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut table = Table::default();
        while let Some(key) = object.next_key::<Box<str>>()? {
            let entry = object.next_value_seed(Lenient(AsFields(PhantomData)))?;
            table.insert(key, entry);
        }
        Ok((!table.is_empty()).then(|| Box::new(table)))
    }
}

/// `auth`: how the PBX proves who it is, and perhaps where it is.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ServerAuth {
    #[serde(rename = "auth_method", deserialize_with = "method")]
    pub method: AuthMethod,
    /// Compared without case.
    #[serde(rename = "auth_user", deserialize_with = "lenient::text")]
    pub user: Text,
    #[serde(rename = "auth_password", deserialize_with = "password")]
    pub password: Option<Password>,
    /// An address or a host name.
    #[serde(deserialize_with = "lenient::text")]
    pub ip: Text,
    #[serde(deserialize_with = "port")]
    pub port: Option<u16>,
}

fn method<'de, D: Deserializer<'de>>(d: D) -> Result<AuthMethod, D::Error> {
    let method = lenient::text(d)?;
    let by_ip = method.is_some_and(|word| word.trim().eq_ignore_ascii_case("ip"));
    Ok(if by_ip {
        AuthMethod::Ip
    } else {
        AuthMethod::Password
    })
}

pub(super) fn password<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Password>, D::Error> {
    Ok(lenient::text(d)?.map(|text| Password::new(&text)))
}

/// 1 to 65535, also as digits in a text.
#[derive(Clone, Copy)]
pub(super) struct AsPort;
impl Shape<'_> for AsPort {
    type Value = Option<u16>;
    fn integer(self, integer: i64) -> Option<u16> {
        u16::try_from(integer).ok().filter(|port| *port > 0)
    }
    fn text(self, text: &str) -> Option<u16> {
        self.integer(text.trim().parse().ok()?)
    }
}

pub(super) fn port<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u16>, D::Error> {
    d.deserialize_any(Lenient(AsPort))
}

/// `options` of a server.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServerOptions {
    pub terms: Terms,
    pub enabled: Option<bool>,
    /// Which user part the PBX wants in its INVITE; unknown words mean the auth user.
    pub inbound_format: Text,
    pub ip: Text,
    pub port: Option<u16>,
    /// What a carrier has to have.
    pub flags: Box<[Box<str>]>,
    /// Names of what is looked up when a call is made.
    pub dynamic_flags: Box<[Box<str>]>,
    /// Use the carriers of this account and no others.
    pub hunt_account_id: Text,
    pub hunt_non_reconcilable: Option<bool>,
    pub codecs: Box<[Box<str>]>,
}

impl Fields for ServerOptions {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "enabled" => self.enabled = map.next_value_seed(Lenient(AsFlag))?,
            "inbound_format" => self.inbound_format = map.next_value_seed(Lenient(AsText))?,
            "ip" => self.ip = map.next_value_seed(Lenient(AsText))?,
            "port" => self.port = map.next_value_seed(Lenient(AsPort))?,
            "flags" => self.flags = map.next_value_seed(Lenient(AsTexts))?,
            "dynamic_flags" => self.dynamic_flags = map.next_value_seed(Lenient(AsTexts))?,
            "hunt_account_id" => self.hunt_account_id = map.next_value_seed(Lenient(AsText))?,
            "hunt_non_reconcilable" => {
                self.hunt_non_reconcilable = map.next_value_seed(Lenient(AsFlag))?;
            }
            "codecs" => self.codecs = map.next_value_seed(Lenient(AsTexts))?,
            _ => return self.terms.read(key, map),
        }
        Ok(true)
    }
}

/// One number of a server.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DidEntry {
    pub terms: Terms,
    /// `options`: what a carrier has to have for calls that this number makes.
    pub flags: Box<[Box<str>]>,
}

impl Fields for DidEntry {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "options" => self.flags = map.next_value_seed(Lenient(AsTexts))?,
            _ => return self.terms.read(key, map),
        }
        Ok(true)
    }
}

macro_rules! by_fields {
    ($($name:ident)*) => { $(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_any(Lenient(AsFields(PhantomData)))
            }
        }
    )* };
}

by_fields! { Connectivity Server DidEntry }

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn server(value: Value) -> Server {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn address_and_port_may_stand_in_different_places() {
        let split = server(json!({"auth": {"auth_method": "IP", "port": "5070"},
            "options": {"ip": "pbx.example.com", "port": 5090}}));
        assert_eq!(split.auth.method, AuthMethod::Ip);
        assert_eq!(
            (split.ip(), split.port()),
            (Some("pbx.example.com"), Some(5070))
        );
        let blank = server(json!({"auth": {"ip": "", "port": 0}, "options": {"ip": "192.0.2.1"}}));
        assert_eq!((blank.ip(), blank.port()), (Some("192.0.2.1"), None));
    }

    #[test]
    fn either_place_disables_a_server() {
        assert!(server(json!({})).is_enabled());
        assert!(!server(json!({"enabled": false})).is_enabled());
        assert!(!server(json!({"options": {"enabled": "false"}})).is_enabled());
    }

    #[test]
    fn numbers_and_texts_are_read_alike_and_wrong_types_are_absent() {
        let server = server(json!({
            "name": 7, "DIDs": {"+12125551234": {"timeout": "20", "options": ["fax", 1, null]}, "x": 5},
            "auth": {"auth_user": "t", "auth_password": "secret"},
            "options": {"delay": 3, "timeout": true, "sip_headers": {"X-A": "1"}, "codecs": "PCMU"},
            "codecs": ["PCMA"],
        }));
        let (_, entry) = server.dids.as_ref().unwrap().first().unwrap();
        assert_eq!(entry.terms.timeout_s, Some(20));
        assert_eq!(entry.flags.len(), 2);
        assert_eq!(server.label(), "7");
        assert_eq!(server.options.terms.delay_s, Some(3));
        assert_eq!(server.options.terms.timeout_s, None);
        assert_eq!(server.codecs(), [Box::from("PCMA")]);
        assert!(!format!("{server:?}").contains("secret"));
        assert_eq!(server.auth.password.unwrap().reveal(), "secret");
    }

    #[test]
    fn the_places_of_servers_are_kept() {
        let document: Connectivity =
            serde_json::from_value(json!({"account": 1, "servers": [null, {"DIDs": {"1": {}}}]}))
                .unwrap();
        let places: Vec<_> = document
            .dids()
            .map(|(at, number, _)| (at, number))
            .collect();
        assert_eq!(places, [(1, "1")]);
    }
}
