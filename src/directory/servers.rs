//! Customers' PBXs that register, or call with a password (trunkstore specification 6.1, 6.2).

use std::sync::Arc;

use super::answer::{Answer, User};
use super::digest::A1;
use super::question;
use super::settings::Settings;
use super::xml::{Unfit, Value};
use crate::documents::{Account, AuthMethod, Connectivity, Registration, Server};
use crate::routing::Contact;
use crate::routing::numbers::Normalizer;
use crate::store::{ServerAt, Store, StoreError};
use crate::types::{AccountId, DocumentId};

/// An enabled server with the method `password`, of an enabled account.
pub struct Found {
    account_id: AccountId,
    account: Arc<Account>,
    id: DocumentId,
    document: Arc<Connectivity>,
    place: usize,
}

/// The server whose credentials are `user@domain`; a disabled one is not found.
///
/// # Errors
/// The store can't be read.
pub fn find(store: &Store, who: &question::User<'_>) -> Result<Option<Found>, StoreError> {
    let Some(at) = store.server_by_address(&who.user, &who.domain)? else {
        return Ok(None);
    };
    load(store, at)
}

/// The server that a far end is which asks for a password on a call of ours. FreeSWITCH names whom it called: the
/// number as the server likes it, at the server's address, and not the server's own name.
///
/// # Errors
/// The store can't be read.
pub fn called(store: &Store, who: &question::User<'_>) -> Result<Option<Found>, StoreError> {
    for at in store.did(&Normalizer::us().e164(&who.user))? {
        let Some(found) = load(store, at)? else {
            continue;
        };
        let is_there = |server: &Server| {
            let registered = server.auth.user.as_deref().map(|user| {
                let user = user.to_lowercase();
                store.registrations(&user, &found.realm().to_lowercase())
            });
            let mut registered = registered.into_iter().flatten();
            let host = Some(&*who.domain);
            server.ip() == host || registered.any(|r| contact_host(&r) == host)
        };
        if found.server().is_some_and(is_there) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn contact_host(registration: &Registration) -> Option<&str> {
    let uri = Contact::parse(&registration.contact).ok()?.uri();
    let (_, place) = uri.split_once('@')?;
    place.split([':', ';', '?', '>']).next()
}

fn load(store: &Store, (account_id, id, place): ServerAt) -> Result<Option<Found>, StoreError> {
    let Some(account) = store.account(&account_id)? else {
        return Ok(None);
    };
    let Some(document) = store.connectivity(&account_id, &id)? else {
        return Ok(None);
    };
    let found = Found {
        account_id,
        account,
        id,
        document,
        place,
    };
    let Some(server) = found.server() else {
        return Ok(None);
    };
    if !found.account.is_enabled() || !server.is_enabled() {
        tracing::info!(account_id = %found.account_id, connectivity_id = %found.id, server = place, "the PBX or its account is disabled");
        return Ok(None);
    }
    let by_password = server.auth.method == AuthMethod::Password;
    Ok(by_password.then_some(found))
}

impl Found {
    /// What it registers within.
    fn realm(&self) -> &str {
        let own = self.document.account.auth_realm.as_deref();
        own.or(self.account.realm.as_deref()).unwrap_or_default()
    }

    fn server(&self) -> Option<&Server> {
        self.document.servers.get(self.place)
    }

    /// None: the empty password, which would let everybody in.
    pub fn a1(&self, user: &str, realm: &str) -> Option<A1> {
        let password = self.server()?.auth.password.as_ref()?;
        A1::of(user, realm, password.reveal())
    }

    /// What FreeSWITCH is told of it.
    pub fn written(&self, settings: &Settings, who: &question::User<'_>, a1: A1) -> Answer {
        match self.user(settings, who, a1) {
            Ok(user) => Answer::User(Box::new(user)),
            Err(unfit) => {
                tracing::warn!(
                    account_id = %self.account_id, connectivity_id = %self.id, server = self.place, error = %unfit,
                    "this PBX can't be told to FreeSWITCH"
                );
                Answer::NotFound
            }
        }
    }

    fn user(&self, settings: &Settings, who: &question::User<'_>, a1: A1) -> Result<User, Unfit> {
        let account = self.account_id.as_str();
        let realm = self.account.realm.as_deref().unwrap_or(&who.domain);
        let place = self.place.to_string();
        let variables = [
            ("user_context", &*settings.trunk_context),
            ("accountcode", account),
            ("lf_account_id", account),
            ("lf_account_realm", realm),
            ("lf_authorizing_type", "sys_info"),
            ("lf_authorizing_id", self.id.as_str()),
            ("lf_server_index", &place),
            ("lf_username", &who.user),
            ("lf_realm", &who.domain),
        ];
        let written = variables.map(|(name, value)| Ok((name, Value::new(value)?)));
        Ok(User {
            id: Value::new(&who.user)?,
            domain: Value::new(&who.domain)?,
            a1,
            // Calls to a PBX say which number is meant, which only we know how to write.
            dial_string: None,
            cacheable_ms: settings.cacheable_ms,
            variables: written.into_iter().collect::<Result<_, Unfit>>()?,
        })
    }

    /// Name and password for a far end that asks for one on a call of ours.
    pub fn secret(&self) -> Option<(&str, &str)> {
        let auth = &self.server()?.auth;
        Some((auth.user.as_deref()?, auth.password.as_ref()?.reveal()))
    }
}
