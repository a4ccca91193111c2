//! FreeSWITCH's event socket on the wire, and nothing but: frames, events, commands, escaping.
//! No sockets here.

mod command;
#[cfg(test)]
mod command_tests;
mod decoder;
#[cfg(test)]
mod decoder_tests;
mod encoding;
mod event;
#[cfg(test)]
mod event_tests;
mod frame;
mod head;
mod json;
mod names;
mod peer;
pub mod server;
mod span;
mod xml;

pub use command::{Command, CommandError, Line, Message, SendMsg};
pub use decoder::{DecodeError, Decoder, Limits};
pub use encoding::{percent_decode, percent_encode};
pub use event::{Event, Value};
pub use frame::{Frame, LogLine, Notice, Reply};
pub use names::EVENT_NAMES;
