//! The suite `trunkstore`: calls from carriers and from PBXs, to attempts in order, or a refusal.
//!
//! A case without script asks for the plan; one with a script plays the outcomes of the attempts,
//! one after the other, the way the executor does.

use linefinder::routing::carriers::Origin;
use linefinder::routing::trunk::limits::{self, Billing};
use linefinder::routing::trunk::{
    self, Arrival, Attempt, Decision, Dial, Digest, Ended, FailoverTo, Outcome, Party, Reject,
    Request, Route, RouteKind, Source, Step, World,
};
use linefinder::routing::{Privacy, Settings, Silent};
use linefinder::types::{AccountId, HangupCause, NodeName};
use serde_json::{Value, json};

use crate::compare::{Actual, Block, text};
use crate::devices::typed;
use crate::suite::Differences;
use crate::trunkstore_world::{Docs, NOW};

const EXPECT_KEYS: [&str; 7] = [
    "route",
    "attempts",
    "failover",
    "a_leg_vars",
    "billing",
    "reject",
    "final",
];
/// Settings of the specification that are not routing's.
const NOT_OURS: [&str; 2] = ["ring_ready_offnet", "authz_default_action"];

/// The file is the list.
pub fn cases(file: &Value) -> Vec<Value> {
    file.as_array().expect("a list of cases").clone()
}

/// Runs one case.
pub fn run(_file: &Value, case: &Value) -> Differences {
    let expect = &case["expect"];
    let mut differences = unknown("expect", expect, &EXPECT_KEYS);
    let (settings, faults) = settings(&case["docs"]["config"]);
    differences.extend(faults);
    let played = Played::new(case, &settings);
    differences.extend(played.compare(expect));
    differences
}

/// Cases with one expectation spoilt have to fail.
pub fn self_test(file: &Value) -> Differences {
    let mut missed = Differences::new();
    let spoilt: [(&str, &str, Value); 8] = [
        (
            "inbound/default-npan-registered",
            "/expect/attempts/0/uri",
            json!("sip:1@198.51.100.7:5080"),
        ),
        (
            "inbound/default-npan-registered",
            "/expect/attempts/0/leg_vars/accountcode",
            json!("x"),
        ),
        (
            "inbound/delay-zero-omitted",
            "/expect/attempts/0/absent_vars",
            json!(["accountcode"]),
        ),
        (
            "inbound/timers-and-delay",
            "/expect/attempts/0/timeout",
            json!(24),
        ),
        (
            "inbound/disabled-server-rejected",
            "/expect/reject/sip_status",
            json!(603),
        ),
        (
            "inbound/no-failover-after-answer",
            "/expect/failover",
            json!({"kind": "sip", "attempts": []}),
        ),
        (
            "limits/inbound-burst",
            "/expect/billing",
            json!("flat_rate"),
        ),
        (
            "outbound/weight-order",
            "/expect/attempts/1/resource",
            json!("carrier-one"),
        ),
    ];
    for (name, pointer, value) in spoilt {
        let Some(case) = cases(file).into_iter().find(|case| case["name"] == name) else {
            continue;
        };
        let mut case = case;
        *case.pointer_mut(pointer).expect("the place is there") = value;
        if run(file, &case).is_empty() {
            missed.push(format!("{name} with another {pointer}"));
        }
    }
    missed
}

pub fn unknown(what: &str, value: &Value, known: &[&str]) -> Differences {
    let keys = value.as_object().into_iter().flatten().map(|(key, _)| key);
    let strange = keys.filter(|key| !known.contains(&key.as_str()));
    strange
        .map(|key| format!("{what}.{key}: nothing here knows this key"))
        .collect()
}

/// The settings of a case; every name has to be one of ours.
fn settings(config: &Value) -> (Settings, Differences) {
    let mut config = config.clone();
    if let Some(config) = config.as_object_mut() {
        config.retain(|key, _| !NOT_OURS.contains(&key.as_str()));
    }
    if config.is_null() {
        return (Settings::default(), Differences::new());
    }
    let known = serde_json::to_value(Settings::default()).unwrap();
    let known: Vec<&str> = known
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let faults = unknown("config", &config, &known);
    (typed(&config), faults)
}

/// What has become of the call.
pub struct Played {
    pub route: &'static str,
    pub attempts: Vec<(Attempt, Actual)>,
    pub failover: Option<(&'static str, Vec<(Attempt, Actual)>)>,
    pub reject: Option<Reject>,
    pub last: Option<Reject>,
    /// What is set on the A-leg, whether or not an attempt is placed.
    pub aleg: Block,
    pub billing: Option<Billing>,
    pub faults: Differences,
}

/// A call under way.
struct Play<'a> {
    docs: Docs,
    request: Request<'a>,
    script: Option<Vec<Value>>,
    played: Played,
}

