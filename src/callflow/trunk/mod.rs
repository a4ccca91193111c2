//! Calls of carriers and of customers' PBXs, done: units are taken, legs are placed one after the
//! other, and the caller gets the status that the decision means. What is decided is decided in
//! `routing::trunk`.

mod attempt;
mod course;
#[cfg(test)]
mod tests;
mod units;

pub(super) use course::{Course, Finish, Scene};
