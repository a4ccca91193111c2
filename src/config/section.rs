//! Reads one table into its settings, collecting every problem instead of stopping at the first.

use std::collections::BTreeMap;

use figment::error::Kind;
use figment::value::{Dict, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::layers::{Layers, PREFIX, joined};
use super::problem::{Origin, Problem};

/// An effective setting, as it may be shown: secrets are already hidden in `value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// `section` or `nodes.NAME`.
    pub section: String,
    pub key: String,
    pub value: serde_json::Value,
    pub origin: Origin,
}

/// A table whose keys are the fields of a struct.
pub(super) trait Section: Default + Serialize + DeserializeOwned {
    /// Fields that can't be written here, with the reason: a setting that does nothing misleads.
    const REFUSED: &'static [(&'static str, &'static str)] = &[];

    /// Reports values that have the right type and make no sense: key, what was expected.
    fn check(&self, _report: &mut dyn FnMut(&str, String)) {}
}

/// Goes through the merged layers table by table.
pub(super) struct Reader {
    values: Dict,
    origins: BTreeMap<String, Origin>,
    sectionless: Vec<String>,
    pub problems: Vec<Problem>,
    pub settings: Vec<Setting>,
    /// Tables of the top level asked for so far.
    known: Vec<&'static str>,
}

impl Reader {
    pub fn new(layers: Layers) -> Self {
        Self {
            values: layers.values,
            origins: layers.origins,
            sectionless: layers.sectionless,
            problems: Vec::new(),
            settings: Vec::new(),
            known: Vec::new(),
        }
    }

    /// The table `name`, defaults where it says nothing.
    pub fn section<T: Section>(&mut self, name: &'static str) -> T {
        let table = self.table(name);
        self.fill(name, table)
    }

    /// Tables by name, `[name.NAME]`: their names and settings.
    pub fn named<T: Section>(&mut self, name: &'static str) -> Vec<(String, T)> {
        let mut found = Vec::new();
        for (key, value) in self.table(name) {
            let path = joined(name, &key);
            match value {
                Value::Dict(_, table) => found.push((key, self.fill(&path, table))),
                _ => self.report(&path, format!("expected a table, written [{path}]")),
            }
        }
        found
    }

    /// Reports the tables that nobody asked for, and puts the problems in the order of the file.
    pub fn finish(&mut self) {
        self.report_single_underscores();
        let left: Vec<String> = self
            .values
            .keys()
            .filter(|key| !self.known.contains(&key.as_str()))
            .cloned()
            .collect();
        for key in left {
            let message = unknown("section", &key, &self.known);
            self.report_below(&key, message);
        }
        self.problems.sort_by_key(|problem| match problem.origin {
            Origin::File { line, .. } => line,
            _ => usize::MAX,
        });
    }

    /// `LINEFINDER_STORE_PATH` would be ignored in silence.
    fn report_single_underscores(&mut self) {
        for name in std::mem::take(&mut self.sectionless) {
            let rest = name.strip_prefix(PREFIX).unwrap_or_default().to_lowercase();
            let key = self.known.iter().find_map(|section| {
                let key = rest.strip_prefix(section)?.strip_prefix('_')?;
                Some((*section, key))
            });
            if let Some((section, key)) = key {
                let meant = format!("{PREFIX}{section}__{key}").to_uppercase();
                self.problems.push(Problem {
                    origin: Origin::Environment(name),
                    setting: String::new(),
                    expected: format!("two underscores go between section and key: {meant}"),
                });
            }
        }
    }

    /// Where a setting was written; its table's place if the key is nowhere.
    pub fn origin(&self, path: &str) -> Origin {
        let found = self.origins.get(path);
        found.cloned().unwrap_or(Origin::Default)
    }

    pub fn report(&mut self, path: &str, expected: String) {
        let above = path.rsplit_once('.').map_or("", |(above, _)| above);
        let found = self.origins.get(path).or_else(|| self.origins.get(above));
        self.problems.push(Problem {
            origin: found.cloned().unwrap_or(Origin::Default),
            setting: path.to_owned(),
            expected,
        });
    }

