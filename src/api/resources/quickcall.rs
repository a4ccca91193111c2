//! Quickcall: a phone rings, and whoever answers is connected to a number (API specification 4.4).

use std::time::Duration;

use hyper::StatusCode;
use regex::RegexBuilder;
use serde_json::{Map, Value, json};

use super::ringing::{Ringing, devices_of, phones};
use crate::api::reply::{Outcome, Refusal, Reply};
use crate::api::request::{Asked, Request};
use crate::api::resource::fresh_id;
use crate::api::routes::{On, Routes, Takes};
use crate::documents::DocumentType;
use crate::routing::DialString;
use crate::store::Stored;
use crate::switch::{JobFailure, Node};

/// Seconds that the phone rings.
const TIMEOUT_S: u64 = 30;
const TIMEOUT_MIN_S: u64 = 3;
const TIMEOUT_MAX_S: u64 = 120;

/// For FreeSWITCH to tell what became of it, beyond the ringing.
const REPORT_WITHIN: Duration = Duration::from_secs(5);

/// Bytes that a client's own pattern may compile to.
const PATTERN_BYTES: usize = 1 << 20;

pub(super) fn routes(routes: &mut Routes) {
    for path in [
        "/accounts/{account}/devices/{device}/quickcall/{number}",
        "/accounts/{account}/users/{user}/quickcall/{number}",
    ] {
        routes
            .at(path)
            .get(
                On::new(
                    "Ring a phone and connect it to a number; does not wait",
                    start,
                )
                .status(202),
            )
            .post(
                On::new(
                    "Ring a phone and connect it to a number; waits for the phone",
                    place,
                )
                .takes(Takes::Anything)
                .status(202),
            );
    }
}

/// A call that is about to be placed.
struct Quickcall {
    /// None: nobody to ring.
    node: Option<Node>,
    command: String,
    timeout: Duration,
    told: Map<String, Value>,
}

async fn start(asked: Asked) -> Outcome {
    let call = prepare(&asked)?;
    let told = call.told.clone();
    tokio::spawn(async move {
        if let Err(why) = run(call).await {
            tracing::info!(
                request_id = asked.request_id,
                cause = why,
                "a quickcall was not placed"
            );
        }
    });
    Ok(Reply::accepted(told))
}

async fn place(asked: Asked) -> Outcome {
    let call = prepare(&asked)?;
    let mut told = call.told.clone();
    match run(call).await {
        Ok(uuid) => {
            told.insert("call_id".to_owned(), uuid.into());
            Ok(Reply::accepted(told))
        }
        Err(cause) => {
            let message = "quickcall initiation failed";
            let data = json!({"message": message, "error_message": cause});
            Err(Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                message,
                data,
            ))
        }
    }
}

/// The uuid of the leg, or the hangup cause of what came instead.
async fn run(call: Quickcall) -> Result<String, String> {
    let node = call.node.ok_or("DESTINATION_OUT_OF_ORDER")?;
    match node
        .bgapi("originate", &call.command, call.timeout + REPORT_WITHIN)
        .await
    {
        Ok(told) => match told.trim().split_once(' ') {
            Some(("+OK", uuid)) => Ok(uuid.trim().to_owned()),
            Some((_, cause)) => Err(cause.trim().to_owned()),
            None => Err("NORMAL_TEMPORARY_FAILURE".to_owned()),
        },
        Err(JobFailure::Expired { .. }) => Err("RECOVERY_ON_TIMER_EXPIRE".to_owned()),
        Err(error) => {
            tracing::warn!(node = %node.name(), %error, "a quickcall was not placed");
            Err("NETWORK_OUT_OF_ORDER".to_owned())
        }
    }
}

