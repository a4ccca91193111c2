//! Commands to FreeSWITCH. Nothing that could end a line gets into one.

use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};

use super::names::is_event_name;

/// Why a command can't be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("{field}: a line break or NUL at byte {at} would end the command early")]
    LineBreak { field: &'static str, at: usize },
    #[error("{0}: empty")]
    Empty(&'static str),
    #[error("{field}: {found:?} would be read as the end of it")]
    Character { field: &'static str, found: char },
    #[error("{0:?} is no event of FreeSWITCH, which would ignore it and never send it")]
    UnknownEvent(String),
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
    pub fn new(field: &'static str, text: impl Into<String>) -> Result<Line, CommandError> {
        let text = text.into();
        match text.bytes().position(|b| matches!(b, b'\r' | b'\n' | 0)) {
            Some(at) => Err(CommandError::LineBreak { field, at }),
            None => Ok(Line(text)),
        }
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
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), CommandError> {
        let start = out.len();
        let mut block = Block { out };
        let written = self.write_block(&mut block).and_then(|body| {
            let text = block.out.get(start..).unwrap_or_default();
            refuse_module_reload(text).map(|()| body)
        });
        match written {
            Ok(body) => {
                out.put_slice(body);
                Ok(())
            }
            Err(error) => {
                out.truncate(start);
                Err(error)
            }
        }
    }

    /// Writes the line, the headers and the blank line; the body is left to the caller.
    fn write_block<'a>(&'a self, block: &mut Block<'_>) -> Result<&'a [u8], CommandError> {
        match self {
            Command::Auth { password } => {
                required("password", password)?;
                block.line(&["auth ", password.as_str()]);
            }
            Command::UserAuth {
                user,
                domain,
                password,
            } => {
                required("user", user)?;
                without("user", user, &['@', ':'])?;
                required("domain", domain)?;
                without("domain", domain, &['@', ':'])?;
                required("password", password)?;
                let (user, domain) = (user.as_str(), domain.as_str());
                block.line(&["userauth ", user, "@", domain, ":", password.as_str()]);
            }
            Command::Connect => block.line(&["connect"]),
            Command::MyEvents => block.line(&["myevents plain"]),
            Command::Linger { seconds: None } => block.line(&["linger"]),
            Command::Linger {
                seconds: Some(seconds),
            } => block.line(&["linger ", &seconds.to_string()]),
            Command::NoLinger => block.line(&["nolinger"]),
            Command::Exit => block.line(&["exit"]),
            Command::Resume => block.line(&["resume"]),
            Command::Events { names, subclasses } => {
                block.events("event plain", names, subclasses)?;
            }
            Command::NixEvents { names, subclasses } => {
                block.events("nixevent", names, subclasses)?;
            }
            Command::NoEvents => block.line(&["noevents"]),
            Command::FilterAdd { header, value } => {
                word("filter header", header)?;
                required("filter value", value)?;
                block.line(&["filter add ", header.as_str(), " ", value.as_str()]);
            }
            Command::FilterDelete { header, value } => {
                word("filter header", header)?;
                let value = value.as_ref().map_or("", Line::as_str);
                let blank = if value.is_empty() { "" } else { " " };
                block.line(&["filter delete ", header.as_str(), blank, value]);
            }
            Command::FilterDeleteAll => block.line(&["filter delete all"]),
            Command::DivertEvents { on: true } => block.line(&["divert_events on"]),
            Command::DivertEvents { on: false } => block.line(&["divert_events off"]),
            Command::Api { command, argument } => block.api("api ", command, argument.as_ref())?,
            Command::BgApi {
                command,
                argument,
                job,
            } => {
                required("Job-UUID", job)?;
                block.api("bgapi ", command, argument.as_ref())?;
                block.header("Job-UUID", job.as_str());
            }
            Command::SendEvent {
                name,
                headers,
                body,
            } => return block.send_event(name, headers, body.as_deref()),
            Command::SendMsg(message) => return block.send_msg(message),
            Command::Log { level } => block.line(&["log ", &level.to_string()]),
            Command::NoLog => block.line(&["nolog"]),
        }
        block.end();
        Ok(&[])
    }
}

/// The first block of a command: one line, headers, a blank line. All of its texts are `Line`s or
/// our own, so that none of them can hold a line break.
struct Block<'o> {
    out: &'o mut BytesMut,
}

impl Block<'_> {
    fn line(&mut self, parts: &[&str]) {
        for part in parts {
            self.out.put_slice(part.as_bytes());
        }
        self.out.put_u8(b'\n');
    }

    fn header(&mut self, name: &str, value: &str) {
        self.line(&[name, ": ", value]);
    }

    fn end(&mut self) {
        self.out.put_u8(b'\n');
    }

    /// Subclasses come last: every word after `CUSTOM` is taken for one (capture fact 21).
    fn events(
        &mut self,
        command: &str,
        names: &[Line],
        subclasses: &[Line],
    ) -> Result<(), CommandError> {
        if names.is_empty() && subclasses.is_empty() {
            return Err(CommandError::Empty("event names"));
        }
        self.out.put_slice(command.as_bytes());
        for name in names {
            let name = name.as_str();
            if name == "CUSTOM" || !(name == "ALL" || is_event_name(name)) {
                return Err(CommandError::UnknownEvent(name.to_owned()));
            }
            self.out.put_u8(b' ');
            self.out.put_slice(name.as_bytes());
        }
        if !subclasses.is_empty() {
            self.out.put_slice(b" CUSTOM");
        }
        for subclass in subclasses {
            word("event subclass", subclass)?;
            self.out.put_u8(b' ');
            self.out.put_slice(subclass.as_str().as_bytes());
        }
        self.out.put_u8(b'\n');
        Ok(())
    }

    fn api(
        &mut self,
        verb: &str,
        command: &Line,
        argument: Option<&Line>,
    ) -> Result<(), CommandError> {
        word("api command", command)?;
        match argument {
            Some(argument) => self.line(&[verb, command.as_str(), " ", argument.as_str()]),
            None => self.line(&[verb, command.as_str()]),
        }
        Ok(())
    }

    /// Header values are literal: FreeSWITCH does not decode what we send (esl spec 1.6).
    fn send_event<'a>(
        &mut self,
        name: &Line,
        headers: &[(Line, Line)],
        body: Option<&'a [u8]>,
    ) -> Result<&'a [u8], CommandError> {
        if !is_event_name(name.as_str()) {
            return Err(CommandError::UnknownEvent(name.as_str().to_owned()));
        }
        self.line(&["sendevent ", name.as_str()]);
        for (name, value) in headers {
            word("event header", name)?;
            without("event header", name, &[':'])?;
            if name.as_str().eq_ignore_ascii_case("content-length") {
                // It is written from the body; two that differ would cut the next command.
                continue;
            }
            self.header(name.as_str(), value.as_str());
        }
        let body = body.unwrap_or_default();
        refuse_nul("event body", body)?;
        self.content_length(body);
        self.end();
        Ok(body)
    }

    fn send_msg<'a>(&mut self, message: &'a SendMsg) -> Result<&'a [u8], CommandError> {
        match &message.call {
            Some(call) => {
                word("call", call)?;
                self.line(&["sendmsg ", call.as_str()]);
            }
            None => self.line(&["sendmsg"]),
        }
        let mut body: &[u8] = &[];
        match &message.message {
            Message::Hangup { cause } => {
                self.header("call-command", "hangup");
                self.header("hangup-cause", cause.as_str());
            }
            Message::Execute {
                application,
                argument,
                event_uuid,
                argument_by_body,
            } => {
                word("application", application)?;
                refuse_nul("application argument", argument.as_bytes())?;
                self.header("call-command", "execute");
                self.header("execute-app-name", application.as_str());
                if *argument_by_body || !fits_header(argument) {
                    body = argument.as_bytes();
                } else if !argument.is_empty() {
                    self.header("execute-app-arg", argument);
                }
                if let Some(uuid) = event_uuid {
                    required("event-uuid", uuid)?;
                    self.header("event-uuid", uuid.as_str());
                }
            }
        }
        if message.event_lock {
            self.header("event-lock", "true");
        }
        if !body.is_empty() {
            self.header("content-type", "text/plain");
        }
        self.content_length(body);
        self.end();
        Ok(body)
    }

    fn content_length(&mut self, body: &[u8]) {
        if !body.is_empty() {
            // Writing to memory that grows does not fail.
            let _ = writeln!(self.out, "content-length: {}", body.len());
        }
    }
}

