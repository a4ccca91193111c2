//! Compares a plan with what a case expects of it: legs, groups, variables, skipped members.

use serde_json::{Map, Value};

use crate::compare::{
    Actual, ActualLeg, find, missing, normal_path, normal_uri, repeated, subset, text,
};
use crate::suite::Differences;

/// Keys of a leg that may stand in `expect` itself; they mean exactly one leg.
const LEG_KEYS: [&str; 5] = ["uri", "user_part", "fs_path", "leg_vars", "absent"];

/// FreeSWITCH reads these from the global block and from the A-leg alike.
const EITHER: [&str; 1] = ["ignore_early_media"];

/// What differs between a plan and `expect`.
pub fn compare(actual: &Actual, expect: &Value) -> Differences {
    let mut differences = Differences::new();
    differences.extend(legs(actual, expect));
    differences.extend(variables(actual, expect));
    if let Some(groups) = expect["groups"].as_array() {
        let sizes: Vec<usize> = actual.groups.iter().map(Vec::len).collect();
        let wanted: Vec<usize> = groups
            .iter()
            .map(|n| n.as_u64().unwrap_or(0) as usize)
            .collect();
        if sizes != wanted {
            differences.push(format!("groups: expected {wanted:?}, came {sizes:?}"));
        }
    }
    differences.extend(skipped(&actual.skipped, expect));
    differences
}

/// Errors of members and legs that were left out, in any order.
pub fn skipped(actual: &[String], expect: &Value) -> Differences {
    let Some(wanted) = expect["skipped"].as_array() else {
        return Differences::new();
    };
    let mut wanted: Vec<String> = wanted.iter().map(text).collect();
    let mut came = actual.to_vec();
    wanted.sort();
    came.sort();
    if wanted == came {
        return Differences::new();
    }
    vec![format!("skipped: expected {wanted:?}, came {came:?}")]
}

fn legs(actual: &Actual, expect: &Value) -> Differences {
    let own: Map<String, Value> = LEG_KEYS
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), expect.get(key)?.clone())))
        .collect();
    let expected: Vec<Value> = match expect["legs"].as_array() {
        Some(legs) => legs.clone(),
        None if own.is_empty() => return Differences::new(),
        None => vec![Value::Object(own)],
    };
    let mut differences = Differences::new();
    for leg in actual.legs() {
        differences.extend(repeated(&leg.uri, &leg.variables));
    }
    if expected.len() != actual.legs().len() {
        let uris: Vec<&str> = actual.legs().iter().map(|leg| leg.uri.as_str()).collect();
        differences.push(format!("legs: expected {}, came {uris:?}", expected.len()));
        return differences;
    }
    // Legs are listed group by group; inside a group the order is free.
    let mut rest = expected.as_slice();
    for group in &actual.groups {
        let (here, later) = rest.split_at(group.len());
        rest = later;
        differences.extend(one_group(group, here));
    }
    differences
}

fn one_group(actual: &[ActualLeg], expected: &[Value]) -> Differences {
    let mut differences = Differences::new();
    let mut free: Vec<usize> = (0..actual.len()).collect();
    let mut places = Vec::new();
    for leg in expected {
        let matching = |place: &&usize| match leg.get("uri") {
            Some(uri) => actual[**place].uri == normal_uri(&text(uri)),
            None => one_leg(&actual[**place], leg).is_empty() || free.len() == 1,
        };
        let Some(place) = free.iter().find(matching).copied() else {
            let came: Vec<&str> = free.iter().map(|i| actual[*i].uri.as_str()).collect();
            let wanted = leg.get("uri").unwrap_or(leg);
            differences.push(format!("uri: expected {wanted}, came {came:?}"));
            continue;
        };
        free.retain(|other| *other != place);
        differences.extend(one_leg(&actual[place], leg));
        places.push(place);
    }
    // With different delays the order counts.
    let delay =
        |place: &usize| find(&actual[*place].variables, "leg_delay_start").map(str::to_owned);
    for pair in places.windows(2) {
        if pair[0] > pair[1] && delay(&pair[0]) != delay(&pair[1]) {
            differences.push("order: delayed legs stand in another order".to_owned());
        }
    }
    differences
}

fn one_leg(actual: &ActualLeg, expected: &Value) -> Differences {
    let mut differences = Differences::new();
    let find = |name: &str| find(&actual.variables, name).map(str::to_owned);
    if let Some(uri) = expected.get("uri").map(text)
        && normal_uri(&uri) != actual.uri
    {
        differences.push(format!("uri: expected {uri}, came {}", actual.uri));
    }
    if let Some(user) = expected.get("user_part").map(text)
        && actual.user_part.as_deref() != Some(&user)
    {
        differences.push(format!(
            "user_part: expected {user}, came {:?}",
            actual.user_part
        ));
    }
    if let Some(path) = expected.get("fs_path") {
        let path = (!path.is_null()).then(|| normal_path(&text(path)));
        if path != actual.fs_path {
            differences.push(format!(
                "fs_path: expected {path:?}, came {:?}",
                actual.fs_path
            ));
        }
    }
    differences.extend(subset("leg_vars", &expected["leg_vars"], find));
    differences.extend(missing("absent", &expected["absent"], find));
    differences
}

fn variables(actual: &Actual, expect: &Value) -> Differences {
    let either = |first: &'static str, name: &str| {
        let (own, other) = match first {
            "global" => (&actual.global, &actual.aleg),
            _ => (&actual.aleg, &actual.global),
        };
        let elsewhere = || EITHER.contains(&name).then(|| find(other, name))?;
        find(own, name).or_else(elsewhere).map(str::to_owned)
    };
    let global = |name: &str| either("global", name);
    let aleg = |name: &str| either("aleg", name);
    let mut differences = subset("global_vars", &expect["global_vars"], global);
    differences.extend(missing("global_absent", &expect["global_absent"], global));
    differences.extend(subset("aleg_vars", &expect["aleg_vars"], aleg));
    differences.extend(missing("aleg_absent", &expect["aleg_absent"], aleg));
    let on = |name: &str| aleg(name).filter(|value| value != "false");
    let names = &expect["aleg_absent_or_false"];
    differences.extend(missing("aleg_absent_or_false", names, on));
    differences
}
