//! What the API does to a document before it is validated: text becomes the value it stands for, the two names of one setting
//! are brought in line, and what is absent gets its default.

use std::collections::{BTreeMap, HashMap};

use indexmap::IndexMap;
use regex::Regex;
use serde_json::{Map, Number, Value};

use super::catalogue::FLOW;
use super::misspelt::Misspelt;
use super::nearest::nearest;

/// Beside a property: the name of its newer twin. Each takes the other's value; the twin's counts when they differ.
const TWIN: &str = "x-twin";

#[derive(Clone, Copy)]
enum Scalar {
    Boolean,
    Integer,
    Number,
}

/// The part of a schema that fills documents.
#[derive(Default)]
struct Shape {
    /// Everything but the default is in another shape.
    target: Option<usize>,
    default: Option<Value>,
    scalar: Option<Scalar>,
    properties: IndexMap<String, usize>,
    twins: Vec<(String, String)>,
    patterns: Vec<(Regex, usize)>,
    others: Option<usize>,
    items: Option<usize>,
}

impl Shape {
    /// The shape of a member.
    fn below(&self, name: &str) -> Option<usize> {
        let matching = || {
            self.patterns
                .iter()
                .find(|(pattern, _)| pattern.is_match(name))
        };
        let known = self.properties.get(name).copied();
        known
            .or_else(|| matching().map(|(_, below)| *below))
            .or(self.others)
    }
}

/// The shapes of all schemas; they refer to one another by position, as schemas do by name and in circles.
#[derive(Default)]
pub(super) struct Shapes {
    shapes: Vec<Shape>,
    names: HashMap<String, usize>,
}

impl Shapes {
    pub(super) fn of(sources: &BTreeMap<String, Value>) -> Self {
        let mut shapes = Self::default();
        for name in sources.keys() {
            shapes.named(name, "", sources);
        }
        shapes
    }

    /// The shape of a schema, or of the part of it that a JSON pointer names.
    fn named(&mut self, name: &str, pointer: &str, sources: &BTreeMap<String, Value>) -> usize {
        let key = format!("{name}#{pointer}");
        if let Some(known) = self.names.get(&key) {
            return *known;
        }
        let at = self.shapes.len();
        self.shapes.push(Shape::default());
        self.names.insert(key, at);
        let schema = sources.get(name).and_then(|source| source.pointer(pointer));
        let shape = schema.map(|schema| self.read(name, schema, sources));
        if let (Some(place), Some(shape)) = (self.shapes.get_mut(at), shape) {
            *place = shape;
        }
        at
    }

    fn below(&mut self, name: &str, schema: &Value, sources: &BTreeMap<String, Value>) -> usize {
        let shape = self.read(name, schema, sources);
        self.shapes.push(shape);
        self.shapes.len() - 1
    }

    fn read(&mut self, name: &str, schema: &Value, sources: &BTreeMap<String, Value>) -> Shape {
        let text = |key: &str| schema.get(key).and_then(Value::as_str);
        let mut shape = Shape {
            default: schema.get("default").cloned(),
            scalar: match text("type") {
                Some("boolean") => Some(Scalar::Boolean),
                Some("integer") => Some(Scalar::Integer),
                Some("number") => Some(Scalar::Number),
                _ => None,
            },
            ..Shape::default()
        };
        if let Some(reference) = text("$ref").filter(|name| *name != FLOW) {
            let (other, pointer) = reference.split_once('#').unwrap_or((reference, ""));
            let other = if other.is_empty() { name } else { other };
            shape.target = Some(self.named(other, pointer, sources));
            return shape;
        }
        let members = |key: &str| {
            schema
                .get(key)
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
        };
        for (property, schema) in members("properties") {
            if let Some(twin) = schema.get(TWIN).and_then(Value::as_str) {
                shape.twins.push((property.clone(), twin.to_owned()));
            }
            let below = self.below(name, schema, sources);
            shape.properties.insert(property.clone(), below);
        }
        for (pattern, schema) in members("patternProperties") {
            let below = self.below(name, schema, sources);
            // the validator has compiled the same pattern, and complained if it is wrong
            shape
                .patterns
                .extend(Regex::new(pattern).ok().map(|regex| (regex, below)));
        }
        let mut single = |key: &str| {
            let schema = schema.get(key).filter(|schema| schema.is_object())?;
            Some(self.below(name, schema, sources))
        };
        shape.others = single("additionalProperties");
        shape.items = single("items");
        shape
    }

