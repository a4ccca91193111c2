//! Calls of customers' PBXs, decided from documents: one test for each thing that is easy to get
//! wrong (trunkstore specification 7).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

#[path = "routing_trunk/carriers.rs"]
mod carriers;
#[path = "routing_trunk/hunting.rs"]
mod hunting;
#[path = "routing_trunk/inbound.rs"]
mod inbound;
#[path = "routing_trunk/kit.rs"]
mod kit;
#[path = "routing_trunk/outbound.rs"]
mod outbound;
#[path = "routing_trunk/units.rs"]
mod units;
#[path = "vectors/trunkstore_world.rs"]
mod world;
