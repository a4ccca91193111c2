//! From the dialled string to a callflow (callflow specification 1.2, steps 2 to 7).

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;

use crate::documents::Callflow;
use crate::routing::Explain;
use crate::store::{Store, StoreError};
use crate::types::{AccountId, DocumentId};

/// The number that stands for "anything else" in a callflow.
const NO_MATCH: &str = "no_match";

/// A callflow, and how the dialled string led to it.
#[derive(Debug, Clone)]
pub struct Found {
    pub id: DocumentId,
    pub callflow: Arc<Callflow>,
    pub by: Rule,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    Number,
    Pattern(Captured),
    NoMatch,
}

impl Rule {
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Rule::Number => "number",
            Rule::Pattern(_) => "pattern",
            Rule::NoMatch => "no_match",
        }
    }
}

/// What a pattern took out of the dialled string.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    pub group: String,
    /// Named groups that are not empty.
    pub named: BTreeMap<String, String>,
}

/// What was dialled: as it came, and as E.164 if that makes a difference.
#[derive(Debug, Clone, Copy)]
pub struct Dialed<'a> {
    pub raw: &'a str,
    pub normalized: Option<&'a str>,
}

impl<'a> Dialed<'a> {
    fn keys(self) -> impl Iterator<Item = &'a str> {
        let normalized = self.normalized.filter(|n| *n != self.raw);
        std::iter::once(self.raw).chain(normalized)
    }
}

/// Exact numbers, then patterns, then `no_match`; each with the raw key before the normalised one.
///
/// # Errors
/// The store can't be read.
pub fn find(
    store: &Store,
    account: &AccountId,
    dialed: Dialed<'_>,
    explain: &mut dyn Explain,
) -> Result<Option<Found>, StoreError> {
    for key in dialed.keys() {
        if let Some((id, callflow)) = by_number(store, account, key)? {
            explain.note("number", format_args!("{key} is a number of callflow {id}"));
            let by = Rule::Number;
            return Ok(Some(Found { id, callflow, by }));
        }
        explain.note("number", format_args!("no callflow has the number {key}"));
    }
    let patterns = store.patterns(account)?;
    for key in dialed.keys() {
        let Some((id, captured)) = best_pattern(&patterns, key, explain) else {
            continue;
        };
        let group = &captured.group;
        explain.note(
            "pattern",
            format_args!("callflow {id} wins, capturing {group:?}"),
        );
        if let Some(callflow) = store.callflow(account, id)? {
            let (id, by) = (id.clone(), Rule::Pattern(captured));
            return Ok(Some(Found { id, callflow, by }));
        }
    }
    if !dialed.keys().any(may_be_no_match) {
        explain.note("no_match", format_args!("not asked: other than digits"));
        return Ok(None);
    }
    let found = by_number(store, account, NO_MATCH)?;
    match &found {
        Some((id, _)) => explain.note("no_match", format_args!("callflow {id}")),
        None => explain.note("no_match", format_args!("the account has none")),
    }
    Ok(found.map(|(id, callflow)| Found {
        id,
        callflow,
        by: Rule::NoMatch,
    }))
}

fn by_number(
    store: &Store,
    account: &AccountId,
    number: &str,
) -> Result<Option<(DocumentId, Arc<Callflow>)>, StoreError> {
    let mut ids = store.callflows_by_number(account, number)?.into_iter();
    let Some(id) = ids.next() else {
        return Ok(None);
    };
    if ids.len() > 0 {
        tracing::warn!(account_id = %account, number, callflow = %id,
            "several callflows have this number; the first by id is used");
    }
    Ok(store.callflow(account, &id)?.map(|callflow| (id, callflow)))
}

/// `no_match` is for numbers: digits, after one optional `+`.
fn may_be_no_match(key: &str) -> bool {
    let digits = key.strip_prefix('+').unwrap_or(key);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// The pattern whose candidate is longest; of equals the one tested first.
fn best_pattern<'p>(
    patterns: &'p [(DocumentId, Regex)],
    key: &str,
    explain: &mut dyn Explain,
) -> Option<(&'p DocumentId, Captured)> {
    let mut best: Option<(&DocumentId, Captured)> = None;
    for (id, pattern) in patterns {
        let Some(captured) = capture(pattern, key) else {
            continue;
        };
        let group = &captured.group;
        explain.note(
            "pattern",
            format_args!("{pattern} of callflow {id} captures {group:?} of {key}"),
        );
        let longest = best.as_ref().map_or(-1, |(_, b)| as_length(&b.group));
        if as_length(group) > longest {
            best = Some((id, captured));
        }
    }
    best
}

