//! What a rule makes of a number it matches.

use regex::Regex;

/// The part of a number that is sent, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Part {
    pub(super) const fn length(self) -> usize {
        self.end.saturating_sub(self.start)
    }

    pub(super) fn of(self, number: &str) -> &str {
        number.get(self.start..self.end).unwrap_or_default()
    }
}

/// None: no match. The longest captured group, the last of equals; the whole match if no group captured anything
/// (trunkstore specification 4.2).
pub(super) fn sent(rule: &Regex, number: &str) -> Option<Part> {
    let captures = rule.captures(number)?;
    let mut groups = captures.iter().flatten();
    let whole = groups.next()?;
    let longest = groups.filter(|group| !group.is_empty());
    // Of equals, the last.
    let chosen = longest.max_by_key(|group| group.len()).unwrap_or(whole);
    Some(Part {
        start: chosen.start(),
        end: chosen.end(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(rule: &str, number: &str) -> Option<String> {
        let rule = Regex::new(rule).unwrap();
        sent(&rule, number).map(|part| part.of(number).to_owned())
    }

    #[test]
    fn the_longest_capture_or_the_match() {
        for (rule, number, expected) in [
            (r"^\+1(\d{10})$", "+16465558888", "6465558888"),
            (r"^\+1", "+16465558888", "+1"),
            (r"^(\+1)(\d{2})(\d{3})", "+16465558888", "655"),
            // Of equals the last.
            (r"^\+1(\d{3})(\d{3})", "+16465558888", "555"),
            // Nothing captured: the match.
            (r"^(x)?\+1646", "+16465558888", "+1646"),
            (r"^()\+1646", "+16465558888", "+1646"),
            (r"555", "+16465558888", "555"),
        ] {
            assert_eq!(part(rule, number).as_deref(), Some(expected), "{rule}");
        }
        assert_eq!(part(r"^\+44", "+16465558888"), None);
    }
}