impl Played {
    fn new(case: &Value, settings: &Settings) -> Self {
        let request = &case["request"];
        let inbound = request["direction"] == "inbound";
        let (caller, user) = (party(&request["from"]), text(&request["to"]));
        let profile = if inbound { "external" } else { "internal" };
        let headers: Vec<(String, String)> = request["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
        let port = request["source_port"].as_u64().unwrap_or(5060);
        let ip = request["source_ip"].as_str().map(|ip| ip.parse().unwrap());
        let auth = request["auth"].as_object();
        let docs = Docs::new(case);
        // A source on the address list is never challenged: what it sends stays unverified.
        let listed = ip.is_some_and(|ip| !docs.servers_by_ip(ip).unwrap().is_empty());
        let digest = auth.filter(|_| !listed).map(|auth| Digest {
            user: auth["user"].as_str().unwrap(),
            realm: auth["realm"].as_str().unwrap(),
        });
        let node = NodeName::new("fs1").unwrap();
        let request = Request {
            settings,
            node: &node,
            profile: Some(request["profile"].as_str().unwrap_or(profile)),
            source: Source {
                digest,
                address: ip.map(|ip| (ip, u16::try_from(port).unwrap())),
                from_host: None,
                trusted: inbound && ip.is_none(),
                server: None,
            },
            caller: &caller,
            privacy: privacy(&headers),
            request_user: &user,
            to_user: &user,
            from_user: &caller.number,
            headers: &headers,
            variable: &|_| None,
            now: NOW,
            seed: 1,
        };
        let mut play = Play {
            docs,
            request,
            script: case["request"]["script"].as_array().cloned(),
            played: Played {
                route: "reject",
                attempts: Vec::new(),
                failover: None,
                reject: None,
                last: None,
                aleg: Block::new(),
                billing: None,
                faults: Differences::new(),
            },
        };
        let inbound = play.is_inbound(inbound);
        play.run(inbound);
        play.played
    }
}

fn party(value: &Value) -> Party {
    let own = |key: &str| value.get(key).map(text).unwrap_or_default();
    Party {
        name: own("name"),
        number: own("number"),
    }
}

/// A Privacy header as the switch acts on it.
fn privacy(headers: &[(String, String)]) -> Privacy {
    let mut own = headers.iter();
    let own = own.find(|(name, _)| name.eq_ignore_ascii_case("Privacy"));
    let hides = own.is_some_and(|(_, value)| !value.eq_ignore_ascii_case("none"));
    Privacy {
        hide_name: hides,
        hide_number: hides,
    }
}

impl Play<'_> {
    /// Who is calling decides where an address is a carrier's and a PBX's at once.
    fn is_inbound(&self, said: bool) -> bool {
        let source = self.request.source;
        let Some((ip, port)) = source.address.filter(|_| source.digest.is_none()) else {
            return said;
        };
        let is_server = !self.docs.servers_by_ip(ip).unwrap().is_empty();
        let is_carrier = self.docs.sender(&Origin {
            ip,
            port,
            from_host: None,
            account: None,
        });
        match trunk::arrive(&self.request, &self.docs, &mut Silent).unwrap() {
            Arrival::Carrier(Some(_)) if is_server => true,
            Arrival::Server(_) if is_carrier.is_some() => false,
            _ => said,
        }
    }

    fn run(&mut self, inbound: bool) {
        let decide = match inbound {
            true => trunk::inbound,
            false => trunk::outbound,
        };
        let decision = decide(&self.request, &self.docs, &mut Silent).unwrap();
        let route = match self.admitted(decision) {
            Err(reject) => {
                self.played.reject = Some(reject);
                return;
            }
            Ok(route) => route,
        };
        self.played.route = match route.kind {
            RouteKind::Pbx => "pbx",
            RouteKind::Onnet => "onnet",
            RouteKind::Offnet => "offnet",
            RouteKind::Uri => "uri",
        };
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        self.played.aleg = route.aleg.iter().map(own).collect();
        match self.script.is_some() {
            true => self.hunt(&route, false),
            false => self.plan(&route),
        }
        let played = &mut self.played;
        let over = played.failover.iter().flat_map(|(_, attempts)| attempts);
        if played.attempts.iter().chain(over).next().is_none() {
            // Not one leg: for the caller it is a refusal.
            played.route = "reject";
            played.reject = played.last;
        }
    }

