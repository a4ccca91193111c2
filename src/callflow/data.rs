//! Lenient readers for the fields of an action's `data`: documents written by hand and by other
//! systems hold `"20"` where a number belongs, and `"true"` for a flag.

use indexmap::IndexMap;
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value;

/// Whole seconds (or any count): a number, or a text of digits. Zero and absent are None, which
/// means "the default".
///
/// # Errors
/// Anything else, naming what was expected.
pub fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    const EXPECTED: &str = "expected a whole number of 0 to 4294967295, or a text of its digits";
    let number = match Value::deserialize(deserializer)? {
        Value::Null => None,
        Value::Number(number) => {
            let whole = number.as_u64().or_else(|| {
                let float = number.as_f64().filter(|f| f.fract() == 0.0 && *f >= 0.0)?;
                format!("{float:.0}").parse().ok()
            });
            Some(whole.ok_or_else(|| D::Error::custom(EXPECTED))?)
        }
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => {
            let number = text.trim().parse();
            Some(number.map_err(|_| D::Error::custom(EXPECTED))?)
        }
        _ => return Err(D::Error::custom(EXPECTED)),
    };
    match number {
        None | Some(0) => Ok(None),
        Some(number) => u32::try_from(number)
            .map(Some)
            .map_err(|_| D::Error::custom(EXPECTED)),
    }
}

/// A flag: a boolean, or its text.
///
/// # Errors
/// Anything else.
pub fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(false),
        Value::Bool(flag) => Ok(flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.is_empty() || text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(D::Error::custom("expected true or false")),
    }
}

/// Headers for the legs that an action rings: the `out` map, or a flat one (`in` is for calls that
/// an endpoint makes). Values that are no text or number are left out.
#[must_use]
pub fn headers_out(headers: IndexMap<String, Value>) -> IndexMap<String, String> {
    let mut out = IndexMap::new();
    for (name, value) in headers {
        match value {
            Value::Object(inner) if name == "out" => {
                for (name, value) in inner {
                    out.extend(text(&value).map(|value| (name, value)));
                }
            }
            Value::Object(_) => {}
            value => out.extend(text(&value).map(|value| (name, value))),
        }
    }
    out
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(default)]
    #[derive(Default)]
    struct Fields {
        #[serde(deserialize_with = "super::count")]
        timeout: Option<u32>,
        #[serde(deserialize_with = "super::flag")]
        own: bool,
    }

    fn read(value: serde_json::Value) -> Result<Fields, String> {
        Fields::deserialize(&value).map_err(|e| e.to_string())
    }

    #[test]
    fn numbers_and_their_texts() {
        for (value, expected) in [
            (json!(15), Some(15)),
            (json!("15"), Some(15)),
            (json!(" 15 "), Some(15)),
            (json!(15.0), Some(15)),
            (json!(0), None),
            (json!("0"), None),
            (json!(""), None),
            (json!(null), None),
        ] {
            let read = read(json!({"timeout": value})).unwrap();
            assert_eq!(read.timeout, expected, "{value}");
        }
        for bad in [json!(-1), json!(1.5), json!("soon"), json!([]), json!(1e12)] {
            let error = read(json!({"timeout": bad})).unwrap_err();
            assert!(error.contains("whole number"), "{bad}: {error}");
        }
    }

    #[test]
    fn flags_and_their_texts() {
        for (value, expected) in [
            (json!(true), true),
            (json!("true"), true),
            (json!("False"), false),
            (json!(null), false),
        ] {
            assert_eq!(
                read(json!({"own": value})).unwrap().own,
                expected,
                "{value}"
            );
        }
        assert!(read(json!({"own": 1})).is_err());
    }
}
