//! One thing that is wrong with a value, told twice: in plain words for operators, and as the API's clients match it.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::{Map, Value, json};

use super::catalogue::CATALOGUE;
use super::nearest;

/// A value that a document must not have, or one that it lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Dotted path of the offending or missing value, map keys as they are; empty for the document itself.
    pub field: String,
    pub expected: String,
}

/// What the API tells about one field: api spec 3.2.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldError {
    /// Dotted path; a dot inside a key is `%2E`, positions in lists count from 0.
    pub field: String,
    /// The rule that does not hold: `required`, `type`, `minLength` ...
    pub code: &'static str,
    /// `message`, and by code `target` (the rule's argument), `value` (what was given), `cause`, `nearest` (what was probably meant).
    pub body: Map<String, Value>,
}

/// A path as the API names it: a dot inside a key is `%2E`.
pub(super) fn dotted(path: &[String]) -> String {
    let keys: Vec<String> = path.iter().map(|key| key.replace('.', "%2E")).collect();
    keys.join(".")
}

impl FieldError {
    /// An error that no schema tells: `field` is a dotted path already.
    #[must_use]
    pub fn new(field: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        let mut body = Map::new();
        body.insert("message".to_owned(), Value::String(message.into()));
        Self {
            field: field.into(),
            code,
            body,
        }
    }

    /// With one more member of the body.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.body.insert(member.to_owned(), value.into());
        self
    }
}

pub(super) struct Fault {
    pub path: Vec<String>,
    pub expected: String,
    pub code: &'static str,
    pub body: Map<String, Value>,
}

impl Fault {
    pub(super) fn new(path: &[String], code: &'static str, expected: impl Into<String>) -> Self {
        Self {
            path: path.to_vec(),
            expected: expected.into(),
            code,
            body: Map::new(),
        }
    }

    pub(super) fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.body.insert(member.to_owned(), value.into());
        self
    }

    fn saying(self, message: impl Into<String>) -> Self {
        self.with("message", message.into())
    }

    pub(super) fn missing(path: &[String], within: &Value) -> Self {
        let mut fault = Self::new(path, "required", "a value; it is required")
            .saying("Field is required but missing")
            .with("value", within.clone());
        let sent = within
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str());
        if let Some(name) = path.last()
            && let Some(misspelt) = nearest::nearest(name, sent)
        {
            fault.expected = format!("a value; it is required, and {misspelt} is no such field");
            fault.body.insert("misspelt".to_owned(), json!(misspelt));
        }
        fault
    }

    pub(super) fn wrong_type(path: &[String], types: &[&str], value: &Value) -> Self {
        let words: Vec<String> = types.iter().map(|kind| article(kind)).collect();
        let types = types.join(", ");
        Self::new(path, "type", words.join(" or "))
            .saying(format!("Value did not match type(s): {types}"))
            .with("target", types)
            .with("value", value.clone())
    }

    pub(super) fn violation(self) -> Violation {
        Violation {
            field: self.path.join("."),
            expected: self.expected,
        }
    }

    pub(super) fn field_error(mut self) -> FieldError {
        // the operator's words serve where the clients' table has none
        let words = Value::String(self.expected);
        self.body.entry("message").or_insert(words);
        FieldError {
            field: dotted(&self.path),
            code: self.code,
            body: self.body,
        }
    }
}

const STRICT: &str = "Strict checking of data is enabled; only include schema-defined properties";

fn article(kind: &str) -> String {
    match kind {
        "array" => "a list".to_owned(),
        "object" => "an object".to_owned(),
        "integer" => "a whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "null" => "null".to_owned(),
        other => format!("a {other}"),
    }
}

/// A JSON pointer's parts.
fn parts(pointer: &str) -> impl Iterator<Item = String> {
    let parts = pointer.split('/').skip(1);
    parts.map(|part| part.replace("~1", "/").replace("~0", "~"))
}

