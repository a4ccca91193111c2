//! Which carrier a call came from (trunkstore specification 4.7).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::carrier::ResourceSource;
use super::table::Table;
use crate::documents::{Gateway, Resource};
use crate::types::{AccountId, DocumentId};

/// What a gateway's port is when its document names none.
const SIP_PORT: u16 = 5060;

/// What host names stand for, as last resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts {
    names: HashMap<IpAddr, Vec<Box<str>>>,
}

impl Hosts {
    /// Notes the addresses of a name.
    pub fn put(&mut self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        for address in addresses {
            let names = self.names.entry(address.to_canonical()).or_default();
            let name: Box<str> = name.to_ascii_lowercase().into();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }

    /// The address as text, and all names that stand for it, in the form in which hosts are compared.
    #[must_use]
    pub fn with(&self, address: IpAddr) -> Vec<String> {
        let address = address.to_canonical();
        let names = self.names_of(address).map(str::to_owned);
        std::iter::once(address.to_string()).chain(names).collect()
    }

    /// Every name with every address of it.
    pub fn resolved(&self) -> impl Iterator<Item = (&str, IpAddr)> {
        let all = self.names.iter();
        all.flat_map(|(address, names)| names.iter().map(|name| (&**name, *address)))
    }

    fn names_of(&self, address: IpAddr) -> impl Iterator<Item = &str> {
        self.names
            .get(&address)
            .into_iter()
            .flatten()
            .map(|name| &**name)
    }
}

/// What gave a carrier away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matched {
    /// The address that the call came from: as good as a password.
    Address,
    /// The host in its From header, which anybody can write: it names the carrier of a call that is trusted already,
    /// and is no reason to trust it.
    FromHost,
}

/// The carrier that sent a call.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The installation, or the account that it is a local carrier of.
    pub account: AccountId,
    pub id: DocumentId,
    pub document: Arc<Resource>,
    /// Place in the document's `gateways`; None: one of its `inbound_ips`.
    pub gateway: Option<usize>,
    pub matched: Matched,
}

/// Where a call came from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    pub ip: IpAddr,
    pub port: u16,
    /// Host of the From header.
    pub from_host: Option<&'a str>,
    /// The account that owns the realm of the From header or of the credentials: its local carriers count too.
    pub account: Option<&'a AccountId>,
}

/// One owner's carriers by where their calls come from.
#[derive(Debug, Clone, Default)]
pub(super) struct Senders {
    sources: Vec<ResourceSource>,
    /// By host: lower-case name or address as text. In order of ids, then of gateways.
    hosts: HashMap<Box<str>, Vec<Place>>,
}

/// Where a host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    source: usize,
    /// None comes first: `inbound_ips`.
    gateway: Option<usize>,
    /// `force_port`: the only one that calls come from.
    port: Option<u16>,
}

impl Senders {
    pub(super) fn compile(sources: &[&ResourceSource]) -> Self {
        let enabled = sources.iter().filter(|source| source.document.enabled);
        let mut senders = Self {
            sources: enabled.map(|source| (*source).clone()).collect(),
            hosts: HashMap::new(),
        };
        senders.sources.sort_by(|a, b| a.id.cmp(&b.id));
        for (at, source) in senders.sources.iter().enumerate() {
            for host in &source.document.inbound_ips {
                let place = Place {
                    source: at,
                    gateway: None,
                    port: None,
                };
                put(&mut senders.hosts, host, place);
            }
            let gateways = source.document.gateways.iter().enumerate();
            for (gateway, document) in gateways.filter(|(_, gateway)| gateway.is_usable()) {
                let port = document
                    .force_port
                    .then(|| document.port.unwrap_or(SIP_PORT));
                let place = Place {
                    source: at,
                    gateway: Some(gateway),
                    port,
                };
                for host in hosts_of(document) {
                    put(&mut senders.hosts, host, place);
                }
            }
        }
        senders
    }

    fn by_address(&self, names: &[&str], port: u16) -> Option<Place> {
        let places = names
            .iter()
            .filter_map(|name| self.hosts.get(*name))
            .flatten();
        let may = places.filter(|place| place.port.is_none_or(|own| own == port));
        may.min().copied()
    }

    fn by_from(&self, host: &str) -> Option<Place> {
        let host = folded(host);
        let mut places = self.hosts.get(&*host).into_iter().flatten();
        places
            .find(|place| place.port.is_none() && place.gateway.is_some())
            .copied()
    }

    fn sender(&self, place: Place, matched: Matched) -> Option<Sender> {
        let source = self.sources.get(place.source)?;
        Some(Sender {
            account: source.account.clone(),
            id: source.id.clone(),
            document: Arc::clone(&source.document),
            gateway: place.gateway,
            matched,
        })
    }
}

fn put(hosts: &mut HashMap<Box<str>, Vec<Place>>, host: &str, place: Place) {
    let places = hosts.entry(folded(host)).or_default();
    if !places.contains(&place) {
        places.push(place);
    }
}

/// A host as it is compared: names without case, addresses in one form.
#[must_use]
pub fn folded(host: &str) -> Box<str> {
    let bare = host.trim().trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().to_string().into(),
        Err(_) => bare.to_ascii_lowercase().into(),
    }
}

fn hosts_of(gateway: &Gateway) -> impl Iterator<Item = &str> {
    [gateway.server.as_deref(), gateway.realm.as_deref()]
        .into_iter()
        .flatten()
}

impl Table {
    /// Which carrier sent a call. An address goes before a From header, the installation's carriers before an account's.
    #[must_use]
    pub fn sender(&self, origin: &Origin<'_>) -> Option<Sender> {
        let ip = origin.ip.to_canonical();
        let text = ip.to_string();
        let names: Vec<&str> = std::iter::once(&*text)
            .chain(self.hosts.names_of(ip))
            .collect();
        let local = origin.account.and_then(|account| self.local.get(account));
        let pools = || std::iter::once(&self.installation).chain(local);
        let by_address = pools().find_map(|pool| {
            let place = pool.senders.by_address(&names, origin.port)?;
            pool.senders.sender(place, Matched::Address)
        });
        by_address.or_else(|| {
            let host = origin.from_host?;
            pools().find_map(|pool| {
                let place = pool.senders.by_from(host)?;
                pool.senders.sender(place, Matched::FromHost)
            })
        })
    }

    /// The table with host names standing for these addresses.
    #[must_use]
    pub fn with_hosts(&self, hosts: Arc<Hosts>) -> Self {
        Self {
            hosts,
            ..self.clone()
        }
    }
}
