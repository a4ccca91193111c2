//! Bytes to frames, incrementally and within bounds.

use bytes::{Buf, Bytes, BytesMut};

use super::head::{self, Kind};
use super::span::{Span, lossy, offset};
use super::{Event, Frame, json, peer, xml};

/// How large a peer may make one frame, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub header_block: usize,
    pub body: usize,
    pub api_body: usize,
}

impl Default for Limits {
    /// 1 MiB of headers, 16 MiB of body, 64 MiB of api output (`show channels` has no bound).
    fn default() -> Self {
        Self {
            header_block: 1 << 20,
            body: 16 << 20,
            api_body: 64 << 20,
        }
    }
}

/// Why a peer's bytes are not the event socket.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("a header block of more than {limit} bytes; is the peer a FreeSWITCH event socket?")]
    HeaderBlock { limit: usize },
    #[error("a body of {length} bytes where at most {limit} are accepted")]
    Body { length: usize, limit: usize },
    #[error("Content-Length is {0:?}, expected a number of bytes")]
    ContentLength(String),
    #[error("not the event socket's protocol: {0}")]
    NotEventSocket(String),
    /// The end of the stream, after all whole frames: the process was killed, or the network went.
    #[error("the connection ended in the middle of a frame, of which {bytes} bytes had come")]
    Truncated { bytes: usize },
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// FreeSWITCH formats a log frame's headers in a buffer of this size and loses what doesn't fit,
/// the blank line too (esl spec 1.7).
const LOG_HEADERS: usize = 1023;

/// A body that is still to come gets its room at once, up to this many bytes; a peer's word is
/// not enough to set more aside.
const RESERVE: usize = 256 << 10;

/// Splits a stream into frames; feed it through `tokio_util::codec`.
///
/// Bytes are looked at once: the scan goes on where the read before ended. After an error, and
/// after a forced notice in the middle of a frame, the rest of the stream is dropped.
#[derive(Debug, Clone)]
pub struct Decoder {
    limits: Limits,
    /// The lines of the header block that have been found so far.
    spans: Vec<Span>,
    /// Where the unfinished line begins, and how far it has been searched.
    line: usize,
    scanned: usize,
    /// The block is one of those whose first line decides how the rest is read.
    shape: Shape,
    text_seen: bool,
    /// The frame's beginning has been found to look like a header.
    plausible: bool,
    /// A header block is complete and its body is awaited.
    pending: Option<Pending>,
    /// The frame before was a reply, so a `getvar` value may spill over.
    after_reply: bool,
    /// What comes is a notice that another thread wrote into the middle of a frame (esl spec 1.5).
    /// That frame is lost, and its end, which may still come, must not be taken for another.
    forced: bool,
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Reply,
    Log,
    Other,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    kind: Kind,
    head: usize,
    body: usize,
}

/// What the scan for a header block's end found.
enum Block {
    Incomplete,
    /// The block, its blank line included, ends here.
    Ends(usize),
    /// The reply ends here though its blank line is missing; the next frame is glued to it.
    Glued(usize),
}

