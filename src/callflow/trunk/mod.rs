//! Calls of carriers and of customers' PBXs, done: units are taken, legs are placed one after the
//! other, and the caller gets the status that the decision means. What is decided is decided in
//! `routing::trunk`.

mod attempt;
mod course;
mod door;
mod drive;
mod explain;
mod leave;
mod room;
mod sold;
#[cfg(test)]
mod tests;
mod units;
mod who;
mod world;

pub(super) use course::Finish;
pub(super) use door::counts;
pub(super) use drive::{Driven, drive, private};
pub use explain::{Leads, Tried, TrunkExplanation, TrunkQuestion, Way, explain_trunk};
pub use leave::Errand;
pub(super) use leave::{foresee as foresee_leaving, leave};
pub use room::{InUse, TakenUnit};
pub use sold::{Sold, SoldTrunks, TrunksInUse, trunks_in_use};
pub use who::{NumberOwner, who};
