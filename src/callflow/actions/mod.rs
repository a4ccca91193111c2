//! The actions that a flow may name: one file each, one line here.

mod answer;
mod branch;
mod device;
mod hangup;
mod noop;
mod response;
mod sleep;
mod wait_for_hangup;

use super::action::Entry;

/// Every action, by module name.
pub const ALL: &[Entry] = &[
    Entry::of::<answer::Answer>(),
    Entry::of::<branch::Branch>(),
    Entry::of::<device::Device>(),
    Entry::of::<hangup::Hangup>(),
    Entry::of::<noop::Noop>(),
    Entry::of::<response::Response>(),
    Entry::of::<sleep::Sleep>(),
    Entry::of::<wait_for_hangup::WaitForHangup>(),
];

/// The data of actions that take none.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
pub struct Nothing {}
