//! Reading values that may have the wrong type. A stored document outlives the schema it was
//! checked with, and one bad field must not make a phone unreachable: a value of the wrong type
//! reads as if it were absent.

use std::marker::PhantomData;
use std::{fmt, hash};

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A text that is short, immutable, and absent as often as not.
pub type Text = Option<Box<str>>;

/// Ordered entries of an object: dial plans, formatters and headers depend on the order.
pub type Table<T> = IndexMap<Box<str>, T, hash::RandomState>;

/// What a field takes from each JSON type; the types it does not name give its default.
pub trait Shape<'de>: Sized {
    type Value: Default;

    fn text(self, _text: &str) -> Self::Value {
        Self::Value::default()
    }
    fn truth(self, _truth: bool) -> Self::Value {
        Self::Value::default()
    }
    fn integer(self, _integer: i64) -> Self::Value {
        Self::Value::default()
    }
    /// # Errors
    /// Only those of the JSON itself.
    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::Value::default())
    }
    /// # Errors
    /// Only those of the JSON itself.
    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::Value::default())
    }
}

/// Reads any JSON value through a shape.
pub struct Lenient<S>(pub S);

impl<'de, S: Shape<'de>> Visitor<'de> for Lenient<S> {
    type Value = S::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_bool<E: Error>(self, truth: bool) -> Result<S::Value, E> {
        Ok(self.0.truth(truth))
    }
    fn visit_i64<E: Error>(self, integer: i64) -> Result<S::Value, E> {
        Ok(self.0.integer(integer))
    }
    fn visit_u64<E: Error>(self, integer: u64) -> Result<S::Value, E> {
        Ok(i64::try_from(integer).map_or_else(|_| S::Value::default(), |i| self.0.integer(i)))
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<S::Value, E> {
        let whole = number.fract() == 0.0 && number.abs() < 9e15;
        // Exact: a whole number below 2^53.
        #[allow(clippy::cast_possible_truncation, reason = "checked above")]
        Ok(if whole {
            self.0.integer(number as i64)
        } else {
            S::Value::default()
        })
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<S::Value, E> {
        Ok(self.0.text(text))
    }
    fn visit_unit<E: Error>(self) -> Result<S::Value, E> {
        Ok(S::Value::default())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<S::Value, A::Error> {
        self.0.list(list)
    }
    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<S::Value, A::Error> {
        self.0.object(object)
    }
}

impl<'de, S: Shape<'de>> DeserializeSeed<'de> for Lenient<S> {
    type Value = S::Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// A text; an empty one counts as absent, since no merge lets an empty value override.
#[derive(Clone, Copy)]
pub struct AsText;
impl Shape<'_> for AsText {
    type Value = Text;
    fn text(self, text: &str) -> Text {
        (!text.is_empty()).then(|| text.into())
    }
    fn integer(self, integer: i64) -> Text {
        Some(integer.to_string().into())
    }
}

/// A text; an empty one counts as absent, since no merge lets an empty value override.
///
/// # Errors
/// Only those of the JSON itself.
pub fn text<'de, D: Deserializer<'de>>(d: D) -> Result<Text, D::Error> {
    Lenient(AsText).deserialize(d)
}

/// A boolean, or one of the texts `true` and `false` that older clients wrote.
pub struct AsFlag;
impl Shape<'_> for AsFlag {
    type Value = Option<bool>;
    fn truth(self, truth: bool) -> Option<bool> {
        Some(truth)
    }
    fn text(self, text: &str) -> Option<bool> {
        match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }
}

/// A boolean, or one of the texts `true` and `false` that older clients wrote.
///
/// # Errors
/// Only those of the JSON itself.
pub fn flag<'de, D: Deserializer<'de>>(d: D) -> Result<Option<bool>, D::Error> {
    Lenient(AsFlag).deserialize(d)
}

/// An integer of 0 or more, also as digits in a text.
pub struct AsCount;
impl Shape<'_> for AsCount {
    type Value = Option<u32>;
    fn integer(self, integer: i64) -> Option<u32> {
        u32::try_from(integer).ok()
    }
    fn text(self, text: &str) -> Option<u32> {
        text.parse().ok()
    }
}

/// An integer of 0 or more, also as digits in a text.
///
/// # Errors
/// Only those of the JSON itself.
pub fn count<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u32>, D::Error> {
    Lenient(AsCount).deserialize(d)
}

/// An integer, also as digits in a text; below 0 it means what its field says.
#[derive(Clone, Copy)]
pub struct AsInteger;
impl Shape<'_> for AsInteger {
    type Value = Option<i64>;
    fn integer(self, integer: i64) -> Option<i64> {
        Some(integer)
    }
    fn text(self, text: &str) -> Option<i64> {
        text.trim().parse().ok()
    }
}

/// # Errors
/// Only those of the JSON itself.
pub fn integer<'de, D: Deserializer<'de>>(d: D) -> Result<Option<i64>, D::Error> {
    Lenient(AsInteger).deserialize(d)
}

/// The texts of a list, others left out.
pub struct AsTexts;
impl<'de> Shape<'de> for AsTexts {
    type Value = Box<[Box<str>]>;
    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = list.next_element_seed(Lenient(AsText))? {
            texts.extend(text);
        }
        Ok(texts.into())
    }
}

