//! What an operator can set: one TOML file, then `LINEFINDER_SECTION__KEY` from the environment.
//! Everything is read, checked and reported together before any port is bound.

mod directory;
mod layers;
mod load;
mod node;
mod problem;
mod secret;
mod section;
mod sections;
mod show;

pub use directory::DirectorySettings;
pub use load::{Config, DEFAULT_FILE};
pub use node::{DEFAULT_PASSWORD, HostPort, NodeSettings};
pub use problem::{ConfigError, Origin, Problem};
pub use secret::Secret;
pub use section::Setting;
pub use sections::{
    ConsoleSettings, HandoffSettings, LogFormat, LogSettings, MetricsSettings, Subnet,
};
