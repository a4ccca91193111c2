//! The user document: a person who owns devices.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess};

use super::attributes::Attributes;
use super::lenient::{AsFields, AsText, Fields, Lenient, Text};

/// A user as the decisions read it. Fields that are only stored stay in the document's JSON.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct User {
    pub first_name: Text,
    pub last_name: Text,
    pub attributes: Attributes,
}

impl User {
    /// True unless the document says otherwise.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.attributes.enabled.unwrap_or(true)
    }

    /// "First Last", or the one of them that is known.
    #[must_use]
    pub fn full_name(&self) -> Option<Cow<'_, str>> {
        match (self.first_name.as_deref(), self.last_name.as_deref()) {
            (Some(first), Some(last)) => Some(Cow::Owned(format!("{first} {last}"))),
            (Some(name), None) | (None, Some(name)) => Some(Cow::Borrowed(name)),
            (None, None) => None,
        }
    }
}

impl Fields for User {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "first_name" => self.first_name = map.next_value_seed(Lenient(AsText))?,
            "last_name" => self.last_name = map.next_value_seed(Lenient(AsText))?,
            _ => return self.attributes.read(key, map),
        }
        Ok(true)
    }
}

impl<'de> Deserialize<'de> for User {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Lenient(AsFields(PhantomData)))
    }
}
