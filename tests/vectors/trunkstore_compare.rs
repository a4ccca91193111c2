//! What of a played call differs from what its case expects.

use linefinder::routing::trunk::limits::Billing;
use linefinder::routing::trunk::{Attempt, AttemptTo, Reject};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::compare::{Actual, find, missing, normal_path, normal_uri, split_path, subset, text};
use crate::suite::Differences;
use crate::trunkstore::{Played, unknown};

const ATTEMPT_KEYS: [&str; 8] = [
    "uri",
    "user_part",
    "resource",
    "gateway",
    "server",
    "leg_vars",
    "absent_vars",
    "timeout",
];

impl Played {
    pub fn compare(&self, expect: &Value) -> Differences {
        let mut differences = self.faults.clone();
        let mut same = |what: &str, wanted: &Value, came: Value| {
            if *wanted != came {
                differences.push(format!("{what}: expected {wanted}, came {came}"));
            }
        };
        if let Some(route) = expect.get("route") {
            same("route", route, json!(self.route));
        }
        if let Some(billing) = expect.get("billing") {
            same("billing", billing, json!(self.billing.map(Billing::as_str)));
        }
        for (what, came) in [("reject", self.reject), ("final", self.last)] {
            let Some(wanted) = expect.get(what) else {
                continue;
            };
            same(what, wanted, said(came, wanted));
        }
        if let Some(attempts) = expect.get("attempts") {
            differences.extend(all("attempts", &self.attempts, attempts));
        }
        if let Some(variables) = expect.get("a_leg_vars") {
            let aleg = self.attempts.first().map(|(_, actual)| &actual.aleg);
            let aleg = aleg.unwrap_or(&self.aleg);
            let get = |name: &str| find(aleg, name).map(str::to_owned);
            differences.extend(subset("a_leg_vars", variables, get));
        }
        match (expect.get("failover"), &self.failover) {
            (None, _) | (Some(Value::Null), None) => {}
            // Refused before it had a leg: nothing was placed.
            (Some(Value::Null), Some((_, attempts))) if attempts.is_empty() => {}
            (Some(Value::Null), Some((kind, _))) => {
                differences.push(format!("failover: expected none, came {kind}"));
            }
            (Some(wanted), None) => {
                differences.push(format!("failover: expected {wanted}, came none"))
            }
            (Some(wanted), Some((kind, attempts))) => {
                if let Some(wanted) = wanted.get("kind").filter(|wanted| **wanted != json!(kind)) {
                    differences.push(format!("failover: expected {wanted}, came {kind}"));
                }
                if let Some(wanted) = wanted.get("attempts") {
                    differences.extend(all("failover", attempts, wanted));
                }
            }
        }
        differences
    }
}

/// A refusal by the keys that are asked for.
fn said(reject: Option<Reject>, wanted: &Value) -> Value {
    let Some(reject) = reject else {
        return Value::Null;
    };
    let mut said = json!({"cause": reject.cause.as_str(), "sip_status": reject.sip_status});
    if let (Some(said), Some(wanted)) = (said.as_object_mut(), wanted.as_object()) {
        said.retain(|key, _| wanted.contains_key(key));
    }
    said
}

fn all(what: &str, came: &[(Attempt, Actual)], wanted: &Value) -> Differences {
    let wanted = wanted.as_array().unwrap();
    if wanted.len() != came.len() {
        let came: Vec<String> = came.iter().map(|(_, actual)| uri(actual)).collect();
        return vec![format!("{what}: expected {}, came {came:?}", wanted.len())];
    }
    let pairs = came.iter().zip(wanted).enumerate();
    pairs
        .flat_map(|(at, ((attempt, actual), wanted))| {
            one(&format!("{what} {at}"), attempt, actual, wanted)
        })
        .collect()
}

/// The URI of the one leg, without its `fs_path`.
fn uri(actual: &Actual) -> String {
    let legs = actual.legs();
    let uri = &legs.first().expect("an attempt has a leg").uri;
    let mut parts = uri.splitn(3, '/');
    let (sofia, _profile, uri) = (parts.next(), parts.next(), parts.next());
    assert_eq!(sofia, Some("sofia"));
    uri.unwrap().to_owned()
}

/// With the user part decoded: `#` and `%23` are the same user.
fn decoded(uri: &str) -> String {
    match uri.split_once('@') {
        Some((user, rest)) => {
            format!("{}@{rest}", percent_decode_str(user).decode_utf8_lossy())
        }
        None => uri.to_owned(),
    }
}

fn one(what: &str, attempt: &Attempt, actual: &Actual, wanted: &Value) -> Differences {
    let mut differences = unknown(what, wanted, &ATTEMPT_KEYS);
    let legs = actual.legs();
    if legs.len() != 1 {
        return vec![format!("{what}: {} legs in one attempt", legs.len())];
    }
    let leg = legs[0];
    let mut same = |key: &str, came: Value| {
        if let Some(wanted) = wanted.get(key)
            && *wanted != came
        {
            differences.push(format!("{what} {key}: expected {wanted}, came {came}"));
        }
    };
    let (resource, gateway, server) = match &attempt.to {
        AttemptTo::Server { name, .. } => (Value::Null, Value::Null, json!(name)),
        AttemptTo::Gateway {
            carrier, gateway, ..
        } => (json!(carrier), json!(gateway), Value::Null),
        _ => (Value::Null, Value::Null, Value::Null),
    };
    same("resource", resource);
    same("gateway", gateway);
    same("server", server);
    same("user_part", json!(leg.user_part));
    same("timeout", json!(attempt.answer_timeout_s));
    if let Some(expected) = wanted.get("uri").map(text) {
        let (bare, path) = split_path(&expected);
        let (came, bare) = (decoded(&uri(actual)), decoded(&normal_uri(&bare)));
        let path = path.map(|path| normal_path(&path));
        if came != bare || path != leg.fs_path {
            differences.push(format!(
                "{what} uri: expected {expected}, came {came} {:?}",
                leg.fs_path
            ));
        }
    }
    let get = |name: &str| {
        let own = find(&leg.variables, name);
        own.or_else(|| find(&actual.global, name))
            .map(str::to_owned)
    };
    differences.extend(subset(what, &wanted["leg_vars"], get));
    differences.extend(missing(what, &wanted["absent_vars"], get));
    differences
}
