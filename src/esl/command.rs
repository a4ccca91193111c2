//! Commands to FreeSWITCH. Nothing that could end a line gets into one.

use bytes::BytesMut;

/// Why a command can't be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("{field}: a line break or NUL at byte {at} would end the command early")]
    LineBreak { field: &'static str, at: usize },
    #[error("{0}: empty")]
    Empty(&'static str),
    #[error(
        "names mod_event_socket beside load words, which FreeSWITCH would rewrite into a module reload"
    )]
    ModuleReload,
}

/// A text of one line: no CR, LF or NUL, checked once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Line(String);

impl Line {
    /// # Errors
    /// Names the `field` if the text holds CR, LF or NUL.
    pub fn new(_field: &'static str, _text: impl Into<String>) -> Result<Line, CommandError> {
        unimplemented!()
    }
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `sendmsg`: `call-command: execute` with its argument. The argument always travels in the body
/// (`content-type: text/plain`) when it holds anything but plain printable ASCII, or when `argument_by_body` is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendMsg {
    /// None on an outbound socket: the controlled leg.
    pub call: Option<Line>,
    pub message: Message,
    /// Runs after what was queued before it instead of inside it (capture fact 31).
    pub event_lock: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    Execute {
        application: Line,
        /// Any bytes except NUL.
        argument: String,
        /// Comes back as `Application-UUID`.
        event_uuid: Option<Line>,
        argument_by_body: bool,
    },
    Hangup {
        cause: crate::types::HangupCause,
    },
}

/// Every command of the event socket that Linefinder sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Auth {
        password: Line,
    },
    UserAuth {
        user: Line,
        domain: Line,
        password: Line,
    },
    Connect,
    MyEvents,
    Linger {
        seconds: Option<u32>,
    },
    NoLinger,
    Exit,
    Resume,
    /// `event plain NAMES CUSTOM SUBCLASSES`; names are checked against FreeSWITCH's list.
    Events {
        names: Vec<Line>,
        subclasses: Vec<Line>,
    },
    NixEvents {
        names: Vec<Line>,
        subclasses: Vec<Line>,
    },
    NoEvents,
    FilterAdd {
        header: Line,
        value: Line,
    },
    FilterDelete {
        header: Line,
        value: Option<Line>,
    },
    FilterDeleteAll,
    DivertEvents {
        on: bool,
    },
    Api {
        command: Line,
        argument: Option<Line>,
    },
    BgApi {
        command: Line,
        argument: Option<Line>,
        job: Line,
    },
    SendEvent {
        name: Line,
        headers: Vec<(Line, Line)>,
        body: Option<Vec<u8>>,
    },
    SendMsg(SendMsg),
    Log {
        level: u8,
    },
    NoLog,
}

impl Command {
    /// Appends the command's bytes, blank line and body included.
    ///
    /// # Errors
    /// Refuses what FreeSWITCH would misread (see [`CommandError`]); nothing is appended then.
    pub fn encode(&self, _out: &mut BytesMut) -> Result<(), CommandError> {
        unimplemented!()
    }
}
