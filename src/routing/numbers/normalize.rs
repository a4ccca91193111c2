//! Normal forms: E.164, and the North American ones.

use std::sync::{Arc, LazyLock};

use indexmap::IndexMap;
use regex::Regex;

use super::pattern::{Affixes, compiled};
use crate::types::{known_e164, north_american};

/// One rule of an ordered map `regex -> {prefix, suffix}`.
#[derive(Debug, Clone)]
pub struct NumberRule {
    regex: Arc<Regex>,
    affixes: Affixes,
}

/// Turns dialled numbers into E.164. The default rules (US) run without a regular expression.
#[derive(Debug, Clone, Default)]
pub struct Normalizer {
    /// None: the default rules.
    rules: Option<Vec<NumberRule>>,
}

impl Normalizer {
    /// The default rules: North American numbers, `011` and `00` before international ones, and
    /// international ones without anything in front.
    #[must_use]
    pub const fn us() -> Self {
        Self { rules: None }
    }

    /// Rules of an operator or an account, in their order. A pattern that is no regular expression
    /// is left out (and logged when it is first seen).
    #[must_use]
    pub fn with_rules(rules: &IndexMap<String, Affixes>) -> Self {
        let rule = |(pattern, affixes): (&String, &Affixes)| {
            let regex = compiled(pattern)?;
            let affixes = affixes.clone();
            Some(NumberRule { regex, affixes })
        };
        Self {
            rules: Some(rules.iter().filter_map(rule).collect()),
        }
    }

    /// E.164 by the first rule that matches. A number with a `+` in front is taken as normal, and
    /// one that no rule matches comes back unchanged.
    #[must_use]
    pub fn e164(&self, number: &str) -> String {
        if number.starts_with('+') {
            return number.to_owned();
        }
        let normal = match &self.rules {
            None => known_e164(number),
            Some(rules) => rules.iter().find_map(|r| r.affixes.apply(&r.regex, number)),
        };
        normal.unwrap_or_else(|| number.to_owned())
    }

    /// E.164 without its `+`.
    #[must_use]
    pub fn strip_plus(&self, number: &str) -> String {
        let mut normal = self.e164(number);
        if normal.starts_with('+') {
            normal.remove(0);
        }
        normal
    }
}

/// The ten digits of a North American number; any other comes back as it is. Knows no rules but
/// this one, whatever an account has configured.
#[must_use]
pub fn npan(number: &str) -> &str {
    north_american(number).unwrap_or(number)
}

/// `1` and ten digits for a North American number; any other comes back as it is.
#[must_use]
pub fn one_npan(number: &str) -> String {
    match north_american(number) {
        Some(ten) => format!("1{ten}"),
        None => number.to_owned(),
    }
}

/// The default rules as an operator would write them; [`Normalizer::us`] gives the same results.
pub fn default_rules() -> &'static IndexMap<String, Affixes> {
    static RULES: LazyLock<IndexMap<String, Affixes>> = LazyLock::new(|| {
        let rule = |pattern: &str, prefix: &str| {
            let affixes = Affixes {
                prefix: prefix.to_owned(),
                ..Affixes::default()
            };
            (pattern.to_owned(), affixes)
        };
        IndexMap::from([
            rule(r"^(\+?1)?([2-9][0-9]{2}[2-9][0-9]{6})$", "+1"),
            rule(r"^011([0-9]{5,})$", "+"),
            rule(r"^00([0-9]{5,})$", "+"),
            rule(r"^[2-9][0-9]{7,}$", "+"),
        ])
    });
    &RULES
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn default_rules_by_example() {
        let us = Normalizer::us();
        for (number, e164) in [
            ("4155550123", "+14155550123"),
            ("14155550123", "+14155550123"),
            ("+442071838750", "+442071838750"),
            ("00442071838750", "+442071838750"),
            ("011442071838750", "+442071838750"),
            ("01112345", "+12345"),
            ("011123", "011123"),
            ("911", "911"),
            ("2001", "2001"),
            ("4151551234", "+4151551234"),
            ("12345678", "12345678"),
            ("+1415", "+1415"),
            ("415555012x", "415555012x"),
            ("٤١٥٥٥٥٠١٢٣", "٤١٥٥٥٥٠١٢٣"),
            ("", ""),
        ] {
            assert_eq!(us.e164(number), e164, "{number}");
        }
        assert_eq!(us.strip_plus("011442071838750"), "442071838750");
        assert_eq!(us.strip_plus("++1"), "+1");
        assert_eq!(npan("+14155550123"), "4155550123");
        assert_eq!(npan("+442071838750"), "+442071838750");
        assert_eq!(one_npan("4155550123"), "14155550123");
        assert_eq!(one_npan("2001"), "2001");
        assert_eq!(npan("4151551234"), "4151551234");
    }

    #[test]
    fn an_account_has_its_own_rules_in_their_order() {
        let rules: IndexMap<String, Affixes> = serde_json::from_str(
            r#"{"(": {"prefix": "x"}, "^0([1-9]\\d+)$|^9(\\d)$": {"prefix": "+49", "suffix": "!"},
                "^0": {"prefix": "no"}, "^7": {}}"#,
        )
        .unwrap();
        let german = Normalizer::with_rules(&rules);
        assert_eq!(german.e164("030123456"), "+4930123456!");
        assert_eq!(german.e164("95"), "+495!", "the last group that took part");
        assert_eq!(german.e164("00"), "no0", "no group: the whole match");
        assert_eq!(german.e164("+030"), "+030");
        assert_eq!(german.e164("4155550123"), "4155550123");
    }

    proptest! {
        #[test]
        fn the_fast_path_is_what_the_default_rules_say(
            number in "\\+{0,1}(1|011|00|)[0-9]{0,12}[a#]{0,1}",
        ) {
            let by_table = Normalizer::with_rules(default_rules());
            prop_assert_eq!(Normalizer::us().e164(&number), by_table.e164(&number));
        }
    }
}
