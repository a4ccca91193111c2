//! Commands as FreeSWITCH reads them (esl spec 1.8, capture facts 6 and 7).

use bytes::{Buf, Bytes, BytesMut};

use super::super::span::{Span, index_block, lossy, offset};

/// One command: its line, its headers, its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The first line as sent, `api version`; what follows a NUL is lost, as in FreeSWITCH.
    pub line: String,
    /// The headers in their order, as sent; a line without a colon is none.
    pub headers: Vec<(String, String)>,
    /// As long as `Content-Length` says; empty without one.
    pub body: Bytes,
}

impl Request {
    /// The first of that name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self
            .headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str())
    }

    /// The line's first word.
    #[must_use]
    pub fn word(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    /// What follows the first word and one blank: `version` of `api version`, ` version` of `api  version`.
    #[must_use]
    pub fn argument(&self) -> &str {
        self.line
            .split_once(' ')
            .map_or("", |(_, argument)| argument)
    }
}

/// What makes FreeSWITCH drop the connection with no reply but the disconnect notice.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("Content-Length is {0}, expected 0 to {MAX_BODY}")]
    BodyLength(i64),
    #[error("a command of more than {MAX_BLOCK} bytes before its blank line")]
    Block,
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// FreeSWITCH's own limits, in bytes.
const MAX_BLOCK: usize = 10 << 20;
const MAX_BODY: i64 = 16 << 20;

/// Splits what a client sends into commands; feed it through `tokio_util::codec`. Half a command at the
/// end of the stream is dropped, as FreeSWITCH does.
#[derive(Debug, Clone, Default)]
pub struct ServerDecoder {
    scanned: usize,
    line: usize,
    pending: Option<Pending>,
}

#[derive(Debug, Clone)]
struct Pending {
    request: Request,
    body: usize,
}

impl ServerDecoder {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the block ends, its blank line included.
    fn block_end(&mut self, source: &mut BytesMut) -> Option<usize> {
        loop {
            let rest = source.get(self.scanned..).unwrap_or_default();
            let Some(at) = memchr::memchr(b'\n', rest) else {
                self.scanned = source.len();
                return None;
            };
            let newline = self.scanned + at;
            let line = source.get(self.line..newline).unwrap_or_default();
            let blank = matches!(line, [] | [b'\r']);
            if blank && self.line == 0 {
                source.advance(newline + 1);
                self.scanned = 0;
                continue;
            }
            self.line = newline + 1;
            self.scanned = self.line;
            if blank {
                return Some(self.line);
            }
        }
    }
}

/// The block as FreeSWITCH's string functions see it: it ends at a NUL.
fn read_block(block: &[u8]) -> Result<Pending, RequestError> {
    let block = memchr::memchr(0, block)
        .and_then(|nul| block.get(..nul))
        .unwrap_or(block);
    let first = memchr::memchr(b'\n', block).unwrap_or(block.len());
    let (line, rest) = block.split_at(first);
    let rest = rest.get(1..).unwrap_or_default();
    let mut spans: Vec<Span> = Vec::new();
    index_block(rest, &mut spans);
    let headers = spans
        .iter()
        .map(|span| (lossy(span.name(rest)), lossy(span.value(rest))))
        .collect();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let request = Request {
        line: lossy(line),
        headers,
        body: Bytes::new(),
    };
    let length = request.header("Content-Length").map_or(0, leading_number);
    if !(0..=MAX_BODY).contains(&length) {
        return Err(RequestError::BodyLength(length));
    }
    Ok(Pending {
        request,
        body: offset(usize::try_from(length).unwrap_or(0)) as usize,
    })
}

/// The number that a text begins with, 0 if none: `abc` counts as no body (capture 13).
fn leading_number(text: &str) -> i64 {
    let text = text.trim_start();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let number = digits
        .bytes()
        .take_while(u8::is_ascii_digit)
        .fold(0_i64, |number, digit| {
            number
                .saturating_mul(10)
                .saturating_add(i64::from(digit - b'0'))
        });
    if negative { -number } else { number }
}

impl tokio_util::codec::Decoder for ServerDecoder {
    type Item = Request;
    type Error = RequestError;

    fn decode(&mut self, source: &mut BytesMut) -> Result<Option<Request>, RequestError> {
        let mut pending = match self.pending.take() {
            Some(pending) => pending,
            None => {
                let end = self.block_end(source);
                if end.unwrap_or(source.len()) > MAX_BLOCK {
                    return Err(RequestError::Block);
                }
                let Some(end) = end else { return Ok(None) };
                (self.line, self.scanned) = (0, 0);
                read_block(&source.split_to(end))?
            }
        };
        if source.len() < pending.body {
            self.pending = Some(pending);
            return Ok(None);
        }
        pending.request.body = source.split_to(pending.body).freeze();
        Ok(Some(pending.request))
    }

    fn decode_eof(&mut self, source: &mut BytesMut) -> Result<Option<Request>, RequestError> {
        let request = self.decode(source)?;
        if request.is_none() {
            source.clear();
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::codec::Decoder as _;

    use super::*;

    fn all(bytes: &[u8]) -> Vec<Request> {
        let mut source = BytesMut::from(bytes);
        let mut decoder = ServerDecoder::new();
        std::iter::from_fn(|| decoder.decode(&mut source).unwrap()).collect()
    }

    #[test]
    fn reads_lines_headers_and_bodies() {
        let requests = all(
            b"\n\r\napi version\r\n\r\nsendmsg abc\ncall-command: execute\nno colon\n\
            Content-Length:  5\n\nhel\nlexit\n\n",
        );
        assert_eq!(requests.len(), 3);
        assert_eq!(requests[0].word(), "api");
        assert_eq!(requests[0].argument(), "version");
        assert_eq!(requests[1].headers.len(), 2);
        assert_eq!(requests[1].header("CALL-COMMAND"), Some("execute"));
        assert_eq!(requests[1].body.as_ref(), b"hel\nl");
        assert_eq!(requests[2].line, "exit");
    }

    #[test]
    fn bad_lengths_end_the_connection_and_words_count_as_none() {
        for bad in ["-1", "99999999"] {
            let mut source =
                BytesMut::from(format!("api version\nContent-Length: {bad}\n\n").as_str());
            assert!(ServerDecoder::new().decode(&mut source).is_err(), "{bad}");
        }
        let requests = all(b"api version\nContent-Length: abc\n\napi  x\n\n");
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[1].argument(), " x");
    }

    #[test]
    fn byte_by_byte_gives_the_same() {
        let bytes =
            b"\r\nauth ClueCon\n\nsendevent CUSTOM\ncontent-length: 3\n\n\n\n\nexit\r\n\r\n";
        let mut source = BytesMut::new();
        let mut decoder = ServerDecoder::new();
        let mut requests = Vec::new();
        for byte in bytes {
            source.extend_from_slice(&[*byte]);
            requests.extend(decoder.decode(&mut source).unwrap());
        }
        assert_eq!(requests, all(bytes));
        assert_eq!(requests.len(), 3);
    }
}
