//! Validation of documents against `schemas/`: what is wrong, where, and what was expected.

use std::collections::HashMap;
use std::sync::LazyLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value};

use super::DocumentType;

/// Nodes from the root of a flow to its deepest leaf.
pub const FLOW_DEPTH_MAX: usize = 200;

/// A flow as JSON, in bytes.
pub const FLOW_BYTES_MAX: usize = 1 << 20;

/// Longest name of a module, in characters.
const MODULE_MAX: usize = 64;

/// A value that a document must not have, or one that it lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Dotted path of the offending or missing value, map keys as they are; empty for the document itself.
    pub field: String,
    pub expected: String,
}

/// Every schema by name, as the build script found them: a schema is one file and no line anywhere.
const SCHEMAS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/schemas.rs"));

/// The text of a schema: a document type's name, or `actions/` and the module's.
#[must_use]
pub fn text(name: &str) -> Option<&'static str> {
    let found = SCHEMAS.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text)
}

struct Compiled {
    validator: Validator,
    /// The schema itself: its `expected` annotations say in plain words what a pattern wants.
    source: Value,
}

/// Our schemas, so one that does not compile is our mistake; a test compiles them all. Until it is mended, nothing of the kind is accepted.
static COMPILED: LazyLock<HashMap<&'static str, Compiled>> = LazyLock::new(|| {
    let compile = |name: &'static str, text: &str| -> Option<(&'static str, Compiled)> {
        let source: Value = serde_json::from_str(text).ok()?;
        let validator = jsonschema::draft202012::options()
            .with_pattern_options(PatternOptions::regex())
            .build(&source)
            .inspect_err(
                |error| tracing::error!(schema = name, %error, "a schema does not compile"),
            )
            .ok()?;
        Some((name, Compiled { validator, source }))
    };
    SCHEMAS
        .iter()
        .filter_map(|(name, text)| compile(name, text))
        .collect()
});

/// What is wrong with a document (without `type`, `account_id` and `id`); nothing if it is valid.
#[must_use]
pub fn validate(kind: DocumentType, body: &Map<String, Value>) -> Vec<Violation> {
    validate_value(kind, &Value::Object(body.clone()))
}

/// The same for a document that is a JSON value already.
#[must_use]
pub fn validate_value(kind: DocumentType, document: &Value) -> Vec<Violation> {
    let mut violations = against(kind.as_str(), document, "");
    match kind {
        DocumentType::Callflow => {
            if let Some(flow) = document.get("flow").filter(|flow| flow.is_object()) {
                violations.extend(flow_violations(flow, "flow"));
            }
        }
        DocumentType::Device => {
            let told = |v: &Violation| violations.iter().any(|known| known.field == v.field);
            let bad_address = address(document).filter(|v| !told(v));
            violations.extend(bad_address);
        }
        _ => {}
    }
    violations
}

/// What is wrong with a tree of actions: shape of its nodes, depth, size, and each known module's data.
#[must_use]
pub fn validate_flow(flow: &Value) -> Vec<Violation> {
    flow_violations(flow, "")
}

fn violation(field: impl Into<String>, expected: impl Into<String>) -> Violation {
    Violation {
        field: field.into(),
        expected: expected.into(),
    }
}

fn joined(prefix: &str, path: &str) -> String {
    match (prefix, path) {
        ("", path) => path.to_owned(),
        (prefix, "") => prefix.to_owned(),
        (prefix, path) => format!("{prefix}.{path}"),
    }
}

/// A pattern can't tell 198.51.100.900 from an address.
fn address(device: &Value) -> Option<Violation> {
    let text = device.get("sip")?.get("ip")?.as_str()?;
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let sound = text.parse::<std::net::IpAddr>().is_ok()
        || text.parse::<std::net::SocketAddr>().is_ok()
        || inner.is_some_and(|t| t.parse::<std::net::Ipv6Addr>().is_ok());
    (!sound).then(|| violation("sip.ip", "an IP address, with or without :port"))
}