    /// Takes the units, then gives the route.
    fn admitted(&mut self, decision: Decision) -> Result<Box<Route>, Reject> {
        // In a system of trunks alone, what is no PBX's is nobody's.
        let elsewhere = matches!(decision.outcome, Outcome::Elsewhere(_));
        for unit in decision.units.iter().filter(|_| !elsewhere) {
            let judge = |account: &AccountId| {
                let limits = limits::of_account(account, &self.docs).unwrap();
                let used = self.docs.used(account, &unit.number);
                limits::decide(unit, limits.as_deref(), &used)
            };
            let billing = judge(&unit.account).map_err(|_| unit.refusal)?;
            if let Some(reseller) = &unit.reseller {
                judge(reseller).map_err(|_| unit.refusal)?;
            }
            self.played.billing.get_or_insert(billing);
            self.docs.take(unit);
        }
        match decision.outcome {
            Outcome::Route(route) => Ok(route),
            Outcome::Reject(reject) => Err(reject),
            Outcome::Elsewhere(_) => {
                let cause = HangupCause::UnallocatedNumber;
                Err(Reject::hangup(cause, "not for a PBX"))
            }
        }
    }

    fn plan(&mut self, route: &Route) {
        let placed = self.placed(route.attempts.iter(), route);
        self.played.attempts = placed;
        let Some(failover) = &route.failover else {
            return;
        };
        let decision = trunk::failover(&self.request, failover, &self.docs, &mut Silent).unwrap();
        let attempts = match self.admitted(decision) {
            Ok(route) => self.placed(route.attempts.iter(), &route),
            Err(reject) => {
                self.played.last = Some(reject);
                Vec::new()
            }
        };
        self.played.failover = Some((kind(&failover.to), attempts));
    }

    fn placed<'a>(
        &mut self,
        attempts: impl Iterator<Item = &'a Attempt>,
        route: &Route,
    ) -> Vec<(Attempt, Actual)> {
        let mut placed = Vec::new();
        for attempt in attempts {
            let Dial::Call(dial) = &attempt.dial else {
                continue;
            };
            let mut aleg = route.aleg.clone();
            attempt
                .aleg
                .iter()
                .for_each(|(name, value)| aleg.set(name, value));
            match Actual::read(&dial.render(), &aleg) {
                Ok(actual) => placed.push((attempt.clone(), actual)),
                Err(fault) => self.played.faults.push(fault),
            }
        }
        placed
    }

    fn hunt(&mut self, route: &Route, is_failover: bool) {
        let mut after = None;
        loop {
            match trunk::next(route, after) {
                Step::Done => return,
                Step::HangUp(reject) => {
                    self.played.last = Some(reject);
                    return;
                }
                Step::Failover => return self.fail_over(route),
                Step::Place(index) => {
                    let placed = self.placed(std::iter::once(&route.attempts[index]), route);
                    match (is_failover, &mut self.played.failover) {
                        (true, Some((_, attempts))) => attempts.extend(placed),
                        _ => self.played.attempts.extend(placed),
                    }
                    let script = self.script.as_mut().unwrap();
                    if script.is_empty() {
                        return;
                    }
                    after = Some((index, ended(&text(&script.remove(0)))));
                }
            }
        }
    }

    fn fail_over(&mut self, route: &Route) {
        let failover = route.failover.as_ref().unwrap();
        self.played.failover = Some((kind(&failover.to), Vec::new()));
        let decision = trunk::failover(&self.request, failover, &self.docs, &mut Silent).unwrap();
        match self.admitted(decision) {
            Ok(route) => self.hunt(&route, true),
            Err(reject) => self.played.last = Some(reject),
        }
    }
}

fn kind(to: &FailoverTo) -> &'static str {
    match to {
        FailoverTo::E164(_) => "e164",
        FailoverTo::Sip(_) => "sip",
    }
}

fn ended(outcome: &str) -> Ended {
    let (cause, status) = outcome.split_once('/').unwrap_or((outcome, ""));
    match (cause, status) {
        ("ANSWER", _) => Ended::Answered,
        // With a status it is what the far end has answered: a failure like any other.
        ("ORIGINATOR_CANCEL", "") => Ended::CallerGone,
        (cause, status) => Ended::Failed {
            cause: cause.parse().unwrap_or(HangupCause::NormalUnspecified),
            sip_status: status.parse().ok(),
        },
    }
}