impl Decoder {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            spans: Vec::new(),
            line: 0,
            scanned: 0,
            shape: Shape::Other,
            text_seen: false,
            plausible: false,
            pending: None,
            after_reply: false,
            forced: false,
            ended: false,
        }
    }

    fn next_frame(&mut self, source: &mut BytesMut) -> Result<Option<Frame>, DecodeError> {
        let pending = match self.pending {
            Some(pending) => pending,
            None => match self.next_block(source)? {
                Some(pending) => pending,
                None => return Ok(None),
            },
        };
        let missing = (pending.head + pending.body).saturating_sub(source.len());
        if missing > 0 {
            if self.pending.is_none() {
                source.reserve(missing.min(RESERVE));
                self.pending = Some(pending);
            }
            return Ok(None);
        }
        let frame = self.take_frame(pending, source);
        self.start_block();
        self.after_reply = matches!(pending.kind, Kind::Reply | Kind::Spill);
        match frame {
            Ok(frame) => Ok(Some(frame)),
            Err(notice) => {
                // The notice may go on behind the broken frame's end: read it again, as the last frame.
                let mut rest = BytesMut::from(notice);
                rest.extend_from_slice(source);
                *source = rest;
                self.forced = true;
                self.next_frame(source)
            }
        }
    }

    /// Reads a header block, or goes on with it.
    fn next_block(&mut self, source: &mut BytesMut) -> Result<Option<Pending>, DecodeError> {
        if self.scanned == 0 {
            skip_blank_lines(source);
            if source.as_ref() == b"\r" {
                return Ok(None);
            }
        }
        if !self.plausible && !self.after_reply {
            self.plausible = peer::begins_like_a_header(source)?;
            if !self.plausible {
                return Ok(None);
            }
        }
        let (end, kind) = match self.scan(source)? {
            Block::Incomplete => return Ok(None),
            Block::Glued(end) => (end, Kind::Reply),
            Block::Ends(end) => (end, self.kind(source.get(..end).unwrap_or_default())?),
        };
        let body = head::body_length(kind, source, &self.spans, &self.limits)?;
        Ok(Some(Pending {
            kind,
            head: end,
            body,
        }))
    }

    /// What the finished header block begins.
    fn kind(&self, block: &[u8]) -> Result<Kind, DecodeError> {
        match head::kind(block, &self.spans) {
            None | Some(Kind::Other)
                if self.after_reply
                    && head::first(block, &self.spans, "Content-Length").is_none() =>
            {
                Ok(Kind::Spill)
            }
            Some(kind) => Ok(kind),
            None => {
                let line = self.spans.first().map(|span| lossy(span.line(block)));
                let line: String = line.unwrap_or_default().chars().take(80).collect();
                Err(DecodeError::NotEventSocket(format!(
                    "a header block without Content-Type, beginning {line:?}"
                )))
            }
        }
    }

    /// Goes on line by line to the block's blank line.
    fn scan(&mut self, source: &[u8]) -> Result<Block, DecodeError> {
        let limit = self.limits.header_block;
        loop {
            let rest = source.get(self.scanned..).unwrap_or_default();
            let newline = memchr::memchr(b'\n', rest).map(|at| self.scanned + at);
            let seen = newline.map_or(source.len(), |at| at + 1);
            if self.shape == Shape::Log && seen > LOG_HEADERS - usize::from(newline.is_none()) {
                self.push_line(source, LOG_HEADERS);
                return match LOG_HEADERS > limit {
                    true => Err(DecodeError::HeaderBlock { limit }),
                    false => Ok(Block::Ends(LOG_HEADERS)),
                };
            }
            if seen > limit {
                return Err(DecodeError::HeaderBlock { limit });
            }
            let Some(newline) = newline else {
                self.scanned = source.len();
                return Ok(Block::Incomplete);
            };
            let mut end = newline;
            if end > self.line && source.get(end - 1) == Some(&b'\r') {
                end -= 1;
            }
            if end == self.line {
                return Ok(Block::Ends(newline + 1));
            }
            if let Some(at) = self.glued_at(source.get(self.line..end).unwrap_or_default()) {
                let at = self.line + at;
                if at > self.line {
                    self.push_line(source, at);
                }
                return Ok(Block::Glued(at));
            }
            self.push_line(source, end);
            self.line = newline + 1;
            self.scanned = self.line;
        }
    }

    /// Looks for a frame's beginning inside a reply's line; the first line decides the shape.
    fn glued_at(&mut self, line: &[u8]) -> Option<usize> {
        if self.spans.is_empty() {
            self.shape = match line {
                head::REPLY => Shape::Reply,
                head::LOG => Shape::Log,
                _ => Shape::Other,
            };
            return None;
        }
        if self.shape != Shape::Reply {
            return None;
        }
        let text_seen = self.text_seen;
        self.text_seen |= line.starts_with(b"Reply-Text:");
        match self.text_seen && !text_seen {
            true => None,
            false => head::glued(line, text_seen),
        }
    }

    fn push_line(&mut self, source: &[u8], end: usize) {
        let line = source.get(self.line..end).unwrap_or_default();
        let colon = memchr::memchr(b':', line).map_or(end, |at| self.line + at);
        self.spans.push(Span {
            start: offset(self.line),
            colon: offset(colon),
            end: offset(end),
        });
    }

    fn start_block(&mut self) {
        self.spans.clear();
        self.line = 0;
        self.scanned = 0;
        self.shape = Shape::Other;
        self.text_seen = false;
        self.plausible = false;
        self.pending = None;
    }

    /// The frame; or, of an event that another thread's notice broke, the bytes from there on.
    fn take_frame(&mut self, pending: Pending, source: &mut BytesMut) -> Result<Frame, Bytes> {
        let head = source.split_to(pending.head);
        if pending.kind == Kind::Connected {
            self.spans.retain(|span| span.has_colon());
            return Ok(Frame::Connected(Event::from_spans(
                head.freeze(),
                &self.spans,
            )));
        }
        let body = source.split_to(pending.body).freeze();
        Ok(match pending.kind {
            Kind::Spill => Frame::Spill(head.freeze()),
            Kind::Auth => Frame::AuthRequest,
            Kind::Reply | Kind::Connected => Frame::Reply(head::reply(&head, &self.spans)),
            Kind::Api => Frame::Api(body),
            Kind::Notice | Kind::ForcedNotice => {
                self.ended |= self.forced || pending.kind == Kind::ForcedNotice;
                Frame::Notice(head::notice(&head, &self.spans, body))
            }
            Kind::Log => Frame::Log(head::log_line(&head, &self.spans, body)),
            Kind::Rejected => Frame::Rejected(body),
            Kind::Plain | Kind::Json | Kind::Xml => return self.event(pending.kind, body),
            Kind::Other => Frame::Unknown {
                content_type: head::first(&head, &self.spans, "Content-Type")
                    .map(lossy)
                    .unwrap_or_default(),
                body,
            },
        })
    }

    fn event(&mut self, kind: Kind, body: Bytes) -> Result<Frame, Bytes> {
        let (event, content_type) = match kind {
            Kind::Json => (json::parse(&body), "text/event-json"),
            Kind::Xml => (xml::parse(&body), "text/event-xml"),
            _ => match Event::from_plain(body.clone(), &mut self.spans) {
                (event, true) => return Ok(Frame::Event(event)),
                (event, false) => (Some(event), "text/event-plain"),
            },
        };
        let intact = event.is_some() && kind != Kind::Plain;
        if !intact && let Some(at) = head::find_notice(&body) {
            return Err(body.slice(at..));
        }
        let content_type = content_type.to_owned();
        Ok(event.map_or(Frame::Unknown { content_type, body }, Frame::Event))
    }

    /// A notice in the middle of a frame whose end never came.
    fn forced_notice(&mut self, bytes: &[u8]) -> Option<Frame> {
        let at = memchr::memmem::find(bytes, head::NOTICE)?;
        let notice = bytes.get(at..)?;
        let mut spans = Vec::new();
        let text = super::span::index_block(notice, &mut spans)
            .and_then(|body| notice.get(body..))
            .unwrap_or_default();
        let stated = head::body_length(Kind::Notice, notice, &spans, &self.limits).ok()?;
        let text = text.get(..stated).unwrap_or(text).to_vec();
        self.ended = true;
        Some(Frame::Notice(head::notice(notice, &spans, text.into())))
    }

    /// A `getvar` reply without Reply-Text and blank line, which nothing followed (esl spec 2.1).
    fn is_bare_reply(&self, source: &[u8]) -> bool {
        const TEXT: &[u8] = b"Reply-Text";
        let unfinished = source.get(self.line..).unwrap_or_default();
        self.shape == Shape::Reply
            && self.pending.is_none()
            && !self.text_seen
            && (self.spans.len() > 1 || !unfinished.is_empty())
            && (unfinished.is_empty() || !TEXT.starts_with(unfinished))
            && !unfinished.starts_with(TEXT)
    }

    /// What is left when the stream has ended.
    fn last_frame(&mut self, source: &mut BytesMut) -> Result<Option<Frame>, DecodeError> {
        if self.ended || (source.trim_ascii().is_empty() && self.pending.is_none()) {
            source.clear();
            return Ok(None);
        }
        if self.is_bare_reply(source) {
            if self.line < source.len() {
                self.push_line(source, source.len());
            }
            let head = source.split();
            let reply = head::reply(&head, &self.spans);
            self.start_block();
            return Ok(Some(Frame::Reply(reply)));
        }
        let rest = source.split();
        if let Some(notice) = self.forced_notice(&rest) {
            return Ok(Some(notice));
        }
        Err(DecodeError::Truncated { bytes: rest.len() })
    }
}

/// Blank lines between frames come from `getvar` values with line feeds (captures 54 and 58).
fn skip_blank_lines(source: &mut BytesMut) {
    loop {
        match source.as_ref() {
            [b'\n', ..] => source.advance(1),
            [b'\r', b'\n', ..] => source.advance(2),
            _ => return,
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl tokio_util::codec::Decoder for Decoder {
    type Item = Frame;
    type Error = DecodeError;

    fn decode(&mut self, source: &mut BytesMut) -> Result<Option<Frame>, DecodeError> {
        if self.ended {
            source.clear();
            return Ok(None);
        }
        let frame = self.next_frame(source);
        self.ended |= frame.is_err();
        frame
    }

    fn decode_eof(&mut self, source: &mut BytesMut) -> Result<Option<Frame>, DecodeError> {
        if let Some(frame) = self.decode(source)? {
            return Ok(Some(frame));
        }
        let frame = self.last_frame(source);
        self.ended |= frame.is_err();
        frame
    }
}