    pub(super) fn fill(&self, name: &str, body: &mut Map<String, Value>) {
        if let Some(at) = self.names.get(&format!("{name}#")) {
            self.members(*at, body);
        }
    }

    /// Adds the members that no schema knows and that are near to one that is known and was not sent.
    pub(super) fn misspelt(
        &self,
        name: &str,
        body: &Map<String, Value>,
        path: &[String],
        found: &mut Vec<Misspelt>,
    ) {
        if let Some(at) = self.names.get(&format!("{name}#")) {
            self.misspelt_members(*at, body, path, found);
        }
    }

    fn misspelt_members(
        &self,
        at: usize,
        members: &Map<String, Value>,
        path: &[String],
        found: &mut Vec<Misspelt>,
    ) {
        let Some(shape) = self.shape(at) else {
            return;
        };
        for (name, value) in members {
            let path: Vec<String> = path.iter().chain([name]).cloned().collect();
            match shape.below(name) {
                Some(below) => self.misspelt_below(below, value, &path, found),
                None => {
                    let absent = shape.properties.keys().map(String::as_str);
                    let absent = absent.filter(|known| !members.contains_key(*known));
                    found.extend(nearest(name, absent).map(|meant| Misspelt::new(&path, meant)));
                }
            }
        }
    }

    fn misspelt_below(&self, at: usize, value: &Value, path: &[String], found: &mut Vec<Misspelt>) {
        match value {
            Value::Object(members) => self.misspelt_members(at, members, path, found),
            Value::Array(items) => {
                let Some(below) = self.shape(at).and_then(|shape| shape.items) else {
                    return;
                };
                for (index, item) in items.iter().enumerate() {
                    let path: Vec<String> =
                        path.iter().cloned().chain([index.to_string()]).collect();
                    self.misspelt_below(below, item, &path, found);
                }
            }
            _ => {}
        }
    }

    fn shape(&self, at: usize) -> Option<&Shape> {
        let mut shape = self.shapes.get(at)?;
        while let Some(target) = shape.target {
            shape = self.shapes.get(target)?;
        }
        Some(shape)
    }

    fn default_of(&self, at: usize) -> Option<&Value> {
        let shape = self.shapes.get(at)?;
        match (&shape.default, shape.target) {
            (Some(value), _) => Some(value),
            (None, Some(target)) => self.default_of(target),
            (None, None) => None,
        }
    }

    fn value(&self, at: usize, value: &mut Value) {
        let Some(shape) = self.shape(at) else {
            return;
        };
        match value {
            Value::Object(members) => self.members(at, members),
            Value::Array(items) => {
                if let Some(below) = shape.items {
                    items.iter_mut().for_each(|item| self.value(below, item));
                }
            }
            Value::String(text) => {
                if let Some(meant) = shape.scalar.and_then(|scalar| meant(scalar, text)) {
                    *value = meant;
                }
            }
            _ => {}
        }
    }

    fn members(&self, at: usize, members: &mut Map<String, Value>) {
        let Some(shape) = self.shape(at) else {
            return;
        };
        for (older, newer) in &shape.twins {
            let (from, to) = if members.contains_key(newer) {
                (newer, older)
            } else {
                (older, newer)
            };
            if let Some(value) = members.get(from).cloned() {
                members.insert(to.clone(), value);
            }
        }
        for (name, below) in &shape.properties {
            if !members.contains_key(name)
                && let Some(default) = self.default_of(*below)
            {
                members.insert(name.clone(), default.clone());
            }
        }
        for (name, value) in members.iter_mut() {
            if let Some(below) = shape.below(name) {
                self.value(below, value);
            }
        }
    }
}

