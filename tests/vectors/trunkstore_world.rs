//! The documents of a case of the suite `trunkstore`, as a decision reads them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use linefinder::documents::{
    Account, AuthMethod, Connectivity, Limits, NumberRecord, Registration, Resource,
};
use linefinder::routing::Explain;
use linefinder::routing::carriers::{Candidate, Origin, ResourceSource, Sender, Table, Wanted};
use linefinder::routing::numbers::Classifiers;
use linefinder::routing::trunk::limits::Used;
use linefinder::routing::trunk::numbers::did;
use linefinder::routing::trunk::{Place, UnitDirection, UnitWanted, Unreadable, World};
use linefinder::types::{AccountId, DocumentId, NodeName};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The time at which every case happens, Unix seconds.
pub const NOW: i64 = 1_800_000_000;

struct Tenant {
    id: AccountId,
    document: Arc<Account>,
    ancestors: Vec<AccountId>,
    reseller: Option<AccountId>,
}

pub struct Docs {
    tenants: Vec<Tenant>,
    connectivity: Vec<(AccountId, DocumentId, Arc<Connectivity>)>,
    numbers: Vec<(String, AccountId, Arc<NumberRecord>)>,
    limits: Vec<(AccountId, Arc<Limits>)>,
    registrations: Vec<Registration>,
    table: Table,
    calls: Vec<ActiveCall>,
}

/// A unit in use.
struct ActiveCall {
    account: AccountId,
    direction: UnitDirection,
    /// It is one that trunks carry.
    counted: bool,
    call: String,
    other_leg: Option<String>,
    /// The number that is called, where the case says so.
    number: Option<String>,
}

/// What the call under test is called among the others.
const OURS: &str = "the call under test";

fn typed<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error} in {value}"))
}

/// Texts as they are, other values as JSON.
fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub fn account(value: &Value) -> AccountId {
    AccountId::new(value.as_str().unwrap()).unwrap()
}

fn document(value: &Value) -> DocumentId {
    DocumentId::new(value.as_str().unwrap()).unwrap()
}

fn registration(value: &Value) -> Registration {
    let lower = |key: &str| text(&value[key]).to_lowercase();
    Registration {
        node: NodeName::new(value["node"].as_str().unwrap_or("fs1")).unwrap(),
        profile: value["profile"].as_str().unwrap_or("internal").to_owned(),
        user: lower("user"),
        realm: lower("realm"),
        contact: text(&value["contact"]),
        call_id: String::new(),
        network_ip: None,
        network_port: None,
        user_agent: None,
        expires_at: NOW + 3600,
        updated_ms: value["registered_at"].as_i64().unwrap_or(0) * 1000,
    }
}

fn active(value: &Value) -> ActiveCall {
    let billing = value["billing"].as_str().unwrap_or("flat_rate");
    ActiveCall {
        account: account(&value["account_id"]),
        direction: match value["direction"].as_str() {
            Some("inbound") => UnitDirection::In,
            _ => UnitDirection::Out,
        },
        counted: billing.starts_with("flat_rate"),
        call: text(&value["call_id"]),
        other_leg: value["other_leg"].as_str().map(str::to_owned),
        number: value.get("number").and_then(|number| did(&text(number))),
    }
}

