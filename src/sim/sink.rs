//! The forms in which an event leaves the node. Headers are put one by one, so that an event with
//! two hundred of them costs no list.

use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};

use super::subscription::Filters;
use crate::esl::percent_encode;

/// Takes an event's headers.
pub(super) trait Sink {
    fn put(&mut self, name: &str, value: &str);

    fn put_number(&mut self, name: &str, value: u64) {
        let mut digits = Digits::default();
        // Writing into memory does not fail.
        let _ = write!(digits, "{value}");
        self.put(name, digits.as_str());
    }
}

/// Room for the digits of a u64.
#[derive(Default)]
struct Digits {
    text: [u8; 20],
    used: usize,
}

impl Digits {
    fn as_str(&self) -> &str {
        let used = self.text.get(..self.used).unwrap_or_default();
        std::str::from_utf8(used).unwrap_or_default()
    }
}

impl std::fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.used + text.len();
        let room = self.text.get_mut(self.used..end).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.used = end;
        Ok(())
    }
}

/// `text/event-plain`: one `Name: value` a line, values percent-encoded, empty values dropped.
pub(super) struct Plain<'a>(pub(super) &'a mut BytesMut);

impl Sink for Plain<'_> {
    fn put(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        self.0.put_slice(name.as_bytes());
        self.0.put_slice(b": ");
        percent_encode(value.as_bytes(), self.0);
        self.0.put_u8(b'\n');
    }
}

/// `text/event-json`: a flat object, values as they are, arrays as arrays (capture fact 19).
#[derive(Default)]
pub(super) struct Json(pub(super) serde_json::Map<String, serde_json::Value>);

impl Sink for Json {
    fn put(&mut self, name: &str, value: &str) {
        if value.is_empty() || self.0.contains_key(name) {
            return;
        }
        let value = match value.strip_prefix("ARRAY::") {
            Some(elements) => elements.split("|:").collect(),
            None => value.into(),
        };
        self.0.insert(name.to_owned(), value);
    }
}

/// Looks whether an event passes a connection's filters, without keeping it.
pub(super) struct FilterCheck<'a> {
    filters: &'a Filters,
    wanted: bool,
    refused: bool,
}

impl<'a> FilterCheck<'a> {
    pub(super) fn new(filters: &'a Filters) -> Self {
        Self {
            filters,
            wanted: false,
            refused: false,
        }
    }

    /// Some positive filter matched and no negative one did (capture fact 22).
    pub(super) fn passes(&self) -> bool {
        self.wanted && !self.refused
    }
}

impl Sink for FilterCheck<'_> {
    fn put(&mut self, name: &str, value: &str) {
        for filter in self.filters.of(name) {
            if filter.matches(value) {
                if filter.negative {
                    self.refused = true;
                } else {
                    self.wanted = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit() {
        let mut json = Json::default();
        json.put_number("n", u64::MAX);
        json.put_number("zero", 0);
        assert_eq!(json.0["n"], u64::MAX.to_string());
        assert_eq!(json.0["zero"], "0");
    }

    #[test]
    fn arrays_and_empty_values_as_recorded() {
        let mut json = Json::default();
        json.put("causes", "ARRAY::a;X|:b;Y");
        json.put("nothing", "");
        assert_eq!(json.0["causes"], serde_json::json!(["a;X", "b;Y"]));
        assert!(!json.0.contains_key("nothing"));
    }
}
