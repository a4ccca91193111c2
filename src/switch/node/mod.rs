//! A FreeSWITCH node that we connect to: its connection over time, and what comes over it.

mod adrift;
mod channels;
mod gateways;
mod handle;
mod legs;
mod park;
mod reconcile;
mod registrations;
mod resync;
mod run;
mod session;
mod settings;
mod sink;
mod sofia_table;
mod state;
mod take;

pub(super) use channels::glimpse;
pub use channels::{ChannelSink, Following, PresentChannel};
pub use gateways::{GatewayEvent, GatewayRow, NodeGateways};
pub use handle::Node;
pub(crate) use park::{Claim, claim, claim_id};
pub use park::{HANDOFF_MARK, HANDOFF_VALUE};
pub use registrations::{Reach, RegistrationEvent, RegistrationSink, Unregistered};
pub(crate) use run::run;
pub use settings::{NodeSettings, Pace};
pub use state::{DownReason, NodeState};
