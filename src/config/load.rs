//! From file and environment to a configuration that can be run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::directory::{DirectorySettings, read_directory};
use super::layers::Layers;
use super::node::{NodeSettings, read_nodes};
use super::problem::ConfigError;
use super::section::{Reader, Setting};
use super::sections::{ConsoleSettings, HandoffSettings, LogSettings, MetricsSettings};
use crate::api;
use crate::callflow;
use crate::routing;
use crate::store::StoreSettings;
use crate::trunks::{self, fraud};
use crate::types::NodeName;

/// Read when no file is named and it exists.
pub const DEFAULT_FILE: &str = "/etc/linefinder/linefinder.toml";

/// Where systemd puts the credentials of a unit.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Everything that the daemon needs to know before it starts.
#[derive(Debug, Clone, Default)]
pub struct Config {
    pub store: StoreSettings,
    pub nodes: BTreeMap<NodeName, NodeSettings>,
    pub handoff: HandoffSettings,
    pub directory: DirectorySettings,
    pub api: api::Settings,
    pub console: ConsoleSettings,
    pub routing: routing::Settings,
    pub callflow: callflow::Settings,
    pub trunks: trunks::Settings,
    pub fraud: fraud::Settings,
    pub log: LogSettings,
    pub metrics: MetricsSettings,
    /// Every setting with its value and origin, secrets hidden.
    pub settings: Vec<Setting>,
    /// The file that was read.
    pub file: Option<PathBuf>,
}

impl Config {
    /// Reads the named file, or the default one if it exists, and this process's environment.
    ///
    /// # Errors
    /// The file can't be read, or everything that is wrong in it and in the environment.
    pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
        let default = Path::new(DEFAULT_FILE);
        let file = file.or_else(|| default.exists().then_some(default));
        // Names and values that are not UTF-8 are no settings of ours.
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Config::from_layers(file, environment)
    }

    /// The same with a given environment: name and value pairs.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_layers(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        let environment: Vec<_> = environment.into_iter().collect();
        let credentials = environment
            .iter()
            .find_map(|(name, value)| (name == CREDENTIALS).then(|| PathBuf::from(value)));
        let mut reader = Reader::new(Layers::read(file, environment)?);
        let mut config = Config {
            store: reader.section("store"),
            nodes: read_nodes(&mut reader, credentials.as_deref()),
            handoff: reader.section("handoff"),
            directory: read_directory(&mut reader, credentials.as_deref()),
            api: reader.section("api"),
            console: reader.section("console"),
            routing: reader.section("routing"),
            callflow: reader.section("callflow"),
            trunks: reader.section("trunks"),
            fraud: reader.section("fraud"),
            log: reader.section("log"),
            metrics: reader.section("metrics"),
            settings: Vec::new(),
            file: file.map(Path::to_owned),
        };
        reader.finish();
        if !reader.problems.is_empty() {
            return Err(ConfigError::Invalid(reader.problems));
        }
        config.settings = reader.settings;
        config.routing.nodes = config
            .nodes
            .iter()
            .filter_map(|(name, node)| Some((name.clone(), node.sip.as_ref()?.to_string())))
            .collect();
        Ok(config)
    }
}
