//! A number at one server, and what number, server and account say about its calls.

use std::sync::Arc;

use super::numbers::{self, Owned};
use super::world::{Place, Unreadable, World};
use crate::documents::{Connectivity, DidEntry, Failover, Server, Terms};
use crate::routing::Explain;

/// A server, perhaps with the entry of one of its numbers.
#[derive(Debug, Clone)]
pub struct Hosted {
    pub place: Place,
    document: Arc<Connectivity>,
    /// Key of the entry in `DIDs`.
    key: Option<Box<str>>,
}

impl Hosted {
    /// None: there is no such server any more.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn at(
        place: Place,
        number: Option<&str>,
        world: &dyn World,
    ) -> Result<Option<Self>, Unreadable> {
        let document = world.connectivity(&place.account, &place.connectivity)?;
        Ok(document.and_then(|document| {
            let server = document.servers.get(place.server)?;
            let key = number.and_then(|number| key_of(server, number));
            Some(Self {
                place,
                key,
                document,
            })
        }))
    }

    /// None can't be: it was there when this was made.
    #[must_use]
    pub fn server(&self) -> Option<&Server> {
        self.document.servers.get(self.place.server)
    }

    #[must_use]
    pub fn entry(&self) -> Option<&DidEntry> {
        let dids = self.server()?.dids.as_ref()?;
        dids.get(self.key.as_deref()?)
    }

    #[must_use]
    pub fn document(&self) -> &Connectivity {
        &self.document
    }

    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.server().is_some_and(Server::is_enabled)
    }

    #[must_use]
    pub fn name(&self) -> &str {
        self.server().map(Server::label).unwrap_or_default()
    }

    /// What is said of calls, by the number's entry first, then the server, then the account.
    #[must_use]
    pub fn levels(&self) -> Levels<'_> {
        Levels {
            entry: self.entry().map(|entry| &entry.terms),
            server: self.server().map(|server| &server.options.terms),
            account: &self.document.account.terms,
        }
    }

    /// Whether entry or server want the calls of the number to go over carriers.
    #[must_use]
    pub fn is_forced_out(&self) -> bool {
        let Levels { entry, server, .. } = self.levels();
        let forced = |terms: Option<&Terms>| terms.and_then(|t| t.force_outbound) == Some(true);
        forced(entry) || forced(server)
    }
}

/// A server in whose name a call goes out.
#[derive(Debug, Clone)]
pub struct Calling {
    pub server: Hosted,
    /// Where the number that calls is listed, which may be at another server of the account. None:
    /// the entry of the server itself counts.
    pub number: Option<Hosted>,
}

impl Calling {
    #[must_use]
    pub fn entry(&self) -> Option<&DidEntry> {
        match &self.number {
            Some(number) => number.entry(),
            None => self.server.entry(),
        }
    }

    #[must_use]
    pub fn levels(&self) -> Levels<'_> {
        Levels {
            entry: self.entry().map(|entry| &entry.terms),
            ..self.server.levels()
        }
    }

    /// The account whose carriers are used in place of the installation's.
    #[must_use]
    pub fn hunt_account(&self) -> Option<&str> {
        self.server.server()?.options.hunt_account_id.as_deref()
    }
}

/// The key under which a server lists a normalised number.
fn key_of(server: &Server, number: &str) -> Option<Box<str>> {
    let dids = server.dids.as_ref()?;
    if let Some((key, _)) = dids.get_key_value(number) {
        return Some(key.clone());
    }
    let same = |key: &str| numbers::did(key).as_deref() == Some(number);
    dids.keys().find(|key| same(key)).cloned()
}

/// The levels of the cascade; the first that says something counts.
#[derive(Debug, Clone, Copy)]
pub struct Levels<'a> {
    pub entry: Option<&'a Terms>,
    pub server: Option<&'a Terms>,
    pub account: &'a Terms,
}

impl<'a> Levels<'a> {
    /// Strongest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&'static str, &'a Terms)> + use<'a> {
        let named = [
            ("number", self.entry),
            ("server", self.server),
            ("account", Some(self.account)),
        ];
        named
            .into_iter()
            .filter_map(|(name, terms)| Some((name, terms?)))
    }

    pub fn first<T>(&self, field: impl Fn(&'a Terms) -> Option<T>) -> Option<T> {
        self.iter().find_map(|(_, terms)| field(terms))
    }
}

/// The servers of a number, in the order in which they are tried.
#[derive(Debug)]
pub struct Servers {
    pub enabled: Vec<Hosted>,
    pub disabled: usize,
}

impl Servers {
    /// # Errors
    /// The store can't be read.
    pub fn of(
        owned: &Owned,
        number: &str,
        world: &dyn World,
        explain: &mut dyn Explain,
    ) -> Result<Self, Unreadable> {
        let mut servers = Self {
            enabled: Vec::new(),
            disabled: 0,
        };
        for place in &owned.places {
            let Some(hosted) = Hosted::at(place.clone(), Some(number), world)? else {
                continue;
            };
            let (id, index, name) = (&place.connectivity, place.server, hosted.name());
            if hosted.is_enabled() {
                explain.note("server", format_args!("{id} server {index} {name:?}"));
                servers.enabled.push(hosted);
            } else {
                explain.note(
                    "server",
                    format_args!("{id} server {index} {name:?} is disabled"),
                );
                servers.disabled += 1;
            }
        }
        Ok(servers)
    }

    /// The failover of a call to the number: of the number's record, then of the first enabled
    /// server's levels.
    #[must_use]
    pub fn failover<'a>(&'a self, owned: &'a Owned) -> Option<&'a Failover> {
        let record = owned.record.as_ref().and_then(|r| r.failover.as_deref());
        let levels = self.enabled.first().map(Hosted::levels);
        record.or_else(|| levels?.first(|terms| terms.failover.as_deref()))
    }
}
