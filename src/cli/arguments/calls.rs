//! Arguments of the commands that imagine calls.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::types::{AccountId, NodeName};

/// What calls of all kinds have in common.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// The account called, by id; needed when the store has several and `--from` names no realm.
    #[arg(long, value_name = "ID")]
    pub account: Option<AccountId>,
    /// The account called, by realm.
    #[arg(long, value_name = "REALM", conflicts_with = "account")]
    pub realm: Option<String>,
    /// The name that the caller's phone shows.
    #[arg(long, value_name = "TEXT")]
    pub caller_name: Option<String>,
    /// Folder of the store [default: the configuration's].
    #[arg(long, value_name = "PATH", conflicts_with = "demo")]
    #[serde(skip)]
    pub store: Option<PathBuf>,
    /// Use the documents of the demo instead of a store.
    #[arg(long)]
    #[serde(skip)]
    pub demo: bool,
}

#[derive(Debug, Args)]
pub struct Call {
    /// Who calls: a device by id, SIP username or username@realm; anything else is an outside caller's number.
    #[arg(long, value_name = "DEVICE")]
    pub from: String,
    /// What is dialled.
    #[arg(long, value_name = "NUMBER")]
    pub to: String,
    #[command(flatten)]
    pub setting: Setting,
    /// How the call is handed over.
    #[arg(long, value_enum, default_value_t)]
    pub by: HandoffWay,
    /// What the simulated phones do.
    #[arg(long, value_enum, default_value_t, conflicts_with = "demo")]
    pub phones: Behaviour,
    /// Print dial strings in full.
    #[arg(long)]
    pub full: bool,
}

/// What a simulated phone does when it is called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Behaviour {
    /// Rings, and answers.
    #[default]
    Answer,
    /// 486 at once.
    Busy,
    /// Rings for ever.
    Ring,
    /// Rings, then 603.
    Decline,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum HandoffWay {
    #[default]
    Socket,
    Park,
}

#[derive(Debug, Clone, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Who calls: a device by id, SIP username or username@realm; anything else is an outside caller's number.
    #[arg(long, value_name = "DEVICE", required_unless_present_any = ["inbound", "trunk"])]
    pub from: Option<String>,
    /// What is dialled.
    #[arg(long, value_name = "NUMBER", required_unless_present_any = ["inbound", "trunk"])]
    pub to: Option<String>,
    /// A call from a carrier to this number.
    #[arg(long, value_name = "DID", conflicts_with_all = ["to", "trunk", "demo"])]
    pub inbound: Option<String>,
    /// The address of the carrier that brings it; without it some carrier does.
    #[arg(long, value_name = "IP", requires = "inbound")]
    pub source: Option<IpAddr>,
    /// A call from a PBX: the server's name or its document's id (ID/PLACE where it has several), and the number.
    #[arg(long, num_args = 2, value_names = ["SERVER", "NUMBER"], conflicts_with_all = ["to", "demo"])]
    pub trunk: Option<Vec<String>>,
    #[command(flatten)]
    pub setting: Setting,
    /// The node that the call arrives on [default: the caller's, else the first of the configuration].
    #[arg(long, value_name = "NAME")]
    pub node: Option<NodeName>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What is asked about numbers.
#[derive(Debug, Clone, clap::Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Numbers {
    /// Whose a number is, and where its calls go.
    Who(Who),
}

#[derive(Debug, Clone, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Who {
    /// In any form that callers dial.
    pub number: String,
    #[command(flatten)]
    pub of: super::OfStore,
}
