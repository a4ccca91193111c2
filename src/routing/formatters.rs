//! Formatters: fields of a request rewritten on their way (devices specification 6.5).

use std::borrow::Cow;

use super::merge::Merged;
use crate::documents::{Direction, Formatter, Formatters};

/// What the formatters of a key make of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Formatted {
    Unchanged,
    /// The field is to be left out.
    Stripped,
    Changed(String),
}

/// Formats a number as the device's invite format asks; None: it has no number format.
pub type MatchInviteFormat<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The formatters of one endpoint for one direction.
pub struct Format<'a> {
    pub endpoint: &'a Merged<'a>,
    pub direction: Direction,
    pub invite_format: MatchInviteFormat<'a>,
}

/// Keys compare without case, and `-` equals `_`.
fn same_key(a: &str, b: &str) -> bool {
    let fold = |byte: u8| match byte {
        b'-' => b'_',
        other => other.to_ascii_lowercase(),
    };
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| fold(a) == fold(b))
}

/// `outbound_caller_id_number` is also known as `caller_id_number`.
fn names(key: &str, wanted: &str) -> bool {
    same_key(key, wanted)
        || wanted
            .strip_prefix("outbound_")
            .is_some_and(|alias| same_key(key, alias))
}

impl Format<'_> {
    /// The value of a field after its formatters; None: stripped. A field that is absent stays so.
    #[must_use]
    pub fn apply<'v>(&self, key: &str, value: Cow<'v, str>) -> Option<Cow<'v, str>> {
        match self.format(key, &value) {
            Formatted::Unchanged => Some(value),
            Formatted::Stripped => None,
            Formatted::Changed(new) => Some(Cow::Owned(new)),
        }
    }

    /// Runs the formatters of a key: the first that changes something is the last.
    #[must_use]
    pub fn format(&self, key: &str, value: &str) -> Formatted {
        let mut levels = self.endpoint.formatters(|known| names(known, key));
        match levels.next() {
            None => Formatted::Unchanged,
            Some(Formatters::List(list)) => self.run(list.iter(), key, value),
            Some(Formatters::One(strongest)) => {
                // A single formatter merges with those of the levels below, field by field.
                let mut merged = Cow::Borrowed(&**strongest);
                for lower in levels {
                    let Formatters::One(lower) = lower else {
                        break;
                    };
                    fill(merged.to_mut(), lower);
                }
                self.run(std::iter::once(&*merged), key, value)
            }
        }
    }

    fn run<'f>(
        &self,
        formatters: impl Iterator<Item = &'f Formatter>,
        key: &str,
        value: &str,
    ) -> Formatted {
        formatters
            .filter(|formatter| formatter.direction.is_none_or(|d| d == self.direction))
            .map(|formatter| self.one(formatter, key, value))
            .find(|formatted| *formatted != Formatted::Unchanged)
            .unwrap_or(Formatted::Unchanged)
    }

    fn one(&self, formatter: &Formatter, key: &str, value: &str) -> Formatted {
        if formatter.strip == Some(true) {
            return Formatted::Stripped;
        }
        if let Some(fixed) = &formatter.value {
            return changed(value, fixed.to_string());
        }
        if formatter.match_invite_format == Some(true) {
            let matched = if same_key(key, "diversion") {
                within_uri(value, self.invite_format)
            } else {
                (self.invite_format)(value)
            };
            if let Some(new) = matched.filter(|new| new != value) {
                return Formatted::Changed(new);
            }
        }
        let Some(root) = formatter
            .regex
            .as_ref()
            .and_then(|pattern| pattern.first_capture(value))
        else {
            return Formatted::Unchanged;
        };
        let prefix = formatter.prefix.as_deref().unwrap_or_default();
        let suffix = formatter.suffix.as_deref().unwrap_or_default();
        changed(value, [prefix, root, suffix].concat())
    }
}

fn changed(old: &str, new: String) -> Formatted {
    if old == new {
        Formatted::Unchanged
    } else {
        Formatted::Changed(new)
    }
}

