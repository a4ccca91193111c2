//! `import` and `export`: documents as JSON lines.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::arguments::{Export, Import};
use super::exit::{Exit, Failure, Outcome, io_exit};
use super::open;
use super::output::{Output, complain, visible};
use crate::store::StoreError;

/// More lines than this don't help to mend a file.
const PROBLEMS_SHOWN: usize = 100;

pub fn import(config: Option<&Path>, asked: &Import) -> Outcome {
    for file in &asked.files {
        readable(file)?;
    }
    let store = open::or_create(config, asked.store.as_ref())?;
    let mut out = Output::new();
    let mut wrong = false;
    for file in &asked.files {
        let name = file.display().to_string();
        let mut lines = reader(file)?;
        let report = store.import(&mut *lines, asked.keep_going);
        let report = report.map_err(|error| match error {
            StoreError::Io(error) => of_file(file, &error),
            other => other.into(),
        })?;
        for problem in report.problems.iter().take(PROBLEMS_SHOWN) {
            complain_of_line(&name, problem);
        }
        if let Some(more @ 1..) = report.problems.len().checked_sub(PROBLEMS_SHOWN) {
            complain(&format!("{name}: {more} more problems"));
        }
        wrong |= !report.problems.is_empty();
        out.line(format_args!(
            "{name}: {} imported, {}",
            counted(report.imported, "document"),
            counted(report.problems.len(), "problem"),
        ))?;
    }
    out.finish()?;
    if wrong {
        return Err(Failure::said(Exit::Data));
    }
    Ok(())
}

/// `FILE:LINE: field: what was expected`, as compilers say it, so that editors jump there.
fn complain_of_line(file: &str, problem: &crate::store::ImportProblem) {
    let line = problem.line;
    // The line as a whole has no field.
    let field = match problem.field.as_str() {
        "" => "line",
        field => field,
    };
    let text = format!("{file}:{line}: {field}: {}", problem.expected);
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "{}", visible(&text));
}

fn of_file(file: &Path, error: &io::Error) -> Failure {
    Failure::new(io_exit(error), format_args!("{}: {error}", file.display()))
}

/// Looks at a file before anything is written, so that a name that is mistyped imports nothing.
fn readable(file: &Path) -> Outcome {
    if file.as_os_str() == "-" {
        return Ok(());
    }
    let found = fs::metadata(file).map_err(|error| of_file(file, &error))?;
    if found.is_dir() {
        let message = format!("{}: a folder; a file was expected", file.display());
        return Err(Failure::new(Exit::NoInput, message));
    }
    // Opened only if that can't take what another reader waits for.
    if found.is_file() {
        File::open(file).map_err(|error| of_file(file, &error))?;
    }
    Ok(())
}

fn reader(file: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    let opened = File::open(file).map_err(|error| of_file(file, &error))?;
    Ok(Box::new(BufReader::new(opened)))
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

pub fn export(config: Option<&Path>, asked: &Export) -> Outcome {
    let store = open::existing(config, asked.store.as_ref())?;
    if asked.file.as_os_str() == "-" {
        let mut out = Output::new();
        store.export(&mut out)?;
        return Ok(out.finish()?);
    }
    let name = asked.file.display();
    // Passwords are in it. A file that is there already keeps the rights that it was given.
    let made = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&asked.file);
    let file = made.map_err(|error| {
        let exit = match io_exit(&error) {
            Exit::NoPermission => Exit::NoPermission,
            _ => Exit::CantCreate,
        };
        Failure::new(exit, format_args!("{name}: {error}"))
    })?;
    let mut writer = BufWriter::new(file);
    let count = store.export(&mut writer)?;
    // An export is a backup: it is done when it is on the disk.
    let synced = writer
        .into_inner()
        .map_err(io::IntoInnerError::into_error)
        .and_then(|file| file.sync_all());
    synced.map_err(|error| Failure::new(Exit::Io, format_args!("{name}: {error}")))?;
    complain(&format!("{name}: {count} documents"));
    Ok(())
}
