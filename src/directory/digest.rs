//! What SIP's digest authentication knows of a password: MD5 of `user:realm:password`.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};

/// 32 hexadecimal digits. Made from a password that is not empty, or from nothing that anybody knows.
#[derive(Clone, PartialEq, Eq)]
pub struct A1(String);

impl A1 {
    /// None: the password is empty, and an empty one lets everybody in.
    #[must_use]
    pub fn of(user: &str, realm: &str, password: &str) -> Option<Self> {
        if password.is_empty() {
            return None;
        }
        let mut md5 = Md5::new();
        for part in [user, ":", realm, ":", password] {
            md5.update(part.as_bytes());
        }
        Some(Self(hexadecimal(md5.finalize().as_slice())))
    }

    /// Of no password: nobody can prove it. A user without a hash would be let in with any password (capture fact 55).
    #[must_use]
    pub fn unknowable() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// It is as good as the password for its realm.
impl std::fmt::Debug for A1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("A1(***)")
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // A String takes everything.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_2617() {
        let a1 = A1::of("Mufasa", "testrealm@host.com", "Circle Of Life").unwrap();
        assert_eq!(a1.as_str(), "939e7578ed9e3c518a452acee763bce9");
        assert_eq!(format!("{a1:?}"), "A1(***)");
    }

    #[test]
    fn no_password_has_no_hash() {
        assert_eq!(A1::of("a", "b", ""), None);
        assert_ne!(A1::unknowable(), A1::unknowable());
        assert_eq!(A1::unknowable().as_str().len(), 32);
    }
}
