//! Values that are parsed once and then trusted. This room uses no other.

mod cause;
mod id;
mod invite;

pub use cause::{HangupCause, UnknownCause};
pub use id::{AccountId, CallId, DocumentId, InvalidId, NodeName};
pub use invite::{InviteFormat, Transport, UnknownWord};
