//! One event: its bytes kept as they came, decoded on access.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::encoding::{percent_decode, percent_encode};
use super::span::{Span, index_block, offset};

/// A header's value: one text, or FreeSWITCH's `ARRAY::a|:b`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    Text(Cow<'a, str>),
    List(Vec<Cow<'a, str>>),
}

/// An event as FreeSWITCH serialised it: an ordered multimap of headers and an optional body.
/// Cheap to clone. Look-ups ignore case (header names are not consistent in it) and the
/// first of a repeated name wins, as in FreeSWITCH's own look-up; `Content-Length` is the exception: last wins.
/// Two events are equal if their bytes are: the same event in plain and in json is two different ones.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    inner: Arc<Inner>,
}

/// The block of bytes and an index into it: 12 bytes a header, nothing decoded.
#[derive(PartialEq, Eq)]
struct Inner {
    block: Bytes,
    headers: Box<[Span]>,
    body: Option<(u32, u32)>,
    /// Values are percent-encoded (plain and xml are, json is not: capture fact 16).
    encoded: bool,
}

/// FreeSWITCH writes this where a value is empty (a plain event has no other way to say it).
const EMPTY: &[u8] = b"_undef_";
const ARRAY: &str = "ARRAY::";
const ARRAY_SEPARATOR: &str = "|:";

impl Event {
    /// `Event-Name`; empty for diverted events, which have none.
    #[must_use]
    pub fn name(&self) -> &str {
        self.find("Event-Name")
            .and_then(|span| std::str::from_utf8(self.raw(span)).ok())
            .unwrap_or_default()
    }

    /// `Event-Subclass` of a CUSTOM event.
    #[must_use]
    pub fn subclass(&self) -> Option<Cow<'_, str>> {
        self.header("Event-Subclass")
    }

    /// The value, percent-decoded, bytes that are not UTF-8 replaced.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.header_bytes(name).map(text)
    }

    /// `variable_NAME`.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<Cow<'_, str>> {
        let block = &self.inner.block;
        let named = |span: &&Span| {
            let full = span.name(block);
            full.len() == VARIABLE.len() + name.len()
                && full
                    .split_at_checked(VARIABLE.len())
                    .is_some_and(|(prefix, rest)| {
                        prefix.eq_ignore_ascii_case(VARIABLE)
                            && rest.eq_ignore_ascii_case(name.as_bytes())
                    })
        };
        let span = self.inner.headers.iter().find(named)?;
        Some(text(self.decoded(*span)))
    }

    /// The decoded bytes, nothing replaced.
    #[must_use]
    pub fn header_bytes(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.find(name).map(|span| self.decoded(span))
    }

    /// The value with arrays taken apart.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<Value<'_>> {
        let whole = self.header(name)?;
        let Some(elements) = whole.strip_prefix(ARRAY) else {
            return Some(Value::Text(whole));
        };
        let elements = elements
            .split(ARRAY_SEPARATOR)
            .map(|element| Cow::Owned(element.to_owned()));
        Some(Value::List(elements.collect()))
    }

    /// All headers in their order, decoded.
    pub fn headers(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> + '_ {
        self.inner.headers.iter().map(|span| {
            let name = String::from_utf8_lossy(span.name(&self.inner.block));
            (name, text(self.decoded(*span)))
        })
    }

    /// The event's own body (BACKGROUND_JOB's result, a NOTIFY's body), not encoded.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        let (start, end) = self.inner.body?;
        self.inner.block.get(start as usize..end as usize)
    }

    /// `Unique-ID`.
    #[must_use]
    pub fn unique_id(&self) -> Option<Cow<'_, str>> {
        self.header("Unique-ID")
    }

    /// The same event in memory of its own. A decoded event shares the buffer that its connection
    /// read it into; one that is kept for as long as a call lasts should not keep that alive.
    #[must_use]
    pub fn detached(&self) -> Event {
        Event::new(
            Bytes::copy_from_slice(&self.inner.block),
            self.inner.headers.clone(),
            self.inner.body,
            self.inner.encoded,
        )
    }

    /// An event built here, for simulations and tests: headers with plain values.
    /// Give no `Content-Length`: the writers add it when there is a body.
    #[must_use]
    pub fn from_headers<'a>(
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: Option<&[u8]>,
    ) -> Event {
        let mut builder = Builder::default();
        for (name, value) in headers {
            builder.header(name.as_bytes(), value.as_bytes());
        }
        if let Some(body) = body {
            builder.body(body);
        }
        builder.build(false)
    }

    /// The body of a `text/event-plain` frame, and whether it is intact: a blank line behind the headers,
    /// and behind that as many bytes as the inner `Content-Length` says.
    pub(super) fn from_plain(block: Bytes, scratch: &mut Vec<Span>) -> (Event, bool) {
        scratch.clear();
        let rest = index_block(&block, scratch);
        let left = rest.map_or(0, |rest| block.len().saturating_sub(rest));
        let own_length = scratch
            .iter()
            .rfind(|span| span.is_named("Content-Length", &block))
            .and_then(|span| {
                std::str::from_utf8(span.value(&block))
                    .ok()?
                    .trim()
                    .parse()
                    .ok()
            });
        let length = own_length.unwrap_or(left).min(left);
        let body = rest
            .filter(|_| length > 0)
            .map(|rest| (offset(rest), offset(rest + length)));
        let event = Event::new(block, scratch.as_slice().into(), body, true);
        (event, rest.is_some() && left == own_length.unwrap_or(0))
    }

    /// An event whose headers have been found already.
    pub(super) fn from_spans(block: Bytes, spans: &[Span]) -> Event {
        Event::new(block, spans.into(), None, true)
    }

    fn new(block: Bytes, headers: Box<[Span]>, body: Option<(u32, u32)>, encoded: bool) -> Event {
        let inner = Inner {
            block,
            headers,
            body,
            encoded,
        };
        Event {
            inner: Arc::new(inner),
        }
    }

    fn find(&self, name: &str) -> Option<Span> {
        let block = &self.inner.block;
        let mut headers = self.inner.headers.iter().copied();
        // A sender's own Content-Length is copied into the event before the serialiser's (capture fact 3).
        if name.eq_ignore_ascii_case("Content-Length") {
            return headers.rfind(|span| span.is_named(name, block));
        }
        headers.find(|span| span.is_named(name, block))
    }

    /// The value as it lies in the block. One that is not encoded may begin with blanks of its own.
    fn raw(&self, span: Span) -> &[u8] {
        match self.inner.encoded {
            true => span.value(&self.inner.block),
            false => span.behind_colon(&self.inner.block),
        }
    }

    fn decoded(&self, span: Span) -> Cow<'_, [u8]> {
        let value = self.raw(span);
        match self.inner.encoded {
            true if value == EMPTY => Cow::Borrowed(b""),
            true => percent_decode(value),
            false => Cow::Borrowed(value),
        }
    }

    /// Names and decoded values as bytes, nothing replaced.
    pub(super) fn decoded_headers(&self) -> impl Iterator<Item = (&[u8], Cow<'_, [u8]>)> {
        let block = &self.inner.block;
        self.inner
            .headers
            .iter()
            .map(move |span| (span.name(block), self.decoded(*span)))
    }

    /// Appends the inner form of a `text/event-plain` (headers encoded, blank line, body).
    pub fn write_plain(&self, out: &mut BytesMut) {
        self.write_headers(out);
        let Some(body) = self.body() else {
            return out.put_u8(b'\n');
        };
        let length = body.len().to_string();
        let written = self
            .inner
            .headers
            .last()
            .is_some_and(|span| span.is_named("Content-Length", &self.inner.block));
        if !written {
            out.put_slice(b"Content-Length: ");
            out.put_slice(length.as_bytes());
            out.put_u8(b'\n');
        }
        out.put_u8(b'\n');
        out.put_slice(body);
    }

    /// Appends the header lines alone, values encoded. Names lose what would end them.
    pub(super) fn write_headers(&self, out: &mut BytesMut) {
        for span in &self.inner.headers {
            let name = span.name(&self.inner.block);
            out.extend(name.iter().filter(|b| !matches!(b, b'\r' | b'\n' | b':')));
            out.put_slice(b": ");
            match self.raw(*span) {
                b"" => out.put_slice(EMPTY),
                value if self.inner.encoded => out.put_slice(value),
                value => percent_encode(value, out),
            }
            out.put_u8(b'\n');
        }
    }
}

