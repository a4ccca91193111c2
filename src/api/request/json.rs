//! The JSON of a body.

use serde_json::Value;

use crate::documents::json::nesting;

/// Brackets within brackets; what is deeper is refused (API specification 1.4).
pub const NESTING_MAX: usize = 64;

/// A body as JSON.
///
/// # Errors
/// What is wrong with it, in words for the client.
pub fn parse(body: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let at = error.valid_up_to();
        format!("byte {at} is not UTF-8")
    })?;
    if nesting(text.as_bytes()) > NESTING_MAX {
        return Err(format!("nested deeper than {NESTING_MAX} levels"));
    }
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(parse(nested(NESTING_MAX).as_bytes()).is_ok());
        assert!(
            parse(nested(NESTING_MAX + 1).as_bytes())
                .unwrap_err()
                .contains("64")
        );
        assert!(parse("[".repeat(1_000_000).as_bytes()).is_err());
    }

    #[test]
    fn numbers_survive_and_the_last_of_two_keys_counts() {
        let text =
            br#"{"a":9007199254740993,"b":1.1,"c":-0.1e-7,"d":1,"d":2,"e":18446744073709551615}"#;
        let value = parse(text).unwrap();
        assert_eq!(value["a"], json!(9_007_199_254_740_993_u64));
        assert_eq!(value["d"], json!(2));
        assert_eq!(value["e"], json!(u64::MAX));
        let again: Value = serde_json::from_str(&value.to_string()).unwrap();
        assert_eq!(again, value);
    }

    #[test]
    fn no_json_is_told() {
        for bad in [
            &b"{\"data\":"[..],
            b"\xff{}",
            b"{\"a\":\"\0\"}",
            b"",
            b"{}{}",
            b"nul",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
