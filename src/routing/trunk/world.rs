//! What a decision may read.

use std::error::Error;
use std::sync::Arc;

use std::net::IpAddr;

use crate::documents::{Account, Connectivity, Limits, NumberRecord, Registration};
use crate::routing::Explain;
use crate::routing::carriers::{Candidate, Origin, Sender, Wanted};
use crate::types::{AccountId, DocumentId};

/// A document could not be read; the call is refused, unless it is an emergency call.
#[derive(Debug, thiserror::Error)]
#[error("the documents of the call can't be read: {0}")]
pub struct Unreadable(#[source] pub Box<dyn Error + Send + Sync>);

impl Unreadable {
    #[must_use]
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// One server of one connectivity document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub account: AccountId,
    pub connectivity: DocumentId,
    /// Index in `servers`.
    pub server: usize,
}

/// The documents, registrations and carriers as they are when the call is decided.
pub trait World {
    /// # Errors
    /// The store can't be read; so for the others.
    fn account(&self, id: &AccountId) -> Result<Option<Arc<Account>>, Unreadable>;

    /// The account of a SIP realm, compared without case.
    ///
    /// # Errors
    /// As [`World::account`].
    fn account_by_realm(&self, realm: &str) -> Result<Option<AccountId>, Unreadable>;

    /// The accounts above one, topmost first.
    ///
    /// # Errors
    /// As [`World::account`].
    fn ancestors(&self, id: &AccountId) -> Result<Vec<AccountId>, Unreadable>;

    /// Who resells to the account; None: nobody, or the account is its own.
    ///
    /// # Errors
    /// As [`World::account`].
    fn reseller(&self, id: &AccountId) -> Result<Option<AccountId>, Unreadable>;

    /// The record of a normalised number, and the account that owns it.
    ///
    /// # Errors
    /// As [`World::account`].
    fn number(&self, number: &str) -> Result<Option<(AccountId, Arc<NumberRecord>)>, Unreadable>;

    /// Servers that list the normalised number, by connectivity id, then by index.
    ///
    /// # Errors
    /// As [`World::account`].
    fn did(&self, number: &str) -> Result<Vec<Place>, Unreadable>;

    /// # Errors
    /// As [`World::account`].
    fn connectivity(
        &self,
        account: &AccountId,
        id: &DocumentId,
    ) -> Result<Option<Arc<Connectivity>>, Unreadable>;

    /// All of the account's, by id.
    ///
    /// # Errors
    /// As [`World::account`].
    fn connectivities(
        &self,
        account: &AccountId,
    ) -> Result<Vec<(DocumentId, Arc<Connectivity>)>, Unreadable>;

    /// The server with method password that has these credentials, compared without case.
    ///
    /// # Errors
    /// As [`World::account`].
    fn server_by_address(&self, user: &str, realm: &str) -> Result<Option<Place>, Unreadable>;

    /// Servers with method ip at this address.
    ///
    /// # Errors
    /// As [`World::account`].
    fn servers_by_ip(&self, ip: IpAddr) -> Result<Vec<Place>, Unreadable>;

    /// Live registrations of an address of record.
    ///
    /// # Errors
    /// As [`World::account`].
    fn registrations(&self, user: &str, realm: &str) -> Result<Vec<Registration>, Unreadable>;

    /// # Errors
    /// As [`World::account`].
    fn limits(&self, account: &AccountId) -> Result<Option<Arc<Limits>>, Unreadable>;

    /// The first of the account's numbers that emergency services know (feature `e911`).
    ///
    /// # Errors
    /// As [`World::account`].
    fn emergency_number(&self, account: &AccountId) -> Result<Option<String>, Unreadable>;

    /// The gateways that may carry a call, in order; those that are out of order left out.
    fn candidates(&self, wanted: &Wanted<'_>, explain: &mut dyn Explain) -> Vec<Candidate>;

    /// The carrier that calls from an address.
    fn sender(&self, origin: &Origin<'_>) -> Option<Sender>;
}
