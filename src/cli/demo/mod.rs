//! `demo`: daemon, store and a simulated FreeSWITCH together.

pub mod documents;
