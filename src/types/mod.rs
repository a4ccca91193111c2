//! Values that are parsed once and then trusted. This room uses no other.

mod cause;
mod id;
mod invite;
mod number;
mod sip_reason;

pub use cause::{HangupCause, UnknownCause};
pub use id::{AccountId, CallId, DocumentId, InvalidId, NodeName};
pub use invite::{InviteFormat, Transport, UnknownWord};
pub use number::{e164, known_e164, north_american};
pub use sip_reason::sip_reason;
