//! Runs the vectors: cases of inputs and outcomes, one file and one module a suite.
//!
//! `cargo test --test vectors -- devices` runs a suite by name, no name runs all. The files are
//! read from `LINEFINDER_VECTORS`, by default from `tests/vectors`. Each failing case is printed
//! with what was expected and what came; the last line of a suite reads `NAME: N of M`. Suites whose
//! name ends in `_own` are cases that we have derived from the specifications ourselves.
//!
//! Cases of fields that are not built yet stand in `tests/vectors/pending-NAME.txt`. An unlisted
//! case that fails and a listed case that passes both fail the run, so that the list only shrinks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test: it may stop at the first surprise, and prints its result"
)]

#[path = "vectors/api.rs"]
mod api;
#[path = "vectors/api_daemon.rs"]
mod api_daemon;
#[path = "vectors/api_matchers.rs"]
mod api_matchers;
#[path = "vectors/compare.rs"]
mod compare;
#[path = "vectors/devices.rs"]
mod devices;
#[path = "vectors/devices_documents.rs"]
mod devices_documents;
#[path = "vectors/devices_self_test.rs"]
mod devices_self_test;
#[path = "vectors/dial.rs"]
mod dial;
#[path = "vectors/suite.rs"]
mod suite;
#[path = "vectors/trunkstore.rs"]
mod trunkstore;
#[path = "vectors/trunkstore_compare.rs"]
mod trunkstore_compare;
#[path = "vectors/trunkstore_world.rs"]
mod trunkstore_world;

use std::process::ExitCode;

use suite::Suite;

/// Adding a suite is a module and a line here.
const SUITES: &[Suite] = &[
    Suite {
        name: "api",
        cases: api::cases,
        run: api::run,
        self_test: api_matchers::self_test,
        end: api::end,
    },
    // More of the same, by the sections of the API's specification.
    Suite {
        name: "api_own",
        cases: api::cases,
        run: api::run,
        self_test: api_matchers::self_test,
        end: api::end,
    },
    Suite {
        name: "devices",
        cases: suite::listed,
        run: devices::run,
        self_test: devices_self_test::run,
        end: suite::nothing,
    },
    Suite {
        name: "devices_own",
        cases: suite::listed,
        run: devices::run,
        self_test: suite::unspoilt,
        end: suite::nothing,
    },
    Suite {
        name: "trunkstore",
        cases: trunkstore::cases,
        run: trunkstore::run,
        self_test: trunkstore::self_test,
        end: suite::nothing,
    },
    Suite {
        name: "trunkstore_own",
        cases: trunkstore::cases,
        run: trunkstore::run,
        self_test: suite::unspoilt,
        end: suite::nothing,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    // Options are the test runner's and mean nothing here.
    let names: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let wanted = |suite: &&Suite| names.is_empty() || names.iter().any(|name| *name == suite.name);
    // A case that panics is reported like any other that fails.
    std::panic::set_hook(Box::new(|_| ()));
    let mut success = true;
    for suite in SUITES.iter().filter(wanted) {
        success &= suite.check();
    }
    if success {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
