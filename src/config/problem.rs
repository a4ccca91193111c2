//! What is wrong with a configuration, and where it was written.

use std::fmt;
use std::path::PathBuf;

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File {
        path: PathBuf,
        line: usize,
    },
    /// The name of an environment variable.
    Environment(String),
    /// A file named by `password_file`.
    SecretFile(PathBuf),
    /// A systemd credential (`LoadCredential=`).
    Credential(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Environment(name) => f.write_str(name),
            Origin::SecretFile(path) => write!(f, "file {}", path.display()),
            Origin::Credential(name) => write!(f, "credential {name}"),
        }
    }
}

/// One thing to mend: where, which setting, what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub origin: Origin,
    /// `section.key`; empty when the file itself can't be read as TOML.
    pub setting: String,
    pub expected: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.origin != Origin::Default {
            write!(f, "{}: ", self.origin)?;
        }
        if !self.setting.is_empty() {
            write!(f, "{}: ", self.setting)?;
        }
        f.write_str(&self.expected)
    }
}

/// Why there is no configuration to run with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("the configuration {path} can't be read: {why}", path = path.display())]
    Unreadable { path: PathBuf, why: String },
    /// Everything that is wrong, in one go.
    #[error("the configuration has {}:{}", count(.0), listed(.0))]
    Invalid(Vec<Problem>),
}

fn count(problems: &[Problem]) -> String {
    match problems.len() {
        1 => "a problem".into(),
        n => format!("{n} problems"),
    }
}

fn listed(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|problem| format!("\n  {problem}"))
        .collect()
}
