//! The REST API's suite: transcripts against a real daemon on a real port (API specification 9).
//!
//! A case is a step of a scenario; the steps run in order and share their variables, so that one that fails may bring
//! down those behind it. Scenarios that require rate limits get a daemon with the default ones.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use md5::Digest as _;
use serde_json::{Map, Value, json};

use super::api_daemon::{Daemon, Exchange, Sent};
use super::api_matchers::differences;
use super::suite::Differences;

/// A scenario's steps become cases of their own.
pub fn cases(file: &Value) -> Vec<Value> {
    let scenarios = file["scenarios"].as_array().expect("`scenarios` is a list");
    let of_scenario = |scenario: &Value| {
        let name = scenario["name"]
            .as_str()
            .expect("a scenario has a name")
            .to_owned();
        let limited = has(&scenario["requires"], "rate_limit");
        let world = scenario["world"].as_str().unwrap_or_default().to_owned();
        let steps = scenario["steps"]
            .as_array()
            .expect("`steps` is a list")
            .clone();
        steps.into_iter().map(move |step| {
            let step_name = step["name"].as_str().unwrap_or("(without name)").to_owned();
            json!({"name": format!("{name}: {step_name}"), "scenario": name, "world": world, "limited": limited, "step": step})
        })
    };
    scenarios.iter().flat_map(of_scenario).collect()
}

fn has(requires: &Value, wanted: &str) -> bool {
    match requires {
        Value::String(text) => text == wanted,
        Value::Array(list) => list.iter().any(|item| item == wanted),
        _ => false,
    }
}

#[derive(Default)]
struct World {
    /// By what it is there for: a file's name where there are several, a scenario's where it is alone with its limits.
    daemons: BTreeMap<String, (Daemon, Map<String, Value>)>,
}

static WORLD: LazyLock<Mutex<World>> = LazyLock::new(Mutex::default);

/// Stops the daemons and removes their stores.
pub fn end() {
    let mut world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    world.daemons.clear();
}

pub fn run(file: &Value, case: &Value) -> Differences {
    let mut world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    let limited = case["limited"] == true;
    let whose = if limited {
        case["scenario"].as_str().unwrap().to_owned()
    } else {
        case["world"].as_str().unwrap_or_default().to_owned()
    };
    let (daemon, variables) = world.daemons.entry(whose).or_insert_with(|| {
        let daemon = Daemon::start(limited);
        let mut variables = file["variables"].as_object().cloned().unwrap_or_default();
        variables.extend(daemon.variables());
        (daemon, variables)
    });
    step(daemon, variables, &case["step"])
}

fn step(daemon: &Daemon, variables: &mut Map<String, Value>, step: &Value) -> Differences {
    if let Some(computed) = step["vars"].as_object() {
        for (name, how) in computed {
            let value = compute(&filled(how, variables));
            variables.insert(name.clone(), value.into());
        }
    }
    if let Some(milliseconds) = step["sleep_ms"].as_u64() {
        std::thread::sleep(Duration::from_millis(milliseconds));
    }
    let request = sent(&filled(&step["request"], variables), variables);
    let expect = filled(&step["expect"], variables);
    if let Some(times) = step["parallel"].as_u64() {
        return parallel(daemon, &request, times, &expect);
    }
    let exchange = daemon.exchange(&request);
    let mut found = check(&exchange, &expect);
    if let Some(captured) = step["capture"].as_object() {
        for (name, path) in captured {
            let path = path.as_str().unwrap();
            match capture(&exchange, path) {
                Some(value) => {
                    variables.insert(name.clone(), value);
                }
                None => found.push(format!("nothing to capture at {path}")),
            }
        }
    }
    if !found.is_empty() {
        let text = String::from_utf8_lossy(&exchange.body);
        let text: String = text.chars().take(600).collect();
        found.push(format!(
            "{} {} answered {} {text}",
            request.method, request.path, exchange.status
        ));
    }
    found
}

fn parallel(daemon: &Daemon, request: &Sent, times: u64, expect: &Value) -> Differences {
    let mut statuses: Vec<u64> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..times)
            .map(|_| scope.spawn(|| daemon.exchange(request)))
            .collect();
        all.into_iter()
            .map(|one| u64::from(one.join().unwrap().status))
            .collect()
    });
    statuses.sort_unstable();
    let mut wanted: Vec<u64> = match &expect["statuses"] {
        Value::Array(list) => list.iter().filter_map(Value::as_u64).collect(),
        Value::Object(counts) => counts
            .iter()
            .flat_map(|(status, count)| {
                let count = usize::try_from(count.as_u64().unwrap()).unwrap();
                std::iter::repeat_n(status.parse::<u64>().unwrap(), count)
            })
            .collect(),
        _ => return Vec::new(),
    };
    wanted.sort_unstable();
    if statuses == wanted {
        Vec::new()
    } else {
        vec![format!("statuses: expected {wanted:?}, found {statuses:?}")]
    }
}

