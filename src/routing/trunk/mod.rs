//! Calls from and to customers' PBXs: from a request and documents to attempts in order, or a
//! refusal (trunkstore specification 2 to 5).
//!
//! `arrive(&Request, &dyn World, &mut dyn Explain) -> Result<Arrival, Unreadable>` says who is
//! calling; `inbound` decides a call from a carrier, `outbound` one from a PBX, `failover(&Failover,
//! ..)` what follows when all attempts have failed (the same arguments, `Result<Decision,
//! Unreadable>`). They read the documents through a [`World`] and give a [`Decision`]: the units of
//! limits to take first, then what to do. [`next`] tells after each attempt whether another is
//! placed, the failover is decided, or the caller is hung up. [`limits`] judges one unit.

mod decision;
mod hunt;
pub mod limits;
mod request;
mod settings;
mod world;

pub use decision::{
    Attempt, AttemptTo, Decision, Dial, Elsewhere, Failover, FailoverTo, Outcome, Reject, Route,
    RouteKind, UnitDirection, UnitWanted,
};
pub use hunt::{Ended, HuntPolicy, Hunting, Step, next};
pub use request::{Digest, Party, Request, Source};
pub use settings::{Settings, UserField};
pub use world::{Place, Unreadable, World};
