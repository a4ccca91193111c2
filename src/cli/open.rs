//! Opens the store that a subcommand means.

use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure};
use crate::config::Config;
use crate::store::{Store, StoreSettings};

/// The settings of the store: the configuration's, at another path if one was given. With a path no configuration
/// is needed, so a broken one doesn't matter.
pub fn settings(config: Option<&Path>, store: Option<&PathBuf>) -> Result<StoreSettings, Failure> {
    Ok(match store {
        Some(path) => StoreSettings {
            path: path.clone(),
            ..StoreSettings::default()
        },
        None => Config::load(config)?.store,
    })
}

/// Opens a store that must exist already: reading commands don't create one.
pub fn existing(config: Option<&Path>, store: Option<&PathBuf>) -> Result<Store, Failure> {
    let settings = settings(config, store)?;
    if !settings.path.exists() {
        let path = settings.path.display();
        let message = format!("there is no store at {path}; `linefinder import FILE` makes one");
        return Err(Failure::new(Exit::NoInput, message));
    }
    Ok(Store::open(&settings)?)
}

/// Opens the store or creates it.
pub fn or_create(config: Option<&Path>, store: Option<&PathBuf>) -> Result<Store, Failure> {
    Ok(Store::open(&settings(config, store)?)?)
}
