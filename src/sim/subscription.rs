//! What a connection wants to hear: names, subclasses, filters.

use std::collections::BTreeSet;

use super::event_name::EventSet;

/// How events are written to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Format {
    #[default]
    Plain,
    Json,
}

impl Format {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Format::Plain => "plain",
            Format::Json => "json",
        }
    }
}

/// A connection's subscription.
#[derive(Debug, Clone, Default)]
pub(super) struct Subscription {
    pub(super) names: EventSet,
    pub(super) subclasses: BTreeSet<String>,
    pub(super) format: Format,
    pub(super) filters: Filters,
    /// Tied to the controlled leg by `myevents`.
    pub(super) only_own_leg: bool,
}

/// Why a subscription command was refused, as FreeSWITCH words it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused(pub(super) &'static str);

impl Subscription {
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.subclasses.is_empty()
    }

    pub(super) fn wants(&self, name: EventSet, subclass: Option<&str>) -> bool {
        match subclass {
            None => self.names.intersects(name),
            Some(subclass) => self.names.is_all() || self.subclasses.contains(subclass),
        }
    }

    /// `event [plain|json|xml] NAME... [CUSTOM SUBCLASS...]`; the words behind `event`.
    pub(super) fn add(&mut self, words: &str) -> Result<Format, Refused> {
        let mut words = words.split_ascii_whitespace().peekable();
        let format = match words.peek() {
            Some(word) if word.eq_ignore_ascii_case("json") => Some(Format::Json),
            Some(word) if word.eq_ignore_ascii_case("plain") => Some(Format::Plain),
            _ => None,
        };
        if format.is_some() {
            words.next();
        }
        let mut known = false;
        let mut custom = false;
        for word in words {
            if custom {
                // Anything behind CUSTOM is a subclass name, whatever it looks like (capture fact 21).
                self.subclasses.insert(word.to_owned());
            } else if word.eq_ignore_ascii_case("CUSTOM") {
                custom = true;
                known = true;
            } else if word.eq_ignore_ascii_case("ALL") {
                self.names = EventSet::all();
                known = true;
            } else if let Some(name) = EventSet::of(word) {
                self.names = self.names.with(name);
                known = true;
            }
        }
        if !known {
            return Err(Refused("-ERR no keywords supplied"));
        }
        self.format = format.unwrap_or_default();
        Ok(self.format)
    }

    /// `nixevent NAME... [CUSTOM SUBCLASS...]`.
    pub(super) fn remove(&mut self, words: &str) -> Result<(), Refused> {
        let mut known = false;
        let mut custom = false;
        for word in words.split_ascii_whitespace() {
            if custom {
                self.subclasses.remove(word);
            } else if word.eq_ignore_ascii_case("CUSTOM") {
                custom = true;
                known = true;
            } else if word.eq_ignore_ascii_case("ALL") {
                self.names = EventSet::EMPTY;
                self.subclasses.clear();
                known = true;
            } else if let Some(name) = EventSet::of(word) {
                self.names = self.names.without(name);
                known = true;
            }
        }
        if known {
            Ok(())
        } else {
            Err(Refused("-ERR no keywords supplied"))
        }
    }
}

/// A connection's filters: with none everything passes, otherwise one must match (capture fact 22).
#[derive(Debug, Clone, Default)]
pub(super) struct Filters(Vec<(String, Filter)>);

/// One filter on a header.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    pub(super) negative: bool,
    text: String,
    pattern: Option<regex::Regex>,
}

impl Filter {
    fn new(value: &str) -> Filter {
        let (negative, rest) = match value.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, value.strip_prefix('+').unwrap_or(value)),
        };
        let inner = rest.strip_prefix('/').and_then(|r| r.strip_suffix('/'));
        Filter {
            negative,
            text: rest.to_owned(),
            pattern: inner.and_then(|inner| regex::Regex::new(inner).ok()),
        }
    }

    pub(super) fn matches(&self, value: &str) -> bool {
        match &self.pattern {
            // A negated regular expression never matches (event socket specification 2.5).
            Some(pattern) => !self.negative && pattern.is_match(value),
            None => self.text.eq_ignore_ascii_case(value),
        }
    }
}

