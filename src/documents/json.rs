//! Reading JSON that may be nested as deep as a callflow may be.
//!
//! serde_json stops at 128 levels. A flow of 200 nodes has two levels a node, so the bound is our own here; it still keeps the stack.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Arrays and objects inside each other: 200 nodes of a flow, and room for a node's data.
pub const NESTING_MAX: usize = 450;

#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("nested deeper than {NESTING_MAX} levels")]
    TooDeep,
    #[error("not an object")]
    NoObject,
}

/// How deep brackets are nested outside of strings.
#[must_use]
pub fn nesting(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// # Errors
/// No JSON, not the wanted shape, or too deep.
pub fn from_slice<T: DeserializeOwned>(json: &[u8]) -> Result<T, JsonError> {
    if nesting(json) > NESTING_MAX {
        return Err(JsonError::TooDeep);
    }
    let mut reader = serde_json::Deserializer::from_slice(json);
    reader.disable_recursion_limit();
    let value = T::deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// # Errors
/// As [`from_slice`].
pub fn from_str(json: &str) -> Result<Value, JsonError> {
    from_slice(json.as_bytes())
}

/// # Errors
/// As [`from_slice`].
pub fn object(json: &[u8]) -> Result<Map<String, Value>, JsonError> {
    match from_slice(json)? {
        Value::Object(object) => Ok(object),
        _ => Err(JsonError::NoObject),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_enough_for_a_flow_and_no_deeper() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(from_str(&nested(NESTING_MAX)).is_ok());
        let error = from_str(&nested(NESTING_MAX + 1)).unwrap_err();
        assert!(matches!(error, JsonError::TooDeep), "{error}");
        assert!(matches!(
            from_str(&"[".repeat(1_000_000)),
            Err(JsonError::TooDeep)
        ));
    }

    #[test]
    fn brackets_in_strings_do_not_count() {
        let text = format!("{{\"a\":\"\\\"{}\"}}", "[".repeat(10_000));
        assert!(from_str(&text).is_ok());
    }

    #[test]
    fn what_follows_a_value_is_refused() {
        assert!(from_str("{} {}").is_err());
        assert!(from_str("").is_err());
    }
}