/// An argument that arrives unchanged as a header's value: printable ASCII, no blank at either end
/// (they are skipped), not an array in FreeSWITCH's text form (esl spec 1.7).
fn fits_header(argument: &str) -> bool {
    argument.bytes().all(|b| matches!(b, b' '..=b'~'))
        && argument.trim() == argument
        && !argument.starts_with("ARRAY::")
        && !contains_ignoring_case(argument.as_bytes(), MODULE)
}

const MODULE: &[u8] = b"mod_event_socket";

/// FreeSWITCH looks for these words in the whole block, headers included (esl spec 1.8, T29).
/// "unload" and "reload" are looked for without regard to case, to be on the safe side.
fn refuse_module_reload(block: &[u8]) -> Result<(), CommandError> {
    let found = contains_ignoring_case(block, MODULE)
        && (contains_ignoring_case(block, b"unload") || contains_ignoring_case(block, b"reload"));
    match found {
        true => Err(CommandError::ModuleReload),
        false => Ok(()),
    }
}

fn contains_ignoring_case(text: &[u8], word: &[u8]) -> bool {
    let [first, ..] = word else { return true };
    memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), text)
        .filter_map(|at| text.get(at..at + word.len()))
        .any(|candidate| candidate.eq_ignore_ascii_case(word))
}

fn required(field: &'static str, text: &Line) -> Result<(), CommandError> {
    match text.as_str().is_empty() {
        true => Err(CommandError::Empty(field)),
        false => Ok(()),
    }
}

/// A text that a blank would end.
fn word(field: &'static str, text: &Line) -> Result<(), CommandError> {
    required(field, text)?;
    without(field, text, &[' ', '\t'])
}

fn without(field: &'static str, text: &Line, refused: &[char]) -> Result<(), CommandError> {
    match text.as_str().chars().find(|c| refused.contains(c)) {
        Some(found) => Err(CommandError::Character { field, found }),
        None => Ok(()),
    }
}

/// FreeSWITCH reads a body as a C string (esl spec 1.8).
fn refuse_nul(field: &'static str, body: &[u8]) -> Result<(), CommandError> {
    match memchr::memchr(0, body) {
        Some(at) => Err(CommandError::LineBreak { field, at }),
        None => Ok(()),
    }
}
