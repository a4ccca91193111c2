//! A dial string is a value; this is the one writer that turns it into FreeSWITCH's text.

mod endpoint;
mod render;
pub(super) mod uri;
mod variables;

pub use endpoint::{Checked, Endpoint};
pub use render::{MAX_GROUPS, MAX_LEGS};
pub use uri::InvalidUri;
pub use variables::{MAX_VARIABLES, Variables};

/// One dialled endpoint with the variables of its own channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialLeg {
    pub variables: Variables,
    pub endpoint: Endpoint,
}

/// Global variables, then groups tried in order, each of legs rung together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DialString {
    pub global: Variables,
    pub groups: Vec<Vec<DialLeg>>,
}