impl Filters {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn of<'a>(&'a self, header: &'a str) -> impl Iterator<Item = &'a Filter> {
        self.0
            .iter()
            .filter(move |(name, _)| name.eq_ignore_ascii_case(header))
            .map(|(_, filter)| filter)
    }

    /// `filter [add|delete] HEADER [VALUE]`; gives the reply's text.
    pub(super) fn command(&mut self, words: &str) -> String {
        let (first, rest) = split_word(words);
        let delete = first.eq_ignore_ascii_case("delete");
        let (header, value) = if delete || first.eq_ignore_ascii_case("add") {
            split_word(rest)
        } else {
            (first, rest)
        };
        if header.is_empty() {
            return "-ERR invalid syntax".to_owned();
        }
        if delete {
            if header == "all" {
                self.0.clear();
            } else {
                let hit =
                    |filter: &Filter| value.is_empty() || filter.text.eq_ignore_ascii_case(value);
                self.0
                    .retain(|(name, filter)| !(name.eq_ignore_ascii_case(header) && hit(filter)));
            }
            return format!("+OK filter deleted. [{header}][{value}]");
        }
        if value.is_empty() {
            return "-ERR invalid syntax".to_owned();
        }
        self.0.push((header.to_owned(), Filter::new(value)));
        format!("+OK filter added. [{header}]=[{value}]")
    }
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    match text.split_once(' ') {
        Some((word, rest)) => (word, rest.trim()),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sink::{FilterCheck, Sink};
    use super::*;

    fn passes(filters: &Filters, headers: &[(&str, &str)]) -> bool {
        let mut check = FilterCheck::new(filters);
        for (name, value) in headers {
            check.put(name, value);
        }
        check.passes()
    }

    #[test]
    fn filters_are_or_and_a_negative_list_lets_nothing_through() {
        let mut filters = Filters::default();
        assert_eq!(
            filters.command("Colour red"),
            "+OK filter added. [Colour]=[red]"
        );
        assert_eq!(filters.command("Size 2"), "+OK filter added. [Size]=[2]");
        assert!(passes(&filters, &[("Size", "2"), ("Colour", "blue")]));
        assert!(passes(&filters, &[("colour", "RED")]));
        assert!(!passes(&filters, &[("Size", "3")]));
        assert_eq!(filters.command("delete all"), "+OK filter deleted. [all][]");
        filters.command("Colour -red");
        assert!(!passes(&filters, &[("Colour", "blue")]));
        filters.command("Colour +blue");
        assert!(passes(&filters, &[("Colour", "blue")]));
        assert_eq!(filters.command("Colour"), "-ERR invalid syntax");
    }

    #[test]
    fn a_regular_expression_between_slashes() {
        let mut filters = Filters::default();
        filters.command("Colour /^b.*/");
        assert!(passes(&filters, &[("Colour", "blue")]));
        assert!(!passes(&filters, &[("Colour", "red")]));
    }

    #[test]
    fn what_follows_custom_is_a_subclass() {
        let mut subscription = Subscription::default();
        let park = EventSet::of("CHANNEL_PARK").unwrap();
        let format = subscription.add("json CUSTOM sofia::register CHANNEL_PARK");
        assert_eq!(format, Ok(Format::Json));
        assert!(!subscription.wants(park, None));
        assert!(subscription.wants(EventSet::EMPTY, Some("sofia::register")));
        assert_eq!(
            subscription.add("plain NO_SUCH"),
            Err(Refused("-ERR no keywords supplied"))
        );
        assert_eq!(subscription.add("CHANNEL_PARK"), Ok(Format::Plain));
        assert!(subscription.wants(park, None));
        assert_eq!(subscription.remove("CHANNEL_PARK"), Ok(()));
        assert!(!subscription.wants(park, None));
    }
}
