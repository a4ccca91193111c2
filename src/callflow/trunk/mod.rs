//! Calls of carriers and of customers' PBXs, done: units are taken, legs are placed one after the
//! other, and the caller gets the status that the decision means. What is decided is decided in
//! `routing::trunk`.

mod attempt;
mod course;
mod door;
mod drive;
mod explain;
mod leave;
#[cfg(test)]
mod tests;
mod units;
mod who;
mod world;

pub(super) use course::Finish;
pub(super) use door::counts;
pub(super) use drive::{Driven, drive, private};
pub use explain::{Leads, Tried, TrunkExplanation, TrunkQuestion, Way, explain_trunk};
pub(super) use leave::{Errand, leave};
pub use who::{NumberOwner, who};
