//! What can be done to a channel from outside, as commands.

use std::time::Duration;

use crate::esl::{Command, CommandError, Line};
use crate::switch::node::Node;
use crate::switch::wire::{CommandFailure, JobFailure};
use crate::types::{CallId, HangupCause};

/// For a job to end, and to be refused.
const JOB_LIMIT: Duration = Duration::from_secs(20);
const JOB_REFUSED_WITHIN: Duration = Duration::from_millis(300);

/// A number to transfer to: what can be dialled and stands as one word in a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(String);

impl Target {
    /// Longest number.
    const MOST: usize = 64;

    /// None: not 1 to 64 letters, digits and `+ * # . _ -`, or beginning with a dash, which FreeSWITCH takes for an option.
    #[must_use]
    pub fn new(text: &str) -> Option<Target> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "+*#._-".contains(c);
        let fits = (1..=Self::MOST).contains(&text.len()) && !text.starts_with('-');
        (fits && text.chars().all(plain)).then(|| Target(text.to_owned()))
    }
}

/// What is to become of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelAction {
    Hangup,
    /// Ends what it plays.
    Break,
    Hold,
    Unhold,
    /// Sends the channel to a number, through the dialplan and so to us. It arrives as one that was transferred
    /// (`sip_refer_to`), so that the rights of who sent it count; `by`: who that was, if a device of the caller's realm.
    Transfer {
        target: Target,
        by: Option<Target>,
    },
}

/// Why it was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    #[error("the channel has ended")]
    Gone,
    #[error("FreeSWITCH answered {0}")]
    Refused(String),
    #[error(transparent)]
    Failed(#[from] CommandFailure),
}

impl Node {
    /// Acts on a channel of this node. FreeSWITCH's word is that it has begun, not that it is done.
    ///
    /// # Errors
    /// The channel has ended; FreeSWITCH refuses; no connection, or it was lost meanwhile.
    pub async fn act(&self, uuid: &CallId, action: &ChannelAction) -> Result<(), ActionError> {
        if *action == ChannelAction::Unhold {
            return self.unhold(uuid).await;
        }
        let queue = self.queue()?;
        let commands = commands(uuid, action).map_err(CommandFailure::from)?;
        for answer in queue.submit_all(&commands).await? {
            let text = answer.answer().await?.text();
            if text.starts_with("-ERR No such channel") {
                return Err(ActionError::Gone);
            }
            if text.starts_with("-ERR") || text.starts_with("-USAGE") {
                return Err(ActionError::Refused(text));
            }
        }
        Ok(())
    }
}

impl Node {
    /// FreeSWITCH waits up to five seconds for the other side's music to end (seen live) and would serve nothing else
    /// on the connection meanwhile, so that it is a job; nobody waits for its end.
    async fn unhold(&self, uuid: &CallId) -> Result<(), ActionError> {
        let argument = format!("off {uuid}");
        let job = self.bgapi("uuid_hold", &argument, JOB_LIMIT);
        let told = match tokio::time::timeout(JOB_REFUSED_WITHIN, job).await {
            Err(_) | Ok(Err(JobFailure::Expired { .. })) => return Ok(()),
            Ok(Err(JobFailure::Command(failure))) => return Err(failure.into()),
            Ok(Err(failure)) => return Err(ActionError::Refused(failure.to_string())),
            Ok(Ok(told)) => told,
        };
        if told.starts_with("-ERR") || told.starts_with("-USAGE") {
            return Err(ActionError::Refused(told));
        }
        Ok(())
    }
}

fn commands(uuid: &CallId, action: &ChannelAction) -> Result<Vec<Command>, CommandError> {
    let one = |name: &'static str, argument: String| command(name, argument).map(|one| vec![one]);
    match action {
        ChannelAction::Hangup => one(
            "uuid_kill",
            format!("{uuid} {}", HangupCause::NormalClearing),
        ),
        ChannelAction::Break => one("uuid_break", format!("{uuid} all")),
        ChannelAction::Hold => one("uuid_hold", uuid.to_string()),
        ChannelAction::Unhold => one("uuid_hold", format!("off {uuid}")),
        ChannelAction::Transfer { target, by } => {
            let target = &target.0;
            let mut commands = vec![command(
                "uuid_setvar",
                format!("{uuid} sip_refer_to <sip:{target}@api.invalid>"),
            )?];
            if let Some(Target(by)) = by {
                let note = format!("{uuid} sip_h_Referred-By <sip:{by}@api.invalid>");
                commands.push(command("uuid_setvar", note)?);
            }
            // Without a context it is the leg's own, as when a phone transfers.
            commands.push(command("uuid_transfer", format!("{uuid} {target} XML"))?);
            Ok(commands)
        }
    }
}

fn command(name: &'static str, argument: String) -> Result<Command, CommandError> {
    Ok(Command::Api {
        command: Line::new("api", name)?,
        argument: Some(Line::new("argument", argument)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(action: &ChannelAction) -> Vec<String> {
        let uuid = CallId::new("u-1").unwrap();
        let commands = commands(&uuid, action).unwrap();
        let text = |command: &Command| {
            let mut bytes = bytes::BytesMut::new();
            command.encode(&mut bytes).unwrap();
            String::from_utf8(bytes.to_vec())
                .unwrap()
                .trim_end()
                .to_owned()
        };
        commands.iter().map(text).collect()
    }

    #[test]
    fn actions_are_commands_that_name_the_channel() {
        assert_eq!(
            written(&ChannelAction::Hangup),
            ["api uuid_kill u-1 NORMAL_CLEARING"]
        );
        assert_eq!(written(&ChannelAction::Break), ["api uuid_break u-1 all"]);
        assert_eq!(written(&ChannelAction::Hold), ["api uuid_hold u-1"]);
        assert_eq!(written(&ChannelAction::Unhold), ["api uuid_hold off u-1"]);
        let transfer = ChannelAction::Transfer {
            target: Target::new("*97").unwrap(),
            by: Target::new("1002"),
        };
        assert_eq!(
            written(&transfer),
            [
                "api uuid_setvar u-1 sip_refer_to <sip:*97@api.invalid>",
                "api uuid_setvar u-1 sip_h_Referred-By <sip:1002@api.invalid>",
                "api uuid_transfer u-1 *97 XML",
            ]
        );
    }

    #[test]
    fn a_target_is_one_word() {
        for good in ["1002", "+12125551234", "*97", "bob.smith", "a_b-c"] {
            assert!(Target::new(good).is_some(), "{good}");
        }
        let long = "1".repeat(65);
        for bad in [
            "",
            "-bleg",
            "1002 XML",
            "a\nb",
            "${x}",
            "a@b",
            "a'b",
            long.as_str(),
        ] {
            assert_eq!(Target::new(bad), None, "{bad}");
        }
    }
}
