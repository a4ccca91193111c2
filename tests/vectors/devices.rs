//! The suite `devices`: device documents to dial strings, numbers, restrictions, recordings.

use std::sync::Arc;

use linefinder::documents::{Account, Device, Registration, User};
use linefinder::routing::numbers::{Classifiers, npan, one_npan};
use linefinder::routing::{
    self, ActionOptions, Caller, DialLeg, DialRequest, DialString, Endpoint, Member, Merged,
    Network, NoLeg, OffnetRequest, Privacy, Settings, Silent, Source, Strategy, dialing,
};
use linefinder::types::{AccountId, DocumentId, NodeName};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::compare::{Actual, text};
use crate::dial;
use crate::suite::Differences;

/// The time at which every case happens, Unix seconds.
const NOW: i64 = 1_800_000_000;

/// Keys of `expect` that some operation below reads; another one would be silently untested.
const EXPECT_KEYS: [&str; 29] = [
    "uri",
    "user_part",
    "fs_path",
    "leg_vars",
    "absent",
    "legs",
    "groups",
    "global_vars",
    "global_absent",
    "aleg_vars",
    "aleg_absent",
    "aleg_absent_or_false",
    "skipped",
    "error",
    "cause",
    "e164",
    "npan",
    "1npan",
    "strip_plus",
    "classifier",
    "restricted",
    "number",
    "recording",
    "valid",
    "field",
    "effective",
    "stored_unchanged",
    "note",
    "compare",
];

/// Runs one case.
pub fn run(file: &Value, case: &Value) -> Differences {
    let expect = &case["expect"];
    let mut differences: Differences = expect
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !EXPECT_KEYS.contains(&key.as_str()))
        .map(|(key, _)| format!("{key}: nothing here knows this key of `expect`"))
        .collect();
    let known = serde_json::to_value(Settings::default()).unwrap();
    let own = case["settings"].as_object().into_iter().flatten();
    let strange = own.filter(|(name, _)| known.get(name).is_none());
    differences.extend(strange.map(|(name, _)| format!("settings.{name}: no such setting")));
    let setup = Setup::new(file, case);
    let op = case["request"]["op"].as_str().unwrap_or("dial");
    differences.extend(match op {
        "dial" => setup.dial(),
        "offnet" => setup.offnet(),
        "normalize" | "classify" => setup.number(),
        "dial_plan" | "restrict" => setup.dialed(),
        "recording" => setup.recording(),
        "validate" => setup.validate(),
        other => vec![format!("op: nothing here knows {other:?}")],
    });
    differences
}

/// Inner objects merge, other values replace.
fn over(base: &mut Value, patch: &Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (key, value) in patch {
                over(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (base, patch) => *base = patch.clone(),
    }
}

pub fn typed<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error} in {value}"))
}

fn document_id(value: &Value) -> Option<DocumentId> {
    value.as_str().and_then(|id| DocumentId::new(id).ok())
}

fn seconds(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|s| u32::try_from(s).ok())
}

/// The documents and settings of a case.
pub struct Setup<'a> {
    pub case: &'a Value,
    pub request: &'a Value,
    pub expect: &'a Value,
    pub settings: Settings,
    pub account_id: AccountId,
    pub account: Account,
    pub devices: Vec<&'a Value>,
    pub users: Vec<(DocumentId, Arc<User>)>,
}

impl<'a> Setup<'a> {
    fn new(file: &Value, case: &'a Value) -> Self {
        let mut settings = file["settings"].clone();
        over(&mut settings, case.get("settings").unwrap_or(&json!({})));
        let mut account = file["default_account"].clone();
        over(&mut account, case.get("account").unwrap_or(&json!({})));
        let owner = case
            .get("owner")
            .into_iter()
            .filter(|owner| owner.is_object());
        let owners = case["owners"].as_object().into_iter().flatten();
        let by_key = owners.map(|(id, user)| (DocumentId::new(id).ok(), user));
        let by_id = owner.map(|user| (document_id(&user["id"]), user));
        let users = by_key
            .chain(by_id)
            .filter_map(|(id, user)| Some((id?, Arc::new(typed(user)))));
        Self {
            case,
            request: &case["request"],
            expect: &case["expect"],
            settings: typed(&settings),
            account_id: AccountId::new(account["id"].as_str().unwrap_or("account")).unwrap(),
            account: typed(&account),
            devices: match case["devices"].as_array() {
                Some(devices) => devices.iter().collect(),
                None => vec![&case["device"]],
            },
            users: users.collect(),
        }
    }

    pub fn device(&self) -> Device {
        typed(self.devices[0])
    }

