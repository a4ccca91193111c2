//! `serve`: the daemon in the foreground, as systemd runs it.

use std::path::Path;

use super::exit::{Exit, Failure, Outcome};
use crate::config::Config;
use crate::telemetry;

pub fn serve(file: Option<&Path>) -> Outcome {
    let config = Config::load(file)?;
    telemetry::start(&config.log).map_err(|error| Failure::new(Exit::Config, error))?;
    Err(Failure::new(Exit::Software, "not yet"))
}