impl Docs {
    pub fn new(case: &Value) -> Self {
        let docs = &case["docs"];
        let tenant = |value: &Value| Tenant {
            id: account(&value["id"]),
            document: Arc::new(typed(value)),
            ancestors: list(&value["ancestors"]).map(account).collect(),
            reseller: value
                .get("reseller_id")
                .filter(|v| v.is_string())
                .map(account),
        };
        let trunks = |value: &Value| {
            let id = (account(&value["account_id"]), document(&value["id"]));
            (id.0, id.1, Arc::new(typed::<Connectivity>(value)))
        };
        let number = |value: &Value| {
            let number = did(&text(&value["number"])).unwrap();
            // An unassigned number is nobody's.
            let owner = match value["account_id"].as_str() {
                Some(_) => account(&value["account_id"]),
                None => AccountId::installation(),
            };
            (number, owner, Arc::new(typed(value)))
        };
        let resource = |value: &Value| ResourceSource {
            account: match value.get("account_id") {
                Some(id) if id.is_string() => account(id),
                _ => AccountId::installation(),
            },
            id: document(&value["id"]),
            document: Arc::new(typed::<Resource>(value)),
        };
        let resources: Vec<_> = list(&docs["resources"]).map(resource).collect();
        let mut connectivity: Vec<_> = list(&docs["connectivity"]).map(trunks).collect();
        connectivity.sort_by(|a, b| a.1.cmp(&b.1));
        Self {
            tenants: list(&docs["accounts"]).map(tenant).collect(),
            connectivity,
            numbers: list(&docs["numbers"]).map(number).collect(),
            limits: list(&docs["limits"])
                .map(|value| (account(&value["account_id"]), Arc::new(typed(value))))
                .collect(),
            registrations: list(&docs["registrations"]).map(registration).collect(),
            table: Table::compile(&resources, Classifiers::us()),
            calls: list(&case["request"]["active_calls"]).map(active).collect(),
        }
    }

    fn tenant(&self, id: &AccountId) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| tenant.id == *id)
    }

    /// What is used of an account's limits; a reseller's count those of its accounts. The call that
    /// asks is not among the calls, but its units are among the units.
    pub fn used(&self, id: &AccountId, number: &str) -> Used {
        let ours = |call: &&ActiveCall| {
            let tenant = self.tenant(&call.account);
            call.account == *id || tenant.is_some_and(|t| t.reseller.as_ref() == Some(id))
        };
        let calls: Vec<&ActiveCall> = self.calls.iter().filter(ours).collect();
        let count = |wanted: &dyn Fn(&&&ActiveCall) -> bool| {
            u32::try_from(calls.iter().filter(wanted).count()).unwrap()
        };
        let units = |direction| count(&|c| c.counted && c.direction == direction);
        // Both legs of a bridge are one call.
        let mut seen = BTreeSet::from([OURS]);
        let mut unique = 0;
        for call in &calls {
            let names = [Some(&*call.call), call.other_leg.as_deref()];
            let names = || names.into_iter().flatten();
            unique += u32::from(!names().any(|name| seen.contains(name)));
            seen.extend(names());
        }
        Used {
            inbound: units(UnitDirection::In),
            outbound: units(UnitDirection::Out),
            calls: unique,
            consuming: unique,
            of_number: count(&|c| {
                c.direction == UnitDirection::In && c.number.as_deref() == Some(number)
            }),
        }
    }

    /// The call under test holds a unit now.
    pub fn take(&mut self, unit: &UnitWanted) {
        self.calls.push(ActiveCall {
            account: unit.account.clone(),
            direction: unit.direction,
            counted: unit.counted,
            call: OURS.to_owned(),
            other_leg: None,
            number: Some(unit.number.clone()),
        });
    }

    fn places(&self, wanted: impl Fn(&linefinder::documents::Server) -> bool) -> Vec<Place> {
        let mut places = Vec::new();
        for (account, id, document) in &self.connectivity {
            for (server, found) in document.servers.iter().enumerate() {
                if wanted(found) {
                    places.push(Place {
                        account: account.clone(),
                        connectivity: id.clone(),
                        server,
                    });
                }
            }
        }
        places
    }
}

impl World for Docs {
    fn account(&self, id: &AccountId) -> Result<Option<Arc<Account>>, Unreadable> {
        Ok(self.tenant(id).map(|tenant| Arc::clone(&tenant.document)))
    }

    fn account_by_realm(&self, realm: &str) -> Result<Option<AccountId>, Unreadable> {
        let same = |tenant: &&Tenant| {
            let own = tenant.document.realm.as_deref();
            own.is_some_and(|own| own.eq_ignore_ascii_case(realm))
        };
        Ok(self
            .tenants
            .iter()
            .find(same)
            .map(|tenant| tenant.id.clone()))
    }

