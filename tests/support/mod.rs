//! Scripted FreeSWITCH peers on real TCP ports of 127.0.0.1, for the tests of the switch room.
#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses some of this"
)]
#![allow(
    unreachable_pub,
    reason = "each test file is a crate of its own and uses some of this"
)]

pub mod keeper;
pub mod peer;
pub mod scenes;
