//! The real binary: help, exit codes, and the commands that need no call.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The binary, without whatever settings the test's own environment has.
fn linefinder() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linefinder"));
    command.env_clear();
    command
}

fn run(arguments: &[&str]) -> Output {
    linefinder().args(arguments).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn misuse_ends_with_64_and_help_with_0() {
    for arguments in [
        &["frobnicate"][..],
        &["serve", "--colour"],
        &["import"],
        &["call", "--from", "1001"],
        &[],
    ] {
        let output = run(arguments);
        assert_eq!(code(&output), 64, "{arguments:?}");
        assert!(stderr(&output).contains("Usage"), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["--version"], &["help", "import"]] {
        assert_eq!(code(&run(arguments)), 0, "{arguments:?}");
    }
}

#[test]
fn every_subcommand_explains_itself() {
    let help = stdout(&run(&["--help"]));
    for name in [
        "serve",
        "demo",
        "call",
        "route",
        "import",
        "export",
        "check",
        "config",
        "registrations",
        "completions",
    ] {
        assert!(help.contains(&format!("\n  {name}")), "{name}: {help}");
        let own = stdout(&run(&[name, "--help"]));
        assert!(own.contains("--config"), "{name}: {own}");
    }
}

#[test]
fn completions_for_a_shell() {
    let output = run(&["completions", "bash"]);
    assert_eq!(code(&output), 0);
    assert!(stdout(&output).contains("registrations"));
}

#[test]
fn config_prints_settings_with_their_sources_and_hides_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[handoff]\nmax_calls = 7\n[nodes.fs1]\npassword = 'open sesame'\n";
    let path = file(folder.path(), "linefinder.toml", text);
    for json in [&[][..], &["--json"]] {
        let output = linefinder()
            .arg("--config")
            .arg(&path)
            .arg("config")
            .args(json)
            .env("LINEFINDER_LOG__LEVEL", "trace")
            .env("LINEFINDER_NODES__FS2__PASSWORD", "open barley")
            .output()
            .unwrap();
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let told = format!("{}{}", stdout(&output), stderr(&output));
        assert!(told.contains("linefinder.toml:2"), "{told}");
        assert!(told.contains("LINEFINDER_LOG__LEVEL"), "{told}");
        assert!(told.contains("LINEFINDER_NODES__FS2__PASSWORD"), "{told}");
        assert!(told.contains("(hidden)"), "{told}");
        assert!(
            !told.contains("sesame") && !told.contains("barley"),
            "{told}"
        );
    }
}

#[test]
fn an_unknown_key_stops_every_command_that_reads_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        folder.path(),
        "linefinder.toml",
        "[handoff]\nlisen = '127.0.0.1:0'\n",
    );
    for command in [&["serve"][..], &["config"], &["export"], &["check"]] {
        let output = linefinder()
            .args(command)
            .arg("--config")
            .arg(&path)
            .output()
            .unwrap();
        assert_eq!(code(&output), 78, "{command:?}");
        let told = format!("{}{}", stdout(&output), stderr(&output));
        let expected = "linefinder.toml:2: handoff.lisen: unknown key; did you mean listen?";
        assert!(told.contains(expected), "{command:?}: {told}");
    }
}

#[test]
fn a_configuration_that_cannot_be_read() {
    let output = run(&["serve", "--config", "/nonexistent/linefinder.toml"]);
    assert_eq!(code(&output), 78);
    let told = stderr(&output);
    assert!(told.contains("/nonexistent/linefinder.toml"), "{told}");
    assert!(told.contains("can't be read"), "{told}");
}

#[test]
fn reading_commands_do_not_create_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    for command in ["export", "registrations"] {
        let output = linefinder()
            .arg(command)
            .arg("--store")
            .arg(&store)
            .output()
            .unwrap();
        assert_eq!(code(&output), 66, "{command}: {}", stderr(&output));
        assert!(stderr(&output).contains("linefinder import"), "{command}");
        assert!(!store.exists());
    }
}

#[test]
fn check_gives_advice_without_failing() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[store]\npath = '{}'\n[handoff]\nlisten = '0.0.0.0:8084'\n[nodes.a]\naddress = '10.0.0.5:8021'\npassword = 'x'\n",
        folder.path().join("store").display()
    );
    let path = file(folder.path(), "linefinder.toml", &text);
    let output = linefinder()
        .arg("-c")
        .arg(&path)
        .arg("check")
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let told = stdout(&output);
    for expected in ["0.0.0.0:8084", "[nodes.a]", "no store", "nothing wrong"] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
}
