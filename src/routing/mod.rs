//! The decisions, all pure: request and documents in, a plan or a refusal out.

pub mod clean;
mod dial_string;
mod invite;
pub mod numbers;
mod plan;
mod settings;

pub use dial_string::{
    Checked, DialLeg, DialString, Endpoint, InvalidUri, MAX_GROUPS, MAX_LEGS, MAX_VARIABLES,
    Variables,
};
pub use invite::{Binding, Contact, Invite, InviteInput, endpoint, endpoints};
pub use plan::{
    ActionOptions, BridgePlan, Caller, DialRequest, Explain, LegError, Member, Network, NoLeg,
    PlannedLeg, Privacy, Silent, Skipped, Source, Strategy, plan,
};
pub use settings::Settings;
