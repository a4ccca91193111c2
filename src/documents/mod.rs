//! The documents that operators write, typed: what a field means, and which values it takes.

mod account;
mod attributes;
mod callflow;
mod connectivity;
mod device;
mod document;
mod formatter;
mod gateway;
mod group;
pub mod json;
mod lenient;
mod limits;
mod media;
mod number;
mod recording;
mod registration;
mod resource;
pub mod schema;
mod sip;
mod terms;
mod user;

pub use account::Account;
pub use attributes::{
    Asserted, Attributes, CallForward, CallerIdKind, CallerIdOptions, CallerIds, Identity,
    MusicOnHold, OutboundFlags, OutboundPrivacy, Restriction, Ringtones,
};
pub use callflow::{Callflow, FlowNode};
pub use connectivity::{Connectivity, DidEntry, Server, ServerAuth, ServerOptions, TrunkAccount};
pub use device::Device;
pub use document::{Document, DocumentKey, DocumentType};
pub use formatter::{Direction, Formatter, Formatters, Pattern};
pub use gateway::{DynamicParameter, Gateway, InviteParameters};
pub use group::{Group, GroupMember};
pub use lenient::{Table, Text};
pub use limits::{DidRule, Limits, Trunks};
pub use media::{Encryption, Media, Methods};
pub use number::{NumberRecord, NumberState, Prepend};
pub use recording::{AccountRecording, CallRecording, RecordingFields, RecordingSource};
pub use registration::Registration;
pub use resource::{ClassRule, FromFormat, GatewayStrategy, Resource, TrunkMedia};
pub use sip::{AuthMethod, CustomHeaders, Password, Sip};
pub use terms::{CallerIdFormat, Failover, Terms, TrunkIdentity};
pub use user::User;
