//! `/channels`: the calls that are up, as the nodes tell them when they are asked (API specification 4.9).

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::channel_actions;
use crate::api::context::Context;
use crate::api::reply::{Outcome, Refusal, Reply};
use crate::api::request::{Asked, Request};
use crate::api::routes::{Access, Gives, On, Routes, Takes};
use crate::api::time;
use crate::documents::DocumentType;
use crate::switch::{Channel, Node};
use crate::types::{AccountId, CallId};

/// For a node to tell all of its channels; what it has not told by then is left out.
const WITHIN: Duration = Duration::from_secs(5);

const ITEM: &str = "/accounts/{account}/channels/{channel}";

pub(super) fn routes(routes: &mut Routes) {
    routes.at("/channels").get(
        On::new("The calls of all accounts", everywhere)
            .access(Access::Superduper)
            .gives(Gives::Rows),
    );
    routes
        .at("/accounts/{account}/channels")
        .get(On::new("The account's calls", of_account).gives(Gives::Rows));
    routes
        .at("/accounts/{account}/users/{user}/channels")
        .get(On::new("The user's calls", of_user).gives(Gives::Rows));
    routes
        .at("/accounts/{account}/devices/{device}/channels")
        .get(On::new("The device's calls", of_device).gives(Gives::Rows));
    routes
        .at(ITEM)
        .get(On::new("A call", |asked| async move {
            let (_, channel) = find(&asked).await?;
            Ok(Reply::ok(row(&channel)))
        }))
        .post(
            On::new("Do something to a call", channel_actions::act)
                .takes(Takes::Data("channels"))
                .status(202),
        )
        .put(
            On::new("Run an action on a call", channel_actions::metaflow)
                .takes(Takes::Anything)
                .status(202),
        );
}

pub(super) fn row(channel: &Channel) -> Value {
    let mut row = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            row.insert(name.to_owned(), value);
        }
    };
    put("uuid", json!(channel.uuid.as_str()));
    put("answered", json!(channel.answered));
    put("direction", json!(channel.direction));
    put("destination", json!(channel.destination));
    put("username", json!(channel.username));
    put(
        "owner_id",
        json!(channel.owner.as_ref().map(|id| id.as_str())),
    );
    put(
        "authorizing_id",
        json!(channel.authorizing.as_ref().map(|id| id.as_str())),
    );
    put("authorizing_type", json!(channel.authorizing_type));
    put(
        "other_leg",
        json!(channel.other_leg.as_ref().map(|id| id.as_str())),
    );
    put("presence_id", json!(channel.presence));
    put(
        "timestamp",
        json!(channel.created_at.map(time::gregorian_of)),
    );
    Value::Object(row)
}

/// Asks all nodes at once. A node that is away has no calls that we could show.
async fn all(context: &Context, account: Option<&AccountId>) -> Vec<Channel> {
    let asked = context.nodes.iter().map(|node| async move {
        match tokio::time::timeout(WITHIN, node.channels(account)).await {
            Ok(Ok(channels)) => channels,
            Ok(Err(error)) => {
                tracing::warn!(node = %node.name(), %error, "its calls are not shown");
                Vec::new()
            }
            Err(_) => {
                tracing::warn!(node = %node.name(), "its calls are not shown: it does not answer");
                Vec::new()
            }
        }
    });
    let mut found: Vec<Channel> = futures_util::future::join_all(asked)
        .await
        .into_iter()
        .flatten()
        .collect();
    found.sort_by(|a, b| (b.created_at, &a.uuid).cmp(&(a.created_at, &b.uuid)));
    found
}

fn rows<'a>(channels: impl IntoIterator<Item = &'a Channel>) -> Reply {
    Reply::rows(channels.into_iter().map(row).collect())
}

async fn everywhere(asked: Asked) -> Outcome {
    Ok(rows(&all(&asked.context, None).await))
}

async fn of_account(asked: Asked) -> Outcome {
    Ok(rows(&all(&asked.context, Some(&asked.owner())).await))
}

/// The calls of a user are those of his devices.
async fn of_user(asked: Asked) -> Outcome {
    let user = asked.document(DocumentType::User, "user")?.document.key.id;
    let devices = asked
        .context
        .store
        .devices_of(&asked.owner(), &user)
        .map_err(crate::api::reply::unreadable)?;
    let channels = all(&asked.context, Some(&asked.owner())).await;
    Ok(rows(channels.iter().filter(|channel| {
        let device = channel.authorizing.as_ref();
        channel.owner.as_ref() == Some(&user) || device.is_some_and(|id| devices.contains(id))
    })))
}

async fn of_device(asked: Asked) -> Outcome {
    let device = asked.document(DocumentType::Device, "device")?;
    let device = device.document.key.id;
    let channels = all(&asked.context, Some(&asked.owner())).await;
    Ok(rows(channels.iter().filter(|channel| {
        channel.authorizing.as_ref() == Some(&device)
    })))
}

/// The channel that the path names, and the node that has it. Another account's is not there.
///
/// # Errors
/// 404.
pub(super) async fn find(asked: &Request) -> Result<(Node, Channel), Refusal> {
    let named = asked.parameter("channel");
    let uuid = CallId::new(named).map_err(|_| Refusal::no_such(named))?;
    let owner = asked.owner();
    for node in &asked.context.nodes {
        let found = tokio::time::timeout(WITHIN, node.channel(&uuid)).await;
        match found {
            Ok(Ok(Some(channel))) if channel.account.as_ref() == Some(&owner) => {
                return Ok((node.clone(), channel));
            }
            // Its name is nobody else's, so that the other nodes need not be asked.
            Ok(Ok(Some(_))) => break,
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::debug!(node = %node.name(), %error, "not asked for a call"),
            Err(_) => tracing::warn!(node = %node.name(), "does not answer"),
        }
    }
    Err(Refusal::no_such(named))
}
