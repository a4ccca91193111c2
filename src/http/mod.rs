//! HTTP/1.1 over TCP for those who answer: binding, connections with time-outs, stopping.
//!
//! What is asked and answered is the callers' business: the directory for mod_xml_curl, the REST API for operators.

mod listener;
mod patience;
mod refusals;

pub use listener::{Limits, Listener};
pub use refusals::Refusing;
