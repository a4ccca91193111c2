//! `config` and `registrations`: what is in force, what is known.

use std::path::Path;

use super::arguments::{ConfigCommand, OfStore};
use super::exit::{Exit, Failure, Outcome};
use super::output::Output;
use super::premises::Premises;
use crate::config::Config;
use crate::console::Desk;

pub fn config(file: Option<&Path>, asked: &ConfigCommand) -> Outcome {
    let config = Config::load(file)?;
    let mut out = Output::new();
    if asked.json {
        out.line(format_args!("{:#}", config.show_json()))?;
    } else {
        match &config.file {
            Some(path) => out.line(format_args!("# from {}\n", path.display()))?,
            None => out.line("# no configuration file: defaults and environment\n")?,
        }
        out.line(config.show().trim_end())?;
    }
    Ok(out.finish()?)
}

pub fn registrations(on: &Premises, desk: &mut dyn Desk, asked: &OfStore) -> Outcome {
    let mut found = on.store.all_registrations();
    found.sort_by(|a, b| (&a.realm, &a.user, &a.node).cmp(&(&b.realm, &b.user, &b.node)));
    let mut out = Output::at(desk);
    if asked.json {
        let text = serde_json::to_string_pretty(&found)
            .map_err(|error| Failure::new(Exit::Software, error))?;
        out.line(text)?;
        return Ok(out.finish()?);
    }
    let now = jiff::Timestamp::now().as_second();
    for registration in &found {
        let left = registration.expires_at.saturating_sub(now);
        let expiry = match left {
            1.. => format!("for {left} s"),
            _ => format!("lapsed {} s ago", left.unsigned_abs()),
        };
        out.line(format_args!(
            "{}@{}  {}/{}  {expiry}  {}",
            registration.user,
            registration.realm,
            registration.node,
            registration.profile,
            registration.contact,
        ))?;
    }
    if found.is_empty() {
        out.line("nobody is registered")?;
    }
    Ok(out.finish()?)
}
