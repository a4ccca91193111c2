//! Which channels a node has, for whoever counts by them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::super::context::Context;
use super::super::leg::goes_on_as;
use super::super::wire::{CommandFailure, CommandQueue};
use super::handle::Node;
use super::registrations::rows;
use super::resync::api;
use crate::esl::{Command, Event, Line};
use crate::types::NodeName;

/// A channel that a node has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentChannel {
    pub uuid: Box<str>,
    /// The value of the sink's own variable on the channel, if it is set.
    pub mark: Option<Box<str>>,
}

/// Follows the channels of the nodes. Nothing in it may wait.
pub trait ChannelSink: Send + Sync {
    /// The node's channels are being read; what happens to them from now on is told, too.
    fn reading(&self, node: &NodeName);

    /// A call came over its own socket from a node to which there is no other connection. True: its
    /// channels are to be read over that socket; they are taken for being read.
    fn glimpses(&self, node: &NodeName) -> bool;

    /// Its channels, at some moment since `reading`.
    fn present(&self, node: &NodeName, channels: Vec<PresentChannel>);

    /// Its channels can't be read; from now on what happens to them is told.
    fn unreadable(&self, node: &NodeName);

    /// A channel is gone.
    fn ended(&self, node: &NodeName, uuid: &str);

    /// A channel has another uuid, or has left its call to another channel.
    fn renamed(&self, node: &NodeName, old: &str, new: &str);

    /// There is no connection to the node: its channels may come and go untold.
    fn away(&self, node: &NodeName);
}

/// Who follows the channels, and by which variable of theirs.
#[derive(Clone)]
pub struct Following {
    pub sink: Arc<dyn ChannelSink>,
    pub variable: &'static str,
}

/// Questions that are sent at a time: FreeSWITCH serves nothing else on the connection meanwhile.
const AT_ONCE: usize = 32;

/// A call that has just arrived waits no longer for the other calls of its node to be read.
const GLIMPSE: Duration = Duration::from_secs(3);

/// Reads the marks of the node's channels. `table` is its `show channels as json`, which lacks
/// variables.
pub(super) async fn read(
    node: &NodeName,
    following: &Following,
    queue: &CommandQueue,
    table: &[Value],
) -> Result<(), CommandFailure> {
    let text =
        |row: &Value, name: &str| row.get(name).and_then(Value::as_str).map(Box::<str>::from);
    let uuids: Vec<Box<str>> = table.iter().filter_map(|row| text(row, "uuid")).collect();
    let mut channels = Vec::with_capacity(uuids.len());
    for uuids in uuids.chunks(AT_ONCE) {
        let commands = uuids
            .iter()
            .map(|uuid| question(uuid, following.variable))
            .collect::<Result<Vec<_>, _>>()?;
        let answers = queue.submit_all(&commands).await?;
        for (uuid, answer) in uuids.iter().zip(answers) {
            let answer = answer.answer().await?.text();
            // "-ERR No such channel!": it has ended meanwhile.
            if answer.starts_with("-ERR") {
                continue;
            }
            let mark = (answer != "_undef_" && !answer.is_empty()).then(|| Box::from(answer));
            channels.push(PresentChannel {
                uuid: uuid.clone(),
                mark,
            });
        }
    }
    following.sink.present(node, channels);
    Ok(())
}

/// Reads the channels of a node that is known by its calls alone, over the socket of one of them, if
/// that is due. Ends in good time: the call waits for it.
pub(in crate::switch) async fn glimpse(
    node: &NodeName,
    following: &Following,
    queue: &CommandQueue,
) {
    /// Says that nothing could be read, whatever became of the reading.
    struct Unread<'a>(Option<(&'a NodeName, &'a Following)>);
    impl Drop for Unread<'_> {
        fn drop(&mut self) {
            if let Some((node, following)) = self.0.take() {
                following.sink.unreadable(node);
            }
        }
    }
    if !following.sink.glimpses(node) {
        return;
    }
    let mut unread = Unread(Some((node, following)));
    let table = async {
        let answer = api(queue, "show", "channels as json").await?;
        match rows(&answer) {
            Ok(table) => read(node, following, queue, &table).await.map(|()| true),
            Err(error) => {
                tracing::warn!(%node, %error, "the calls on the node can't be read");
                Ok(false)
            }
        }
    };
    match tokio::time::timeout(GLIMPSE, table).await {
        Ok(Ok(true)) => unread.0 = None,
        Ok(Ok(false)) => {}
        Ok(Err(error)) => tracing::warn!(%node, %error, "the calls on the node can't be read"),
        Err(_) => tracing::warn!(%node, "the node does not tell its calls in time"),
    }
}

fn question(uuid: &str, variable: &str) -> Result<Command, CommandFailure> {
    Ok(Command::Api {
        command: Line::new("api", "uuid_getvar")?,
        argument: Some(Line::new("uuid_getvar", format!("{uuid} {variable}"))?),
    })
}

/// Tells what an event says about a channel's life.
pub(super) fn tell(node: &Node, context: &Context, event: &Event) {
    let Some(following) = &context.following else {
        return;
    };
    let Some(uuid) = event.unique_id() else {
        return;
    };
    match event.name() {
        "CHANNEL_HANGUP_COMPLETE" | "CHANNEL_DESTROY" => match goes_on_as(event) {
            Some(partner) => following.sink.renamed(node.name(), &uuid, &partner),
            None => following.sink.ended(node.name(), &uuid),
        },
        "CHANNEL_UUID" => {
            if let Some(old) = event.header("Old-Unique-ID") {
                following.sink.renamed(node.name(), &old, &uuid);
            }
        }
        _ => {}
    }
}
