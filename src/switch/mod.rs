//! A FreeSWITCH node as an object: its connection, and the calls it hands over.

mod application;
mod arrival;
mod call;

pub use application::{Application, Completed};
pub use arrival::{Arrival, Handoff, IncomingCall};
pub use call::{BoxFuture, BridgeOutcome, CallError, Ended, Leg};
