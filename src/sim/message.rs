//! What `sendmsg` asks of a leg.

/// A queued message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) call_command: CallCommand,
    /// `event-lock: true`: nothing else starts while it runs (capture fact 31).
    pub(super) event_lock: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallCommand {
    Execute {
        application: String,
        argument: String,
        /// Comes back as `Application-UUID`; without one FreeSWITCH makes its own (capture fact 25).
        event_uuid: Option<String>,
        loops: i32,
    },
    Hangup {
        cause: String,
    },
    /// A call-command that FreeSWITCH accepts and ignores.
    Ignored,
}

/// FreeSWITCH holds at most this many messages for a leg (event socket specification 2.9).
pub(super) const QUEUE_LIMIT: usize = 256;

impl Message {
    /// Reads the headers and the body of a `sendmsg`. The body is the argument if `execute-app-arg`
    /// is missing and the body is `text/plain` (capture fact 34).
    pub(super) fn read<'a>(header: impl Fn(&str) -> Option<&'a str>, body: &[u8]) -> Message {
        let execute = || CallCommand::Execute {
            application: header("execute-app-name").unwrap_or_default().to_owned(),
            argument: match header("execute-app-arg") {
                Some(argument) => argument.to_owned(),
                None if header("content-type") == Some("text/plain") => {
                    String::from_utf8_lossy(body).into_owned()
                }
                None => String::new(),
            },
            event_uuid: header("event-uuid").map(str::to_owned),
            loops: header("loops")
                .and_then(|loops| loops.parse().ok())
                .unwrap_or(1),
        };
        let call_command = match header("call-command") {
            Some(command) if command.eq_ignore_ascii_case("execute") => {
                match header("execute-app-name") {
                    Some(name) if !name.is_empty() => execute(),
                    _ => CallCommand::Ignored,
                }
            }
            Some(command) if command.eq_ignore_ascii_case("hangup") => CallCommand::Hangup {
                cause: header("hangup-cause")
                    .unwrap_or("NORMAL_CLEARING")
                    .to_owned(),
            },
            _ => CallCommand::Ignored,
        };
        Message {
            call_command,
            event_lock: header("event-lock").is_some_and(super::leg::is_true),
        }
    }
}
