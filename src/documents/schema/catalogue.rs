//! The files under `schemas/`, each compiled once: for the store, for the API, and as it is served.
//!
//! One file says both what the store takes and what the API takes. Keywords inside `x-api` hold for the API only: an import
//! may bring documents of another system (ids of any length, users without a name) that calls handle well, while a document
//! made through the API is held to what its clients were promised. For the same reason `x-lenient` on a whole schema leaves
//! all of it to the API: the store takes any object, and what reads it trusts no value.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use jsonschema::{PatternOptions, Registry, Validator};
use serde_json::{Map, Value, json};

use super::shape::Shapes;

/// Every schema by file name, as the build script found them: a schema is one file and no line anywhere.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/schemas.rs"));

/// What a name is resolved against when one schema refers to another.
const BASE: &str = "https://linefinder.invalid/schemas/";

/// Keywords that hold for the API alone, to be merged into the schema around them; `null` takes a keyword out.
const OVERLAY: &str = "x-api";

/// See the top: the store takes any object.
const LENIENT: &str = "x-lenient";

/// A node of a flow. References to it are compiled as any object, and `flow` walks the tree with a stack of its own: flows are
/// deeper than a validator that calls itself may go.
pub(super) const FLOW: &str = "callflows.action";

/// The text of a schema file: a document type's name, or `actions/` and the module's.
#[must_use]
pub fn text(file: &str) -> Option<&'static str> {
    let found = FILES.iter().find(|(known, _)| *known == file);
    found.map(|(_, text)| *text)
}

/// The name that clients know a schema by, from its file's name. Kinds are singular files and plural names.
fn name_of(file: &str) -> String {
    if let Some(module) = file.strip_prefix("actions/") {
        return format!("callflows.{module}");
    }
    if let Some(name) = file.rsplit_once('/').map(|(_, name)| name) {
        return name.to_owned();
    }
    match file {
        "connectivity" | "limits" | "media" => file.to_owned(),
        "number" => "phone_numbers".to_owned(),
        "vmbox" => "vmboxes".to_owned(),
        "directory" => "directories".to_owned(),
        kind => format!("{kind}s"),
    }
}

/// Written by the daemon alone, and of no use to those who write documents.
fn internal(file: &str) -> bool {
    matches!(file, "recording" | "registration" | "voicemail_message")
}

pub(super) struct Entry {
    pub internal: bool,
    /// As the API validates and serves it.
    pub source: Value,
    /// As the store validates it; kept for its `expected` annotations.
    pub stored_source: Value,
    pub api: Validator,
    pub stored: Validator,
}

pub(super) struct Catalogue {
    pub entries: BTreeMap<String, Entry>,
    by_file: HashMap<&'static str, String>,
    pub shapes: Shapes,
}

impl Catalogue {
    /// The name that clients know the file's schema by.
    pub(super) fn name_of_file(&self, file: &str) -> Option<&str> {
        self.by_file.get(file).map(String::as_str)
    }
}

/// Our schemas, so one that does not compile is our mistake; a test compiles them all. Until it is mended, nothing of the kind is
/// accepted.
pub(super) static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let mut parsed: Vec<(&'static str, String, Value)> = Vec::new();
    for (file, text) in FILES {
        match serde_json::from_str(text) {
            Ok(source) => parsed.push((file, name_of(file), source)),
            Err(error) => tracing::error!(schema = file, %error, "a schema is no JSON"),
        }
    }
    let form = |strict: bool| -> BTreeMap<String, Value> {
        let forms = parsed.iter().map(|(_, name, source)| {
            let mut source = match source.get(LENIENT).is_some() && !strict {
                true => json!({"type": "object"}),
                false => source.clone(),
            };
            overlay(&mut source, strict);
            if let Some(members) = source.as_object_mut() {
                members.shift_remove(LENIENT);
                members.insert("$id".to_owned(), json!(format!("{BASE}{name}")));
            }
            (name.clone(), source)
        });
        forms.collect()
    };
    let (stored_sources, sources) = (form(false), form(true));
    let stored = validators(&stored_sources, false);
    let api = validators(&sources, true);
    let shapes = Shapes::of(&sources);
    let mut by_file = HashMap::new();
    let mut entries = BTreeMap::new();
    let (mut stored, mut api) = (stored, api);
    for (file, name, _) in &parsed {
        let validators = (stored.remove(name), api.remove(name));
        let sources = (stored_sources.get(name), sources.get(name));
        if let ((Some(stored), Some(api)), (Some(stored_source), Some(source))) =
            (validators, sources)
        {
            by_file.insert(*file, name.clone());
            let entry = Entry {
                internal: internal(file),
                source: source.clone(),
                stored_source: stored_source.clone(),
                api,
                stored,
            };
            entries.insert(name.clone(), entry);
        }
    }
    Catalogue {
        entries,
        by_file,
        shapes,
    }
});

