//! What a client can do to a call: an action, or the same as a step of a metaflow.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::channels;
use super::intercept::intercept;
use crate::api::reply::{Outcome, Refusal, Reply, unreadable};
use crate::api::request::{Asked, Request};
use crate::documents::{DocumentKey, DocumentType, schema};
use crate::switch::{ActionError, Channel, ChannelAction, Node, Target};
use crate::types::{CallId, DocumentId};

/// For a node to do as it is told.
const WITHIN: Duration = Duration::from_secs(5);

/// An action, and the channel that it is done to.
type Step = (CallId, ChannelAction);

pub(super) async fn act(asked: Asked) -> Outcome {
    let (node, channel) = channels::find(&asked).await?;
    let mut data = asked.data()?;
    if let Some(action) = asked.option("action") {
        data.entry("action").or_insert(action.into());
    }
    let action = match data.get("action").and_then(Value::as_str) {
        None | Some("") => return Err(Refusal::required("action")),
        Some(action) => action.to_owned(),
    };
    let data = schema::accept("channels", data).map_err(Refusal::invalid)?;
    if action == "intercept" {
        intercept(&asked, &node, &channel, &data)?;
        return Ok(Reply::accepted("intercept initiated"));
    }
    let step = step(&asked, &channel, &action, &data)?;
    perform(&asked, &node, step).await?;
    Ok(Reply::accepted(format!("{action} initiated")))
}

/// `{"action": "metaflow", "data": {"module": ..., "data": {...}}}`: one step, at once.
pub(super) async fn metaflow(asked: Asked) -> Outcome {
    let (node, channel) = channels::find(&asked).await?;
    match asked.option("action").as_deref() {
        Some("metaflow") => {}
        None => return Err(Refusal::bad_request("action required")),
        Some(_) => return Err(Refusal::bad_request("invalid action")),
    }
    let flow = asked.data()?;
    let module = match flow.get("module").and_then(Value::as_str) {
        None | Some("") => return Err(Refusal::required("module")),
        Some(module) => module.to_owned(),
    };
    let data = match flow.get("data") {
        None => Map::new(),
        Some(Value::Object(data)) => data.clone(),
        Some(other) => {
            let message = "Value did not match type(s): object";
            let body = json!({"message": message, "target": "object", "value": other});
            return Err(Refusal::fault("data", "type", body));
        }
    };
    let children = flow.get("children").and_then(Value::as_object);
    if children.is_some_and(|children| !children.is_empty()) {
        return Err(unbuilt("metaflows of more than one step"));
    }
    if module == "intercept" {
        intercept(&asked, &node, &channel, &data)?;
        return Ok(Reply::accepted("metaflow sent"));
    }
    let step = step(&asked, &channel, &module, &data)?;
    perform(&asked, &node, step).await?;
    Ok(Reply::accepted("metaflow sent"))
}

pub(super) fn unbuilt(what: &str) -> Refusal {
    let message = format!("{what} can't be run yet");
    let status = hyper::StatusCode::NOT_IMPLEMENTED;
    Refusal::new(status, "not_implemented", json!({"message": message}))
}

fn step(
    request: &Request,
    channel: &Channel,
    action: &str,
    data: &Map<String, Value>,
) -> Result<Step, Refusal> {
    let simple = match action {
        "hangup" => ChannelAction::Hangup,
        "break" => ChannelAction::Break,
        "hold" => ChannelAction::Hold,
        "unhold" => ChannelAction::Unhold,
        "transfer" => return transfer(request, channel, data),
        "callflow" => return callflow(request, channel, data),
        other => return Err(unbuilt(&format!("the action {other:?}"))),
    };
    Ok((channel.uuid.clone(), simple))
}

fn text<'a>(data: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    let text = data.get(field).and_then(Value::as_str);
    text.filter(|text| !text.is_empty())
}

/// Whom the channel talks to goes to the target, by the rights of the device behind the channel.
fn transfer(
    request: &Request,
    channel: &Channel,
    data: &Map<String, Value>,
) -> Result<Step, Refusal> {
    let number = text(data, "target").ok_or_else(|| Refusal::required("target"))?;
    let Some(target) = Target::new(number) else {
        let message = "expected a number: letters, digits and + * # . _ -";
        let body = json!({"message": message, "cause": number});
        return Err(Refusal::fault("target", "invalid", body));
    };
    let other = match &channel.other_leg {
        Some(other) if channel.bridged => other.clone(),
        _ => return Err(Refusal::required("other_leg_call_id")),
    };
    if text(data, "transfer-type") == Some("attended") {
        return Err(unbuilt("an attended transfer"));
    }
    let by = sip_user(request, channel)?;
    Ok((other, ChannelAction::Transfer { target, by }))
}

/// What the device behind the channel registers as.
fn sip_user(request: &Request, channel: &Channel) -> Result<Option<Target>, Refusal> {
    let Some(id) = &channel.authorizing else {
        return Ok(None);
    };
    let device = request
        .context
        .store
        .device(&request.owner(), id)
        .map_err(unreadable)?;
    let device = device.as_ref();
    Ok(device.and_then(|device| Target::new(device.sip.username()?)))
}

/// The channel itself goes to the first number of a callflow of the account.
fn callflow(
    request: &Request,
    channel: &Channel,
    data: &Map<String, Value>,
) -> Result<Step, Refusal> {
    let named = text(data, "id").ok_or_else(|| Refusal::required("id"))?;
    let key = DocumentId::new(named).map(|id| DocumentKey {
        kind: DocumentType::Callflow,
        account: request.owner(),
        id,
    });
    let found = match key {
        Ok(key) => request.context.store.document(&key).map_err(unreadable)?,
        Err(_) => None,
    };
    let callflow = found.ok_or_else(|| Refusal::bad_identifier(named))?;
    let numbers = callflow.body.get("numbers").and_then(Value::as_array);
    let numbers = numbers.into_iter().flatten().filter_map(Value::as_str);
    let Some(target) = numbers.filter_map(Target::new).next() else {
        return Err(unbuilt("a callflow without a number"));
    };
    let uuid = channel.uuid.clone();
    Ok((uuid, ChannelAction::Transfer { target, by: None }))
}

async fn perform(asked: &Request, node: &Node, (uuid, action): Step) -> Result<(), Refusal> {
    let done = tokio::time::timeout(WITHIN, node.act(&uuid, &action)).await;
    tracing::info!(call_id = %uuid, account_id = %asked.owner(), node = %node.name(), action = ?action, outcome = ?done, "a call was acted on");
    match done {
        Ok(Ok(())) => Ok(()),
        Ok(Err(ActionError::Gone)) => Err(Refusal::no_such(uuid.as_str())),
        Ok(Err(ActionError::Refused(_))) => {
            let status = hyper::StatusCode::INTERNAL_SERVER_ERROR;
            let message = "FreeSWITCH refused the action";
            Err(Refusal::new(
                status,
                "unspecified_fault",
                json!({"message": message}),
            ))
        }
        Ok(Err(ActionError::Failed(_))) | Err(_) => Err(Refusal::datastore_fault(
            "the node that has the call does not answer",
        )),
    }
}