fn compute(how: &Value) -> String {
    let (name, text) = how
        .as_object()
        .and_then(|how| how.iter().next())
        .expect("one computation");
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let plain = || text.as_str().unwrap_or_default().as_bytes();
    match name.as_str() {
        "md5" => hex(&md5::Md5::digest(plain())),
        "sha1" => hex(&sha1::Sha1::digest(plain())),
        "base64" => base64::engine::general_purpose::STANDARD.encode(plain()),
        "repeat" => text[0]
            .as_str()
            .unwrap()
            .repeat(usize::try_from(text[1].as_u64().unwrap()).unwrap()),
        other => panic!("no computation {other}"),
    }
}

/// `${NAME}` everywhere, object keys included; a text that is one variable and nothing else becomes its value.
fn filled(value: &Value, variables: &Map<String, Value>) -> Value {
    match value {
        Value::String(text) => filled_text(text, variables),
        Value::Array(list) => list.iter().map(|item| filled(item, variables)).collect(),
        Value::Object(object) => {
            let fill = |(name, value): (&String, &Value)| {
                let name = match filled_text(name, variables) {
                    Value::String(name) => name,
                    other => other.to_string(),
                };
                (name, filled(value, variables))
            };
            Value::Object(object.iter().map(fill).collect())
        }
        other => other.clone(),
    }
}

fn filled_text(text: &str, variables: &Map<String, Value>) -> Value {
    if let Some(name) = text
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        && let Some(value) = variables.get(name)
    {
        return value.clone();
    }
    let mut whole = text.to_owned();
    for (name, value) in variables {
        let place = format!("${{{name}}}");
        if whole.contains(&place) {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            whole = whole.replace(&place, &value);
        }
    }
    Value::String(whole)
}

fn sent(request: &Value, variables: &Map<String, Value>) -> Sent {
    let mut headers: Vec<(String, String)> = Vec::new();
    if let Some(given) = request["headers"].as_object() {
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        headers.extend(
            given
                .iter()
                .map(|(name, value)| (name.clone(), text(value))),
        );
    }
    if let Some(name) = request["auth"].as_str() {
        let token = variables.get(name).and_then(Value::as_str).unwrap_or(name);
        headers.push(("X-Auth-Token".into(), token.to_owned()));
    }
    let typed = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let body = if let Some(text) = request["raw_body"].as_str() {
        text.as_bytes().to_vec()
    } else if let Some(text) = request["body_b64"].as_str() {
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .unwrap()
    } else if request.get("body").is_some() {
        if !typed {
            headers.push(("Content-Type".into(), "application/json".into()));
        }
        request["body"].to_string().into_bytes()
    } else {
        Vec::new()
    };
    Sent {
        method: request["method"].as_str().unwrap().to_owned(),
        path: request["path"].as_str().unwrap().to_owned(),
        headers,
        body,
    }
}

fn check(exchange: &Exchange, expect: &Value) -> Differences {
    let mut found = Vec::new();
    let status = u64::from(exchange.status);
    let right = match &expect["status"] {
        Value::Array(list) => list.iter().any(|one| one.as_u64() == Some(status)),
        Value::Null => true,
        one => one.as_u64() == Some(status),
    };
    if !right {
        found.push(format!(
            "status: expected {}, found {status}",
            expect["status"]
        ));
    }
    if let Some(headers) = expect["headers"].as_object() {
        for (name, wanted) in headers {
            let value = exchange
                .headers
                .get(name)
                .map(|value| Value::from(value.as_str()));
            found.extend(differences(
                &format!("header {name}"),
                wanted,
                value.as_ref(),
            ));
        }
    }
    let json: Option<Value> = serde_json::from_slice(&exchange.body).ok();
    if let Some(wanted) = expect.get("json_subset") {
        found.extend(differences("", wanted, json.as_ref()));
    }
    if let Some(exact) = expect["json_exact"].as_object() {
        for (path, wanted) in exact {
            let value = json.as_ref().and_then(|json| at(json, path));
            if value != Some(wanted) {
                found.push(format!(
                    "{path}: expected exactly {wanted}, found {value:?}"
                ));
            }
        }
    }
    if let Some(wanted) = expect["body_b64"].as_str() {
        let wanted = base64::engine::general_purpose::STANDARD
            .decode(wanted)
            .unwrap();
        if wanted != exchange.body {
            found.push("the body has other bytes".into());
        }
    }
    if expect["body_empty"] == true && !exchange.body.is_empty() {
        found.push(format!(
            "expected no body, found {} bytes",
            exchange.body.len()
        ));
    }
    found
}

fn at<'a>(json: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(json, |found, part| match found {
        Value::Array(list) => list.get(part.parse::<usize>().ok()?),
        other => other.get(part),
    })
}

fn capture(exchange: &Exchange, path: &str) -> Option<Value> {
    if let Some(name) = path.strip_prefix("header:") {
        return exchange
            .headers
            .get(name)
            .map(|value| value.as_str().into());
    }
    let json: Value = serde_json::from_slice(&exchange.body).ok()?;
    at(&json, path).cloned()
}