    fn ancestors(&self, id: &AccountId) -> Result<Vec<AccountId>, Unreadable> {
        Ok(self
            .tenant(id)
            .map(|t| t.ancestors.clone())
            .unwrap_or_default())
    }

    fn reseller(&self, id: &AccountId) -> Result<Option<AccountId>, Unreadable> {
        Ok(self.tenant(id).and_then(|tenant| tenant.reseller.clone()))
    }

    fn number(&self, number: &str) -> Result<Option<(AccountId, Arc<NumberRecord>)>, Unreadable> {
        let found = self.numbers.iter().find(|(known, ..)| known == number);
        Ok(found.map(|(_, account, record)| (account.clone(), Arc::clone(record))))
    }

    fn did(&self, number: &str) -> Result<Vec<Place>, Unreadable> {
        let lists = |key: &str| did(key).as_deref() == Some(number);
        Ok(self.places(|server| {
            let mut keys = server.dids.iter().flat_map(|dids| dids.keys());
            keys.any(|key| lists(key))
        }))
    }

    fn connectivity(
        &self,
        account: &AccountId,
        id: &DocumentId,
    ) -> Result<Option<Arc<Connectivity>>, Unreadable> {
        let same = |(a, i, _): &&(AccountId, DocumentId, _)| a == account && i == id;
        Ok(self
            .connectivity
            .iter()
            .find(same)
            .map(|(.., document)| Arc::clone(document)))
    }

    fn connectivities(
        &self,
        account: &AccountId,
    ) -> Result<Vec<(DocumentId, Arc<Connectivity>)>, Unreadable> {
        let own = self.connectivity.iter().filter(|(a, ..)| a == account);
        Ok(own
            .map(|(_, id, document)| (id.clone(), Arc::clone(document)))
            .collect())
    }

    fn server_by_address(&self, user: &str, realm: &str) -> Result<Option<Place>, Unreadable> {
        let by_user = self.places(|server| {
            let own = server.auth.user.as_deref();
            server.auth.method == AuthMethod::Password
                && own.is_some_and(|own| own.eq_ignore_ascii_case(user))
        });
        let in_realm = |place: &Place| {
            let (_, _, document) = self
                .connectivity
                .iter()
                .find(|(a, i, _)| *a == place.account && *i == place.connectivity)
                .unwrap();
            let own = document.account.auth_realm.as_deref();
            let tenant = self.tenant(&place.account);
            let own = own.or_else(|| tenant?.document.realm.as_deref());
            own.is_some_and(|own| own.eq_ignore_ascii_case(realm))
        };
        Ok(by_user.into_iter().find(in_realm))
    }

    fn servers_by_ip(&self, ip: IpAddr) -> Result<Vec<Place>, Unreadable> {
        let ip = ip.to_string();
        Ok(self.places(|server| {
            server.auth.method == AuthMethod::Ip && server.ip() == Some(ip.as_str())
        }))
    }

    fn registrations(&self, user: &str, realm: &str) -> Result<Vec<Registration>, Unreadable> {
        let same = |r: &&Registration| {
            r.user.eq_ignore_ascii_case(user) && r.realm.eq_ignore_ascii_case(realm)
        };
        Ok(self.registrations.iter().filter(same).cloned().collect())
    }

    fn limits(&self, account: &AccountId) -> Result<Option<Arc<Limits>>, Unreadable> {
        let own = self.limits.iter().find(|(id, _)| id == account);
        Ok(own.map(|(_, limits)| Arc::clone(limits)))
    }

    fn emergency_number(&self, account: &AccountId) -> Result<Option<String>, Unreadable> {
        let mut known = self
            .numbers
            .iter()
            .filter(|(_, owner, record)| owner == account && record.has_feature("e911"));
        Ok(known.next().map(|(number, ..)| number.clone()))
    }

    fn candidates(&self, wanted: &Wanted<'_>, explain: &mut dyn Explain) -> Vec<Candidate> {
        self.table.select(wanted, explain)
    }

    fn sender(&self, origin: &Origin<'_>) -> Option<Sender> {
        self.table.sender(origin)
    }
}
