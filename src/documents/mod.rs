//! The documents that operators write, typed: what a field means, and which values it takes.

mod account;
mod attributes;
mod callflow;
mod device;
mod document;
mod formatter;
pub mod json;
mod lenient;
mod media;
mod recording;
mod registration;
pub mod schema;
mod sip;
mod user;

pub use account::Account;
pub use attributes::{
    Asserted, Attributes, CallForward, CallerIdKind, CallerIdOptions, CallerIds, Identity,
    MusicOnHold, OutboundFlags, OutboundPrivacy, Restriction, Ringtones,
};
pub use callflow::{Callflow, FlowNode};
pub use device::Device;
pub use document::{Document, DocumentKey, DocumentType};
pub use formatter::{Direction, Formatter, Formatters, Pattern};
pub use lenient::{Table, Text};
pub use media::{Encryption, Media, Methods};
pub use recording::{AccountRecording, CallRecording, RecordingFields, RecordingSource};
pub use registration::Registration;
pub use sip::{AuthMethod, CustomHeaders, Sip};
pub use user::User;
