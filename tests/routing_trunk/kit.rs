//! A case is a value that a test changes before it asks.

use linefinder::routing::trunk::{
    self, Decision, Dial, Digest, Outcome, Party, Reject, Request, Route, Source,
};
use linefinder::routing::{Privacy, Settings, Silent};
use linefinder::types::NodeName;
use serde_json::{Value, json};

use crate::world::{Docs, NOW};

pub const DID: &str = "+12125551234";
pub const FAR: &str = "+16465558888";

/// One account with one PBX at an address, and one carrier for North America.
pub struct Case {
    pub docs: Value,
    pub settings: Value,
    pub to: String,
    pub caller: Party,
    pub privacy: Privacy,
    pub headers: Vec<(String, String)>,
    pub source: Option<(&'static str, u16)>,
    pub digest: Option<(&'static str, &'static str)>,
    pub profile: &'static str,
}

impl Case {
    pub fn new() -> Self {
        Self {
            docs: json!({
                "accounts": [{"id": "alpha", "realm": "alpha.example.net"},
                             {"id": "beta", "realm": "beta.example.net"}],
                "connectivity": [{
                    "id": "conn-1", "account_id": "alpha",
                    "account": {"auth_realm": "alpha.example.net"},
                    "servers": [{
                        "name": "pbx",
                        "auth": {"auth_method": "password", "auth_user": "trunk1", "auth_password": "x",
                                 "ip": "192.0.2.50"},
                        "DIDs": {DID: {}}, "options": {},
                    }],
                }],
                "resources": [{"id": "one", "rules": ["^\\+1(\\d{10})$"],
                               "gateways": [{"server": "203.0.113.10"}]}],
            }),
            settings: json!({}),
            to: DID.into(),
            caller: Party {
                name: "Jane Roe".into(),
                number: "+16465550001".into(),
            },
            privacy: Privacy::default(),
            headers: Vec::new(),
            source: None,
            digest: None,
            profile: "external",
        }
    }

    /// The PBX calls out.
    pub fn outbound() -> Self {
        let mut case = Self::new();
        case.to = FAR.into();
        case.caller.number = DID.into();
        case.digest = Some(("trunk1", "alpha.example.net"));
        case.profile = "internal";
        case
    }

    /// A place in the documents, by JSON pointer; made if it is not there.
    pub fn set(mut self, pointer: &str, value: Value) -> Self {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = self.docs.pointer_mut(parent).expect(parent);
        match parent {
            Value::Object(object) => {
                object.insert(key.replace("~1", "/"), value);
            }
            Value::Array(list) => list.push(value),
            _ => panic!("{pointer}"),
        }
        self
    }

    /// `options` of the first server.
    pub fn options(self, value: Value) -> Self {
        self.set("/connectivity/0/servers/0/options", value)
    }

    /// The entry of the first server's number.
    pub fn entry(self, value: Value) -> Self {
        self.set(&format!("/connectivity/0/servers/0/DIDs/{DID}"), value)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn docs(&self) -> Docs {
        Docs::new(&json!({"docs": self.docs, "request": {}}))
    }

    pub fn ask<T>(&self, ask: impl FnOnce(&Request<'_>, &Docs) -> T) -> T {
        let settings: Settings = serde_json::from_value(self.settings.clone()).unwrap();
        let node = NodeName::new("fs1").unwrap();
        let address = self.source.map(|(ip, port)| (ip.parse().unwrap(), port));
        let request = Request {
            settings: &settings,
            node: &node,
            profile: Some(self.profile),
            source: Source {
                digest: self.digest.map(|(user, realm)| Digest { user, realm }),
                address,
                from_host: None,
                trusted: address.is_none() && self.digest.is_none(),
                server: None,
            },
            caller: &self.caller,
            privacy: self.privacy,
            request_user: &self.to,
            to_user: "ignored",
            from_user: &self.caller.number,
            headers: &self.headers,
            variable: &|name| (name == "lf_region").then_some("eu"),
            now: NOW,
            seed: 7,
        };
        ask(&request, &self.docs())
    }

    pub fn decide(&self) -> Decision {
        let decide = match self.digest.is_some() {
            true => trunk::outbound,
            false => trunk::inbound,
        };
        self.ask(|request, docs| decide(request, docs, &mut Silent).unwrap())
    }

    pub fn route(&self) -> Route {
        match self.decide().outcome {
            Outcome::Route(route) => *route,
            other => panic!("{other:?}"),
        }
    }

    pub fn reject(&self) -> Reject {
        match self.decide().outcome {
            Outcome::Reject(reject) => reject,
            other => panic!("{other:?}"),
        }
    }

    /// The failover of the call, decided.
    pub fn failover(&self) -> Decision {
        let failover = self.route().failover.unwrap();
        self.ask(|request, docs| trunk::failover(request, &failover, docs, &mut Silent).unwrap())
    }

    /// Variables of the first leg.
    pub fn vars(&self, names: &[&str]) -> Vec<String> {
        vars(&self.route(), 0, names)
    }

    /// What is dialled, attempt by attempt.
    pub fn uris(&self) -> Vec<String> {
        uris(&self.route())
    }
}

/// Variables of a leg; those of the `{}` block by a name that begins with `{`.
pub fn vars(route: &Route, at: usize, names: &[&str]) -> Vec<String> {
    let Dial::Call(dial) = &route.attempts[at].dial else {
        panic!("{:?}", route.attempts[at].dial);
    };
    let leg = &dial.groups[0][0].variables;
    let get = |name: &&str| {
        let value = match name.strip_prefix('{') {
            Some(name) => dial.global.get(name),
            None => leg.get(name),
        };
        value.unwrap_or("-").to_owned()
    };
    names.iter().map(get).collect()
}

pub fn uris(route: &Route) -> Vec<String> {
    let uri = |attempt: &trunk::Attempt| match &attempt.dial {
        Dial::Call(dial) => dial.groups[0][0].endpoint.to_string(),
        Dial::Fails(cause, _) => cause.to_string(),
    };
    route.attempts.iter().map(uri).collect()
}
