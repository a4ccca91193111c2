//! A password: usable, never printable.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What stands for a secret wherever settings are shown.
pub const HIDDEN: &str = "(hidden)";

/// A secret text. `Debug` and `Serialize` show a placeholder.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// For who guards it likewise.
    #[must_use]
    pub fn secret(&self) -> SecretString {
        self.0.clone()
    }

    /// The text itself, for the one command that carries it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The found value must not reach an error text, so serde's own message is replaced.
        String::deserialize(deserializer)
            .map(Secret::new)
            .map_err(|_| serde::de::Error::custom("expected a text in quotes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_debug_nor_serialize_tells() {
        let secret = Secret::new("open sesame".into());
        assert_eq!(format!("{secret:?}"), HIDDEN);
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"(hidden)\"");
        assert_eq!(secret.expose(), "open sesame");
    }

    #[test]
    fn a_wrong_type_is_not_echoed() {
        let error = serde_json::from_str::<Secret>("31337").unwrap_err();
        assert!(!error.to_string().contains("31337"), "{error}");
    }
}
