//! Arguments of the commands that show trunks as they are now.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::OfStore;
use crate::types::AccountId;

#[derive(Debug, Clone, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateways {
    /// One carrier, or one of its gateways by its place: ID or ID/PLACE; the first place is 0.
    #[arg(value_name = "CARRIER")]
    pub carrier: Option<String>,
    /// The account of the carrier [default: the installation's carriers, and all accounts'].
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<AccountId>,
    /// Take the gateways out of use or into use, whatever their circuits say; auto takes that back.
    #[arg(long, value_enum, value_name = "STATE", requires = "carrier")]
    pub force: Option<Force>,
    #[command(flatten)]
    pub of: OfStore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Force {
    Out,
    InUse,
    Auto,
}

#[derive(Debug, Clone, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trunks {
    /// One account [default: all that have limits, or calls].
    #[arg(value_name = "ACCOUNT")]
    pub account: Option<AccountId>,
    #[command(flatten)]
    pub of: OfStore,
}
