//! What trunks need to know between calls: who holds a unit of which limit, how the carriers' gateways are, what looks like fraud.

pub mod carriers;
pub mod fraud;
pub mod gateways;
pub mod health;
pub mod ledger;
pub mod memory;
mod settings;

pub use carriers::Carriers;
pub use fraud::Guard;
pub use health::Health;
pub use ledger::Ledger;
pub use memory::Memory;
pub use settings::Settings;
