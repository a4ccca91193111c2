//! A carrier's formatters: fields of a leg rewritten on their way out (trunkstore specification
//! 4.6).

use std::borrow::Cow;

use crate::documents::{Direction, Formatter, Formatters, Table};

/// Formats a number as the gateway's invite format asks; None: it asks for no such form.
pub type InviteForm<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The formatters of a carrier for one of its gateways.
pub struct Format<'a> {
    pub table: Option<&'a Table<Formatters>>,
    pub invite_form: InviteForm<'a>,
}

impl Format<'_> {
    /// The value of a field after its formatters; None: it is left out.
    #[must_use]
    pub fn apply<'v>(&self, field: &str, value: Cow<'v, str>) -> Option<Cow<'v, str>> {
        let Some(table) = self.table else {
            return Some(value);
        };
        let mut named = table.iter().filter(|(key, _)| names(key, field));
        let Some((_, formatters)) = named.next() else {
            return Some(value);
        };
        let list = match formatters {
            Formatters::One(one) => std::slice::from_ref(&**one),
            Formatters::List(list) => list,
        };
        let ours = list
            .iter()
            .filter(|f| f.direction != Some(Direction::Inbound));
        match ours.filter_map(|f| one(f, &value, self.invite_form)).next() {
            None => Some(value),
            Some(new) => new.map(Cow::Owned),
        }
    }
}

/// What one formatter makes of a value: None if it does not apply, `Some(None)` if it strips.
pub(super) fn one(
    formatter: &Formatter,
    value: &str,
    invite_form: InviteForm<'_>,
) -> Option<Option<String>> {
    if formatter.strip == Some(true) {
        return Some(None);
    }
    if let Some(fixed) = &formatter.value {
        return Some(Some(fixed.to_string()));
    }
    if formatter.match_invite_format == Some(true)
        && let Some(new) = within_uri(value, invite_form).or_else(|| invite_form(value))
    {
        return Some(Some(new));
    }
    let root = formatter.regex.as_ref()?.first_capture(value)?;
    let prefix = formatter.prefix.as_deref().unwrap_or_default();
    let suffix = formatter.suffix.as_deref().unwrap_or_default();
    Some(Some([prefix, root, suffix].concat()))
}

/// Formats the user of the first URI in a value, `<sip:USER@HOST>`.
fn within_uri(value: &str, form: InviteForm<'_>) -> Option<String> {
    let start = value.find("sip:").map(|at| at + 4)?;
    let (head, rest) = value.split_at_checked(start)?;
    let (user, tail) = rest.split_at_checked(rest.find('@')?)?;
    Some([head, &form(user)?, tail].concat())
}

/// Keys compare without case, and `-` equals `_`; an outbound field is also known without that
/// word, and a list by its singular.
fn names(key: &str, field: &str) -> bool {
    let alias = field.strip_prefix("outbound_");
    same(key, field)
        || alias.is_some_and(|alias| same(key, alias))
        || (same(field, "diversion") && same(key, "diversions"))
}

fn same(a: &str, b: &str) -> bool {
    let fold = |byte: u8| match byte {
        b'-' => b'_',
        other => other.to_ascii_lowercase(),
    };
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| fold(a) == fold(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::Resource;
    use serde_json::{Value, json};

    fn run(formatters: Value, field: &str, value: &str) -> Option<String> {
        let resource: Resource = serde_json::from_value(json!({"formatters": formatters})).unwrap();
        let plus = |number: &str| Some(format!("+{number}"));
        let format = Format {
            table: resource.formatters.as_deref(),
            invite_form: &plus,
        };
        let out = format.apply(field, Cow::Borrowed(value));
        out.map(Cow::into_owned)
    }

    fn to(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn the_first_that_applies_wins_even_if_it_changes_nothing() {
        let list = json!({"outbound_caller_id_number": [
            {"direction": "inbound", "value": "wrong way"},
            {"regex": "^x"},
            {"direction": "both", "regex": r"^\+1(\d+)$", "prefix": "9", "suffix": "0"},
            {"value": "too late"},
        ]});
        assert_eq!(run(list, "outbound_caller_id_number", "+1212"), to("92120"));
        let same = json!({"a": [{"value": "v"}, {"strip": true}]});
        assert_eq!(run(same, "a", "v"), to("v"));
    }

    #[test]
    fn keys_and_their_aliases() {
        for key in ["Caller-ID-Number", "outbound_caller_id_number"] {
            let format = json!({key: {"strip": true}});
            assert_eq!(run(format, "outbound_caller_id_number", "1"), None, "{key}");
        }
        let format = json!({"diversions": {"match_invite_format": true}, "x_a": {"value": "1"}});
        assert_eq!(
            run(format.clone(), "diversion", "<sip:1@b>;x"),
            to("<sip:+1@b>;x")
        );
        assert_eq!(run(format.clone(), "X-A", "0"), to("1"));
        assert_eq!(run(format, "X-B", "0"), to("0"));
    }

    #[test]
    fn a_rule_keeps_the_whole_match_without_a_group() {
        let format = json!({"route": {"regex": r"\d{2}$", "prefix": "p"}});
        assert_eq!(run(format.clone(), "route", "1234"), to("p34"));
        assert_eq!(run(format, "route", "x"), to("x"));
    }
}
