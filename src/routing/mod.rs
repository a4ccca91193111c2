//! The decisions, all pure: request and documents in, a plan or a refusal out.

mod dial_string;
mod plan;
mod settings;

pub use dial_string::{DialLeg, DialString, Endpoint, Variables};
pub use plan::{
    ActionOptions, BridgePlan, Caller, DialRequest, Explain, LegError, Member, Network, NoLeg,
    PlannedLeg, Privacy, Silent, Skipped, Source, Strategy, plan,
};
pub use settings::Settings;
