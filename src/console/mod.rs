//! The console: commands typed while the daemon runs, carried to it over a Unix socket in the store's folder.
//!
//! A database has one owner, so whoever wants something of a store that a daemon has open asks the daemon. The
//! command travels as one message and runs there; what it prints, and the files that were named with it, stay with
//! who typed it: the daemon asks for each piece, the client reads and writes. No path that a client names is opened
//! by the daemon, and none but those on its command line by the client.
//!
//! What a command is and does is not known here: [`Ask`] carries it, an [`Operator`] performs it at a [`Desk`].

mod client;
mod desk;
mod frame;
mod remote;
mod server;
mod socket;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use client::{AskError, Errand, ask};
pub use desk::{Desk, Here, Sink};
pub use server::Server;
pub use socket::{ConsoleError, FILE};

/// Both sides have to speak the same. Raised with every change of frames or of commands.
pub const PROTOCOL: u32 = 1;

/// What is asked of the daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// Columns of the asker's terminal.
    pub width: Option<usize>,
    /// The files that are named in it; frames name them by their place here.
    pub files: Vec<PathBuf>,
    /// The subcommand with its arguments.
    pub command: Value,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// As processes end: 0 is good.
    pub code: u8,
    /// For standard error; empty when all has been said.
    pub message: String,
}

/// Who performs commands in the daemon.
pub trait Operator: Send + Sync + 'static {
    /// Does what is asked; it may block. Called by several threads at once.
    fn perform(&self, ask: &Ask, desk: &mut dyn Desk) -> Ended;
}
