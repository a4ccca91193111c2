//! One index entry, and what makes it unique.

use std::borrow::Cow;

/// One index entry that a document stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct IndexEntry {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    /// If only one document may have it.
    pub unique: Option<Box<Unique>>,
}

/// A value that only one document may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Unique {
    /// Dotted path of the field.
    pub field: Cow<'static, str>,
    /// As messages show it.
    pub value: String,
    /// Where no other entry may be, in documents from elsewhere too: calls could not be told apart.
    pub always: Option<Rivals>,
    /// Where no other entry may be by the rules of the API.
    pub api: Vec<Rivals>,
}

/// Where to look for others with the same value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum Rivals {
    /// This key.
    At(Vec<u8>),
    /// Everything with this prefix.
    Under(Vec<u8>),
    /// Everything with this prefix but not with the longer one.
    Outside { prefix: Vec<u8>, own: Vec<u8> },
}

impl IndexEntry {
    /// One of any number.
    pub(super) fn shared(key: Vec<u8>) -> Self {
        Self {
            key,
            value: Vec::new(),
            unique: None,
        }
    }

    /// One that only the API keeps unique.
    pub(super) fn by_rule(
        key: Vec<u8>,
        field: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
        api: Vec<Rivals>,
    ) -> Self {
        Self {
            key,
            value: Vec::new(),
            unique: Some(Box::new(Unique {
                field: field.into(),
                value: value.into(),
                always: None,
                api,
            })),
        }
    }

    /// One whose key only one document may have, ever; the payload names it.
    pub(super) fn single(
        key: Vec<u8>,
        owner: Vec<u8>,
        field: &'static str,
        value: impl Into<String>,
        api: Vec<Rivals>,
    ) -> Self {
        Self {
            value: owner,
            unique: Some(Box::new(Unique {
                field: Cow::Borrowed(field),
                value: value.into(),
                always: Some(Rivals::At(key.clone())),
                api,
            })),
            key,
        }
    }

    /// Unique even in documents from elsewhere.
    pub(in crate::store) fn always(&self) -> Option<(&Unique, &Rivals)> {
        let unique = self.unique.as_deref()?;
        Some((unique, unique.always.as_ref()?))
    }
}