fn against(name: &str, value: &Value, prefix: &str) -> Vec<Violation> {
    let Some(compiled) = COMPILED.get(name) else {
        let expected = format!("nothing: the schema {name} does not compile");
        return vec![violation(prefix, expected)];
    };
    if compiled.validator.is_valid(value) {
        return Vec::new();
    }
    let errors = compiled.validator.iter_errors(value);
    let mut found: Vec<Violation> = Vec::new();
    for error in errors {
        for told in explain(&error, &compiled.source) {
            let field = joined(prefix, &told.field);
            // one value, one complaint: the first says enough
            if !found.iter().any(|known| known.field == field) {
                found.push(violation(field, told.expected));
            }
        }
    }
    found
}

/// A JSON pointer as a dotted path.
fn dotted(pointer: &str) -> String {
    let parts = pointer.split('/').skip(1);
    let plain = parts.map(|part| part.replace("~1", "/").replace("~0", "~"));
    plain.collect::<Vec<_>>().join(".")
}

/// The `expected` beside the keyword that failed.
fn annotation<'a>(error: &ValidationError<'_>, source: &'a Value) -> Option<&'a str> {
    let path = error.schema_path().as_str();
    let (parent, _) = path.rsplit_once('/')?;
    source.pointer(parent)?.get("expected")?.as_str()
}

fn list(options: &Value) -> String {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    match options {
        Value::Array(options) => options.iter().map(text).collect::<Vec<_>>().join(", "),
        other => text(other),
    }
}

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

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(kind) => article(&kind.to_string()),
        TypeKind::Multiple(kinds) => {
            let kinds: Vec<String> = kinds.iter().map(|k| article(&k.to_string())).collect();
            kinds.join(" or ")
        }
    }
}

