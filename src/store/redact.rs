//! Showing documents without their secrets, and what changed in them.

use serde_json::{Map, Value};

/// Stands for a secret.
const HIDDEN: &str = "********";

/// Whether a field holds what only its owner may know, by its name alone.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let ends = [
        "password", "passwd", "secret", "pin", "pins", "token", "a1_hash", "api_key", "apikey",
    ];
    let holds = [
        "credential",
        "private_key",
        "md5_auth",
        "sha1_auth",
        "api_key_",
    ];
    ends.iter().any(|end| name.ends_with(end)) || holds.iter().any(|part| name.contains(part))
}

/// A text or a number under such a name is a secret, and lists and objects of them; a switch such as `require_pin` is none.
fn hides(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(_))
}

fn shown(name: &str, value: &Value) -> Value {
    if is_secret(name) && hides(value) {
        return HIDDEN.into();
    }
    match value {
        Value::Object(fields) => Value::Object(redacted(fields)),
        Value::Array(items) => items.iter().map(|item| shown("", item)).collect(),
        other => other.clone(),
    }
}

/// The document with its passwords, PINs, keys and credentials replaced by asterisks, at any depth.
#[must_use]
pub fn redacted(body: &Map<String, Value>) -> Map<String, Value> {
    let fields = body.iter();
    fields
        .map(|(name, value)| (name.clone(), shown(name, value)))
        .collect()
}

/// One field that a write changed; secrets are replaced by asterisks on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// Dotted path; a dot within a name is `%2E`.
    pub field: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// What differs between two states of a document, objects field by field, everything else as a whole.
#[must_use]
pub fn field_changes(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<FieldChange> {
    let mut found = Vec::new();
    compare("", before, after, &mut found);
    found
}

fn compare(
    above: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    found: &mut Vec<FieldChange>,
) {
    let gone = before.keys();
    let new = after.keys().filter(|name| !before.contains_key(*name));
    for name in gone.chain(new) {
        let (old, new) = (before.get(name), after.get(name));
        if old == new {
            continue;
        }
        let field = format!("{above}{}", name.replace('.', "%2E"));
        match (old, new) {
            (Some(Value::Object(old)), Some(Value::Object(new))) if !is_secret(name) => {
                compare(&format!("{field}."), old, new, found);
            }
            _ => found.push(FieldChange {
                field,
                before: old.map(|value| shown(name, value)),
                after: new.map(|value| shown(name, value)),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            other => panic!("{other} is no object"),
        }
    }

    #[test]
    fn no_secret_is_shown_at_any_depth() {
        let body = object(json!({
            "name": "Desk",
            "sip": {"username": "2001", "password": "geheim1"},
            "servers": [{"auth": {"auth_user": "u", "auth_password": "geheim2"}}],
            "pvt_credentials": ["geheim3"],
            "pvt_api_key_hash": "geheim4",
            "pvt_md5_auth": "geheim5",
            "hotdesk": {"pin": "geheim6", "require_pin": true},
            "member": {"pins": [1234]},
            "gateways": [{"password": {"x": "geheim7"}}],
        }));
        let text = Value::Object(redacted(&body)).to_string();
        assert!(!text.contains("geheim") && !text.contains("1234"), "{text}");
        let wanted = json!({"pin": HIDDEN, "require_pin": true});
        assert_eq!(redacted(&body)["hotdesk"], wanted);
        assert_eq!(redacted(&body)["sip"]["username"], "2001");
    }

    #[test]
    fn a_change_names_its_fields_and_no_secret() {
        let before = object(json!({"name": "A", "sip": {"password": "x", "ip": "1"}, "old": [1]}));
        let after = object(json!({"name": "B", "sip": {"password": "y", "ip": "1"}, "a.b": 2}));
        let changes = field_changes(&before, &after);
        let told: Vec<_> = changes
            .iter()
            .map(|c| (c.field.as_str(), c.before.clone(), c.after.clone()))
            .collect();
        assert_eq!(
            told,
            [
                ("name", Some(json!("A")), Some(json!("B"))),
                ("sip.password", Some(json!(HIDDEN)), Some(json!(HIDDEN))),
                ("old", Some(json!([1])), None),
                ("a%2Eb", None, Some(json!(2))),
            ]
        );
        assert_eq!(field_changes(&before, &before), []);
    }
}
