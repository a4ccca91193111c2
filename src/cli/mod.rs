//! The subcommands of `linefinder`, one file each.

mod account;
mod arguments;
mod backup;
mod call;
mod check;
mod demo;
mod exit;
mod gateways;
mod history;
mod numbers;
mod open;
mod openapi;
mod output;
mod perform;
mod premises;
mod route;
mod serve;
mod show;
mod simulation;
mod table;
mod transfer;
mod trunks;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use arguments::{Arguments, Asked, Command};
use exit::{Exit, Outcome};

/// Reads the command line, does what it says, and ends with its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure.message);
            failure.exit.into()
        }
    }
}

/// Help and version are answers; anything else is misuse.
fn usage(error: &clap::Error) -> ExitCode {
    // Nothing can be done about a closed terminal.
    let _ = error.print();
    if error.use_stderr() {
        Exit::Usage.into()
    } else {
        ExitCode::SUCCESS
    }
}

fn run(arguments: Arguments) -> Outcome {
    let file = arguments.config.as_deref();
    match arguments.command {
        Command::Serve => serve::serve(file),
        Command::Asked(Asked::Route(asked)) if asked.setting.demo => route::of_demo(&asked),
        Command::Asked(asked) => perform::perform(file, &asked),
        Command::Backup(asked) => backup::backup(file, &asked),
        Command::Compact(of) => backup::compact(file, &of),
        Command::Check(check) => check::check(file, &check),
        Command::Config(show) => show::config(file, &show),
        Command::Openapi => openapi::openapi(),
        Command::Completions { shell } => completions(shell),
        Command::Demo(asked) => demo::demo(&asked),
        Command::Call(asked) => call::call(file, &asked),
    }
}

fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "linefinder", &mut script);
    let mut out = output::Output::new();
    io::Write::write_all(&mut out, &script)?;
    Ok(out.finish()?)
}
