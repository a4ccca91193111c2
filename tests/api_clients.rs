//! The clients from PyPI at work against the real binary. `.ci/run` fetches them; without them the tests say so and pass.
//!
//! `LINEFINDER_KAZOO_SDK` names a python that has kazoo-sdk, `LINEFINDER_KAZOO_API` the unpacked source of kazoo-api.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test ends at the first surprise, and says why it was skipped"
)]

use std::process::Command;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// None: there is none, and why the test is skipped has been said.
fn fetched(variable: &str) -> Option<String> {
    let found = std::env::var(variable).ok().filter(|text| !text.is_empty());
    if found.is_none() {
        eprintln!("skipped: {variable} names no client; see tests/clients/README.md");
    }
    found
}

fn run(python: &str, script: &str, more: &[&str], says: &str) {
    let done = Command::new(python)
        .arg(format!("{FOLDER}/{script}"))
        .arg(env!("CARGO_BIN_EXE_linefinder"))
        .args(more)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("the python that was named runs");
    let told = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success() && told.contains(says),
        "{told}{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn kazoo_sdk() {
    if let Some(python) = fetched("LINEFINDER_KAZOO_SDK") {
        run(&python, "kazoo_sdk.py", &[], "kazoo-sdk: all work done");
    }
}

#[test]
fn kazoo_api() {
    // It needs `requests`, which comes with the other.
    if let (Some(python), Some(source)) = (
        fetched("LINEFINDER_KAZOO_SDK"),
        fetched("LINEFINDER_KAZOO_API"),
    ) {
        run(
            &python,
            "kazoo_api.py",
            &[&source],
            "kazoo-api: all work done",
        );
    }
}