    fn members(&self) -> Vec<Member> {
        let list = &self.request["members"];
        let member = |(index, document): (usize, &&Value)| {
            let options = &list[index];
            let registrations = match self.case.get("registrations") {
                Some(parallel) => &parallel[index],
                None => &self.case["registration"],
            };
            let device: Option<Arc<Device>> = document
                .is_object()
                .then(|| Arc::new(typed::<Device>(document)));
            let id = document_id(&document["id"]);
            let id = id.unwrap_or_else(|| DocumentId::new("unknown").unwrap());
            Member {
                on_a_call: device
                    .as_ref()
                    .is_some_and(|device| self.on_a_call(&id, device)),
                device_id: id,
                device,
                users: self.users.clone(),
                registrations: bindings(registrations),
                timeout_s: seconds(&options["timeout"]),
                delay_s: seconds(&options["delay"]).unwrap_or(0),
                weight: seconds(&options["weight"]).unwrap_or(20),
            }
        };
        self.devices.iter().enumerate().map(member).collect()
    }

    /// Whether the owner, or a device without owner, has a channel that is not this call's.
    fn on_a_call(&self, id: &DocumentId, device: &Device) -> bool {
        let merged = Merged::of_device(&self.account, device, &self.users);
        let owner = merged.owner.map(|(owner, _)| owner.as_str());
        let channels = self.case["channels"].as_array().into_iter().flatten();
        let mut others = channels.filter(|channel| channel["this_call"] != json!(true));
        others.any(|channel| match owner {
            Some(owner) => channel["owner_id"].as_str() == Some(owner),
            None => channel["device_id"].as_str() == Some(id.as_str()),
        })
    }

    fn caller(&self) -> Caller {
        let from = &self.request["from"];
        let own = |key: &str| from[key].as_str().unwrap_or_default().to_owned();
        let flag = |key: &str| from["privacy"][key] == json!(true);
        let device = from.get("device").filter(|device| device.is_object());
        let owner = from.get("owner").filter(|owner| owner.is_object());
        let id = |key: &str, document: Option<&Value>| {
            document_id(&from[key]).or_else(|| document_id(&document?["id"]))
        };
        Caller {
            number: own("number"),
            name: own("name"),
            network: match from["network"].as_str() {
                Some("offnet") => Network::Offnet,
                _ => Network::Onnet,
            },
            privacy: Privacy {
                hide_name: flag("hide_name"),
                hide_number: flag("hide_number"),
            },
            device_id: id("device_id", device),
            owner_id: id("owner_id", owner),
            device: device.map(|device| Arc::new(typed(device))),
            owner: owner.map(|owner| Arc::new(typed(owner))),
            diversion: from["diversion"].as_str().map(str::to_owned),
        }
    }

    fn options(&self) -> ActionOptions {
        let request = self.request;
        let own = |key: &str| request[key].as_str().map(str::to_owned);
        let flag = |key: &str| request[key] == json!(true);
        ActionOptions {
            timeout_s: seconds(&request["timeout"]),
            delay_s: seconds(&request["delay"]),
            static_invite: own("static_invite"),
            suppress_clid: flag("suppress_clid"),
            can_call_self: flag("can_call_self"),
            custom_sip_headers: request
                .get("custom_sip_headers")
                .map(typed)
                .unwrap_or_default(),
            alert_info: own("alert_info"),
            ringback: own("ringback"),
            fail_on_single_reject: flag("fail_on_single_reject"),
            ignore_forward: flag("ignore_forward"),
            ..ActionOptions::default()
        }
    }

    fn dial(&self) -> Differences {
        let (members, caller, options) = (self.members(), self.caller(), self.options());
        let request = self.request;
        let chain = request["forward_chain"].as_array().into_iter().flatten();
        let chain: Vec<DocumentId> = chain.filter_map(document_id).collect();
        let node = NodeName::new(request["node"].as_str().unwrap_or("node-a")).unwrap();
        let planned = routing::plan(
            &DialRequest {
                settings: &self.settings,
                account_id: &self.account_id,
                account: &self.account,
                members: &members,
                caller: &caller,
                dialed: request["to"].as_str().unwrap_or_default(),
                source: source(request["source"].as_str()),
                strategy: strategy(request["strategy"].as_str()),
                options: &options,
                node: &node,
                aleg_profile: request["aleg_profile"].as_str(),
                forward_chain: &chain,
                behind_loopback: request["behind_loopback"] == json!(true),
                now: NOW,
                seed: 7,
            },
            &mut Silent,
        );
        match planned {
            Err(nobody) => self.nobody(&nobody),
            Ok(plan) if self.expect.get("error").is_some() => {
                vec![format!(
                    "error: expected {}, came {}",
                    self.expect["error"],
                    plan.dial.render()
                )]
            }
            Ok(plan) => {
                let mut actual = match Actual::read(&plan.dial.render(), &plan.aleg) {
                    Ok(actual) => actual,
                    Err(fault) => return vec![fault],
                };
                let reasons = plan.skipped.iter().map(|s| s.reason.as_str().to_owned());
                actual.skipped = reasons.collect();
                let mut differences = dial::compare(&actual, self.expect);
                if actual.legs().len() != plan.legs.len() {
                    differences.push("the rendered legs are not those planned".to_owned());
                }
                differences
            }
        }
    }

