//! Classes of numbers, in the order in which they are tried.

use std::sync::{Arc, LazyLock};

use indexmap::IndexMap;
use regex::Regex;

use super::pattern::compiled;

/// The class of a number that no entry matches.
const UNKNOWN: &str = "unknown";

const DEFAULTS: &[(&str, &str)] = &[
    (
        "tollfree_us",
        r"^\+1((?:800|88[0-9]|877|866|855|844|833|822)[0-9]{7})$",
    ),
    ("toll_us", r"^\+1(900[0-9]{7})$"),
    ("emergency", r"^(911|922|933|833|811|711|999)$"),
    (
        "caribbean",
        r"^\+?1((?:684|264|268|242|246|441|284|345|767|809|829|849|473|671|876|664|670|787|939|869|758|784|721|868|649|340)[0-9]{7})$",
    ),
    ("did_us", r"^(\+?1)?([2-9][0-9]{2}[2-9][0-9]{6})$"),
    ("international", r"^\+([2-9][0-9]{7,})$"),
];

/// Named patterns; the first that matches a normalised number names its class.
#[derive(Debug, Clone)]
pub struct Classifiers(Vec<(String, Arc<Regex>)>);

impl Classifiers {
    /// An operator's classes, in their order, `name -> regex`. A pattern that is no regular
    /// expression is left out (and logged when it is first seen).
    #[must_use]
    pub fn new(classes: &IndexMap<String, String>) -> Self {
        Self::compile(classes.iter().map(|(n, p)| (n.as_str(), p.as_str())))
    }

    fn compile<'a>(classes: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let class = |(name, pattern): (&str, &str)| Some((name.to_owned(), compiled(pattern)?));
        Self(classes.filter_map(class).collect())
    }

    /// The default classes (US).
    #[must_use]
    pub fn us() -> &'static Self {
        static US: LazyLock<Classifiers> =
            LazyLock::new(|| Classifiers::compile(DEFAULTS.iter().copied()));
        &US
    }

    /// The pattern of a class; None: there is no such class.
    #[must_use]
    pub fn pattern(&self, class: &str) -> Option<&str> {
        let known = self.0.iter().find(|(name, _)| name == class);
        known.map(|(_, regex)| regex.as_str())
    }

    /// The class of a number in E.164; `unknown` if nothing matches, as for extensions.
    #[must_use]
    pub fn classify(&self, e164: &str) -> &str {
        let class = self.0.iter().find(|(_, regex)| regex.is_match(e164));
        class.map_or(UNKNOWN, |(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Normalizer;
    use super::*;

    #[test]
    fn default_classes() {
        for (number, class) in [
            ("8005550100", "tollfree_us"),
            ("9005550100", "toll_us"),
            ("911", "emergency"),
            ("8765550100", "caribbean"),
            ("4155550123", "did_us"),
            ("011442071838750", "international"),
            ("2001", "unknown"),
            ("*98", "unknown"),
            ("", "unknown"),
        ] {
            let e164 = Normalizer::us().e164(number);
            assert_eq!(Classifiers::us().classify(&e164), class, "{number}");
        }
    }

    #[test]
    fn the_declared_order_counts_and_bad_patterns_are_skipped() {
        let classes = [("z", "["), ("b", "^[+]1"), ("a", "^[+]14")];
        let classes = classes.map(|(n, p)| (n.to_owned(), p.to_owned()));
        let classes = Classifiers::new(&IndexMap::from(classes));
        assert_eq!(classes.classify("+14155550123"), "b");
        assert_eq!(classes.classify("+44"), "unknown");
    }
}
