//! The kinds of frame that FreeSWITCH sends.

use bytes::Bytes;

use super::Event;

/// A command/reply: `Reply-Text` as sent (not encoded, may be cut at 511 bytes) and the other headers.
/// A `getvar` of a value that begins with `~` has no `Reply-Text`: the text is that value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub text: String,
    /// Further headers in order (`Job-UUID`, `Allowed-Events` ...), `Content-Type` and `Reply-Text` left out.
    pub headers: Vec<(String, String)>,
}

impl Reply {
    /// FreeSWITCH said `+OK`.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.text.starts_with("+OK")
    }

    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self
            .headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str())
    }
}

/// Why FreeSWITCH says that it will close, or that it lingers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// `Content-Disposition: linger`: the call has ended, frames keep coming, the end comes later.
    pub linger: bool,
    /// `Linger-Time` in seconds; -1 is for ever.
    pub linger_s: Option<i64>,
    /// `Controlled-Session-UUID`, on outbound sockets.
    pub call: Option<String>,
    /// The body: `Disconnected, goodbye.`, `The system is being shut down.`, `killed listener ...`.
    pub text: Bytes,
}

/// A log/data frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub level: Option<u8>,
    pub headers: Vec<(String, String)>,
    pub text: Bytes,
}

/// One frame from FreeSWITCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    AuthRequest,
    Reply(Reply),
    /// The reply to `connect`: the whole channel as headers, without outer framing.
    Connected(Event),
    /// The answer to `api`: raw output.
    Api(Bytes),
    Event(Event),
    Notice(Notice),
    Log(LogLine),
    /// `text/rude-rejection`: the address failed FreeSWITCH's ACL.
    Rejected(Bytes),
    /// The rest of a `getvar` reply whose value holds a blank line: it belongs to the reply before it and
    /// answers nothing (capture facts 14 and 54). Linefinder never sends `getvar`; drop it.
    Spill(Bytes),
    /// A content type that no FreeSWITCH known to us sends, or an event in json or xml that can't be read.
    Unknown {
        content_type: String,
        body: Bytes,
    },
}
