//! `import` and `export`: documents as JSON lines.

use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::path::Path;

use super::arguments::{Export, Import};
use super::exit::{Exit, Failure, Outcome, io_exit};
use super::output::{Output, complain_to, visible};
use super::premises::Premises;
use crate::console::Desk;
use crate::store::{ImportProblem, StoreError};

/// More lines than this don't help to mend a file.
const PROBLEMS_SHOWN: usize = 100;

/// Bytes of a file that are read at once.
const BUFFER: usize = 1 << 20;

pub fn import(on: &Premises, desk: &mut dyn Desk, asked: &Import) -> Outcome {
    let mut wrong = false;
    for file in &asked.files {
        let name = file.display().to_string();
        let opened = desk.open(file).map_err(|error| of_file(file, &error))?;
        let mut lines = BufReader::with_capacity(BUFFER, opened);
        let report = on.store.import(&mut lines, asked.keep_going);
        drop(lines);
        let report = report.map_err(|error| match error {
            StoreError::Io(error) => of_file(file, &error),
            other => other.into(),
        })?;
        complain_of(&mut *desk.stderr(), &name, &report.problems);
        wrong |= !report.problems.is_empty();
        let mut out = Output::at(desk);
        out.line(format_args!(
            "{name}: {} imported, {}",
            counted(report.imported, "document"),
            counted(report.problems.len(), "problem"),
        ))?;
        out.finish()?;
    }
    if wrong {
        return Err(Failure::said(Exit::Data));
    }
    Ok(())
}

/// `FILE:LINE: field: what was expected`, as compilers say it, so that editors jump there.
fn complain_of(stderr: &mut dyn Write, file: &str, problems: &[ImportProblem]) {
    for problem in problems.iter().take(PROBLEMS_SHOWN) {
        let line = problem.line;
        // The line as a whole has no field.
        let field = match problem.field.as_str() {
            "" => "line",
            field => field,
        };
        let text = format!("{file}:{line}: {field}: {}", problem.expected);
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(stderr, "{}", visible(&text));
    }
    if let Some(more @ 1..) = problems.len().checked_sub(PROBLEMS_SHOWN) {
        complain_to(stderr, &format!("{file}: {more} more problems"));
    }
}

fn of_file(file: &Path, error: &io::Error) -> Failure {
    Failure::new(io_exit(error), format_args!("{}: {error}", file.display()))
}

/// Looks at the files before anything is written, so that a name that is mistyped imports nothing.
pub fn readable(asked: &Import) -> Outcome {
    for file in asked.files.iter().filter(|file| file.as_os_str() != "-") {
        let found = fs::metadata(file).map_err(|error| of_file(file, &error))?;
        if found.is_dir() {
            let message = format!("{}: a folder; a file was expected", file.display());
            return Err(Failure::new(Exit::NoInput, message));
        }
        // Opened only if that can't take what another reader waits for.
        if found.is_file() {
            File::open(file).map_err(|error| of_file(file, &error))?;
        }
    }
    Ok(())
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

pub fn export(on: &Premises, desk: &mut dyn Desk, asked: &Export) -> Outcome {
    if asked.file.as_os_str() == "-" {
        let mut out = Output::at(desk);
        on.store.export(&mut out)?;
        return Ok(out.finish()?);
    }
    let name = asked.file.display();
    let made = desk.create(&asked.file);
    let mut file = made.map_err(|error| {
        let exit = match io_exit(&error) {
            Exit::NoPermission => Exit::NoPermission,
            _ => Exit::CantCreate,
        };
        Failure::new(exit, format_args!("{name}: {error}"))
    })?;
    let count = on.store.export(&mut file)?;
    // An export is a backup: it is done when it is on the disk.
    let kept = file.keep();
    kept.map_err(|error| Failure::new(Exit::Io, format_args!("{name}: {error}")))?;
    complain_to(&mut *desk.stderr(), &format!("{name}: {count} documents"));
    Ok(())
}