/// The schema around the keyword that failed: its annotations say in plain words what a pattern wants. `source` is the whole
/// schema, `other` finds those that it refers to.
fn around<'a>(error: &ValidationError<'_>, source: &'a Value, strict: bool) -> Option<&'a Value> {
    let path = error.evaluation_path().as_str();
    let (parent, _) = path.rsplit_once('/')?;
    let mut root = source;
    let mut at = source;
    for part in parts(parent) {
        if part != "$ref" {
            at = match at {
                Value::Array(items) => items.get(part.parse::<usize>().ok()?)?,
                other => other.get(&part)?,
            };
            continue;
        }
        let reference = at.get("$ref")?.as_str()?;
        let (name, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        if !name.is_empty() {
            let entry = CATALOGUE.entries.get(name)?;
            root = if strict {
                &entry.source
            } else {
                &entry.stored_source
            };
        }
        at = root.pointer(pointer)?;
    }
    Some(at)
}

fn list(options: &Value) -> String {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    match options {
        Value::Array(options) => options.iter().map(text).collect::<Vec<_>>().join(", "),
        other => text(other),
    }
}

fn kinds(kind: &TypeKind) -> Vec<String> {
    match kind {
        TypeKind::Single(kind) => vec![kind.to_string()],
        TypeKind::Multiple(kinds) => kinds.iter().map(|k| k.to_string()).collect(),
    }
}

/// What one error of the validator means; one for each member that must not be there.
pub(super) fn faults(error: &ValidationError<'_>, source: &Value, strict: bool) -> Vec<Fault> {
    let path: Vec<String> = parts(error.instance_path().as_str()).collect();
    let value = error.instance();
    let schema = around(error, source, strict);
    let annotated = schema
        .and_then(|s| s.get("expected"))
        .and_then(Value::as_str);
    let message = |code: &str| schema.and_then(|s| s.get("x-messages")?.get(code)?.as_str());
    let below =
        |name: &str| -> Vec<String> { path.iter().cloned().chain([name.to_owned()]).collect() };
    let told = |code: &'static str, expected: String, message: String, target: Value| {
        Fault::new(&path, code, expected)
            .saying(message)
            .with("target", target)
            .with("value", value.as_ref().clone())
    };
    let length = |code, expected: String, message: String, limit: u64| {
        told(code, expected, message, json!(limit)).with("cause", value.as_ref().clone())
    };
    let mut fault = match error.kind() {
        ValidationErrorKind::Required { property } => {
            return vec![Fault::missing(
                &below(property.as_str().unwrap_or_default()),
                value,
            )];
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = schema
                .and_then(|s| s.get("properties"))
                .and_then(Value::as_object);
            let known: Vec<&str> = known
                .into_iter()
                .flatten()
                .map(|(name, _)| name.as_str())
                .collect();
            let one = |name: &String| {
                let mut expected = annotated.unwrap_or("no such field").to_owned();
                let meant = nearest::nearest(name, known.iter().copied());
                if let Some(meant) = meant {
                    expected = format!("{expected}; is {meant} meant?");
                }
                let given = value.get(name).cloned().unwrap_or_default();
                let fault = Fault::new(&below(name), "additionalProperties", expected)
                    .saying(STRICT)
                    .with("value", given);
                match meant {
                    Some(meant) => fault.with("nearest", meant),
                    None => fault,
                }
            };
            return unexpected.iter().map(one).collect();
        }
        // a name that its map does not take
        ValidationErrorKind::PropertyNames { error: inner } => {
            let name = inner.instance().as_str().unwrap_or_default();
            let words = schema.and_then(|s| s.get("propertyNames")?.get("expected")?.as_str());
            let given = value.get(name).cloned().unwrap_or_default();
            let fault = Fault::new(
                &below(name),
                "additionalProperties",
                words.unwrap_or("no such field"),
            )
            .saying(STRICT)
            .with("value", given);
            return vec![fault];
        }
        ValidationErrorKind::Type { kind } => {
            let kinds = kinds(kind);
            let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
            Fault::wrong_type(&path, &kinds, value)
        }
        ValidationErrorKind::Enum { options } => {
            let message = "Value not found in enumerated list of values";
            let fault = told(
                "enum",
                format!("one of {}", list(options)),
                message.to_owned(),
                options.clone(),
            );
            let options = options
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            match value
                .as_str()
                .and_then(|given| nearest::nearest(given, options))
            {
                Some(meant) => fault.with("nearest", meant),
                None => fault,
            }
        }
        ValidationErrorKind::MinLength { limit } => {
            let expected = match limit {
                1 => "a text that is not empty".to_owned(),
                limit => format!("at least {limit} characters"),
            };
            length(
                "minLength",
                expected,
                format!("String must be at least {limit} characters"),
                *limit,
            )
        }
        ValidationErrorKind::MaxLength { limit } => {
            let message = format!("String must not be more than {limit} characters");
            length(
                "maxLength",
                format!("at most {limit} characters"),
                message,
                *limit,
            )
        }
        ValidationErrorKind::Minimum { limit } => told(
            "minimum",
            format!("at least {limit}"),
            format!("Value must be at least {limit}"),
            limit.clone(),
        ),
        ValidationErrorKind::Maximum { limit } => told(
            "maximum",
            format!("at most {limit}"),
            format!("Value must be at most {limit}"),
            limit.clone(),
        ),
        ValidationErrorKind::MinItems { limit } => {
            let message = format!("The list must have at least {limit} items");
            told(
                "minItems",
                format!("at least {limit} items"),
                message,
                json!(limit),
            )
        }
        ValidationErrorKind::MaxItems { limit } => {
            let message = format!("The list is more than {limit} items");
            told(
                "maxItems",
                format!("at most {limit} items"),
                message,
                json!(limit),
            )
        }
        ValidationErrorKind::UniqueItems => told(
            "uniqueItems",
            "no item twice".to_owned(),
            "List of items is not unique".to_owned(),
            json!(true),
        ),
        ValidationErrorKind::Pattern { pattern } => {
            let expected =
                annotated.map_or_else(|| format!("a text that matches {pattern}"), str::to_owned);
            told(
                "pattern",
                expected,
                format!("Failed to match pattern '{pattern}'"),
                json!(pattern),
            )
        }
        ValidationErrorKind::Format { format } => {
            let expected =
                annotated.map_or_else(|| format!("a well-formed {format}"), str::to_owned);
            Fault::new(&path, "wrong_format", expected)
                .saying("Field is not in the correct format")
                .with("format", json!(format))
                .with("value", value.as_ref().clone())
        }
        _ => {
            let expected = annotated.map_or_else(|| error.to_string(), str::to_owned);
            Fault::new(&path, "invalid", expected).with("value", value.as_ref().clone())
        }
    };
    if let Some(words) = message(fault.code) {
        fault.body.insert("message".to_owned(), json!(words));
    }
    vec![fault]
}