fn prepare(asked: &Request) -> Result<Quickcall, Refusal> {
    let number = number(asked)?;
    let option = |name: &str| asked.option(name).or_else(|| data_option(asked, name));
    let timeout = option("timeout")
        .and_then(|text| text.parse::<u64>().ok())
        .unwrap_or(TIMEOUT_S);
    let timeout = timeout.clamp(TIMEOUT_MIN_S, TIMEOUT_MAX_S);
    let auto_answer = option("auto_answer").as_deref() != Some("false");
    let early = option("ignore-early-media").as_deref() == Some("true");
    let name = option("cid-name").unwrap_or_else(|| "Device QuickCall".to_owned());
    let shown = option("cid-number").unwrap_or_else(|| number.clone());
    let phones = ringing(asked)?;
    // The leg is made by one node: the one that holds the newest registration.
    let holder = phones
        .iter()
        .find_map(|phone| Some(phone.registration.as_ref()?.node.clone()));
    let (id, call_id) = (uuid::Uuid::new_v4().to_string(), fresh_id()?);
    let mut dial = DialString::default();
    dial.global.set("origination_uuid", &id);
    dial.global
        .set_display_name("origination_caller_id_name", &name);
    dial.global
        .set_number("origination_caller_id_number", &shown);
    dial.global
        .set_raw_number("originate_timeout", i64::try_from(timeout).unwrap_or(30));
    dial.global.set_bool("ignore_early_media", early);
    if auto_answer {
        dial.global.set_bool("sip_auto_answer", true);
    }
    let account = asked.account()?;
    let mut legs = Vec::new();
    let mut endpoints = Vec::new();
    for phone in &phones {
        let id = phone.device.document.key.id.as_str();
        endpoints.push(json!({
            "endpoint_id": id,
            "to_user": phone.address.user,
            "to_realm": phone.address.realm,
            "invite_format": invite_format(&phone.device),
            "outbound_call_id": format!("{call_id}-quickcall"),
        }));
        let at = phone.registration.as_ref().map(|held| &held.node);
        if at.is_some()
            && at == holder.as_ref()
            && let Some(mut leg) = phone.leg(account.id.as_str())
        {
            leg.variables.set("lf_quickcall", "true");
            // FreeSWITCH makes the callee the caller of the second half.
            let user = &phone.address.user;
            leg.variables
                .set_display_name("origination_callee_id_name", user);
            leg.variables
                .set_number("origination_callee_id_number", user);
            legs.push(leg);
        }
    }
    let node = holder.filter(|_| !legs.is_empty());
    let node = node.and_then(|name| asked.context.node_named(&name).cloned());
    dial.groups.push(legs);
    let context = &asked.context.settings.quickcall_context;
    let (authorizing, kind) = match asked.parameter("device") {
        "" => (asked.parameter("user"), "user"),
        device => (device, "device"),
    };
    let told = json!({
        "application_name": "transfer",
        "application_data": {"route": number},
        "endpoints": endpoints,
        "timeout": timeout,
        "media": option("media").unwrap_or_else(|| "process".to_owned()),
        "ignore_early_media": early,
        "outbound_caller_id_name": name,
        "outbound_caller_id_number": shown,
        "custom_channel_vars": {
            "account_id": account.id.as_str(),
            "authorizing_id": authorizing,
            "authorizing_type": kind,
        },
    });
    Ok(Quickcall {
        node,
        command: format!("{} {number} XML {context}", one_word(dial.render())),
        timeout: Duration::from_secs(timeout),
        told: told.as_object().cloned().unwrap_or_default(),
    })
}

/// `originate` splits its arguments at blanks, except between quotes, which it takes away.
pub(super) fn one_word(dial_string: String) -> String {
    if dial_string.contains(' ') {
        format!("'{}'", dial_string.replace('\'', ""))
    } else {
        dial_string
    }
}

/// A parameter that came as data.
fn data_option(asked: &Request, name: &str) -> Option<String> {
    match asked.data().ok()?.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

/// What is dialled: letters and digits of what was asked for, or what the client's own pattern captures.
fn number(asked: &Request) -> Result<String, Refusal> {
    let wanted = asked.parameter("number");
    let filter = asked
        .option("number_filter")
        .unwrap_or_else(|| "true".to_owned());
    let number = match filter.as_str() {
        "true" => wanted.chars().filter(char::is_ascii_alphanumeric).collect(),
        "false" => wanted.to_owned(),
        pattern => {
            let compiled = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build();
            let found = compiled.ok().and_then(|pattern| {
                let captures = pattern.captures(wanted)?;
                captures
                    .get(1)
                    .or_else(|| captures.get(0))
                    .map(|found| found.as_str().to_owned())
            });
            found.unwrap_or_default()
        }
    };
    // It becomes a word of a command.
    let plain = |c: char| c.is_ascii_alphanumeric() || "+*#._-".contains(c);
    if number.is_empty() || number.len() > 64 || !number.chars().all(plain) {
        let message = "expected a number of letters, digits and + * # . _ -";
        return Err(Refusal::fault(
            "number",
            "invalid",
            json!({"message": message, "value": number}),
        ));
    }
    Ok(number)
}

fn invite_format(device: &Stored) -> &str {
    let format = device
        .document
        .body
        .get("sip")
        .and_then(|sip| sip.get("invite_format"));
    format.and_then(Value::as_str).unwrap_or("username")
}

/// The phones of the device or user in the path.
fn ringing(asked: &Request) -> Result<Vec<Ringing>, Refusal> {
    let devices = if asked.parameter("device").is_empty() {
        let user = asked.document(DocumentType::User, "user")?.document.key.id;
        devices_of(asked, &user)?
    } else {
        vec![asked.document(DocumentType::Device, "device")?]
    };
    phones(asked, devices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_two_words_leaves_the_command_whole() {
        let whole = "{origination_caller_id_name=Device QuickCall}sofia/internal/sip:a@b";
        assert_eq!(one_word(whole.to_owned()), format!("'{whole}'"));
        assert_eq!(one_word("{a=Pat O'Brien}x".to_owned()), "'{a=Pat OBrien}x'");
        assert_eq!(one_word("{a='b'}x".to_owned()), "{a='b'}x");
    }
}
