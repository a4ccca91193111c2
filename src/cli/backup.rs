//! `backup` and `compact`: the store's safety, by hand.

use std::io;
use std::path::Path;

use serde_json::json;

use super::arguments::{Asked, BackupCommand, OfStore, Restore};
use super::exit::{Exit, Failure, Outcome, io_exit};
use super::open;
use super::output::Output;
use super::perform;
use super::premises::Premises;
use crate::api::{self, Secrets};
use crate::config::Config;
use crate::console::Desk;
use crate::store::{BackupFile, BackupFooter, Store};

pub fn backup(config: Option<&Path>, asked: &BackupCommand) -> Outcome {
    match asked {
        BackupCommand::Create(of) => perform::perform(config, &Asked::Backup(of.clone())),
        BackupCommand::List(of) => list(config, of),
        BackupCommand::Verify { file, json } => verify(file, *json),
        BackupCommand::Restore(restore) => restore_from(config, restore),
    }
}

fn described(file: &BackupFile) -> serde_json::Value {
    json!({
        "file": file.path,
        "time": file.header.time,
        "store_id": file.header.store_id,
        "sequence": file.footer.sequence,
        "documents": file.footer.documents,
        "bytes": file.size,
        "files": file.footer.files,
        "version": file.header.version,
    })
}

/// A backup that is made now, whoever has the store open.
pub fn create(on: &Premises, desk: &mut dyn Desk, asked: &OfStore) -> Outcome {
    let made = on.store.backup(&on.config.store)?;
    let mut out = Output::at(desk);
    match asked.json {
        true => out.line(format_args!("{:#}", described(&made)))?,
        false => out.line(format_args!(
            "{}: {} documents{}",
            made.path.display(),
            made.footer.documents,
            with_files(&made.footer)
        ))?,
    }
    Ok(out.finish()?)
}

fn list(config: Option<&Path>, asked: &OfStore) -> Outcome {
    let settings = open::settings(config, asked.store.as_ref())?;
    let files = Store::backups(&settings)?;
    let mut out = Output::new();
    if asked.json {
        let all: Vec<_> = files.iter().map(described).collect();
        out.line(format_args!("{:#}", json!(all)))?;
        return Ok(out.finish()?);
    }
    if files.is_empty() {
        out.line("there are no backups")?;
    }
    for file in &files {
        out.line(format_args!(
            "{}  {:>9} documents  {:>7} kB  write {:<9} {}",
            file.header.time,
            file.footer.documents,
            file.size / 1024,
            file.footer.sequence,
            file.path.display()
        ))?;
    }
    Ok(out.finish()?)
}

fn verify(file: &Path, as_json: bool) -> Outcome {
    std::fs::File::open(file).map_err(|error| of_file(file, &error))?;
    let (header, footer) = Store::verify_backup(file)?;
    let mut out = Output::new();
    match as_json {
        true => out.line(format_args!(
            "{:#}",
            json!({
                "file": file,
                "time": header.time,
                "store_id": header.store_id,
                "sequence": footer.sequence,
                "documents": footer.documents,
                "files": footer.files,
                "version": header.version,
            })
        ))?,
        false => out.line(format_args!(
            "{}: whole; {} documents{} of {}, up to write {}",
            file.display(),
            footer.documents,
            with_files(&footer),
            header.time,
            footer.sequence
        ))?,
    }
    Ok(out.finish()?)
}

fn with_files(footer: &BackupFooter) -> String {
    match &footer.files {
        Some(files) => format!(" and {} files ({} kB)", files.count, files.bytes / 1024),
        None => String::new(),
    }
}

fn of_file(file: &Path, error: &io::Error) -> Failure {
    Failure::new(io_exit(error), format_args!("{}: {error}", file.display()))
}

fn restore_from(config: Option<&Path>, asked: &Restore) -> Outcome {
    std::fs::File::open(&asked.file).map_err(|error| of_file(&asked.file, &error))?;
    let settings = open::settings(config, asked.store.as_ref())?;
    if !asked.force && has_content(&settings.path) {
        let path = settings.path.display();
        let message = format!(
            "there is a store at {path} already; with --force it is moved aside (not deleted) and the backup takes its place"
        );
        return Err(Failure::new(Exit::CantCreate, message));
    }
    let api_settings = match &asked.store {
        Some(_) => api::Settings::default(),
        None => Config::load(config)?.api,
    };
    let restored = Store::restore(&settings, &asked.file)?;
    let mut out = Output::new();
    out.line(format_args!(
        "{}: {} documents restored from {}",
        settings.path.display(),
        restored.documents,
        asked.file.display()
    ))?;
    if restored.files.back > 0 {
        let back = restored.files.back;
        out.line(format_args!(
            "{back} files of documents were missing and are back"
        ))?;
    }
    for missing in &restored.files.missing {
        out.line(format_args!("a file of a document is missing: {missing}"))?;
    }
    let secret = api::secret_beside(&api_settings, &settings.path);
    let other = Secrets::adopt(&secret, &restored.secret).map_err(super::account::of_secrets)?;
    if let Some(other) = other {
        out.line(format_args!(
            "{} is the secret that the backup's passwords need; the other one is now {}",
            secret.display(),
            other.display()
        ))?;
    }
    if let Some(replaced) = restored.replaced {
        out.line(format_args!(
            "the store that was there before is now {}",
            replaced.display()
        ))?;
    }
    Ok(out.finish()?)
}

/// A lock file alone is no store.
fn has_content(store: &Path) -> bool {
    ["db", "manifest.json"]
        .iter()
        .any(|name| store.join(name).exists())
}

pub fn compact(config: Option<&Path>, asked: &OfStore) -> Outcome {
    let settings = open::settings(config, asked.store.as_ref())?;
    if !has_content(&settings.path) {
        let message = format!("there is no store at {}", settings.path.display());
        return Err(Failure::new(Exit::NoInput, message));
    }
    let done = Store::compact(&settings)?;
    let mut out = Output::new();
    match asked.json {
        true => out.line(json!({"bytes_before": done.before, "bytes_after": done.after}))?,
        false => out.line(format_args!(
            "{}: {} kB before, {} kB now",
            settings.path.display(),
            done.before / 1024,
            done.after / 1024
        ))?,
    }
    Ok(out.finish()?)
}
