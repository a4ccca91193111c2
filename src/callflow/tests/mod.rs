//! Calls through the whole engine, without a switch: documents in a temporary store, and a leg
//! that answers by a script.

mod admission;
mod coming_back;
mod dialling;
mod engine;
mod explaining;
mod groups;
pub mod leg;
mod rights;
mod unattended;
mod world;
