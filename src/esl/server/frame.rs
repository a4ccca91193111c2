//! Frames as FreeSWITCH writes them, byte for byte where it matters: order of headers, line ends,
//! lengths, cuts.

use bytes::{BufMut, Bytes, BytesMut};

use super::super::Event;

/// The form of an event on the wire. (`event xml` is not offered: nothing of ours asks for it.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventFormat {
    #[default]
    Plain,
    Json,
}

/// One frame from FreeSWITCH to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerFrame {
    /// The first bytes on an inbound connection.
    AuthRequest,
    /// `text` is cut at 511 bytes, as FreeSWITCH does; line breaks are left as they are.
    Reply {
        text: String,
        headers: Vec<(String, String)>,
    },
    /// The answer to `api`; an empty one is sent as `-ERR no reply` (capture fact 11).
    Api(Bytes),
    Event(Event, EventFormat),
    /// The answer to `connect`: give the channel's data; the four headers of the reply are added here.
    Connected {
        data: Event,
        /// `Socket-Mode: async`, otherwise `static`.
        async_mode: bool,
        /// `Control: full`, otherwise `single-channel`.
        full: bool,
    },
    /// The notice before the end of a connection; `call` on outbound sockets.
    Disconnect {
        call: Option<String>,
    },
    /// The call has ended, frames keep coming. `seconds: None` lingers for ever.
    Linger {
        call: String,
        channel: String,
        seconds: Option<u32>,
    },
    /// `The system is being shut down.`, also sent when the module is reloaded (capture fact 48).
    ShuttingDown,
    /// The peer's address failed the ACL. FreeSWITCH sends a `Disconnect` behind it (capture fact 49).
    Rejected,
}

/// Longer replies are cut without a word (esl spec 2.1).
const REPLY_TEXT: usize = 511;
const GOODBYE: &str = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n";
const SHUTDOWN: &str = "The system is being shut down.\n";
const REJECTION: &str = "Access Denied, go away.\n";
const NO_REPLY: &[u8] = b"-ERR no reply\n";

impl ServerFrame {
    /// A reply without further headers.
    #[must_use]
    pub fn reply(text: impl Into<String>) -> ServerFrame {
        ServerFrame::Reply {
            text: text.into(),
            headers: Vec::new(),
        }
    }

    /// The reply to `bgapi`.
    #[must_use]
    pub fn job(uuid: &str) -> ServerFrame {
        ServerFrame::Reply {
            text: format!("+OK Job-UUID: {uuid}"),
            headers: vec![("Job-UUID".to_owned(), uuid.to_owned())],
        }
    }

    /// Appends the frame's bytes.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            ServerFrame::AuthRequest => out.put_slice(b"Content-Type: auth/request\n\n"),
            ServerFrame::Reply { text, headers } => {
                header(out, "Content-Type", "command/reply");
                header(out, "Reply-Text", cut(text, REPLY_TEXT));
                for (name, value) in headers {
                    header(out, name, value);
                }
                out.put_u8(b'\n');
            }
            ServerFrame::Api(body) => {
                let body = if body.is_empty() { NO_REPLY } else { body };
                header(out, "Content-Type", "api/response");
                length_and_body(out, body);
            }
            ServerFrame::Event(event, format) => write_event(event, *format, out),
            ServerFrame::Connected {
                data,
                async_mode,
                full,
            } => {
                data.write_headers(out);
                header(out, "Content-Type", "command/reply");
                header(out, "Reply-Text", "%2BOK%0A");
                header(
                    out,
                    "Socket-Mode",
                    if *async_mode { "async" } else { "static" },
                );
                header(
                    out,
                    "Control",
                    if *full { "full" } else { "single-channel" },
                );
                out.put_u8(b'\n');
            }
            ServerFrame::Disconnect { call } => {
                header(out, "Content-Type", "text/disconnect-notice");
                if let Some(call) = call {
                    header(out, "Controlled-Session-UUID", call);
                    header(out, "Content-Disposition", "disconnect");
                }
                length_and_body(out, GOODBYE.as_bytes());
            }
            ServerFrame::Linger {
                call,
                channel,
                seconds,
            } => {
                header(out, "Content-Type", "text/disconnect-notice");
                header(out, "Controlled-Session-UUID", call);
                header(out, "Content-Disposition", "linger");
                header(out, "Channel-Name", channel);
                let seconds = seconds.map_or_else(|| "-1".to_owned(), |s| s.to_string());
                header(out, "Linger-Time", &seconds);
                length_and_body(out, b"");
            }
            ServerFrame::ShuttingDown => {
                header(out, "Content-Type", "text/disconnect-notice");
                length_and_body(out, SHUTDOWN.as_bytes());
            }
            ServerFrame::Rejected => {
                header(out, "Content-Type", "text/rude-rejection");
                length_and_body(out, REJECTION.as_bytes());
            }
        }
    }
}

