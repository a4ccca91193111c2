//! Channels of a node as a client sees them and acts on them, whoever drives them.
//!
//! What is told is what FreeSWITCH says at that moment: nothing is remembered between two questions.

mod action;
mod facts;
mod read;

pub use action::{ActionError, ChannelAction, Target};
pub use facts::Channel;
