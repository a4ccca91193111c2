//! The tree of actions that a call walks.
//!
//! [`run()`] takes a call from its arrival to its end; [`decide()`] makes the same decision without a
//! call, and [`explain()`] says how it came about. Adding an action: see [`action`].

pub mod action;
mod actions;
mod admission;
mod call;
mod context;
pub mod data;
mod decide;
mod dial;
mod engine;
mod explain;
mod figures;
mod live;
mod lookup;
mod media;
mod members;
mod numbers;
mod people;
mod refusal;
mod report;
mod rights;
mod run;
mod settings;
mod stage;
#[cfg(test)]
mod tests;
mod trunk;
mod trust;
mod unattended;
mod walk;

pub use action::{Action, ActionError, Entry, Foreseen, Outcome};
pub use actions::modules;
pub use admission::{Admitted, Route, admit};
pub use call::{Call, Office, SecondHop};
pub use context::{Context, unix_now};
pub use decide::{Decision, Resolved, decide};
pub use dial::{Ring, Wanted};
pub use explain::{ExplainError, ExplainRequest, Explanation, explain};
pub use live::{LiveCall, LiveCalls, Party, Seated};
pub use lookup::{Captured, Found, Rule};
pub use refusal::Refusal;
pub use report::{Attempt, AttemptOutcome, CallReport, EndedBy, Ending, Step, Verdict};
pub use run::run;
pub use settings::{MAX_FLOW_DEPTH, Settings};
pub use stage::Stage;
pub use trunk::{
    Errand, InUse, Leads, NumberOwner, Sold, SoldTrunks, TakenUnit, Tried, TrunkExplanation,
    TrunkQuestion, TrunksInUse, Way, explain_trunk, trunks_in_use, who,
};
pub use unattended::{Unattended, unattended};
pub use walk::{Exhausted, Flow, Next, WILDCARD};
