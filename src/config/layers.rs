//! The file and the environment, laid over each other, with a note of where each key was written.

use std::collections::BTreeMap;
use std::path::Path;

use figment::providers::Format as _;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use toml::de::{DeTable, DeValue};

use super::problem::{ConfigError, Origin, Problem};

/// Prefix of the variables that are settings; sections and keys follow, joined by two underscores.
pub(super) const PREFIX: &str = "LINEFINDER_";

/// The merged values, and the origin of every key in them (`section.key`).
pub(super) struct Layers {
    pub values: Dict,
    pub origins: BTreeMap<String, Origin>,
    /// Variables with our prefix that name no section: `LINEFINDER_LIVE`, and slips.
    pub sectionless: Vec<String>,
}

impl Layers {
    /// Reads the file, if there is one, and the settings among the environment variables.
    pub fn read(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Layers, ConfigError> {
        let text = match file {
            Some(path) => read_text(path)?,
            None => String::new(),
        };
        let mut origins = BTreeMap::new();
        let mut problems = Vec::new();
        let figment = match file {
            Some(path) => {
                locate(path, &text, &mut origins, &mut problems);
                Figment::from(figment::providers::Toml::string(&text))
            }
            None => Figment::new(),
        };
        if !problems.is_empty() {
            // Keys of a file that is no TOML can't be judged.
            return Err(ConfigError::Invalid(problems));
        }
        let mut sectionless = Vec::new();
        let environment = Environment::select(environment, &mut origins, &mut sectionless);
        let merged = figment.merge(environment).data();
        let mut profiles = merged.map_err(|error| {
            ConfigError::Invalid(vec![Problem {
                origin: Origin::Default,
                setting: error.path.join("."),
                expected: error.kind.to_string(),
            }])
        })?;
        let values = profiles.remove(&Profile::Default).unwrap_or_default();
        Ok(Layers {
            values,
            origins,
            sectionless,
        })
    }
}

fn read_text(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |why: String| ConfigError::Unreadable {
        path: path.to_owned(),
        why,
    };
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| {
        unreadable(format!(
            "byte {} is not UTF-8",
            error.utf8_error().valid_up_to()
        ))
    })
}

/// Notes the line of every key; syntax errors become problems, all of them.
fn locate(
    path: &Path,
    text: &str,
    origins: &mut BTreeMap<String, Origin>,
    problems: &mut Vec<Problem>,
) {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        problems.push(Problem {
            origin: Origin::File {
                path: path.to_owned(),
                line: line_at(text, at),
            },
            setting: String::new(),
            expected: format!("not TOML: {}", error.message()),
        });
    }
    note_lines(path, text, "", table.get_ref(), origins);
}

fn note_lines(
    path: &Path,
    text: &str,
    parent: &str,
    table: &DeTable<'_>,
    origins: &mut BTreeMap<String, Origin>,
) {
    for (key, value) in table {
        let name = joined(parent, key.get_ref());
        let line = line_at(text, key.span().start);
        let path_of_file = path.to_owned();
        origins.insert(
            name.clone(),
            Origin::File {
                path: path_of_file,
                line,
            },
        );
        if let DeValue::Table(inner) = value.get_ref() {
            note_lines(path, text, &name, inner, origins);
        }
    }
}

/// Number of the line that holds the byte, counted from 1.
fn line_at(text: &str, byte: usize) -> usize {
    1 + text
        .bytes()
        .take(byte)
        .filter(|found| *found == b'\n')
        .count()
}

pub(super) fn joined(parent: &str, key: &str) -> String {
    if parent.is_empty() {
        key.to_owned()
    } else {
        format!("{parent}.{key}")
    }
}

/// The settings among the environment variables, as texts: a section knows the types, and a
/// password of digits must not become a number on the way.
struct Environment(Dict);

impl Environment {
    fn select(
        variables: impl IntoIterator<Item = (String, String)>,
        origins: &mut BTreeMap<String, Origin>,
        sectionless: &mut Vec<String>,
    ) -> Self {
        let mut tree = Dict::new();
        let mut variables: Vec<_> = variables.into_iter().collect();
        variables.sort();
        for (name, value) in variables {
            let Some(rest) = name.strip_prefix(PREFIX) else {
                continue;
            };
            if !rest.contains("__") {
                sectionless.push(name);
                continue;
            }
            let mut path = String::new();
            let mut keys = Vec::new();
            for part in rest.split("__") {
                let key = spelled_as_in_file(&path, part, origins);
                path = joined(&path, &key);
                keys.push(key);
            }
            plant(&mut tree, &keys, Value::from(value));
            origins.insert(path, Origin::Environment(name));
        }
        Self(tree)
    }
}

/// A shell's variable has capitals and no `-`: `NODES__FS_1` means the file's `nodes.fs-1`, if it has one.
fn spelled_as_in_file(parent: &str, part: &str, origins: &BTreeMap<String, Origin>) -> String {
    let plain = |text: &str| text.to_lowercase().replace(['-', '.'], "_");
    let wanted = plain(part);
    let start = if parent.is_empty() {
        String::new()
    } else {
        format!("{parent}.")
    };
    origins
        .keys()
        .filter_map(|known| known.strip_prefix(&start))
        .find(|known| plain(known) == wanted)
        .map_or_else(|| part.to_lowercase(), str::to_owned)
}

fn plant(tree: &mut Dict, keys: &[String], value: Value) {
    match keys {
        [] => {}
        [last] => {
            tree.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let below = tree
                .entry(first.clone())
                .or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, inner) = below {
                plant(inner, rest, value);
            }
        }
    }
}

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.0.clone())]))
    }
}
