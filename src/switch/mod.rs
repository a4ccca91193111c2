//! A FreeSWITCH node as an object: its connection, and the calls it hands over.
//!
//! [`Switch`] is the whole room: it keeps [`Node`]s connected, listens for outbound sockets, and
//! turns both ways of handing a call over (`socket`, `park`) into one [`IncomingCall`].

mod application;
mod arrival;
mod call;
mod capacity;
mod channel;
mod context;
mod facade;
mod forged;
mod leg;
mod listener;
mod node;
mod notify;
mod outbound;
mod unregister;
mod wire;

pub use application::{Application, Completed};
pub use arrival::{Arrival, Handoff, IncomingCall, NoArrival, WANTED_VARIABLES};
pub use call::{BoxFuture, BridgeOutcome, CallError, Ended, Leg, Unanswered};
pub use capacity::Capacity;
pub use channel::{ActionError, Channel, ChannelAction, Target};
pub use context::Allowed;
pub use facade::{StartError, Switch, SwitchSettings};
pub use listener::ListenError;
pub use node::{
    ChannelSink, DownReason, Following, GatewayEvent, GatewayRow, HANDOFF_MARK, HANDOFF_VALUE,
    Node, NodeGateways, NodeSettings, NodeState, Pace, PresentChannel, Reach, RegistrationEvent,
    RegistrationSink, Unregistered,
};
pub use notify::{Mailbox, Notification, NotifyError, Registered};
pub use wire::{CommandFailure, JobFailure};
