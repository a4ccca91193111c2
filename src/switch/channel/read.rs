//! Asking a node for its channels.

use serde_json::Value;

use super::Channel;
use crate::esl::{Command, Line};
use crate::switch::node::Node;
use crate::switch::wire::{CommandFailure, CommandQueue};
use crate::types::{AccountId, CallId};

/// Questions that are sent at a time: FreeSWITCH serves nothing else on the connection meanwhile.
const AT_ONCE: usize = 64;

/// The variable that says whose a channel is. `show channels` has no variables.
const OWNER: &str = "lf_account_id";

impl Node {
    /// The node's channels that belong to an account; None: all that belong to any.
    ///
    /// # Errors
    /// No connection, or it was lost meanwhile.
    pub async fn channels(
        &self,
        account: Option<&AccountId>,
    ) -> Result<Vec<Channel>, CommandFailure> {
        let table = self.api("show", "channels as json").await?;
        let uuids = uuids(&table);
        let owned = |owner: &str| match account {
            Some(account) => owner == account.as_str(),
            None => !owner.is_empty() && owner != "_undef_" && !owner.starts_with("-ERR"),
        };
        let queue = self.queue()?;
        let owners = ask(&queue, &uuids, |uuid| variable(uuid, OWNER)).await?;
        let uuids = uuids.into_iter().zip(owners);
        let wanted = uuids.filter_map(|(uuid, owner)| owned(&owner).then_some(uuid));
        let wanted: Vec<CallId> = wanted.collect();
        let dumps = ask(&queue, &wanted, dump).await?;
        // A channel that has ended meanwhile is told as an error, which is none.
        let channels = dumps.iter().filter_map(|text| Channel::read(text));
        Ok(channels.collect())
    }

    /// One channel; None: the node has none of that name.
    ///
    /// # Errors
    /// No connection, or it was lost meanwhile.
    pub async fn channel(&self, uuid: &CallId) -> Result<Option<Channel>, CommandFailure> {
        let answer = self.queue()?.ask(&dump(uuid)?).await?;
        Ok(Channel::read(&answer.text()))
    }
}

/// The names in the answer to `show channels as json`; without rows that has no `rows` at all.
fn uuids(table: &str) -> Vec<CallId> {
    let table: Value = serde_json::from_str(table).unwrap_or_default();
    let rows = table.get("rows").and_then(Value::as_array);
    let rows = rows.into_iter().flatten();
    rows.filter_map(|row| CallId::new(row.get("uuid")?.as_str()?).ok())
        .collect()
}

async fn ask(
    queue: &CommandQueue,
    uuids: &[CallId],
    question: impl Fn(&CallId) -> Result<Command, CommandFailure>,
) -> Result<Vec<String>, CommandFailure> {
    let mut texts = Vec::with_capacity(uuids.len());
    for uuids in uuids.chunks(AT_ONCE) {
        let commands = uuids.iter().map(&question).collect::<Result<Vec<_>, _>>()?;
        for answer in queue.submit_all(&commands).await? {
            texts.push(answer.answer().await?.text());
        }
    }
    Ok(texts)
}

fn variable(uuid: &CallId, name: &'static str) -> Result<Command, CommandFailure> {
    Ok(Command::Api {
        command: Line::new("api", "uuid_getvar")?,
        argument: Some(Line::new("uuid", format!("{uuid} {name}"))?),
    })
}

fn dump(uuid: &CallId) -> Result<Command, CommandFailure> {
    Ok(Command::Api {
        command: Line::new("api", "uuid_dump")?,
        argument: Some(Line::new("uuid", format!("{uuid} json"))?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_may_have_no_rows() {
        assert_eq!(uuids("{\"row_count\": 0}"), []);
        assert_eq!(uuids("-ERR"), []);
        let two = "{\"row_count\":2,\"rows\":[{\"uuid\":\"a\"},{\"name\":\"x\"},{\"uuid\":\"b\"}]}";
        let ids: Vec<String> = uuids(two).iter().map(ToString::to_string).collect();
        assert_eq!(ids, ["a", "b"]);
    }
}
