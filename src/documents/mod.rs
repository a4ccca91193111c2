//! The documents that operators write, typed: what a field means, and which values it takes.

mod account;
mod callflow;
mod device;
mod document;
mod registration;
mod user;

pub use account::Account;
pub use callflow::{Callflow, FlowNode};
pub use device::Device;
pub use document::{Document, DocumentKey, DocumentType};
pub use registration::Registration;
pub use user::User;
