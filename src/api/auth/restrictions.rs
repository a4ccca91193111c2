//! What a token was narrowed to when it was asked for: `{"<verb or *>": ["accounts/*/users/#", ...]}`.

use serde_json::Value;

use crate::api::request::Verb;

/// Whether a request is among those that the restrictions leave. `path`: the segments behind `/v2`.
#[must_use]
pub fn allow(restrictions: &Value, verb: Verb, path: &[String]) -> bool {
    let Some(restrictions) = restrictions.as_object() else {
        return false;
    };
    let own = restrictions
        .iter()
        .filter(|(name, _)| name.as_str() == "*" || name.eq_ignore_ascii_case(verb.as_str()));
    let patterns = own
        .filter_map(|(_, patterns)| patterns.as_array())
        .flatten();
    patterns.filter_map(Value::as_str).any(|pattern| {
        let pattern: Vec<&str> = pattern.trim_matches('/').split('/').collect();
        matches(&pattern, path)
    })
}

/// Segments of any number that a pattern may have: the time to match grows with each.
const WILD_MAX: usize = 3;

/// Whether they are written as they must be.
#[must_use]
pub fn are_sound(restrictions: &Value) -> bool {
    let pattern = |pattern: &Value| {
        let text = pattern.as_str();
        text.is_some_and(|text| text.split('/').filter(|part| *part == "#").count() <= WILD_MAX)
    };
    let sound = |patterns: &Value| {
        let patterns = patterns.as_array();
        patterns.is_some_and(|patterns| patterns.iter().all(pattern))
    };
    restrictions
        .as_object()
        .is_some_and(|object| object.values().all(sound))
}

fn matches(pattern: &[&str], path: &[String]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"#", rest)), _) => {
            // Each `#` takes as few segments as it can; the last one takes all.
            rest.is_empty()
                || (0..=path.len())
                    .any(|taken| path.get(taken..).is_some_and(|left| matches(rest, left)))
        }
        (Some((&"*", pattern)), Some((_, path))) => matches(pattern, path),
        (Some((wanted, pattern)), Some((found, path))) => {
            *wanted == found && matches(pattern, path)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn allowed(restrictions: &Value, verb: Verb, path: &str) -> bool {
        let path: Vec<String> = path.split('/').map(str::to_owned).collect();
        allow(restrictions, verb, &path)
    }

    #[test]
    fn patterns_match_segments() {
        let only = json!({"get": ["accounts/a/users/#"], "*": ["accounts/*/devices", "about"]});
        assert!(allowed(&only, Verb::Get, "accounts/a/users"));
        assert!(allowed(&only, Verb::Get, "accounts/a/users/1/devices"));
        assert!(!allowed(&only, Verb::Put, "accounts/a/users"));
        assert!(!allowed(&only, Verb::Get, "accounts/b/users"));
        assert!(allowed(&only, Verb::Put, "accounts/b/devices"));
        assert!(!allowed(&only, Verb::Put, "accounts/b/devices/1"));
        assert!(allowed(
            &json!({"*": ["#/status"]}),
            Verb::Get,
            "accounts/a/devices/status"
        ));
        for nothing in [json!({}), json!([]), json!({"*": []}), json!({"*": "#"})] {
            assert!(!allowed(&nothing, Verb::Get, "about"), "{nothing}");
        }
    }

    #[test]
    fn shapes() {
        assert!(are_sound(&json!({"*": ["#"]})));
        assert!(!are_sound(&json!({"*": "#"})) && !are_sound(&json!([])));
        assert!(!are_sound(&json!({"*": ["#/#/#/#"]})));
    }
}
