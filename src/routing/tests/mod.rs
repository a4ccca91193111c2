//! Whole plans: the rules as they work together.

mod forwarding;
mod groups;
mod legs;
mod merging;
mod refusals;

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::documents::{Account, Registration};
use crate::types::{AccountId, DocumentId, NodeName};

/// Everything a plan depends on, with a registered phone 2001 called by 2002.
struct Scene {
    settings: Settings,
    account: Value,
    /// Devices with their registrations.
    devices: Vec<(Value, Vec<Registration>)>,
    users: Vec<(&'static str, Value)>,
    busy: bool,
    timeouts: Vec<(Option<u32>, u32)>,
    caller: Caller,
    caller_documents: (Value, Value),
    dialed: &'static str,
    source: Source,
    strategy: Strategy,
    options: ActionOptions,
    chain: Vec<&'static str>,
    behind_loopback: bool,
    aleg_profile: Option<&'static str>,
}

fn id(id: &str) -> DocumentId {
    DocumentId::new(id).unwrap()
}

fn contact(contact: &str) -> Registration {
    Registration {
        node: NodeName::new("node-a").unwrap(),
        profile: "internal".into(),
        user: "2001".into(),
        realm: "acme.example.com".into(),
        contact: contact.into(),
        call_id: String::new(),
        network_ip: None,
        network_port: None,
        user_agent: None,
        expires_at: 1300,
        updated_ms: 0,
    }
}

fn registered() -> Vec<Registration> {
    vec![contact("<sip:2001@203.0.113.10:5060>")]
}

const PHONE: &str = "sofia/internal/sip:2001@203.0.113.10:5060";
const CELL: &str = "loopback/+14155550177/default";

/// The device document of most scenes, with more fields.
fn phone(more: Value) -> Value {
    let mut device = json!({"id": "dev_a", "name": "Desk 2001", "sip": {"username": "2001"}});
    merge(&mut device, more);
    device
}

fn merge(base: &mut Value, more: Value) {
    match (base, more) {
        (Value::Object(base), Value::Object(more)) => {
            for (key, value) in more {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, more) => *base = more,
    }
}

fn forwarded(more: Value) -> Value {
    let mut forward = json!({"enabled": true, "number": "+14155550177"});
    merge(&mut forward, more);
    phone(json!({"call_forward": forward}))
}

impl Scene {
    fn new(device: Value) -> Self {
        Self {
            settings: Settings::default(),
            account: json!({"realm": "acme.example.com"}),
            devices: vec![(device, registered())],
            users: Vec::new(),
            busy: false,
            timeouts: Vec::new(),
            caller: Caller {
                number: "2002".into(),
                name: "Bob".into(),
                network: Network::Onnet,
                privacy: Privacy::default(),
                device_id: Some(id("dev_b")),
                owner_id: None,
                device: None,
                owner: None,
                diversion: None,
            },
            caller_documents: (Value::Null, Value::Null),
            dialed: "2001",
            source: Source::Device,
            strategy: Strategy::Simultaneous,
            options: ActionOptions::default(),
            chain: Vec::new(),
            behind_loopback: false,
            aleg_profile: None,
        }
    }

    fn unregistered(device: Value) -> Self {
        let mut scene = Self::new(device);
        scene.devices[0].1.clear();
        scene
    }

    /// Several phones 3001, 3002, ..., each registered.
    fn phones(count: usize) -> Self {
        let phone = |n: usize| {
            let user = format!("300{n}");
            let device = json!({"id": format!("dev_g{n}"), "name": "G", "sip": {"username": user}});
            let registration = contact(&format!("<sip:{user}@203.0.113.2{n}>"));
            (device, vec![registration])
        };
        let mut scene = Self::new(json!({}));
        scene.devices = (1..=count).map(phone).collect();
        scene.source = Source::RingGroup;
        scene
    }

    fn called_from_outside(mut self) -> Self {
        self.caller.network = Network::Offnet;
        self.caller.number = "+14155550199".into();
        self.caller.name = "Carol".into();
        self.caller.device_id = None;
        self
    }

    fn plan(&self) -> Result<BridgePlan, NoLeg> {
        self.explained(&mut Silent)
    }

    fn explained(&self, explain: &mut dyn Explain) -> Result<BridgePlan, NoLeg> {
        fn typed<T: serde::de::DeserializeOwned>(value: &Value) -> T {
            serde_json::from_value(value.clone()).unwrap()
        }
        let account: Account = typed(&self.account);
        let users: Vec<_> = self
            .users
            .iter()
            .map(|(name, user)| (id(name), Arc::new(typed(user))))
            .collect();
        let member = |(index, (device, registrations)): (usize, &(Value, Vec<Registration>))| {
            let (timeout_s, delay_s) = self.timeouts.get(index).copied().unwrap_or_default();
            Member {
                device_id: id(device["id"].as_str().unwrap_or("gone")),
                device: device.is_object().then(|| Arc::new(typed(device))),
                users: users.clone(),
                registrations: registrations.clone(),
                on_a_call: self.busy,
                timeout_s,
                delay_s,
                weight: 20,
            }
        };
        let members: Vec<Member> = self.devices.iter().enumerate().map(member).collect();
        let mut caller = self.caller.clone();
        let (device, owner) = &self.caller_documents;
        caller.device = device.is_object().then(|| Arc::new(typed(device)));
        caller.owner = owner.is_object().then(|| Arc::new(typed(owner)));
        let chain: Vec<_> = self.chain.iter().map(|name| id(name)).collect();
        plan(
            &DialRequest {
                settings: &self.settings,
                account_id: &AccountId::new("acct1").unwrap(),
                account: &account,
                members: &members,
                caller: &caller,
                dialed: self.dialed,
                source: self.source,
                strategy: self.strategy,
                options: &self.options,
                node: &NodeName::new("node-a").unwrap(),
                aleg_profile: self.aleg_profile,
                forward_chain: &chain,
                behind_loopback: self.behind_loopback,
                now: 1000,
                seed: 7,
            },
            explain,
        )
    }

    /// Endpoints by group, and reasons of what was skipped; or the error.
    fn outcome(&self) -> Result<(Vec<Vec<String>>, Vec<&'static str>), &'static str> {
        match self.plan() {
            Ok(plan) => {
                let text = |leg: &DialLeg| leg.endpoint.to_string();
                let group = |legs: &Vec<DialLeg>| legs.iter().map(text).collect();
                let skipped = plan.skipped.iter().map(|s| s.reason.as_str());
                Ok((
                    plan.dial.groups.iter().map(group).collect(),
                    skipped.collect(),
                ))
            }
            Err(nobody) => Err(nobody.error.as_str()),
        }
    }

    /// The only group's endpoints.
    fn legs(&self) -> Vec<String> {
        self.outcome().unwrap().0.concat()
    }

    fn error(&self) -> &'static str {
        self.outcome().unwrap_err()
    }

    /// A variable of the n-th leg; `-` if it is not set.
    fn var(&self, leg: usize, name: &str) -> String {
        let plan = self.plan().unwrap();
        let legs: Vec<_> = plan.dial.groups.iter().flatten().collect();
        legs[leg].variables.get(name).unwrap_or("-").to_owned()
    }

    fn vars<const N: usize>(&self, leg: usize, names: [&str; N]) -> [String; N] {
        names.map(|name| self.var(leg, name))
    }

    fn global(&self, name: &str) -> String {
        let plan = self.plan().unwrap();
        plan.dial.global.get(name).unwrap_or("-").to_owned()
    }

    fn aleg(&self, name: &str) -> String {
        let plan = self.plan().unwrap();
        plan.aleg.get(name).unwrap_or("-").to_owned()
    }
}
