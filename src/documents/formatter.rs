//! Formatters: rules that rewrite a field of a request by regular expression.

use std::fmt;
use std::marker::PhantomData;
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess};

use super::lenient::{self, AsGroup, Lenient, Shape, Text, flag};

/// Bytes that one compiled pattern may take: a bound on what a document can make the daemon hold.
const PATTERN_BYTES: usize = 256 * 1024;

/// A regular expression of a document, compiled when first used and kept as long as the decoded
/// document lives. One that does not compile never matches.
#[derive(Clone, Default)]
pub struct Pattern {
    text: Box<str>,
    compiled: OnceLock<Option<Box<Regex>>>,
}

impl Pattern {
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self {
            text: text.into(),
            compiled: OnceLock::new(),
        }
    }

    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.text
    }

    /// None: the expression is invalid.
    #[must_use]
    pub fn regex(&self) -> Option<&Regex> {
        self.compiled
            .get_or_init(|| {
                let built = RegexBuilder::new(&self.text)
                    .size_limit(PATTERN_BYTES)
                    .build();
                built.ok().map(Box::new)
            })
            .as_deref()
    }

    /// The first capture group of a match that took part in it, else the whole match.
    #[must_use]
    pub fn first_capture<'t>(&self, text: &'t str) -> Option<&'t str> {
        let captures = self.regex()?.captures(text)?;
        let group = captures.get(1).or_else(|| captures.get(0))?;
        Some(group.as_str())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Which way a formatter works: on a request from the device, or on a leg to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Inbound,
    Outbound,
}

/// One way to rewrite a field (devices specification 6.5).
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Formatter {
    /// None: both.
    #[serde(deserialize_with = "direction")]
    pub direction: Option<Direction>,
    #[serde(deserialize_with = "flag")]
    pub strip: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub match_invite_format: Option<bool>,
    #[serde(deserialize_with = "lenient::text")]
    pub value: Text,
    #[serde(deserialize_with = "pattern")]
    pub regex: Option<Pattern>,
    #[serde(deserialize_with = "lenient::text")]
    pub prefix: Text,
    #[serde(deserialize_with = "lenient::text")]
    pub suffix: Text,
}

fn direction<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Direction>, D::Error> {
    Ok(match lenient::text(d)?.as_deref() {
        Some("inbound") => Some(Direction::Inbound),
        Some("outbound") => Some(Direction::Outbound),
        _ => None,
    })
}

fn pattern<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Pattern>, D::Error> {
    Ok(lenient::text(d)?.map(|text| Pattern::new(&text)))
}

/// The formatters of one key.
#[derive(Debug, Clone, PartialEq)]
pub enum Formatters {
    /// Merges with the other levels' formatter of the same key.
    One(Box<Formatter>),
    /// Replaces the lower levels'.
    List(Box<[Formatter]>),
}

/// One formatter or a list of them.
#[derive(Clone, Copy)]
pub struct AsFormatters;
impl<'de> Shape<'de> for AsFormatters {
    type Value = Option<Formatters>;

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        let one = AsGroup::<Formatter>(PhantomData).object(object)?;
        Ok(one.map(|formatter| Formatters::One(Box::new(formatter))))
    }
    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = list.next_element_seed(Lenient(AsGroup::<Formatter>(PhantomData)))? {
            all.extend(one);
        }
        Ok((!all.is_empty()).then(|| Formatters::List(all.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_or_huge_expression_never_matches() {
        assert_eq!(Pattern::new("(").first_capture("("), None);
        assert_eq!(Pattern::new("(a{1000}){1000}").first_capture("a"), None);
    }

    #[test]
    fn the_first_group_or_the_whole_match() {
        assert_eq!(
            Pattern::new(r"(\d{10})$").first_capture("+14155550199"),
            Some("4155550199")
        );
        assert_eq!(
            Pattern::new(r"(x)?\d{2}$").first_capture("1234"),
            Some("34")
        );
    }
}
