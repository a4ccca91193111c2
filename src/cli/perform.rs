//! Commands about a store are done by who has it open: here, or in the daemon by way of its console.

use std::path::Path;

use super::arguments::Asked;
use super::exit::{Exit, Failure, Outcome};
use super::premises::Premises;
use super::{
    account, backup, check, gateways, history, numbers, open, output, route, show, transfer, trunks,
};
use crate::config::Config;
use crate::console::{self, Ask, AskError, Desk, Ended, Errand, Here, Operator};
use crate::store::{Store, StoreError};

/// Does it, whoever has the store.
pub fn perform(file: Option<&Path>, asked: &Asked) -> Outcome {
    let config = match asked.store() {
        // With a path no configuration is needed, so a broken one doesn't matter.
        Some(path) if !asked.routes() => Config {
            store: open::named(path),
            ..Config::default()
        },
        Some(path) => Config {
            store: open::named(path),
            ..Config::load(file)?
        },
        None => Config::load(file)?,
    };
    perform_with(config, asked)
}

/// The same with a configuration that has been read.
pub fn perform_with(config: Config, asked: &Asked) -> Outcome {
    if let Asked::Import(import) = asked {
        transfer::readable(import)?;
    }
    if !asked.makes_store() {
        open::must_exist(&config.store)?;
    }
    match (Store::open(&config.store), asked) {
        (Ok(store), asked) => {
            let on = Premises::of_store(config, store, asked.routes())?;
            let width = output::terminal();
            run(&on, &mut Here { width }, asked)
        }
        (Err(locked @ StoreError::Locked { .. }), asked) => {
            have_it_done(&config.store.path, asked, locked)
        }
        (Err(error @ StoreError::Damaged { .. }), Asked::Check(findings)) => {
            check::damaged(findings, &error)
        }
        (Err(other), _) => Err(other.into()),
    }
}

fn run(on: &Premises, desk: &mut dyn Desk, asked: &Asked) -> Outcome {
    match asked {
        Asked::Route(asked) => route::route(on, desk, asked),
        Asked::Numbers(asked) => numbers::numbers(on, desk, asked),
        Asked::Account(asked) => account::account(on, desk, asked),
        Asked::Import(asked) => transfer::import(on, desk, asked),
        Asked::Export(asked) => transfer::export(on, desk, asked),
        Asked::History(asked) => history::history(on, desk, asked),
        Asked::Backup(asked) => backup::create(on, desk, asked),
        Asked::Check(findings) => check::store(on, desk, findings),
        Asked::Registrations(asked) => show::registrations(on, desk, asked),
        Asked::Gateways(asked) => gateways::gateways(on, desk, asked),
        Asked::Trunks(asked) => trunks::trunks(on, desk, asked),
    }
}

/// By the process that has the store open, if that is a daemon with a console.
fn have_it_done(store: &Path, asked: &Asked, locked: StoreError) -> Outcome {
    let command = serde_json::to_value(asked)
        .map_err(|error| Failure::new(Exit::Usage, format_args!("the command: {error}")))?;
    let errand = Errand {
        width: output::terminal(),
        command,
        reads: asked.reads(),
        writes: asked.writes(),
    };
    let ended = console::ask(store, errand).map_err(|error| match error {
        AskError::NobodyThere(error) => nobody_there(locked, &error),
        AskError::Output(error) => Failure::of_output(&error),
        AskError::Unsendable(_) => Failure::new(Exit::Usage, error),
        AskError::Version { .. } | AskError::Lost(_) => Failure::new(Exit::Unavailable, error),
    })?;
    match ended.code {
        0 => Ok(()),
        code => Err(Failure::new(Exit::of(code), ended.message)),
    }
}

fn nobody_there(locked: StoreError, error: &std::io::Error) -> Failure {
    let failure = Failure::from(locked);
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        let why = "its daemon's console is for the daemon's own user and for root";
        return Failure::new(
            Exit::NoPermission,
            format_args!("{}; {why}", failure.message),
        );
    }
    let why = "it has no console to be asked by: a daemon that is just starting or stopping or has [console] off, or another \
               command";
    Failure::new(failure.exit, format_args!("{}; {why}", failure.message))
}

/// Does in the daemon what is asked by its console.
pub struct Clerk(pub Premises);

impl Operator for Clerk {
    fn perform(&self, ask: &Ask, desk: &mut dyn Desk) -> Ended {
        let outcome = match serde_json::from_value(ask.command.clone()) {
            Ok(asked) => run(&self.0, desk, &asked),
            Err(error) => Err(Failure::new(
                Exit::Usage,
                format_args!(
                    "the daemon, linefinder {}, does not know this command: {error}; restart it after an update",
                    env!("CARGO_PKG_VERSION")
                ),
            )),
        };
        match outcome {
            Ok(()) => Ended {
                code: 0,
                message: String::new(),
            },
            Err(failure) => Ended {
                code: failure.exit as u8,
                message: failure.message,
            },
        }
    }
}