/// Merges every `x-api` into the schema that it stands in, or drops it.
fn overlay(schema: &mut Value, strict: bool) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(extra)) = members.shift_remove(OVERLAY)
                && strict
            {
                merge(members, extra);
            }
            members.values_mut().for_each(|v| overlay(v, strict));
        }
        Value::Array(items) => items.iter_mut().for_each(|v| overlay(v, strict)),
        _ => {}
    }
}

fn merge(into: &mut Map<String, Value>, extra: Map<String, Value>) {
    for (key, value) in extra {
        match (into.get_mut(&key), value) {
            (_, Value::Null) => {
                into.shift_remove(&key);
            }
            (Some(Value::Object(known)), Value::Object(value)) => merge(known, value),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// See [`FLOW`].
fn without_flows(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let refers = members.get("$ref").and_then(Value::as_str) == Some(FLOW);
            if refers {
                return json!({"type": "object"});
            }
            let kept = members.iter().map(|(k, v)| (k.clone(), without_flows(v)));
            Value::Object(kept.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_flows).collect()),
        other => other.clone(),
    }
}

fn validators(sources: &BTreeMap<String, Value>, formats: bool) -> HashMap<String, Validator> {
    let sources: BTreeMap<&String, Value> = sources
        .iter()
        .map(|(name, source)| (name, without_flows(source)))
        .collect();
    let resources = sources
        .iter()
        .map(|(name, source)| (format!("{BASE}{name}"), source));
    let told = |error: &jsonschema::ReferencingError| {
        tracing::error!(%error, "the schemas can't be told apart");
    };
    let registry = Registry::new()
        .extend(resources)
        .and_then(|builder| builder.prepare())
        .inspect_err(told);
    let Ok(registry) = registry else {
        return HashMap::new();
    };
    let compile = |(name, source): (&&String, &Value)| {
        let validator = jsonschema::draft202012::options()
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(formats)
            .with_registry(&registry)
            .build(source)
            .inspect_err(
                |error| tracing::error!(schema = %name, %error, "a schema does not compile"),
            )
            .ok()?;
        Some(((*name).clone(), validator))
    };
    sources.iter().filter_map(compile).collect()
}

/// The names of all schemas, sorted; with `internals`, those of documents that only the daemon writes too.
#[must_use]
pub fn names(internals: bool) -> Vec<&'static str> {
    let entries = CATALOGUE.entries.iter();
    let shown = entries.filter(|(_, entry)| internals || !entry.internal);
    shown.map(|(name, _)| name.as_str()).collect()
}

/// A schema as clients see it: the rules of the API, with `id`, its name.
#[must_use]
pub fn served(name: &str) -> Option<Value> {
    let source = CATALOGUE.entries.get(name)?.source.as_object()?;
    let mut shown = Map::new();
    shown.insert("id".to_owned(), json!(name));
    shown.extend(source.iter().map(|(k, v)| (k.clone(), v.clone())));
    Some(Value::Object(shown))
}

#[cfg(test)]
mod tests {
    use super::super::super::DocumentType;
    use super::*;

    #[test]
    fn every_schema_compiles_and_is_a_valid_schema() {
        assert_eq!(CATALOGUE.entries.len(), FILES.len());
        for (name, entry) in &CATALOGUE.entries {
            assert!(jsonschema::meta::is_valid(&entry.source), "{name}");
            assert!(jsonschema::meta::is_valid(&entry.stored_source), "{name}");
        }
        for kind in DocumentType::ALL {
            assert!(text(kind.as_str()).is_some(), "{kind}");
            assert!(CATALOGUE.name_of_file(kind.as_str()).is_some(), "{kind}");
        }
        assert!(text("nothing").is_none());
    }

    #[test]
    fn clients_find_schemas_by_the_names_they_know() {
        let names = names(false);
        for name in [
            "devices",
            "users",
            "callflows",
            "connectivity",
            "callflows.device",
        ] {
            assert!(names.contains(&name), "{name}");
            assert_eq!(served(name).unwrap()["id"], name);
        }
        assert!(names.is_sorted());
        assert!(!names.contains(&"registrations"));
        assert_eq!(served("device"), None);
    }

    #[test]
    fn an_overlay_is_merged_for_the_api_and_dropped_for_the_store() {
        let source =
            json!({"type": "string", "pattern": "x", "x-api": {"minLength": 3, "pattern": null}});
        let form = |strict| {
            let mut form = source.clone();
            overlay(&mut form, strict);
            form
        };
        assert_eq!(form(true), json!({"type": "string", "minLength": 3}));
        assert_eq!(form(false), json!({"type": "string", "pattern": "x"}));
    }
}
