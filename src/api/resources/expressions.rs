//! Regular expressions that clients send: one that is none is told at once, not when a call meets it.

use regex::RegexBuilder;
use serde_json::Value;

use crate::api::resource::Draft;

/// Bytes that one compiled expression may take, as where calls use it.
const SIZE_MAX: usize = 256 * 1024;

/// Complains about each item of the list `field` that is no regular expression.
pub(super) fn check(draft: &mut Draft, field: &str) {
    let items = draft.body.get(field).and_then(Value::as_array);
    let texts = items.into_iter().flatten().map(Value::as_str).enumerate();
    let wrong: Vec<(usize, String, String)> = texts
        .filter_map(|(at, text)| {
            let why = fault(text?)?;
            Some((at, text?.to_owned(), why))
        })
        .collect();
    for (at, text, why) in wrong {
        draft.fault_about(&format!("{field}.{at}"), "invalid", &why, text);
    }
}

/// Why a text is no regular expression; None for one that is.
fn fault(text: &str) -> Option<String> {
    let built = RegexBuilder::new(text).size_limit(SIZE_MAX).build();
    let why = match built.err()? {
        regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
        // the last line says what is wrong, the ones before it draw where
        other => other
            .to_string()
            .lines()
            .last()
            .unwrap_or_default()
            .trim()
            .to_owned(),
    };
    Some(format!(
        "Not a regular expression: {}",
        why.trim_start_matches("error: ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_in_a_line() {
        assert_eq!(fault("^\\*5(\\d+)$"), None);
        assert_eq!(
            fault("(").unwrap(),
            "Not a regular expression: unclosed group"
        );
        assert_eq!(fault("(?=x)").unwrap().lines().count(), 1);
        assert!(fault("(x{1000}){1000}").unwrap().contains("too large"));
    }
}