fn as_length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

/// The candidate of one pattern: the shortest of its groups (the first of equals), or the whole
/// match when it has none. Erlang's `re`, which Kazoo's scoring rests on, leaves trailing groups
/// out that took no part, and gives earlier ones as empty.
fn capture(pattern: &Regex, key: &str) -> Option<Captured> {
    let captures = pattern.captures(key)?;
    let groups: Vec<Option<&str>> = captures.iter().skip(1).map(|g| Some(g?.as_str())).collect();
    let participating = groups
        .iter()
        .rposition(Option::is_some)
        .map_or(0, |last| last + 1);
    let candidate = groups
        .iter()
        .take(participating)
        .map(|group| group.unwrap_or_default())
        .min_by_key(|group| group.len());
    let whole = captures.get(0).map_or("", |m| m.as_str());
    let named = pattern
        .capture_names()
        .flatten()
        .filter_map(|name| Some((name.to_owned(), captures.name(name)?.as_str().to_owned())))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    Some(Captured {
        group: candidate.unwrap_or(whole).to_owned(),
        named,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::Silent;

    fn patterns(texts: &[(&str, &str)]) -> Vec<(DocumentId, Regex)> {
        let compiled = texts.iter().map(|(id, text)| {
            let id = DocumentId::new(id).unwrap();
            (id, Regex::new(text).unwrap())
        });
        compiled.collect()
    }

    fn winner(texts: &[(&str, &str)], key: &str) -> Option<(String, String)> {
        let patterns = patterns(texts);
        let (id, captured) = best_pattern(&patterns, key, &mut Silent)?;
        Some((id.to_string(), captured.group))
    }

    fn pair(id: &str, group: &str) -> Option<(String, String)> {
        Some((id.to_owned(), group.to_owned()))
    }

    #[test]
    fn the_longest_candidate_wins() {
        let both = [("cfa", r"^\*5([0-9])"), ("cfb", r"^\*5([0-9]+)$")];
        assert_eq!(winner(&both, "*5123"), pair("cfb", "123"));
        assert_eq!(winner(&both, "*51"), pair("cfa", "1"));
        assert_eq!(winner(&both, "5"), None);
    }

    #[test]
    fn the_shortest_group_of_a_pattern_is_its_candidate() {
        assert_eq!(winner(&[("cf", r"^(\d{3})(\d)$")], "1234"), pair("cf", "4"));
        // The whole match only without any group.
        assert_eq!(winner(&[("cf", r"^\d+$")], "1234"), pair("cf", "1234"));
    }

    #[test]
    fn an_optional_group_counts_as_empty_before_a_participating_one() {
        assert_eq!(winner(&[("cf", r"^(9)?(\d{3})$")], "123"), pair("cf", ""));
        assert_eq!(
            winner(&[("cf", r"^(\d{3})(9)?$")], "123"),
            pair("cf", "123")
        );
        // An empty candidate loses to any other, and still wins alone.
        let two = [("a", r"^(9)?(\d{3})$"), ("b", r"^1(2)3$")];
        assert_eq!(winner(&two, "123"), pair("b", "2"));
    }

    #[test]
    fn patterns_search_unless_they_anchor_themselves() {
        assert_eq!(winner(&[("cf", r"\*3(\d+)")], "9*35"), pair("cf", "5"));
    }

    #[test]
    fn named_groups_are_kept_unless_empty() {
        let pattern = Regex::new(r"^\*(?<slot>\d+)(?<rest>[a-z]*)$").unwrap();
        let captured = capture(&pattern, "*12").unwrap();
        let expected = BTreeMap::from([("slot".to_owned(), "12".to_owned())]);
        assert_eq!(captured.named, expected);
    }

    #[test]
    fn no_match_is_for_numbers() {
        for number in ["1", "+14155550123", "00"] {
            assert!(may_be_no_match(number), "{number}");
        }
        for other in ["", "+", "++1", "alice", "*98", "1a", "٣"] {
            assert!(!may_be_no_match(other), "{other}");
        }
    }
}
