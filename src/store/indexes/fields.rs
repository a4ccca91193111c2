//! Reading what indexes need from documents of any shape.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Map, Value};

use crate::store::keys;

/// Characters of a name that lists are sorted by; rows that agree in so many are in the order of their ids.
const SORT_MAX: usize = 128;

pub(super) fn at<'a>(body: &'a Map<String, Value>, path: &[&str]) -> Option<&'a Value> {
    let (last, above) = path.split_last()?;
    let mut at = body;
    for part in above {
        at = at.get(*part)?.as_object()?;
    }
    at.get(*last)
}

pub(super) fn text<'a>(body: &'a Map<String, Value>, path: &[&str]) -> Option<&'a str> {
    at(body, path)?.as_str()
}

/// A text that can stand in a key.
pub(super) fn word<'a>(body: &'a Map<String, Value>, path: &[&str]) -> Option<&'a str> {
    text(body, path).filter(|text| keys::indexable(text))
}

/// The same where tools write digits as a number.
pub(super) fn digits(body: &Map<String, Value>, path: &[&str]) -> Option<String> {
    let found = match at(body, path)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    keys::indexable(&found).then_some(found)
}

pub(super) fn strings<'a>(
    body: &'a Map<String, Value>,
    path: &[&str],
) -> impl Iterator<Item = &'a str> {
    let list = at(body, path).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// The objects of a list, with their positions.
pub(super) fn objects<'a>(
    body: &'a Map<String, Value>,
    field: &str,
) -> impl Iterator<Item = (usize, &'a Map<String, Value>)> {
    let list = body.get(field).and_then(Value::as_array);
    let items = list.into_iter().flatten().enumerate();
    items.filter_map(|(position, item)| Some((position, item.as_object()?)))
}

/// An address as documents write it: with or without port, IPv6 with or without brackets.
pub(super) fn parse_ip(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    text.parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|a| a.ip()))
        .or_else(|| {
            let inner = text.strip_prefix('[')?.strip_suffix(']')?;
            inner.parse().ok()
        })
        .map(|ip| ip.to_canonical())
}

/// What a list is sorted by: without regard to case, and nothing that would break a key.
pub(super) fn sort_text(text: &str) -> String {
    let sort = text.trim().chars().flat_map(char::to_lowercase);
    let sort = sort.map(|c| if c.is_control() { ' ' } else { c });
    sort.take(SORT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_and_without_port() {
        let v4: IpAddr = "198.51.100.9".parse().unwrap();
        let v6: IpAddr = "2001:db8::9".parse().unwrap();
        for text in ["198.51.100.9", "198.51.100.9:5070", "::ffff:198.51.100.9"] {
            assert_eq!(parse_ip(text), Some(v4), "{text}");
        }
        for text in ["2001:db8::9", "[2001:db8::9]", "[2001:db8::9]:5070"] {
            assert_eq!(parse_ip(text), Some(v6), "{text}");
        }
        assert_eq!(parse_ip("pbx.example.com"), None);
    }

    #[test]
    fn nothing_that_is_sorted_by_breaks_a_key() {
        assert_eq!(sort_text(" Smith\0John "), "smith john");
        assert_eq!(sort_text(&"Ä".repeat(500)).chars().count(), SORT_MAX);
    }
}
