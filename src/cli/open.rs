//! Opens the store that a subcommand means.

use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure, Outcome};
use crate::config::Config;
use crate::store::{Store, StoreSettings};

/// The settings of the store at this path.
pub fn named(path: &Path) -> StoreSettings {
    StoreSettings {
        path: path.to_owned(),
        ..StoreSettings::default()
    }
}

/// The settings of the store: the configuration's, at another path if one was given. With a path no configuration
/// is needed, so a broken one doesn't matter.
pub fn settings(config: Option<&Path>, store: Option<&PathBuf>) -> Result<StoreSettings, Failure> {
    Ok(match store {
        Some(path) => named(path),
        None => Config::load(config)?.store,
    })
}

/// Commands that read don't create a store.
pub fn must_exist(settings: &StoreSettings) -> Outcome {
    if settings.path.exists() {
        return Ok(());
    }
    let path = settings.path.display();
    let message = format!("there is no store at {path}; `linefinder import FILE` makes one");
    Err(Failure::new(Exit::NoInput, message))
}

/// Opens a store that must exist already.
pub fn existing(config: Option<&Path>, store: Option<&PathBuf>) -> Result<Store, Failure> {
    let settings = settings(config, store)?;
    must_exist(&settings)?;
    Ok(Store::open(&settings)?)
}
