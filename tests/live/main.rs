//! Calls through a real FreeSWITCH: `LINEFINDER_LIVE=/opt/freeswitch cargo test --test live`.
//!
//! `LINEFINDER_LIVE` names the folder that FreeSWITCH 1.11 is installed in (the one with `bin/freeswitch`). Without it
//! nothing runs, and one line says so. The scenarios are Python (`scenarios.py`), since the SIP phone that they
//! play is; names behind `--` choose some of them. With `LINEFINDER_LIVE_LOGS=DIR` the logs of failures are kept.
#![allow(
    clippy::print_stdout,
    reason = "a test runner's result lines are its output"
)]

use std::path::Path;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let Ok(installed) = std::env::var("LINEFINDER_LIVE") else {
        println!("live: skipped, LINEFINDER_LIVE does not name an installed FreeSWITCH");
        return ExitCode::SUCCESS;
    };
    if !Path::new(&installed).join("bin/freeswitch").is_file() {
        println!("live: LINEFINDER_LIVE={installed}: there is no bin/freeswitch in it");
        return ExitCode::FAILURE;
    }
    let chosen = std::env::args().skip(1).filter(|a| !a.starts_with('-'));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live");
    let status = Command::new("python3")
        .arg(folder.join("scenarios.py"))
        .args(chosen)
        .env("FS_PREFIX", installed)
        .env("LINEFINDER_BIN", env!("CARGO_BIN_EXE_linefinder"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            println!("live: python3 can't be started: {error}");
            ExitCode::FAILURE
        }
    }
}