fn header(out: &mut BytesMut, name: &str, value: &str) {
    for part in [name, ": ", value, "\n"] {
        out.put_slice(part.as_bytes());
    }
}

fn length_and_body(out: &mut BytesMut, body: &[u8]) {
    header(out, "Content-Length", &body.len().to_string());
    out.put_u8(b'\n');
    out.put_slice(body);
}

/// Cut at a number of bytes, or a little before, where a character begins.
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

fn write_event(event: &Event, format: EventFormat, out: &mut BytesMut) {
    let mut body = BytesMut::new();
    let content_type = match format {
        EventFormat::Plain => {
            event.write_plain(&mut body);
            "text/event-plain"
        }
        EventFormat::Json => {
            write_json(event, &mut body);
            "text/event-json"
        }
    };
    // Events have the length first, replies the type (esl spec 1.1).
    header(out, "Content-Length", &body.len().to_string());
    header(out, "Content-Type", content_type);
    out.put_u8(b'\n');
    out.put_slice(&body);
}

/// Appends an event as json: strings, lists for arrays, `_body`; bytes that are not UTF-8 go
/// through as they are (capture fact 17).
pub fn write_json(event: &Event, out: &mut BytesMut) {
    out.put_u8(b'{');
    let mut first = true;
    let mut key = |name: &[u8], out: &mut BytesMut| {
        if !std::mem::take(&mut first) {
            out.put_u8(b',');
        }
        string(name, out);
        out.put_u8(b':');
    };
    for (name, value) in event.decoded_headers() {
        key(name, out);
        match value.strip_prefix(b"ARRAY::") {
            None => string(&value, out),
            Some(list) => {
                let mut rest = list;
                let mut open = b'[';
                loop {
                    let at = memchr::memmem::find(rest, b"|:");
                    out.put_u8(open);
                    string(at.and_then(|at| rest.get(..at)).unwrap_or(rest), out);
                    open = b',';
                    match at.and_then(|at| rest.get(at + 2..)) {
                        Some(behind) => rest = behind,
                        None => break,
                    }
                }
                out.put_u8(b']');
            }
        }
    }
    if let Some(body) = event.body() {
        if event.header_bytes("Content-Length").is_none() {
            key(b"Content-Length", out);
            string(body.len().to_string().as_bytes(), out);
        }
        key(b"_body", out);
        string(body, out);
    }
    out.put_u8(b'}');
}

fn string(bytes: &[u8], out: &mut BytesMut) {
    out.put_u8(b'"');
    for byte in bytes {
        match byte {
            b'"' => out.put_slice(b"\\\""),
            b'\\' => out.put_slice(b"\\\\"),
            b'\n' => out.put_slice(b"\\n"),
            b'\r' => out.put_slice(b"\\r"),
            b'\t' => out.put_slice(b"\\t"),
            8 => out.put_slice(b"\\b"),
            12 => out.put_slice(b"\\f"),
            0..=0x1f => out.put_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.put_u8(*byte),
        }
    }
    out.put_u8(b'"');
}