    /// Nobody is rung: the case must say so.
    fn nobody(&self, nobody: &NoLeg) -> Differences {
        let mut differences = Differences::new();
        let came = [
            ("error", nobody.error.as_str()),
            ("cause", nobody.cause.as_str()),
        ];
        if self.expect.get("error").is_none() && self.expect.get("cause").is_none() {
            differences.push(format!("expected legs, came {}", nobody.error));
        }
        for (key, came) in came {
            match self.expect.get(key) {
                Some(wanted) if text(wanted) != came => {
                    differences.push(format!("{key}: expected {wanted}, came {came}"));
                }
                _ => {}
            }
        }
        let reasons: Vec<_> = nobody
            .skipped
            .iter()
            .map(|s| s.reason.as_str().to_owned())
            .collect();
        differences.extend(dial::skipped(&reasons, self.expect));
        differences
    }

    /// The device is the caller; the leg goes to a carrier.
    fn offnet(&self) -> Differences {
        let (device, caller, options) = (self.device(), self.caller(), self.options());
        let endpoint = Merged::of_device(&self.account, &device, &self.users);
        let dialed = self.request["to"].as_str().unwrap_or_default();
        let leg = routing::offnet(
            &OffnetRequest {
                settings: &self.settings,
                account_id: &self.account_id,
                caller: &caller,
                endpoint: Some(&endpoint),
                dialed,
                emergency_resource: self.request["emergency"] == json!(true),
                keep_identity: false,
                internal_identity: false,
                options: &options,
                behind_loopback: self.request["behind_loopback"] == json!(true),
            },
            &mut Silent,
        );
        let dial = DialString {
            groups: vec![vec![DialLeg {
                variables: leg.variables,
                endpoint: Endpoint::gateway("carrier", dialed).unwrap(),
            }]],
            ..DialString::default()
        };
        match Actual::read(&dial.render(), &routing::Variables::default()) {
            Ok(actual) => dial::compare(&actual, self.expect),
            Err(fault) => vec![fault],
        }
    }

    fn number(&self) -> Differences {
        let number = self.request["number"].as_str().unwrap_or_default();
        let normalizer = dialing::normalizer(&self.account);
        let e164 = normalizer.e164(number);
        self.scalars(&json!({
            "classifier": Classifiers::us().classify(&e164),
            "e164": e164,
            "strip_plus": normalizer.strip_plus(number),
            "npan": npan(number),
            "1npan": one_npan(number),
        }))
    }

    fn dialed(&self) -> Differences {
        let device = self.device();
        let endpoint = Merged::of_device(&self.account, &device, &self.users);
        let number = self.request["number"].as_str().unwrap_or_default();
        let dialed = dialing::dialed(&endpoint, &self.settings, number);
        self.scalars(&json!({
            "number": dialed.number,
            "e164": dialed.e164,
            "classifier": dialed.classifier,
            "restricted": dialed.denied_by.is_some(),
            "cause": dialed.cause().map(|cause| cause.as_str()),
        }))
    }

    /// Compares each key of `expect` that the operation answers with a scalar.
    fn scalars(&self, actual: &Value) -> Differences {
        let mut differences = Differences::new();
        for (key, wanted) in self.expect.as_object().into_iter().flatten() {
            if ["note", "compare"].contains(&key.as_str()) {
                continue;
            }
            match actual.get(key) {
                Some(came) if came == wanted => {}
                came => differences.push(format!("{key}: expected {wanted}, came {came:?}")),
            }
        }
        differences
    }
}

fn bindings(value: &Value) -> Vec<Registration> {
    let list = match value {
        Value::Array(list) => list.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    };
    list.into_iter()
        .filter(|one| one.is_object())
        .map(binding)
        .collect()
}

fn binding(value: &Value) -> Registration {
    let own = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    Registration {
        node: NodeName::new(value["node"].as_str().unwrap_or("node-a")).unwrap(),
        profile: own("profile"),
        user: own("user"),
        realm: own("realm"),
        contact: own("contact"),
        call_id: own("call_id"),
        network_ip: None,
        network_port: None,
        user_agent: None,
        expires_at: NOW + value["expires_in"].as_i64().unwrap_or(300),
        updated_ms: 0,
    }
}

fn source(word: Option<&str>) -> Source {
    match word {
        None | Some("device") => Source::Device,
        Some("user") => Source::User,
        Some("ring_group") => Source::RingGroup,
        Some("queue") => Source::Queue,
        Some("page") => Source::Page,
        Some("menu") => Source::Menu,
        Some("feature" | "feature_code") => Source::Feature,
        Some(other) => panic!("{other:?} is no source"),
    }
}

fn strategy(word: Option<&str>) -> Strategy {
    match word {
        None | Some("simultaneous") => Strategy::Simultaneous,
        Some("single") => Strategy::Single,
        Some("weighted_random") => Strategy::WeightedRandom,
        Some(other) => panic!("{other:?} is no strategy"),
    }
}
