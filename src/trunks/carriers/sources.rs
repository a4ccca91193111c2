//! The documents behind the table.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::documents::{AuthMethod, Connectivity, Document, DocumentKey, DocumentType, Resource};
use crate::routing::carriers::{ResourceSource, folded};
use crate::store::{LoggedWrite, Store, StoreError};
use crate::types::AccountId;

/// Carriers by account and id, and the addresses of PBXs.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    resources: BTreeMap<DocumentKey, Arc<Resource>>,
    /// Enabled servers that prove themselves by their address: place, and host in its compared form.
    servers: BTreeMap<DocumentKey, Vec<(usize, Box<str>)>>,
    /// Hosts of all of them, and of carriers.
    hosts: BTreeSet<Box<str>>,
    by_host: HashMap<Box<str>, Vec<(DocumentKey, usize)>>,
}

/// What a change of documents touches.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Touched {
    /// Owners whose carriers changed.
    pub(super) owners: BTreeSet<AccountId>,
    pub(super) servers: bool,
}

impl Touched {
    pub(super) fn is_nothing(&self) -> bool {
        self.owners.is_empty() && !self.servers
    }
}

impl Sources {
    pub(super) fn read(store: &Store) -> Result<Self, StoreError> {
        let mut sources = Self::default();
        for kind in [DocumentType::Resource, DocumentType::Connectivity] {
            for document in store.scan(kind, None) {
                sources.put(document?);
            }
        }
        sources.index();
        Ok(sources)
    }

    /// Reads again what these writes changed.
    pub(super) fn follow(
        &mut self,
        store: &Store,
        writes: &[LoggedWrite],
    ) -> Result<Touched, StoreError> {
        let mut touched = Touched::default();
        let keys: BTreeSet<&DocumentKey> = writes.iter().map(|write| &write.key).collect();
        for key in keys {
            match key.kind {
                DocumentType::Resource => {
                    touched.owners.insert(key.account.clone());
                }
                DocumentType::Connectivity => touched.servers = true,
                _ => continue,
            }
            self.remove(key);
            if let Some(document) = store.document(key)? {
                self.put(document);
            }
        }
        if !touched.is_nothing() {
            self.index();
        }
        Ok(touched)
    }

    pub(super) fn resources(&self) -> Vec<ResourceSource> {
        let source = |(key, document): (&DocumentKey, &Arc<Resource>)| ResourceSource {
            account: key.account.clone(),
            id: key.id.clone(),
            document: Arc::clone(document),
        };
        self.resources.iter().map(source).collect()
    }

    pub(super) fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(|host| &**host)
    }

    pub(super) fn has_host(&self, host: &str) -> bool {
        self.hosts.contains(host)
    }

    pub(super) fn servers_at(&self, names: &[String]) -> Vec<(DocumentKey, usize)> {
        let known = names.iter().filter_map(|name| self.by_host.get(&**name));
        let mut all: Vec<_> = known.flatten().cloned().collect();
        all.sort_unstable();
        all.dedup();
        let mut accounts = all.iter().map(|(key, _)| &key.account);
        let first = accounts.next();
        if accounts.any(|account| Some(account) != first) {
            tracing::error!(
                address = ?names, servers = ?all.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>(),
                "PBXs of different accounts have this address: none of them is let in by it"
            );
            return Vec::new();
        }
        all
    }

    fn remove(&mut self, key: &DocumentKey) {
        self.resources.remove(key);
        self.servers.remove(key);
    }

    fn put(&mut self, document: Document) {
        let Document { key, body } = document;
        let body = serde_json::Value::Object(body);
        // The typed documents are lenient: only what is no JSON at all could fail here.
        match key.kind {
            DocumentType::Resource => match serde_json::from_value::<Resource>(body) {
                Ok(resource) => {
                    warn_of_gateways(&key, &resource);
                    self.resources.insert(key, Arc::new(resource));
                }
                Err(error) => tracing::error!(document = %key, %error, "the carrier can't be read"),
            },
            _ => match serde_json::from_value::<Connectivity>(body) {
                Ok(connectivity) => {
                    let servers = by_address(&connectivity);
                    if !servers.is_empty() {
                        self.servers.insert(key, servers);
                    }
                }
                Err(error) => tracing::error!(document = %key, %error, "the trunks can't be read"),
            },
        }
    }

    fn index(&mut self) {
        self.by_host.clear();
        self.hosts.clear();
        for (key, servers) in &self.servers {
            for (place, host) in servers {
                let known = self.by_host.entry(host.clone()).or_default();
                known.push((key.clone(), *place));
                self.hosts.insert(host.clone());
            }
        }
        let enabled = self.resources.values().filter(|resource| resource.enabled);
        for resource in enabled {
            self.hosts
                .extend(resource.inbound_ips.iter().map(|host| folded(host)));
            for (_, gateway) in resource.usable_gateways() {
                let hosts = [gateway.server.as_deref(), gateway.realm.as_deref()];
                self.hosts.extend(hosts.into_iter().flatten().map(folded));
            }
        }
        self.hosts.remove("");
    }
}

fn by_address(connectivity: &Connectivity) -> Vec<(usize, Box<str>)> {
    let servers = connectivity.servers.iter().enumerate();
    let known =
        servers.filter(|(_, server)| server.is_enabled() && server.auth.method == AuthMethod::Ip);
    known
        .filter_map(|(place, server)| Some((place, folded(server.ip()?))))
        .collect()
}

fn warn_of_gateways(key: &DocumentKey, resource: &Resource) {
    for (place, gateway) in resource.gateways.iter().enumerate() {
        if !gateway.is_sip() {
            tracing::warn!(resource = %key, gateway = place, "only gateways of endpoint_type sip can be dialled; this one is left out");
        }
    }
}
