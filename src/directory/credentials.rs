//! HTTP Basic credentials, which FreeSWITCH presents unasked (capture fact 50).

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

/// One name and password, in the form in which they are presented.
#[derive(Clone)]
pub struct Credentials(SecretString);

impl Credentials {
    #[must_use]
    pub fn new(user: &str, password: &SecretString) -> Self {
        let plain = format!("{user}:{}", password.expose_secret());
        Self(BASE64_STANDARD.encode(plain).into())
    }

    /// Whether an Authorization header presents them; how long that takes tells nothing but the length.
    #[must_use]
    pub fn match_header(&self, header: Option<&[u8]>) -> bool {
        let presented = header.and_then(|header| {
            let (scheme, presented) = header.split_at_checked("Basic ".len())?;
            scheme.eq_ignore_ascii_case(b"Basic ").then_some(presented)
        });
        let expected = self.0.expose_secret().as_bytes();
        presented.is_some_and(|presented| expected.ct_eq(presented.trim_ascii()).into())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_ones_match() {
        let ours = Credentials::new("fsuser", &"fspass".to_owned().into());
        // From a capture of FreeSWITCH.
        assert!(ours.match_header(Some(b"Basic ZnN1c2VyOmZzcGFzcw==")));
        assert!(ours.match_header(Some(b"basic  ZnN1c2VyOmZzcGFzcw==")));
        for wrong in [
            "",
            "Basic",
            "Basic ",
            "Basic ZnN1c2VyOmZzcGFzcw",
            "Digest ZnN1c2VyOmZzcGFzcw==",
        ] {
            assert!(!ours.match_header(Some(wrong.as_bytes())), "{wrong}");
        }
        assert!(!ours.match_header(None));
        assert!(!format!("{ours:?}").contains("ZnN1"));
    }
}
