//! Which carriers take a number, in which order; pure, over a table compiled from the resource documents.
//!
//! [`Table::compile`] turns documents into [`Carrier`]s, one for each document or one for each of its classifiers, in
//! the order in which they are tried. [`Table::select`] answers a [`Wanted`] with [`Candidate`]s (trunkstore
//! specification 4.1, 4.2), [`Table::sender`] tells which carrier a call came from (4.7).

mod capture;
mod carrier;
mod expressions;
mod form;
mod index;
mod key;
mod pool;
mod select;
mod sender;
mod shape;
mod switch_gateway;
mod table;
mod wanted;

pub use carrier::{Carrier, Derived, ResourceSource};
pub use key::GatewayKey;
pub use sender::{Hosts, Matched, Origin, Sender, folded};
pub use switch_gateway::SwitchGateway;
pub use table::Table;
pub use wanted::{Candidate, Wanted};

#[cfg(test)]
mod tests;
