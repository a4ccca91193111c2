//! placeholder

pub mod dial_string;