/// The value that a text stands for: `"true"`, `"300"`.
fn meant(scalar: Scalar, text: &str) -> Option<Value> {
    match scalar {
        Scalar::Boolean => text.parse().ok().map(Value::Bool),
        Scalar::Integer => whole(text),
        Scalar::Number => whole(text).or_else(|| {
            let number: f64 = text.parse().ok()?;
            Number::from_f64(number).map(Value::Number)
        }),
    }
}

fn whole(text: &str) -> Option<Value> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let signed = text.parse::<i64>().ok().map(Value::from);
    signed.or_else(|| text.parse::<u64>().ok().map(Value::from))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(schema: Value, body: Value) -> Value {
        let sources = BTreeMap::from([("x".to_owned(), schema)]);
        let Value::Object(mut body) = body else {
            panic!("tests fill objects")
        };
        Shapes::of(&sources).fill("x", &mut body);
        Value::Object(body)
    }

    #[test]
    fn defaults_nest_under_parents_that_exist_or_are_defaulted() {
        let schema = json!({"properties": {
            "a": {"default": {}, "properties": {"b": {"default": 1}, "c": {"properties": {"d": {"default": 2}}}}},
            "e": {"properties": {"f": {"default": 3}}},
            "list": {"items": {"properties": {"g": {"default": 4}}}}
        }});
        assert_eq!(filled(schema.clone(), json!({})), json!({"a": {"b": 1}}));
        let body = json!({"e": {}, "a": {"c": {}}, "list": [{}, 5], "z": {}});
        let wanted =
            json!({"e": {"f": 3}, "a": {"c": {"d": 2}, "b": 1}, "list": [{"g": 4}, 5], "z": {}});
        assert_eq!(filled(schema, body), wanted);
    }

    #[test]
    fn texts_become_what_they_stand_for_where_one_type_is_meant() {
        let schema = json!({"properties": {
            "b": {"type": "boolean"}, "i": {"type": "integer"}, "n": {"type": "number"},
            "s": {"type": "string"}, "either": {"type": ["integer", "string"]}
        }});
        let body =
            json!({"b": "true", "i": "-300", "n": "1.5", "s": "7", "either": "7", "unknown": "7"});
        let wanted =
            json!({"b": true, "i": -300, "n": 1.5, "s": "7", "either": "7", "unknown": "7"});
        assert_eq!(filled(schema.clone(), body), wanted);
        for odd in [
            "",
            "-",
            "1.0",
            "0x10",
            "99999999999999999999",
            " 1",
            "yes",
            "NaN",
            "inf",
        ] {
            let body = json!({"b": odd, "i": odd});
            assert_eq!(filled(schema.clone(), body.clone()), body, "{odd}");
        }
        assert_eq!(filled(schema, json!({"n": "NaN"})), json!({"n": "NaN"}));
    }

    #[test]
    fn the_two_names_of_a_setting_keep_together() {
        let schema =
            json!({"properties": {"old": {"x-twin": "new", "default": 1}, "new": {"default": 1}}});
        let cases = [
            (json!({}), json!({"old": 1, "new": 1})),
            (json!({"old": 5}), json!({"old": 5, "new": 5})),
            (json!({"new": 6}), json!({"old": 6, "new": 6})),
            (json!({"old": 5, "new": 6}), json!({"old": 6, "new": 6})),
        ];
        for (body, wanted) in cases {
            assert_eq!(filled(schema.clone(), body), wanted);
        }
    }

    #[test]
    fn schemas_may_refer_to_themselves() {
        let schema = json!({"$defs": {"node": {"properties": {
                "data": {"default": {}},
                "next": {"additionalProperties": {"$ref": "#/$defs/node"}}}}},
            "properties": {"top": {"$ref": "#/$defs/node"}}});
        let body = json!({"top": {"next": {"1": {}}}});
        let wanted = json!({"top": {"next": {"1": {"data": {}}}, "data": {}}});
        assert_eq!(filled(schema, body), wanted);
    }
}