fn fill(strong: &mut Formatter, weak: &Formatter) {
    strong.direction = strong.direction.or(weak.direction);
    strong.strip = strong.strip.or(weak.strip);
    strong.match_invite_format = strong.match_invite_format.or(weak.match_invite_format);
    for (strong, weak) in [
        (&mut strong.value, &weak.value),
        (&mut strong.prefix, &weak.prefix),
        (&mut strong.suffix, &weak.suffix),
    ] {
        if strong.is_none() {
            strong.clone_from(weak);
        }
    }
    if strong.regex.is_none() {
        strong.regex.clone_from(&weak.regex);
    }
}

/// Formats the user of the first URI in a value, `<sip:USER@HOST>;reason=...`.
fn within_uri(value: &str, format: MatchInviteFormat<'_>) -> Option<String> {
    let start = value.find("sip:").map(|at| at + 4)?;
    let (head, rest) = value.split_at_checked(start)?;
    let (user, tail) = rest.split_at_checked(rest.find('@')?)?;
    let user = format(user)?;
    Some([head, &user, tail].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::{Account, Device};
    use serde_json::{Value, json};

    fn run(account: Value, device: Value, key: &str, value: &str) -> Formatted {
        let account: Account = serde_json::from_value(json!({"formatters": account})).unwrap();
        let device: Device = serde_json::from_value(json!({"formatters": device})).unwrap();
        let endpoint = Merged::of_device(&account, &device, &[]);
        let plus = |number: &str| Some(format!("+{number}"));
        Format {
            endpoint: &endpoint,
            direction: Direction::Outbound,
            invite_format: &plus,
        }
        .format(key, value)
    }

    fn to(text: &str) -> Formatted {
        Formatted::Changed(text.to_owned())
    }

    #[test]
    fn keys_compare_without_case_and_by_their_alias() {
        let strip = json!({"X_Tenant-a": {"strip": true}, "caller-id-name": {"value": "v"}});
        assert_eq!(
            run(json!({}), strip.clone(), "x-tenant_A", "1"),
            Formatted::Stripped
        );
        assert_eq!(
            run(json!({}), strip.clone(), "outbound_caller_id_name", "1"),
            to("v")
        );
        assert_eq!(run(json!({}), strip, "x-tenant", "1"), Formatted::Unchanged);
    }

    #[test]
    fn the_first_formatter_that_changes_something_ends_the_list() {
        let list = json!({"to_did": [
            {"direction": "inbound", "value": "wrong way"},
            {"regex": "^x"},
            {"direction": "both", "regex": r"^(\d)(\d+)$", "prefix": "<", "suffix": ">"},
            {"value": "too late"},
        ]});
        assert_eq!(run(json!({}), list, "to_did", "123"), to("<1>"));
    }

    #[test]
    fn an_expression_is_unanchored_and_falls_back_to_the_whole_match() {
        let formatter = json!({"to_did": {"regex": r"(x)?\d{2}$", "prefix": "+"}});
        assert_eq!(run(json!({}), formatter, "to_did", "1234"), to("+34"));
        let invalid = json!({"to_did": {"regex": "(", "prefix": "+"}});
        assert_eq!(run(json!({}), invalid, "to_did", "1"), Formatted::Unchanged);
    }

    #[test]
    fn inside_one_formatter_strip_comes_first_and_the_expression_last() {
        let all = |strip, value: Value| {
            json!({"a": {"strip": strip, "value": value,
            "match_invite_format": true, "regex": ".*", "prefix": "p"}})
        };
        assert_eq!(
            run(json!({}), all(true, json!("v")), "a", "1"),
            Formatted::Stripped
        );
        assert_eq!(run(json!({}), all(false, json!("v")), "a", "1"), to("v"));
        assert_eq!(run(json!({}), all(false, json!("")), "a", "1"), to("+1"));
    }

    #[test]
    fn the_user_of_a_diversion_is_formatted() {
        let format = json!({"diversion": {"match_invite_format": true}});
        assert_eq!(
            run(json!({}), format, "Diversion", "<sip:1@b>;reason=x"),
            to("<sip:+1@b>;reason=x")
        );
    }

    #[test]
    fn single_formatters_of_several_levels_merge_and_lists_replace() {
        let account = json!({"a": {"regex": r"\d+", "prefix": "9"}});
        assert_eq!(
            run(account.clone(), json!({"A": {"suffix": "0"}}), "a", "1"),
            to("910")
        );
        assert_eq!(
            run(account, json!({"a": [{"regex": "x"}]}), "a", "1"),
            Formatted::Unchanged
        );
    }
}