fn explain(error: &ValidationError<'_>, source: &Value) -> Vec<Violation> {
    let at = dotted(error.instance_path().as_str());
    let annotated = annotation(error, source);
    let expected = match error.kind() {
        ValidationErrorKind::Required { property } => {
            let missing = property.as_str().unwrap_or_default();
            return vec![violation(joined(&at, missing), "a value; it is required")];
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let expected = annotated.unwrap_or("no such field");
            let names = unexpected.iter();
            return names
                .map(|name| violation(joined(&at, name), expected))
                .collect();
        }
        ValidationErrorKind::Type { kind } => types(kind),
        ValidationErrorKind::Enum { options } => format!("one of {}", list(options)),
        ValidationErrorKind::MinLength { limit: 1 } => "a text that is not empty".to_owned(),
        ValidationErrorKind::MinLength { limit } => format!("at least {limit} characters"),
        ValidationErrorKind::MaxLength { limit } => format!("at most {limit} characters"),
        ValidationErrorKind::Minimum { limit } => format!("at least {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("at most {limit}"),
        ValidationErrorKind::MaxItems { limit } => format!("at most {limit} items"),
        ValidationErrorKind::MinItems { limit } => format!("at least {limit} items"),
        ValidationErrorKind::UniqueItems => "no item twice".to_owned(),
        ValidationErrorKind::Pattern { pattern } => match annotated {
            Some(words) => words.to_owned(),
            None => format!("a text that matches {pattern}"),
        },
        _ => annotated.map_or_else(|| error.to_string(), str::to_owned),
    };
    vec![violation(at, expected)]
}

fn flow_violations(flow: &Value, at: &str) -> Vec<Violation> {
    let size = serde_json::to_vec(flow).map_or(usize::MAX, |json| json.len());
    if size > FLOW_BYTES_MAX {
        let expected = format!("a flow of at most {FLOW_BYTES_MAX} bytes, this one has {size}");
        return vec![violation(at, expected)];
    }
    let mut violations = Vec::new();
    // A stack of its own: a flow is as deep as its author likes.
    let mut nodes = vec![(flow, at.to_owned(), 1_usize)];
    while let Some((node, at, depth)) = nodes.pop() {
        if depth > FLOW_DEPTH_MAX {
            let expected = format!("a flow of at most {FLOW_DEPTH_MAX} nodes in depth");
            violations.push(violation(at, expected));
            continue;
        }
        let Some(node) = node.as_object() else {
            violations.push(violation(
                at,
                "a node: an object with module, data, children",
            ));
            continue;
        };
        // `{}` is a node too: reached, it stops the flow (callflow spec 1.4)
        if !node.is_empty() {
            node_violations(node, &at, &mut violations);
        }
        if let Some(children) = node.get("children").and_then(Value::as_object) {
            let at = joined(&at, "children");
            let below = children.iter().rev();
            nodes.extend(below.map(|(key, child)| (child, joined(&at, key), depth + 1)));
        }
    }
    violations
}

fn node_violations(node: &Map<String, Value>, at: &str, violations: &mut Vec<Violation>) {
    let mut wrong = |field: &str, expected: String| {
        violations.push(violation(joined(at, field), expected));
    };
    let module = match node.get("module") {
        Some(Value::String(module)) => Some(module),
        _ => None,
    };
    if module.is_none_or(|m| m.is_empty() || m.chars().count() > MODULE_MAX) {
        wrong(
            "module",
            format!("the name of an action, 1 to {MODULE_MAX} characters"),
        );
    }
    for field in ["data", "children"] {
        if node.get(field).is_some_and(|v| !v.is_object()) {
            wrong(field, "an object".to_owned());
        }
    }
    let Some(module) = module else {
        return;
    };
    let name = format!("actions/{module}");
    if text(&name).is_none() {
        return;
    }
    static NOTHING: LazyLock<Value> = LazyLock::new(|| Value::Object(Map::new()));
    let data = node.get("data").unwrap_or(&NOTHING);
    if data.is_object() {
        violations.extend(against(&name, data, &joined(at, "data")));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn device(body: Value) -> Vec<(String, String)> {
        let found = validate_value(DocumentType::Device, &body);
        found.into_iter().map(|v| (v.field, v.expected)).collect()
    }

    #[test]
    fn every_schema_compiles_and_is_a_valid_schema() {
        assert_eq!(COMPILED.len(), SCHEMAS.len());
        for (name, text) in SCHEMAS {
            let schema: Value = serde_json::from_str(text).unwrap();
            assert!(jsonschema::meta::is_valid(&schema), "{name}");
        }
        for kind in DocumentType::ALL {
            assert!(text(kind.as_str()).is_some(), "{kind}");
        }
        assert!(text("nothing").is_none());
    }

    #[test]
    fn the_vectors_of_validation() {
        let text = include_str!("../../tests/vectors/devices.json");
        let vectors: Value = serde_json::from_str(text).unwrap();
        let mut seen = 0;
        for case in vectors["cases"].as_array().unwrap() {
            if case["request"]["op"] != "validate" {
                continue;
            }
            seen += 1;
            let found = device(case["device"].clone());
            let fields: Vec<&str> = found.iter().map(|(f, _)| f.as_str()).collect();
            let wanted: Vec<&str> = case["expect"]["field"].as_str().into_iter().collect();
            assert_eq!(fields, wanted, "{}", case["name"]);
            assert_eq!(fields.is_empty(), case["expect"]["valid"] == true);
        }
        assert_eq!(seen, 13);
    }

    #[test]
    fn every_device_of_the_other_vectors_is_valid() {
        let text = include_str!("../../tests/vectors/devices.json");
        let vectors: Value = serde_json::from_str(text).unwrap();
        for case in vectors["cases"].as_array().unwrap() {
            let several = case["devices"].as_array().into_iter().flatten();
            if case["request"]["op"] == "validate" {
                continue;
            }
            for body in case.get("device").into_iter().chain(several) {
                let mut body = body.clone();
                body.as_object_mut().unwrap().remove("id");
                let found: Vec<_> = device(body)
                    .into_iter()
                    // cases that prove that run-time code trusts no stored value
                    .filter(|(field, _)| field != "name")
                    .collect();
                assert_eq!(found, [], "{}", case["name"]);
            }
        }
    }

    #[test]
    fn expectations_are_in_plain_words() {
        let cases = [
            (json!({}), "name", "a value; it is required"),
            (json!({"name": 5}), "name", "a string"),
            (
                json!({"name": "N", "enabled": "yes"}),
                "enabled",
                "true or false",
            ),
            (
                json!({"name": "N", "sip": {"method": "magic"}}),
                "sip.method",
                "one of password, ip",
            ),
            (
                json!({"name": "N", "sip": {"ip": "198.51.100.900"}}),
                "sip.ip",
                "an IP address, with or without :port",
            ),
            (
                json!({"name": "N", "sip": {"ip": "pbx.example.com"}}),
                "sip.ip",
                "an IP address, with or without :port",
            ),
            (
                json!({"name": "N", "sip": {"username": "a b"}}),
                "sip.username",
                "2 to 32 characters without blanks and @",
            ),
            (
                json!({"name": "N", "owner_id": "a/b"}),
                "owner_id",
                "an id: 1 to 128 letters, digits and . _ - ~ @ +",
            ),
            (
                json!({"name": "N", "media": {"audio": {"codecs": ["PCMU", "MP3"]}}}),
                "media.audio.codecs.1",
                "",
            ),
            (
                json!({"name": "N", "outbound_flags": "fax"}),
                "outbound_flags",
                "a list or an object",
            ),
            (
                json!({"name": "N", "metaflows": {"numbers": {"2": {"data": {}}}}}),
                "metaflows.numbers.2.module",
                "a value; it is required",
            ),
        ];
        for (body, field, expected) in cases {
            let found = device(body.clone());
            assert_eq!(found.len(), 1, "{body}: {found:?}");
            assert_eq!(found[0].0, field, "{body}");
            if !expected.is_empty() {
                assert_eq!(found[0].1, expected, "{body}");
            }
        }
    }

    #[test]
    fn addresses_in_all_their_forms_and_unknown_fields_pass() {
        for ip in [
            "198.51.100.9",
            "198.51.100.9:5070",
            "2001:db8::9",
            "[2001:db8::9]",
            "[2001:db8::9]:5070",
        ] {
            let found = device(json!({"name": "N", "sip": {"ip": ip, "colour": 1}, "pvt": []}));
            assert_eq!(found, [], "{ip}");
        }
    }

    fn flow(flow: Value) -> Vec<(String, String)> {
        let found = validate_flow(&flow);
        found.into_iter().map(|v| (v.field, v.expected)).collect()
    }

    fn deep(nodes: usize) -> Value {
        let mut flow = json!({"module": "x"});
        for _ in 1..nodes {
            flow = json!({"module": "x", "children": {"_": flow}});
        }
        flow
    }

    #[test]
    fn flows_are_checked_to_the_last_leaf() {
        assert_eq!(flow(json!({})), []);
        assert_eq!(
            flow(json!({"module": "unheard_of", "data": {"id": 5}, "children": {"_": {}}})),
            []
        );
        assert_eq!(flow(json!({"children": {}}))[0].0, "module");
        assert_eq!(flow(json!({"module": "x", "data": []}))[0].0, "data");
        let nested = json!({"module": "x", "children": {"1": {"module": "device", "data": {}}}});
        assert_eq!(flow(nested)[0].0, "children.1.data.id");
        let nested = json!({"module": "device", "data": {"id": "d", "timeout": "20"}});
        assert_eq!(flow(nested), []);
        let nested = json!({"module": "device", "data": {"id": "d", "timeout": "soon"}});
        assert_eq!(flow(nested)[0].1, "whole seconds");
        assert_eq!(flow(json!({"module": "device"}))[0].0, "data.id");
        assert_eq!(
            flow(json!({"module": "x", "children": {"_": 5}}))[0].0,
            "children._"
        );
    }

    #[test]
    fn a_flow_has_bounds() {
        assert_eq!(flow(deep(FLOW_DEPTH_MAX)), []);
        assert_eq!(flow(deep(FLOW_DEPTH_MAX + 1)).len(), 1);
        let fat = json!({"module": "x", "data": {"text": "y".repeat(FLOW_BYTES_MAX)}});
        assert_eq!(flow(fat).len(), 1);
    }

    #[test]
    fn a_callflow_names_the_node_by_its_path() {
        let body = json!({"numbers": ["100", 5], "flow": {"module": "device", "data": {"id": 7}}});
        let found = validate_value(DocumentType::Callflow, &body);
        let fields: Vec<&str> = found.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["numbers.1", "flow.data.id"]);
    }
}
