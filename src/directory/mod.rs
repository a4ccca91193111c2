//! What mod_xml_curl asks over HTTP: who may register and call, and who is known by his address.
//!
//! A posted `form` becomes a `question`; `users` and `networks` answer it from the store; `answer` is written by the one
//! writer of XML (`xml`). `http` and `server` are the edge: credentials, limits, time-outs, stopping.

mod answer;
mod credentials;
mod digest;
mod form;
mod http;
mod networks;
mod question;
mod server;
mod settings;
mod users;
mod xml;

pub use credentials::Credentials;
pub use form::Form;
pub use http::reply;
pub use server::{ListenError, Server};
pub use settings::{DEFAULT_CONTEXT, Settings};
pub use xml::{Element, Unfit, Value};