const VARIABLE: &[u8] = b"variable_";

fn text(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(bad) => String::from_utf8_lossy(bad.as_bytes()).into_owned(),
        }),
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("name", &self.name())
            .field("unique_id", &self.unique_id())
            .field("headers", &self.inner.headers.len())
            .field("body", &self.body().map(<[u8]>::len))
            .finish()
    }
}

/// Puts an event together from parts that do not lie in one block (json, xml, simulations).
#[derive(Debug, Default)]
pub(super) struct Builder {
    block: BytesMut,
    headers: Vec<Span>,
    body: Option<(u32, u32)>,
}

impl Builder {
    /// The value is kept byte for byte; what the lines look like in the block does not matter, the index does.
    pub(super) fn header(&mut self, name: &[u8], value: &[u8]) {
        let start = self.block.len();
        self.block.extend_from_slice(name);
        let colon = self.block.len();
        self.block.extend_from_slice(b":");
        self.block.extend_from_slice(value);
        self.headers.push(Span {
            start: offset(start),
            colon: offset(colon),
            end: offset(self.block.len()),
        });
        self.block.extend_from_slice(b"\n");
    }

    /// A list of values, in the text form that a plain event gives it; a list of one is a plain value.
    pub(super) fn list(&mut self, name: &[u8], elements: &[Vec<u8>]) {
        if let [only] = elements {
            return self.header(name, only);
        }
        let joined = elements.join(ARRAY_SEPARATOR.as_bytes());
        self.header(name, &[ARRAY.as_bytes(), &joined].concat());
    }

    pub(super) fn body(&mut self, body: &[u8]) {
        let start = self.block.len();
        self.block.extend_from_slice(body);
        self.body = Some((offset(start), offset(self.block.len())));
    }

    pub(super) fn build(self, encoded: bool) -> Event {
        Event::new(
            self.block.freeze(),
            self.headers.into_boxed_slice(),
            self.body,
            encoded,
        )
    }
}
