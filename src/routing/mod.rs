//! The decisions, all pure: request and documents in, a plan or a refusal out.

mod bridge;
pub mod caller;
pub mod caller_id;
pub mod carriers;
pub mod clean;
mod dial_string;
pub mod dialing;
pub mod formatters;
pub mod forward;
mod group;
mod headers;
mod invite;
mod leg;
pub mod media;
mod member;
pub mod merge;
pub mod numbers;
mod offnet;
mod plan;
mod privacy;
pub mod record;
mod refuse;
mod settings;
mod sister;
pub mod trunk;

pub use bridge::plan;
pub use dial_string::{
    Checked, DialLeg, DialString, Endpoint, InvalidUri, MAX_GROUPS, MAX_LEGS, MAX_VARIABLES,
    Variables,
};
pub use invite::{Binding, Contact, Invite, InviteInput, endpoint, endpoints};
pub use merge::Merged;
pub use offnet::{CarrierLeg, OffnetRequest, offnet};
pub use plan::{
    ActionOptions, BridgePlan, Caller, DialRequest, Explain, LegError, Member, Network, NoLeg,
    PlannedLeg, Privacy, Silent, Skipped, Source, Strategy,
};
pub use settings::{PrivacyMethod, Settings};
pub use sister::{HandedOptions, HandedOver};

#[cfg(test)]
mod tests;