/// # Errors
/// Only those of the JSON itself.
pub fn texts<'de, D: Deserializer<'de>>(d: D) -> Result<Box<[Box<str>]>, D::Error> {
    Lenient(AsTexts).deserialize(d)
}

/// An object with fields of its own.
pub struct AsGroup<T>(pub PhantomData<T>);
impl<'de, T: Deserialize<'de>> Shape<'de> for AsGroup<T> {
    type Value = Option<T>;
    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(object)).map(Some)
    }
}

/// A group that few documents have, kept out of line.
///
/// # Errors
/// Only those of the JSON itself.
pub fn rare<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    d: D,
) -> Result<Option<Box<T>>, D::Error> {
    Ok(Lenient(AsGroup(PhantomData)).deserialize(d)?.map(Box::new))
}

/// A group kept in line.
///
/// # Errors
/// Only those of the JSON itself.
pub fn group<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    d: D,
) -> Result<T, D::Error> {
    Ok(Lenient(AsGroup(PhantomData))
        .deserialize(d)?
        .unwrap_or_default())
}

/// An object whose keys are data, each value read by the same shape.
pub struct AsTable<S>(pub S);
impl<'de, T, S: Shape<'de, Value = Option<T>> + Copy> Shape<'de> for AsTable<S> {
    type Value = Option<Box<Table<T>>>;
    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut table = Table::default();
        while let Some(key) = object.next_key::<Box<str>>()? {
            if let Some(value) = object.next_value_seed(Lenient(self.0))? {
                table.insert(key, value);
            }
        }
        Ok((!table.is_empty()).then(|| Box::new(table)))
    }
}

/// The objects of a list. What is no object reads as an empty one, so that places keep their
/// numbers.
pub struct AsGroups<T>(pub PhantomData<T>);
impl<'de, T: Deserialize<'de> + Default> Shape<'de> for AsGroups<T> {
    type Value = Box<[T]>;
    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut groups = Vec::new();
        while let Some(group) = list.next_element_seed(Lenient(AsGroup::<T>(PhantomData)))? {
            groups.push(group.unwrap_or_default());
        }
        Ok(groups.into())
    }
}

impl<T> Clone for AsGroup<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for AsGroup<T> {}

/// # Errors
/// Only those of the JSON itself.
pub fn table<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    d: D,
) -> Result<Option<Box<Table<T>>>, D::Error> {
    Lenient(AsTable(AsGroup::<T>(PhantomData))).deserialize(d)
}

/// `{"enabled": flag}`, the form of `do_not_disturb` and `call_waiting`.
pub struct AsSwitch;
impl<'de> Shape<'de> for AsSwitch {
    type Value = Option<bool>;
    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut enabled = None;
        while let Some(key) = object.next_key::<Box<str>>()? {
            if &*key == "enabled" {
                enabled = object.next_value_seed(Lenient(AsFlag))?;
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(enabled)
    }
}

/// A document read field by field, so that several documents can share groups of fields
/// (serde's `flatten` would copy every value into a buffer first).
pub trait Fields: Default {
    /// Reads the value of `key`; false: the field is unknown and the value unread.
    ///
    /// # Errors
    /// Only those of the JSON itself.
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error>;
}

/// A whole document; anything but an object reads as an empty one.
pub struct AsFields<T>(pub PhantomData<T>);
impl<'de, T: Fields> Shape<'de> for AsFields<T> {
    type Value = T;
    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<T, A::Error> {
        let mut document = T::default();
        while let Some(key) = object.next_key::<Box<str>>()? {
            if !document.read(&key, &mut object)? {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Sample {
        #[serde(deserialize_with = "text")]
        name: Text,
        #[serde(deserialize_with = "flag")]
        on: Option<bool>,
        #[serde(deserialize_with = "count")]
        seconds: Option<u32>,
        #[serde(deserialize_with = "texts")]
        list: Box<[Box<str>]>,
        #[serde(deserialize_with = "rare")]
        inner: Option<Box<Sample>>,
    }

    fn read(json: &str) -> Sample {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn wrong_types_read_as_absent() {
        let wrong = [
            "null",
            "[]",
            "{}",
            "[[1],{\"a\":2}]",
            "1.5",
            "-1",
            "\"\"",
            "1e300",
        ];
        for value in wrong {
            let json = format!(
                r#"{{"on":{value},"seconds":{value},"inner":5,"list":3,"name":[{value}],"x":{value}}}"#
            );
            assert_eq!(read(&json), Sample::default(), "{value}");
        }
    }

    #[test]
    fn kindly_reads_texts_for_flags_and_counts() {
        let sample = read(r#"{"on":"true","seconds":"8","name":2001,"list":["a",1,null,{},"b"]}"#);
        assert_eq!(sample.on, Some(true));
        assert_eq!(sample.seconds, Some(8));
        assert_eq!(sample.name.as_deref(), Some("2001"));
        assert_eq!(sample.list.len(), 3);
        assert_eq!(read(r#"{"seconds":4.0}"#).seconds, Some(4));
    }

    #[test]
    fn one_bad_field_leaves_the_others() {
        let sample = read(r#"{"inner":{"name":{"a":[1]},"on":false},"on":[true],"seconds":3}"#);
        let inner = sample.inner.unwrap();
        assert_eq!((inner.name.clone(), inner.on), (None, Some(false)));
        assert_eq!((sample.on, sample.seconds), (None, Some(3)));
    }
}
