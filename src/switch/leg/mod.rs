//! A leg under control: what it was told, what has happened to it, how it ended.

mod bridge;
mod commands;
mod ending;
mod live;
mod mailbox;
mod state;

pub(crate) use bridge::outcome as bridge_outcome;
pub(crate) use commands::kill as kill_command;
pub(super) use ending::goes_on_as;
pub(crate) use live::{LegLink, LiveLeg};
pub(crate) use mailbox::{Full, Mailbox};
pub(crate) use state::LegState;
