//! Rules that rewrite a text by regular expression: dial plans, number rules and formatters.

use std::fmt;
use std::marker::PhantomData;
use std::sync::OnceLock;

use regex::Regex;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess};

use super::lenient::{self, AsGroup, AsTexts, Lenient, Shape, Text, flag};

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
            .get_or_init(|| Regex::new(&self.text).ok().map(Box::new))
            .as_deref()
    }

    /// The first capture group of a match that took part in it, else the whole match.
    #[must_use]
    pub fn first_capture<'t>(&self, text: &'t str) -> Option<&'t str> {
        let captures = self.regex()?.captures(text)?;
        let group = captures.get(1).or_else(|| captures.get(0))?;
        Some(group.as_str())
    }

    /// The last capture group that took part in a match, else the whole match.
    #[must_use]
    pub fn last_capture<'t>(&self, text: &'t str) -> Option<&'t str> {
        let captures = self.regex()?.captures(text)?;
        let group = captures.iter().flatten().last()?;
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

/// `{prefix, suffix}` around what a pattern matched; the number rules and dial plans of one level.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberRule {
    /// Name of a shared plan; its key if it has none.
    pub name: Text,
    /// The entry's key: the expression, unless the entry has a `regex` of its own.
    pub key: Box<str>,
    pub pattern: Pattern,
    pub prefix: Text,
    pub suffix: Text,
    /// Plans nested in the entry, tried right after it.
    pub nested: Option<Box<DialPlan>>,
}

impl NumberRule {
    /// Prefix, last participating capture group (or the whole match) and suffix; None: no match.
    #[must_use]
    pub fn apply(&self, number: &str) -> Option<String> {
        let root = self.pattern.last_capture(number)?;
        let part = |text: &Text| text.as_deref().unwrap_or_default().to_owned();
        Some(part(&self.prefix) + root + &part(&self.suffix))
    }
}

/// An ordered map from expression to rule, and the names of shared plans.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DialPlan {
    pub rules: Box<[NumberRule]>,
    /// `system`: never an expression.
    pub system: Box<[Box<str>]>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RuleBody {
    #[serde(deserialize_with = "lenient::text")]
    name: Text,
    #[serde(deserialize_with = "lenient::text")]
    regex: Text,
    #[serde(deserialize_with = "lenient::text")]
    prefix: Text,
    #[serde(deserialize_with = "lenient::text")]
    suffix: Text,
    #[serde(deserialize_with = "lenient::rare")]
    dialplan: Option<Box<DialPlan>>,
}

struct AsDialPlan;
impl<'de> Shape<'de> for AsDialPlan {
    type Value = DialPlan;
    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<DialPlan, A::Error> {
        let mut rules = Vec::new();
        let mut system: Box<[Box<str>]> = Box::default();
        while let Some(key) = object.next_key::<Box<str>>()? {
            if &*key == "system" {
                system = object.next_value_seed(Lenient(AsTexts))?;
                continue;
            }
            let shape = Lenient(AsGroup::<RuleBody>(PhantomData));
            let Some(body) = object.next_value_seed(shape)? else {
                continue;
            };
            rules.push(NumberRule {
                pattern: Pattern::new(body.regex.as_deref().unwrap_or(&key)),
                key,
                name: body.name,
                prefix: body.prefix,
                suffix: body.suffix,
                nested: body.dialplan,
            });
        }
        Ok(DialPlan {
            rules: rules.into(),
            system,
        })
    }
}

impl<'de> Deserialize<'de> for DialPlan {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Lenient(AsDialPlan))
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
    fn an_invalid_expression_never_matches() {
        assert_eq!(Pattern::new("(").last_capture("("), None);
    }

    #[test]
    fn the_last_group_that_took_part_is_the_root() {
        let pattern = Pattern::new(r"^(\+?1)?(\d{3})(x)?$");
        assert_eq!(pattern.last_capture("1415"), Some("415"));
        assert_eq!(pattern.first_capture("415"), Some("415"));
        assert_eq!(Pattern::new(r"\d{2}$").last_capture("1234"), Some("34"));
    }

    #[test]
    fn a_dial_plan_keeps_its_order_and_leaves_system_out() {
        let json = r#"{"b":{"prefix":"1"},"system":["Nine"],"a":{"regex":"^x$"},"bad":5}"#;
        let plan: DialPlan = serde_json::from_str(json).unwrap();
        let keys: Vec<_> = plan.rules.iter().map(|r| r.pattern.as_str()).collect();
        assert_eq!(keys, ["b", "^x$"]);
        assert_eq!(&*plan.system, ["Nine".into()]);
    }
}
