//! Getting in step with a node after a connection: its registrations, the calls that wait for
//! us, and the calls that an earlier connection left adrift.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::super::context::Context;
use super::super::wire::{CommandFailure, CommandQueue};
use super::adrift::{self, Kill};
use super::channels;
use super::handle::Node;
use super::park::{self, OWNER};
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

/// Takes over calls that were parked while we were away, and looks after those adrift. `first`: this
/// process was not connected to the node before, so calls of an earlier one may be there.
pub(super) async fn calls(
    node: &Node,
    context: &Arc<Context>,
    queue: &Arc<CommandQueue>,
    first: bool,
) -> Result<(), CommandFailure> {
    let answer = api(queue, "show", "channels as json").await?;
    let table = match rows(&answer) {
        Ok(table) => table,
        Err(error) => {
            tracing::warn!(node = %node.name(), %error, "the calls on the node can't be read; parked ones that wait fall back");
            if let Some(following) = &context.following {
                following.sink.unreadable(node.name());
            }
            return Ok(());
        }
    };
    if let Some(following) = &context.following {
        channels::read(node.name(), following, queue, &table).await?;
    }
    if !node.0.settings.park {
        return Ok(());
    }
    let column = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    let running: HashMap<String, String> = table
        .iter()
        .filter_map(|row| {
            let uuid = column(row, "uuid")?;
            Some((uuid, column(row, "application").unwrap_or_default()))
        })
        .collect();
    if first {
        find_orphans(node, context, queue, &table).await?;
    }
    for uuid in node.0.adrift.all() {
        look_after(node, context, queue, &uuid, first).await?;
    }
    let parked = running.iter().filter(|(_, app)| app.as_str() == "park");
    for (uuid, _) in parked {
        if !node.0.legs.holds(uuid) && !node.0.adrift.holds(uuid) {
            pick_up(node, context, queue, uuid, Owner::Unclaimed).await?;
        }
    }
    Ok(())
}

/// Calls that an earlier process of ours claimed and can drive no more: they are as good as adrift.
async fn find_orphans(
    node: &Node,
    context: &Context,
    queue: &CommandQueue,
    table: &[Value],
) -> Result<(), CommandFailure> {
    let Some(owner) = &context.owner else {
        return Ok(());
    };
    let column =
        |row: &'_ Value, name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    let handed_over = table.iter().filter(|row| {
        column(row, "direction").as_deref() == Some("inbound")
            && column(row, "application").as_deref() != Some("socket")
    });
    for uuid in handed_over.filter_map(|row| column(row, "uuid")) {
        if node.0.legs.holds(&uuid) {
            continue;
        }
        let argument = format!("{uuid} {OWNER}");
        if api(queue, "uuid_getvar", &argument).await? == owner.as_str() {
            tracing::info!(call_id = uuid, node = %node.name(), "a call that was ours before the restart");
            node.0.adrift.add(uuid.into());
        }
    }
    Ok(())
}

/// A call whose control was lost while its connection is good. Its claim stands, so that nobody
/// else would look after it: it is treated as after a lost connection.
pub(super) fn look_after_lost(
    node: &Node,
    context: &Arc<Context>,
    queue: &Arc<CommandQueue>,
    uuid: Box<str>,
) {
    node.0.adrift.add(uuid.clone());
    let (node, queue) = (node.clone(), Arc::clone(queue));
    let shared = Arc::clone(context);
    context.live.spawn(async move {
        if let Err(error) = look_after(&node, &shared, &queue, &uuid, false).await {
            // The next connection looks after it.
            tracing::warn!(call_id = %uuid, node = %node.name(), %error, "the call can't be looked after for now");
        }
    });
}

