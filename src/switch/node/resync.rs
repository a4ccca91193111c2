//! Getting in step with a node after a connection: its registrations, the calls that wait for
//! us, and the calls that an earlier connection left adrift.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::super::context::Context;
use super::super::wire::{CommandFailure, CommandQueue};
use super::adrift::{self, Kill};
use super::handle::Node;
use super::park;
use super::registrations::{NotATable, RegistrationEvent, row, rows};
use super::sofia_table;
use super::take::{self, Owner};
use crate::esl::{Command, Event, Line};
use crate::types::HangupCause;

/// Replaces the node's registrations by its own table: mod_sofia's, which is never late, or the
/// core's where mod_sofia does not answer in XML.
pub(super) async fn registrations(
    node: &Node,
    context: &Context,
    queue: &CommandQueue,
) -> Result<(), CommandFailure> {
    let known = match from_sofia(node, queue).await? {
        Ok(known) => Ok(known),
        Err(_) => from_core(node, queue).await?,
    };
    match known {
        Ok(known) => {
            tracing::debug!(node = %node.name(), registrations = known.len(), "registrations read");
            context.registrations.replace(node.name(), known);
        }
        // Without its SQL core FreeSWITCH has no table; the events still come.
        Err(error) => {
            tracing::warn!(node = %node.name(), %error, "the registrations can't be read; phones are found when they register again");
        }
    }
    Ok(())
}

type Read = Result<Vec<RegistrationEvent>, NotATable>;

async fn from_sofia(node: &Node, queue: &CommandQueue) -> Result<Read, CommandFailure> {
    let profiles = match sofia_table::profiles(&api(queue, "sofia", "xmlstatus").await?) {
        Ok(profiles) => profiles,
        Err(error) => return Ok(Err(error)),
    };
    let mut known = Vec::new();
    for profile in profiles {
        let argument = format!("xmlstatus profile {profile} reg");
        let answer = api(queue, "sofia", &argument).await?;
        match sofia_table::table(&answer, &profile, jiff::Timestamp::now().as_second()) {
            Ok(table) => {
                report(node, &profile, &table);
                known.extend(table.registrations);
            }
            // A profile that is being stopped between the two questions holds nobody.
            Err(error) => {
                tracing::warn!(node = %node.name(), profile, %error, "a profile's registrations can't be read");
            }
        }
    }
    Ok(Ok(known))
}

fn report(node: &Node, profile: &str, table: &sofia_table::Table) {
    if table.unreadable > 0 || table.borrowed > 0 {
        tracing::warn!(
            node = %node.name(),
            profile,
            unreadable = table.unreadable,
            with_anothers_password = table.borrowed,
            "registrations left out: rows that can't be read, or made with another user's password"
        );
    }
}

async fn from_core(node: &Node, queue: &CommandQueue) -> Result<Read, CommandFailure> {
    let answer = api(queue, "show", "registrations as json").await?;
    Ok(rows(&answer).map(|rows| {
        let known: Vec<_> = rows.iter().filter_map(row).collect();
        let unreadable = rows.len() - known.len();
        if unreadable > 0 {
            tracing::warn!(node = %node.name(), unreadable, "rows of FreeSWITCH's table of registrations can't be read");
        }
        known
    }))
}

/// Takes over calls that were parked while we were away, and looks after those adrift.
pub(super) async fn calls(
    node: &Node,
    context: &Arc<Context>,
    queue: &Arc<CommandQueue>,
) -> Result<(), CommandFailure> {
    let answer = api(queue, "show", "channels as json").await?;
    let table = match rows(&answer) {
        Ok(table) => table,
        Err(error) => {
            tracing::warn!(node = %node.name(), %error, "the calls on the node can't be read; parked ones that wait fall back");
            return Ok(());
        }
    };
    let column = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    let running: HashMap<String, String> = table
        .iter()
        .filter_map(|row| {
            let uuid = column(row, "uuid")?;
            Some((uuid, column(row, "application").unwrap_or_default()))
        })
        .collect();
    for uuid in node.0.adrift.all() {
        let application = running.get(&*uuid).map(String::as_str);
        look_after(node, context, queue, &uuid, application).await?;
    }
    let parked = running.iter().filter(|(_, app)| app.as_str() == "park");
    for (uuid, _) in parked {
        if !node.0.legs.holds(uuid) && !node.0.adrift.holds(uuid) {
            pick_up(node, context, queue, uuid, Owner::Unclaimed).await?;
        }
    }
    Ok(())
}

/// A call that an earlier connection drove.
async fn look_after(
    node: &Node,
    context: &Arc<Context>,
    queue: &Arc<CommandQueue>,
    uuid: &str,
    application: Option<&str>,
) -> Result<(), CommandFailure> {
    // The table may lag behind (esl spec 3.5), so its silence is checked.
    if application.is_none() && api(queue, "uuid_exists", uuid).await? != "true" {
        node.0.adrift.remove(uuid);
        tracing::info!(call_id = uuid, node = %node.name(), "the call ended while its node was out of reach");
        return Ok(());
    }
    let end = |cause| {
        node.0.adrift.remove(uuid);
        let uuid = Box::from(uuid);
        adrift::end(node, queue, &Kill { uuid, cause });
    };
    match application.unwrap_or_default() {
        // Nothing was executed on it yet: its flow can begin anew.
        "park" => {
            node.0.adrift.remove(uuid);
            pick_up(node, context, queue, uuid, Owner::Us).await?;
        }
        "bridge" => {
            let argument = format!("{uuid} originate_disposition");
            let disposition = api(queue, "uuid_getvar", &argument).await?;
            // While it rings FreeSWITCH has "failure" there (capture 57).
            if ["SUCCESS", "failure", "_undef_"].contains(&disposition.as_str()) {
                tracing::info!(call_id = uuid, node = %node.name(), "the call goes on without Linefinder");
            } else {
                end(HangupCause::NormalTemporaryFailure);
            }
        }
        _ => end(HangupCause::NormalTemporaryFailure),
    }
    Ok(())
}

/// Fetches the channel's data, and takes the call over if it waits for us.
async fn pick_up(
    node: &Node,
    context: &Arc<Context>,
    queue: &Arc<CommandQueue>,
    uuid: &str,
    owner: Owner,
) -> Result<(), CommandFailure> {
    let dump = api(queue, "uuid_dump", &format!("{uuid} json")).await?;
    let Some(channel) = channel(&dump) else {
        tracing::debug!(call_id = uuid, node = %node.name(), "no channel data; the call has ended");
        return Ok(());
    };
    if let Some(waiting) = park::waiting(&channel) {
        tracing::info!(call_id = uuid, node = %node.name(), "found a parked call that waits");
        take::begin(node, context, queue, &waiting, &channel, owner);
    }
    Ok(())
}

/// `uuid_dump UUID json`: the fields of CHANNEL_DATA as one object of texts.
fn channel(dump: &str) -> Option<Event> {
    let Value::Object(fields) = serde_json::from_str(dump).ok()? else {
        return None;
    };
    let headers = fields
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    Some(Event::from_headers(headers, None))
}

async fn api(
    queue: &CommandQueue,
    command: &str,
    argument: &str,
) -> Result<String, CommandFailure> {
    let command = Command::Api {
        command: Line::new("api", command)?,
        argument: Some(Line::new("api", argument)?),
    };
    Ok(queue.ask(&command).await?.text())
}
