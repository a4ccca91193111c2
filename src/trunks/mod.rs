//! What trunks need to know between calls: who holds a unit of which limit, how the carriers' gateways are, what looks like fraud.

pub mod fraud;
pub mod ledger;

pub use fraud::Guard;
pub use ledger::Ledger;
