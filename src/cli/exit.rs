//! How a subcommand ends: exit codes as in BSD's `sysexits.h`, so that scripts and systemd can tell causes apart.

use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::store::StoreError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Usage = 64,
    Data = 65,
    NoInput = 66,
    Unavailable = 69,
    Software = 70,
    CantCreate = 73,
    Io = 74,
    TempFail = 75,
    NoPermission = 77,
    Config = 78,
    /// Ended by a signal, as shells number it: 128 and the signal's number.
    HungUp = 129,
    Interrupted = 130,
    Terminated = 143,
}

impl Exit {
    const ALL: [Exit; 13] = [
        Exit::Usage,
        Exit::Data,
        Exit::NoInput,
        Exit::Unavailable,
        Exit::Software,
        Exit::CantCreate,
        Exit::Io,
        Exit::TempFail,
        Exit::NoPermission,
        Exit::Config,
        Exit::HungUp,
        Exit::Interrupted,
        Exit::Terminated,
    ];

    /// The exit of this code; a code that is none of ours is a fault of ours.
    #[must_use]
    pub fn of(code: u8) -> Self {
        let found = Self::ALL.into_iter().find(|exit| *exit as u8 == code);
        found.unwrap_or(Exit::Software)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a subcommand did not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// Empty: everything has been said already.
    pub message: String,
}

impl Failure {
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self {
            exit,
            message: message.to_string(),
        }
    }

    /// Standard output's reader has gone away (`linefinder export | head`): it has what it wanted.
    #[must_use]
    pub fn of_output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::said(Exit::Io),
            _ => Failure::new(Exit::Io, format_args!("standard output: {error}")),
        }
    }

    /// For a command that has printed its findings.
    pub fn said(exit: Exit) -> Self {
        Self::new(exit, "")
    }
}

pub type Outcome = Result<(), Failure>;

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Failure::new(Exit::Config, error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match &error {
            StoreError::Locked { .. } => Exit::TempFail,
            StoreError::Damaged { .. }
            | StoreError::Backup { .. }
            | StoreError::Invalid { .. }
            | StoreError::Duplicate { .. }
            | StoreError::Conflict { .. }
            | StoreError::Descendants { .. } => Exit::Data,
            StoreError::Open { .. } => Exit::CantCreate,
            StoreError::Io(error) => io_exit(error),
            _ => Exit::Io,
        };
        Failure::new(exit, error)
    }
}

/// `?` on what is written to standard output; files are named by who opens them.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::of_output(&error)
    }
}

/// The code for an error on a file or stream that was being used.
pub fn io_exit(error: &io::Error) -> Exit {
    match error.kind() {
        io::ErrorKind::NotFound => Exit::NoInput,
        io::ErrorKind::PermissionDenied => Exit::NoPermission,
        _ => Exit::Io,
    }
}
