//! A simulated FreeSWITCH node that speaks the event socket on real TCP ports, the way the
//! recordings of a real one show: for `linefinder demo`, `linefinder call` and the tests.
//!
//! ```text
//!            place_call                       dial string
//!  caller ────────────► Session (a leg's task) ───────────► Outgoing (phones, loopback)
//!                          │  ▲ sendmsg, api
//!                   events ▼  │
//!                        Connection ◄── TCP ──► the daemon (inbound, or `socket`)
//! ```
//!
//! [`Node`] is the handle; [`CallSpec`] places a call, [`PhoneScript`] says what the other end does, [`CallResult`]
//! what became of it. A node's faults are the operator's nightmares: connections dropped or stalled,
//! the process killed or restarted.
//!
//! Not simulated: media, the sync mode of `socket`, `event xml`.

mod api;
mod application;
mod bridge;
mod call;
mod clock;
mod command;
mod connection;
mod core;
mod dial;
pub mod dial_string;
mod dialplan;
mod dtmf;
mod event;
mod event_name;
mod expand;
mod gateways;
mod headers;
mod leg;
mod lifecycle;
mod link;
mod listener;
mod lock;
mod media;
mod message;
mod node;
mod options;
mod originate;
mod outgoing;
mod phone;
mod registrar;
mod report;
mod scheduler;
mod session;
mod show;
mod sink;
mod sip;
mod socket;
mod subscription;
mod variables;

pub use call::{CallResult, CallSpec, Handoff, Origin, Patience, PlacedCall, Seen, Stage};
pub use node::Node;
pub use options::NodeOptions;
pub use phone::PhoneScript;
pub use registrar::Registered;

/// The version that the recordings were made with.
const VERSION: &str = "1.11.2-release~64bit";
