//! What mod_xml_curl asks over HTTP: who may register and call, who is known by his address, and whom a call rings.
//!
//! A posted `form` becomes a `question`; `users` and `networks` answer it from the store, `dialplan` by asking the
//! daemon; `answer` is written by the one
//! writer of XML (`xml`). `http` and `server` are the edge: credentials, limits, time-outs, stopping.

mod answer;
mod credentials;
mod dialplan;
mod digest;
mod form;
mod http;
mod networks;
mod question;
mod server;
mod servers;
mod settings;
mod strangers;
mod trunks;
mod users;
mod xml;

pub use credentials::Credentials;
pub use dialplan::{Bridge, Channel, Dialplan};
pub use form::Form;
pub use http::{Desk, reply};
pub use server::{ListenError, Server};
pub use settings::{DEFAULT_CONTEXT, FORWARD_CONTEXT, Settings, TRUNK_CONTEXT};
pub use trunks::Trunks;
pub use xml::{Element, Unfit, Value};
