//! Identifiers: opaque, bounded, safe to log and to use as part of a store key.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    #[error("an id has 1 to 128 characters, this one has {0}")]
    Length(usize),
    #[error("an id has letters, digits and . _ - ~ @ + only, this one holds {0:?}")]
    Character(char),
}

fn check(text: &str) -> Result<(), InvalidId> {
    let length = text.chars().count();
    if length == 0 || length > 128 {
        return Err(InvalidId::Length(length));
    }
    let allowed = |c: &char| c.is_ascii_alphanumeric() || "._-~@+".contains(*c);
    match text.chars().find(|c| !allowed(c)) {
        Some(c) => Err(InvalidId::Character(c)),
        None => Ok(()),
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Accepts 1 to 128 characters out of letters, digits and `. _ - ~ @ +`.
            ///
            /// # Errors
            /// Says which rule the text breaks.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                check(text)?;
                Ok(Self(Arc::from(text)))
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(&text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.to_string()
            }
        }
    };
}

id!(
    /// A tenant.
    AccountId
);
/// What belongs to no tenant lives under this account id: the installation's own carriers.
const INSTALLATION: &str = "installation";

impl AccountId {
    /// Owner of the documents that belong to no tenant, as the installation's carriers; there is no account document of this id.
    #[must_use]
    pub fn installation() -> Self {
        Self(Arc::from(INSTALLATION))
    }

    #[must_use]
    pub fn is_installation(&self) -> bool {
        self.as_str() == INSTALLATION
    }
}

id!(
    /// A document within an account: a device, a user, a callflow.
    DocumentId
);
id!(
    /// A channel's uuid as FreeSWITCH names it (`Unique-ID`), not the SIP Call-ID.
    CallId
);
id!(
    /// The name under which the configuration knows a FreeSWITCH node.
    NodeName
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_characters() {
        assert!(AccountId::new("a").is_ok());
        assert!(AccountId::new(&"x".repeat(128)).is_ok());
        assert_eq!(AccountId::new(""), Err(InvalidId::Length(0)));
        assert_eq!(
            AccountId::new(&"x".repeat(129)),
            Err(InvalidId::Length(129))
        );
        assert_eq!(DocumentId::new("a/b"), Err(InvalidId::Character('/')));
        assert_eq!(CallId::new("a\nb"), Err(InvalidId::Character('\n')));
    }
}
