//! Intercept: a device, or the phones of a user, ring, and whoever answers takes the call over (API specification 4.9).

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::quickcall::one_word;
use super::ringing::{devices_of, phones};
use crate::api::reply::Refusal;
use crate::api::request::Request;
use crate::documents::DocumentType;
use crate::routing::DialString;
use crate::switch::{Channel, Node};

/// Seconds that the phones ring.
const TIMEOUT_S: u32 = 30;

/// For FreeSWITCH to tell what became of it, the ringing included.
const REPORT_WITHIN: Duration = Duration::from_secs(TIMEOUT_S as u64 + 5);

/// Lets the target ring; does not wait for an answer.
///
/// # Errors
/// 400: what is missing, or nobody to ring; 404: there is no such target.
pub(super) fn intercept(
    request: &Request,
    node: &Node,
    channel: &Channel,
    data: &Map<String, Value>,
) -> Result<(), Refusal> {
    let command = command(request, node, channel, data)?;
    let (node, uuid) = (node.clone(), channel.uuid.clone());
    tokio::spawn(async move {
        match node.bgapi("originate", &command, REPORT_WITHIN).await {
            Ok(told) if told.starts_with("+OK") => {}
            Ok(told) => {
                tracing::info!(call_id = %uuid, node = %node.name(), cause = told.trim(), "a call was not taken over");
            }
            Err(error) => {
                tracing::warn!(call_id = %uuid, node = %node.name(), %error, "a call was not taken over");
            }
        }
    });
    Ok(())
}

/// The phones at the node that has the call, and `intercept` for the one that answers: it takes the place of whom the
/// channel talks to, or who rings for it.
fn command(
    request: &Request,
    node: &Node,
    channel: &Channel,
    data: &Map<String, Value>,
) -> Result<String, Refusal> {
    let text = |field: &str| {
        let text = data.get(field).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
    };
    let kind = text("target_type").ok_or_else(|| Refusal::required("target_type"))?;
    let id = text("target_id").ok_or_else(|| Refusal::required("target_id"))?;
    let found = |kind| {
        let key = request.key(kind, id)?;
        let stored = request.context.store.stored(&key);
        let stored = stored.map_err(crate::api::reply::unreadable)?;
        stored.ok_or_else(|| Refusal::bad_identifier(id))
    };
    let devices = match kind {
        "device" => vec![found(DocumentType::Device)?],
        "user" => devices_of(request, &found(DocumentType::User)?.document.key.id)?,
        other => {
            return Err(super::channel_actions::unbuilt(&format!(
                "intercept by a {other}"
            )));
        }
    };
    let account = request.owner();
    let here = |phone: &super::ringing::Ringing| {
        let holder = phone.registration.as_ref();
        holder.is_some_and(|registration| registration.node == *node.name())
    };
    let phones = phones(request, devices)?;
    let legs: Vec<_> = phones
        .iter()
        .filter(|phone| here(phone))
        .filter_map(|phone| phone.leg(account.as_str()))
        .collect();
    if legs.is_empty() {
        let message = "Nobody to ring: no phone of it is registered at the node that has the call";
        let body = json!({"message": message, "cause": id});
        return Err(Refusal::fault("target_id", "invalid", body));
    }
    let mut dial = DialString::default();
    dial.global
        .set_raw_number("originate_timeout", i64::from(TIMEOUT_S));
    dial.global.set_bool("ignore_early_media", true);
    if let Some(number) = &channel.username {
        dial.global
            .set_number("origination_caller_id_number", number);
    }
    if data.get("unbridged_only").and_then(Value::as_bool) == Some(true) {
        dial.global.set_bool("intercept_unbridged_only", true);
    }
    dial.groups.push(legs);
    let dial = one_word(dial.render());
    Ok(format!("{dial} &intercept({})", channel.uuid))
}