/// A call that an earlier connection drove. What the table says of it is late (esl spec 3.5), and
/// its column `application` stays at `bridge` after the bridge has failed: the channel tells.
pub(super) async fn look_after(
    node: &Node,
    context: &Arc<Context>,
    queue: &Arc<CommandQueue>,
    uuid: &str,
    restarted: bool,
) -> Result<(), CommandFailure> {
    let dump = api(queue, "uuid_dump", &format!("{uuid} json")).await?;
    let Some(channel) = channel(&dump) else {
        node.0.adrift.remove(uuid);
        tracing::info!(call_id = uuid, node = %node.name(), "the call ended while its node was out of reach");
        return Ok(());
    };
    match standing(&channel) {
        Standing::Joined => {
            tracing::info!(call_id = uuid, node = %node.name(), "the call goes on without Linefinder");
        }
        // Its flow can begin anew: nothing was executed yet, or nobody knows any more what was.
        Standing::Untouched => take_back(node, context, queue, &channel),
        Standing::Unanswered if restarted => take_back(node, context, queue, &channel),
        Standing::Unanswered | Standing::Answered => {
            node.0.adrift.remove(uuid);
            let uuid = Box::from(uuid);
            let cause = HangupCause::NormalTemporaryFailure;
            adrift::end(node, queue, &Kill { uuid, cause });
        }
    }
    Ok(())
}

fn take_back(node: &Node, context: &Arc<Context>, queue: &Arc<CommandQueue>, channel: &Event) {
    if let Some(waiting) = park::waiting(channel) {
        node.0.adrift.remove(&waiting.uuid);
        tracing::info!(call_id = %waiting.uuid, node = %node.name(), "found a parked call that waits");
        take::begin(node, context, queue, &waiting, channel, Owner::Us);
    } else if let Some(uuid) = channel.unique_id() {
        // Ours, and yet nothing that could be offered again, such as one that lost its mark: it
        // would wait for ever.
        node.0.adrift.remove(&uuid);
        let uuid = Box::from(uuid.as_ref());
        let cause = HangupCause::NormalTemporaryFailure;
        adrift::end(node, queue, &Kill { uuid, cause });
    }
}

/// How a leg stands that nobody drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// With a partner, or ringing one.
    Joined,
    /// Parked, and nothing was executed on it.
    Untouched,
    /// Alone and not answered, after something was executed on it.
    Unanswered,
    Answered,
}

fn standing(channel: &Event) -> Standing {
    let answered = channel.header("Answer-State").as_deref() == Some("answered");
    let application = channel.variable("current_application");
    let disposition = channel.variable("originate_disposition");
    // While it rings FreeSWITCH has "failure" there (capture 57).
    let dials = application.as_deref() == Some("bridge")
        && matches!(disposition.as_deref(), None | Some("failure"));
    // The second where the media bypass FreeSWITCH; it goes when the legs part (seen live).
    let partner = ["bridge_uuid", "signal_bridge_to"]
        .iter()
        .any(|name| channel.variable(name).is_some());
    match application.as_deref() {
        _ if partner || dials => Standing::Joined,
        Some("park") => Standing::Untouched,
        _ if answered => Standing::Answered,
        _ => Standing::Unanswered,
    }
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

pub(super) async fn api(
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As a FreeSWITCH told them of a caller that was parked, then bridged.
    fn found(application: &str, answer: &str, more: &[(&'static str, &'static str)]) -> Standing {
        let mut headers = vec![
            ("Answer-State", answer),
            ("variable_current_application", application),
        ];
        headers.extend_from_slice(more);
        standing(&Event::from_headers(headers, None))
    }

    #[test]
    fn who_has_or_rings_a_partner_is_left_alone() {
        let failure = ("variable_originate_disposition", "failure");
        assert_eq!(found("bridge", "ringing", &[failure]), Standing::Joined);
        assert_eq!(found("bridge", "ringing", &[]), Standing::Joined);
        let success = ("variable_originate_disposition", "SUCCESS");
        let partner = ("variable_bridge_uuid", "b");
        assert_eq!(
            found("bridge", "answered", &[success, partner]),
            Standing::Joined
        );
        let past_us = ("variable_signal_bridge_to", "b");
        for state in ["early", "answered"] {
            assert_eq!(
                found("bridge", state, &[success, past_us]),
                Standing::Joined
            );
        }
    }

    #[test]
    fn who_is_alone_is_told_apart() {
        let refused = ("variable_originate_disposition", "NO_ANSWER");
        assert_eq!(found("bridge", "ringing", &[refused]), Standing::Unanswered);
        let success = ("variable_originate_disposition", "SUCCESS");
        assert_eq!(found("bridge", "answered", &[success]), Standing::Answered);
        assert_eq!(found("park", "ringing", &[]), Standing::Untouched);
        assert_eq!(found("playback", "answered", &[]), Standing::Answered);
    }
}
