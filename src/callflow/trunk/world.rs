//! The documents, registrations and carriers as the store and the carriers' table have them now.

use std::net::IpAddr;
use std::sync::Arc;

use crate::callflow::Context;
use crate::documents::{Account, Connectivity, Limits, NumberRecord, Registration};
use crate::routing::Explain;
use crate::routing::carriers::{Candidate, Origin, Sender, Table, Wanted};
use crate::routing::dialing::EMERGENCY;
use crate::routing::trunk::{Place, Unreadable, World};
use crate::store::{Store, StoreError};
use crate::trunks::{Carriers, Health};
use crate::types::{AccountId, DocumentId};

/// The application that takes the calls of a number that a callflow lists.
const CALLFLOW: &str = "callflow";

/// Feature of a number that emergency services know.
const E911: &str = "e911";

/// One call's view.
pub(in crate::callflow) struct Documents<'a> {
    store: &'a Store,
    carriers: Option<&'a Carriers>,
    health: Option<&'a Health>,
    /// The table of the moment in which the call came.
    table: Option<Arc<Table>>,
}

impl<'a> Documents<'a> {
    pub(in crate::callflow) fn new(context: &'a Context) -> Self {
        let carriers = context.carriers.as_ref();
        Self {
            store: &context.store,
            carriers,
            health: context.health.as_ref(),
            table: carriers.map(Carriers::table),
        }
    }
}

impl Documents<'_> {
    /// Carriers that the table does not have at all.
    fn tell_switched_off(&self, wanted: &Wanted<'_>, explain: &mut dyn Explain) {
        let installation = AccountId::installation();
        let owner = wanted.hunt_account.unwrap_or(&installation);
        let resources = self.carriers.map(Carriers::resources).unwrap_or_default();
        for source in resources {
            if source.account == *owner && !source.document.enabled {
                explain.note(
                    "carriers",
                    format_args!("{}: it is switched off", source.id),
                );
            }
        }
    }
}

fn unreadable(error: StoreError) -> Unreadable {
    Unreadable::new(error)
}

fn place((account, connectivity, server): (AccountId, DocumentId, usize)) -> Place {
    Place {
        account,
        connectivity,
        server,
    }
}

type Read<T> = Result<T, Unreadable>;

impl World for Documents<'_> {
    fn account(&self, id: &AccountId) -> Read<Option<Arc<Account>>> {
        self.store.account(id).map_err(unreadable)
    }

    fn account_by_realm(&self, realm: &str) -> Read<Option<AccountId>> {
        self.store.account_by_realm(realm).map_err(unreadable)
    }

    fn ancestors(&self, id: &AccountId) -> Read<Vec<AccountId>> {
        self.store.ancestors(id).map_err(unreadable)
    }

    fn reseller(&self, id: &AccountId) -> Read<Option<AccountId>> {
        let reseller = self.store.reseller(id).map_err(unreadable)?;
        Ok(reseller.filter(|reseller| reseller != id))
    }

    /// A number without a record that a callflow lists, and no PBX, is that account's.
    fn number(&self, number: &str) -> Read<Option<(AccountId, Arc<NumberRecord>)>> {
        if let Some(found) = self.store.number(number).map_err(unreadable)? {
            return Ok(Some(found));
        }
        if !self.store.did(number).map_err(unreadable)?.is_empty() {
            return Ok(None);
        }
        let accounts = self.store.accounts_by_number(number).map_err(unreadable)?;
        if accounts.len() > 1 {
            tracing::warn!(
                number,
                "callflows of several accounts have this number; the first one's is used"
            );
        }
        let record = NumberRecord {
            used_by: Some(CALLFLOW.into()),
            ..NumberRecord::default()
        };
        Ok(accounts
            .into_iter()
            .next()
            .map(|account| (account, Arc::new(record))))
    }

    fn did(&self, number: &str) -> Read<Vec<Place>> {
        let found = self.store.did(number).map_err(unreadable)?;
        Ok(found.into_iter().map(place).collect())
    }

    fn connectivity(
        &self,
        account: &AccountId,
        id: &DocumentId,
    ) -> Read<Option<Arc<Connectivity>>> {
        self.store.connectivity(account, id).map_err(unreadable)
    }

    fn connectivities(&self, account: &AccountId) -> Read<Vec<(DocumentId, Arc<Connectivity>)>> {
        self.store.connectivities(account).map_err(unreadable)
    }

    fn server_by_address(&self, user: &str, realm: &str) -> Read<Option<Place>> {
        let found = self.store.server_by_address(user, realm);
        Ok(found.map_err(unreadable)?.map(place))
    }

    /// Names among the servers' addresses are resolved in the carriers' table alone; disabled servers,
    /// which are to be told so, are in the store's index alone.
    fn servers_by_ip(&self, ip: IpAddr) -> Read<Vec<Place>> {
        let found = self.carriers.map(|carriers| carriers.servers_at(ip));
        let found = found.unwrap_or_default();
        if found.is_empty() {
            let found = self.store.servers_by_ip(ip).map_err(unreadable)?;
            return Ok(found.into_iter().map(place).collect());
        }
        let found = found.into_iter();
        Ok(found
            .map(|(key, server)| place((key.account, key.id, server)))
            .collect())
    }

    fn registrations(&self, user: &str, realm: &str) -> Read<Vec<Registration>> {
        Ok(self.store.registrations(user, realm))
    }

    fn limits(&self, account: &AccountId) -> Read<Option<Arc<Limits>>> {
        self.store.limits(account).map_err(unreadable)
    }

    fn emergency_number(&self, account: &AccountId) -> Read<Option<String>> {
        use crate::documents::DocumentType;
        for document in self.store.scan(DocumentType::Number, Some(account)) {
            let id = document.map_err(unreadable)?.key.id;
            let record = self.store.number(id.as_str()).map_err(unreadable)?;
            if record.is_some_and(|(_, record)| record.has_feature(E911)) {
                return Ok(Some(id.as_str().to_owned()));
            }
        }
        Ok(None)
    }

    fn candidates(&self, wanted: &Wanted<'_>, explain: &mut dyn Explain) -> Vec<Candidate> {
        let Some(table) = &self.table else {
            explain.note("carriers", format_args!("none are loaded"));
            return Vec::new();
        };
        if explain.is_heard() {
            self.tell_switched_off(wanted, explain);
        }
        let candidates = table.select(wanted, explain);
        let Some(health) = self.health else {
            return candidates;
        };
        let emergency = wanted.class == EMERGENCY || candidates.iter().any(|c| c.emergency);
        if !explain.is_heard() {
            return health.arrange(candidates, emergency);
        }
        let (arranged, told) = health.foresee(candidates, emergency);
        for text in told {
            explain.note("health", format_args!("{text}"));
        }
        arranged
    }

    fn sender(&self, origin: &Origin<'_>) -> Option<Sender> {
        self.table.as_ref()?.sender(origin)
    }
}
