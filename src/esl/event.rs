//! One event: its bytes kept as they came, decoded on access.

use std::borrow::Cow;

use bytes::Bytes;

/// A header's value: one text, or FreeSWITCH's `ARRAY::a|:b`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    Text(Cow<'a, str>),
    List(Vec<Cow<'a, str>>),
}

/// An event as FreeSWITCH serialised it: an ordered multimap of headers and an optional body.
/// Cheap to clone. Look-ups ignore case (header names are not consistent in it) and the
/// first of a repeated name wins, as in FreeSWITCH's own look-up; `Content-Length` is the exception: last wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    _private: Bytes,
}

impl Event {
    /// `Event-Name`; empty for diverted events, which have none.
    #[must_use]
    pub fn name(&self) -> &str {
        unimplemented!()
    }
    /// `Event-Subclass` of a CUSTOM event.
    #[must_use]
    pub fn subclass(&self) -> Option<Cow<'_, str>> {
        unimplemented!()
    }
    /// The value, percent-decoded, bytes that are not UTF-8 replaced.
    #[must_use]
    pub fn header(&self, _name: &str) -> Option<Cow<'_, str>> {
        unimplemented!()
    }
    /// `variable_NAME`.
    #[must_use]
    pub fn variable(&self, _name: &str) -> Option<Cow<'_, str>> {
        unimplemented!()
    }
    /// The decoded bytes, nothing replaced.
    #[must_use]
    pub fn header_bytes(&self, _name: &str) -> Option<Cow<'_, [u8]>> {
        unimplemented!()
    }
    /// The value with arrays taken apart.
    #[must_use]
    pub fn value(&self, _name: &str) -> Option<Value<'_>> {
        unimplemented!()
    }
    /// All headers in their order, decoded.
    pub fn headers(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> + '_ {
        std::iter::empty()
    }
    /// The event's own body (BACKGROUND_JOB's result, a NOTIFY's body), not encoded.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        unimplemented!()
    }
    /// `Unique-ID`.
    #[must_use]
    pub fn unique_id(&self) -> Option<Cow<'_, str>> {
        self.header("Unique-ID")
    }
    /// An event built here, for simulations and tests: headers with plain values.
    #[must_use]
    pub fn from_headers<'a>(
        _headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        _body: Option<&[u8]>,
    ) -> Event {
        unimplemented!()
    }
    /// Appends the inner form of a `text/event-plain` (headers encoded, blank line, body).
    pub fn write_plain(&self, _out: &mut bytes::BytesMut) {
        unimplemented!()
    }
}
