//! Calls from and to customers' PBXs: from a request and documents to attempts in order, or a
//! refusal (trunkstore specification 2 to 5).
//!
//! [`arrive`] says who is calling; [`inbound`] decides a call from a carrier, [`outbound`] one from
//! a PBX, [`leaving`] one of a device or a callflow, [`failover`] what follows when all attempts have failed. They read the documents through a
//! [`World`] and give a [`Decision`]: the units of limits to take first, then what to do. [`next`]
//! tells after each attempt whether another is placed, the failover is decided, or the caller is
//! hung up. [`limits`] judges one unit.

mod account;
mod aleg;
mod arrival;
mod decision;
mod flags;
mod formatters;
mod gateway;
mod hosted;
mod hunt;
mod identity;
mod inbound;
mod leaving;
pub mod limits;
pub mod numbers;
mod offnet;
mod outbound;
mod pbx;
mod place;
mod request;
mod settings;
mod sister;
mod units;
mod world;

pub use account::arrived_for;
pub use arrival::{Arrival, Credentials, arrive, credentials};
pub use decision::{
    Attempt, AttemptTo, Decision, Dial, Elsewhere, Failover, FailoverTo, Outcome, Reject, Route,
    RouteKind, UnitDirection, UnitWanted,
};
pub use hunt::{Ended, HuntPolicy, Hunting, Step, next};
pub use inbound::inbound;
pub use leaving::{Leaving, barred, leaving};
pub use outbound::{failover, outbound};
pub use request::{Digest, Party, Request, Source};
pub use settings::{AuthzDefault, Settings, UserField};
pub use sister::{HandedOver, handed_over, is_private};
pub use world::{Place, Unreadable, World};
