//! Tokens: who somebody was when he logged in, signed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::secrets::{Secrets, hex};
use crate::types::{AccountId, DocumentId};

/// How somebody logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    #[serde(rename = "cb_api_auth")]
    ApiKey,
    #[serde(rename = "cb_user_auth")]
    User,
    #[serde(rename = "cb_basic_auth")]
    Basic,
}

impl Method {
    /// As `token_auth` shows it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::ApiKey => "cb_api_auth",
            Method::User => "cb_user_auth",
            Method::Basic => "cb_basic_auth",
        }
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    #[serde(rename = "a")]
    pub account: AccountId,
    #[serde(rename = "u", skip_serializing_if = "Option::is_none", default)]
    pub user: Option<DocumentId>,
    #[serde(rename = "m")]
    pub method: Method,
    /// Unix seconds.
    #[serde(rename = "e")]
    pub expires: i64,
    /// 128 random bits in hexadecimal: names this token and no other.
    #[serde(rename = "i")]
    pub id: String,
    /// Of the credentials that were shown: others void the token.
    #[serde(rename = "f")]
    pub fingerprint: String,
    #[serde(rename = "r", skip_serializing_if = "Option::is_none", default)]
    pub restrictions: Option<Value>,
}

/// Longest token that is looked at, in bytes; restrictions are part of it.
const TOKEN_MAX: usize = 8192;

/// The token's text.
#[must_use]
pub fn issue(secrets: &Secrets, claims: &Claims) -> String {
    let body = serde_json::to_vec(claims).unwrap_or_default();
    let body = URL_SAFE_NO_PAD.encode(body);
    let signature = URL_SAFE_NO_PAD.encode(secrets.signature(body.as_bytes()));
    format!("{body}.{signature}")
}

/// What a token of ours says; None for any other text.
#[must_use]
pub fn read(secrets: &Secrets, token: &str) -> Option<Claims> {
    if token.len() > TOKEN_MAX {
        return None;
    }
    let (body, signature) = token.split_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let right = secrets.signature(body.as_bytes());
    if !bool::from(signature.as_slice().ct_eq(&right)) {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
}

/// Half a SHA-256 over the parts, in hexadecimal: changes when one of them does.
#[must_use]
pub fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    let digest: [u8; 32] = digest.finalize().into();
    hex(digest.get(..16).unwrap_or_default())
}

/// SHA-256 of a text, in hexadecimal.
#[must_use]
pub fn digest(text: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    hex(&digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            account: AccountId::new("acme").unwrap(),
            user: Some(DocumentId::new("alice").unwrap()),
            method: Method::User,
            expires: 4_000_000_000,
            id: "00".repeat(16),
            fingerprint: fingerprint(["a", "b"]),
            restrictions: Some(serde_json::json!({"get": ["#"]})),
        }
    }

    #[test]
    fn only_our_own_unaltered_tokens_are_read() {
        let secrets = Secrets::passing().unwrap();
        let token = issue(&secrets, &claims());
        assert_eq!(read(&secrets, &token), Some(claims()));
        assert_eq!(read(&Secrets::passing().unwrap(), &token), None);
        for at in 0..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            assert!(
                altered == token || read(&secrets, &altered).is_none(),
                "{at}"
            );
        }
        for bad in ["", ".", "nope", "a.b", &"x".repeat(100_000)] {
            assert_eq!(read(&secrets, bad), None);
        }
    }

    #[test]
    fn fingerprints_tell_parts_apart() {
        assert_ne!(fingerprint(["ab", "c"]), fingerprint(["a", "bc"]));
        assert_eq!(fingerprint(["ab", "c"]).len(), 32);
    }
}