    /// Like `report`, for a table that only the environment names: any key under it tells where.
    fn report_below(&mut self, path: &str, expected: String) {
        let start = format!("{path}.");
        let origin = self.origins.get(path).or_else(|| {
            let mut below = self.origins.iter();
            below.find_map(|(key, origin)| key.starts_with(&start).then_some(origin))
        });
        self.problems.push(Problem {
            origin: origin.cloned().unwrap_or(Origin::Default),
            setting: path.to_owned(),
            expected,
        });
    }

    fn table(&mut self, name: &'static str) -> Dict {
        self.known.push(name);
        match self.values.get(name) {
            None => Dict::new(),
            Some(Value::Dict(_, table)) => table.clone(),
            Some(_) => {
                self.report(name, format!("expected a table, written [{name}]"));
                Dict::new()
            }
        }
    }

    fn fill<T: Section>(&mut self, path: &str, table: Dict) -> T {
        let known = fields(&T::default());
        let known: Vec<&str> = known
            .iter()
            .map(|(key, _)| key.as_str())
            .filter(|key| T::REFUSED.iter().all(|(field, _)| field != key))
            .collect();
        let mut accepted = Dict::new();
        for (key, value) in table {
            let at = joined(path, &key);
            if let Some((_, why)) = T::REFUSED.iter().find(|(field, _)| *field == key) {
                self.report_below(&at, (*why).to_owned());
            } else if !known.contains(&key.as_str()) {
                let message = unknown("key", &key, &known);
                self.report_below(&at, message);
            } else {
                match fitting::<T>(&key, value) {
                    Ok(value) => {
                        accepted.insert(key, value);
                    }
                    Err(expected) => self.report(&at, expected),
                }
            }
        }
        // Each key has been tried by itself, so together they fit; a field rejected above has its default.
        let section: T = Value::from(accepted).deserialize().unwrap_or_default();
        let mut found = Vec::new();
        section.check(&mut |key, expected| found.push((joined(path, key), expected)));
        for (at, expected) in found {
            self.report(&at, expected);
        }
        for (key, value) in fields(&section) {
            if T::REFUSED.iter().any(|(field, _)| *field == key) {
                continue;
            }
            let origin = self.origin(&joined(path, &key));
            self.settings.push(Setting {
                section: path.to_owned(),
                key,
                value,
                origin,
            });
        }
        section
    }
}

/// The fields of a section in the order of its declaration, secrets hidden.
pub(super) fn fields<T: Serialize>(section: &T) -> Vec<(String, serde_json::Value)> {
    match serde_json::to_value(section) {
        Ok(serde_json::Value::Object(map)) => map.into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Whether the value fits its field. A text out of the environment that doesn't fit is
/// read as a number, truth value or list.
fn fitting<T: Section>(key: &str, value: Value) -> Result<Value, String> {
    let try_alone = |value: &Value| {
        let alone = Dict::from([(key.to_owned(), value.clone())]);
        let tried = Value::from(alone).deserialize::<T>();
        tried.map(drop).map_err(|error| wording(error.kind))
    };
    let wrong = match try_alone(&value) {
        Ok(()) => return Ok(value),
        Err(wrong) => wrong,
    };
    if let Value::String(_, text) = &value {
        let read: Value = text.parse().unwrap_or_else(|never| match never {});
        if try_alone(&read).is_ok() {
            return Ok(read);
        }
    }
    Err(wrong)
}

fn wording(kind: Kind) -> String {
    match kind {
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("expected {}, found {found}", plainly(&expected))
        }
        Kind::UnknownVariant(found, known) => {
            format!("expected one of {}, found {found}", known.join(", "))
        }
        // The standard library's words for an address without a port, and for a host name.
        Kind::Message(text) if text == "invalid socket address syntax" => {
            "expected an IP address with a port, such as 127.0.0.1:8084".into()
        }
        other => other.to_string(),
    }
}

/// Serde's names of types, for people.
fn plainly(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "a boolean" => "true or false",
        "a string" | "path string" => "a text in quotes",
        "a sequence" => "a list",
        other => other,
    }
}

/// "unknown key; did you mean X?", or the list when nothing is near.
fn unknown(what: &str, found: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(name, found), *name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 3)
        .min();
    match near {
        Some((_, name)) => format!("unknown {what}; did you mean {name}?"),
        None => format!("unknown {what}; there are {}", known.join(", ")),
    }
}
