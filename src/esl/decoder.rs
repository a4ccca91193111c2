//! Bytes to frames, incrementally and within bounds.

use bytes::BytesMut;

use super::Frame;

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
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Splits a stream into frames; feed it through `tokio_util::codec`.
#[derive(Debug, Clone)]
pub struct Decoder {
    limits: Limits,
}

impl Decoder {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits }
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

    fn decode(&mut self, _source: &mut BytesMut) -> Result<Option<Frame>, DecodeError> {
        let _ = self.limits;
        unimplemented!()
    }
}
