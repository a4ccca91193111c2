//! The REST API, after Crossbar's conventions: one place for the protocol, one file a resource.
//!
//! A connection's request goes `server` → `exchange` (credentials, rate, tenancy, verbs) → a handler of `resources`, found
//! by `routes` → `reply`. Most handlers are those of a stored `resource`, which a file in `resources` only describes.

mod audit;
mod auth;
mod bootstrap;
mod context;
mod exchange;
mod files;
mod first;
mod listing;
pub mod openapi;
mod reply;
mod request;
mod resource;
mod resources;
mod routes;
mod server;
mod settings;
mod sound;
mod time;

pub use auth::{Secrets, SecretsError};
pub use bootstrap::{BootstrapError, Created, NewAccount, create_account};
pub use context::{Context, ContextError, secret_beside, secret_file};
pub use first::{FirstAccountError, first_account};
pub use request::Verb;
pub use resources::routes;
pub use routes::{Access, Gives, On, Route, Routes, Takes};
pub use server::{Bound, ListenError, Server};
pub use settings::{FreeNumbers, Settings};
