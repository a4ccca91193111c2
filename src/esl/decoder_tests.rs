//! What the recordings don't show: hostile peers, broken lengths, notices inside frames, every cut.

use bytes::BytesMut;
use proptest::prelude::*;
use tokio_util::codec::Decoder as _;

use super::{DecodeError, Decoder, Frame, Limits, Notice, Reply, Value};

/// Frames, and the error that ended the stream if one did.
type Outcome = (Vec<Frame>, Option<String>);

fn feed<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut decoder = Decoder::new(limits);
    let mut source = BytesMut::new();
    let mut frames = Vec::new();
    for piece in pieces {
        source.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut source) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error.to_string())),
            }
        }
    }
    loop {
        match decoder.decode_eof(&mut source) {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => {
                assert!(source.is_empty(), "{} bytes left over", source.len());
                return (frames, None);
            }
            Err(error) => return (frames, Some(error.to_string())),
        }
    }
}

/// Decodes a stream whole, cut in two at every byte, and byte by byte; all must agree.
fn decode_with(limits: Limits, bytes: &[u8]) -> Outcome {
    let whole = feed(limits, [bytes]);
    assert_eq!(feed(limits, bytes.chunks(1)), whole, "byte by byte");
    for at in 0..=bytes.len() {
        let cut = feed(limits, <[_; 2]>::from(bytes.split_at(at)));
        assert_eq!(cut, whole, "cut at {at}");
    }
    whole
}

fn decode(bytes: &[u8]) -> Vec<Frame> {
    let (frames, error) = decode_with(Limits::default(), bytes);
    assert_eq!(error, None);
    frames
}

fn error_of(bytes: &[u8]) -> String {
    let (frames, error) = decode_with(Limits::default(), bytes);
    assert!(frames.is_empty(), "{frames:?}");
    error.unwrap()
}

fn reply(text: &str) -> Frame {
    Frame::Reply(Reply {
        text: text.to_owned(),
        headers: Vec::new(),
    })
}

const GOODBYE: &str = "Content-Type: text/disconnect-notice\nContent-Length: 67\n\n\
    Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n";

fn goodbye() -> Frame {
    Frame::Notice(Notice {
        linger: false,
        linger_s: None,
        call: None,
        text: GOODBYE.as_bytes()[GOODBYE.len() - 67..].to_vec().into(),
    })
}

#[test]
fn glued_frames_come_apart() {
    let frames = decode(
        b"Content-Type: auth/request\n\nContent-Type: api/response\nContent-Length: 4\n\ntrue\
          Content-Type: command/reply\nReply-Text: +OK Job-UUID: 1\nJob-UUID: 1\n\n\
          Content-Length: 21\nContent-Type: text/event-plain\n\nEvent-Name: CUSTOM\n\nx\
          Content-Type: api/response\nContent-Length: 0\n\n",
    );
    assert_eq!(frames.len(), 5);
    assert_eq!(frames[1], Frame::Api("true".into()));
    let Frame::Reply(job) = &frames[2] else {
        panic!("{frames:?}")
    };
    assert!(job.is_ok());
    assert_eq!(job.header("job-uuid"), Some("1"));
    assert_eq!(frames[4], Frame::Api("".into()));
}

#[test]
fn the_connect_reply_has_no_frame_and_encoded_values() {
    let frames = decode(
        b"Event-Name: CHANNEL_DATA\nCore-UUID: c\nUnique-ID: u\nvariable_sip_from_user: a%20b\n\
          Content-Type: command/reply\nReply-Text: %2BOK%0A\nSocket-Mode: async\nControl: full\n\n\
          Content-Type: command/reply\nReply-Text: +OK 100%25\n\n",
    );
    let Frame::Connected(call) = &frames[0] else {
        panic!("{frames:?}")
    };
    assert_eq!(call.name(), "CHANNEL_DATA");
    assert_eq!(call.unique_id().unwrap(), "u");
    assert_eq!(call.variable("SIP_from_user").unwrap(), "a b");
    assert_eq!(call.header("reply-text").unwrap().trim(), "+OK");
    assert_eq!(frames[1], reply("+OK 100%25"), "replies are not encoded");
}

#[test]
fn a_forged_event_name_does_not_make_a_reply_a_connect_reply() {
    let frames = decode(
        b"Content-Type: command/reply\nReply-Text: x\nEvent-Name: CHANNEL_DATA\nContent-Length: 900\n\n\
          Content-Type: command/reply\nReply-Text: +OK\n\n",
    );
    assert!(matches!(&frames[0], Frame::Reply(reply) if reply.text == "x"));
    assert_eq!(frames[1], reply("+OK"), "a reply has no body");
}

#[test]
fn the_last_inner_length_wins() {
    let frames = decode(
        b"Content-Length: 67\nContent-Type: text/event-plain\n\n\
          content-length: 2\nEvent-Name: CUSTOM\nContent-Length: 10\n\na\n\nb: c\n\n\nContent-Type: auth/request\n\n",
    );
    let Frame::Event(event) = &frames[0] else {
        panic!("{frames:?}")
    };
    assert_eq!(event.body(), Some(&b"a\n\nb: c\n\n\n"[..]));
    assert_eq!(event.header("b"), None, "the body is not headers");
    assert_eq!(frames[1], Frame::AuthRequest);
}

#[test]
fn odd_values_in_events() {
    let inner = "Event-Name: CUSTOM\nX: first\nx: second\nE: _undef_\nList: ARRAY%3A%3Aa%7C%3Ab%20c\n\
        Bytes: caf%E9\nBroken: 100%25%2%zz%00\nSpaces:    s\nno colon\nEmpty:\nvariable_a: 1\n\n";
    let bytes = format!(
        "Content-Length: {}\nContent-Type: text/event-plain\n\n{inner}",
        inner.len()
    );
    let frames = decode(bytes.as_bytes());
    let Frame::Event(event) = &frames[0] else {
        panic!("{frames:?}")
    };
    let list = vec!["a".into(), "b c".into()];
    assert_eq!(event.header("X").unwrap(), "first");
    assert_eq!(event.header("e").unwrap(), "");
    assert_eq!(event.value("List"), Some(Value::List(list)));
    assert_eq!(event.header_bytes("Bytes").unwrap().as_ref(), b"caf\xe9");
    assert_eq!(event.header("Bytes").unwrap(), "caf\u{fffd}");
    assert_eq!(event.header("Broken").unwrap(), "100%%2%zz\0");
    assert_eq!(event.header("Spaces").unwrap(), "s");
    assert_eq!(event.header("Empty").unwrap(), "");
    assert_eq!(event.header("no colon"), None);
    assert_eq!(event.headers().count(), 10);
    assert_eq!(event.body(), None);
}

#[test]
fn an_event_without_a_name_is_an_event() {
    let frames = decode(b"Content-Length: 16\nContent-Type: text/event-plain\n\nChannel-Name: x\n");
    assert!(matches!(&frames[0], Frame::Event(event) if event.name().is_empty()));
}

#[test]
fn lines_may_end_with_cr() {
    let frames = decode(
        b"Content-Type: auth/request\r\n\r\nContent-Length: 26\r\nContent-Type: text/event-plain\r\n\r\n\
          Event-Name: HEARTBEAT\r\n\r\nx\r\n\r\nContent-Type: command/reply\r\nReply-Text: +OK\r\n\r\n",
    );
    assert!(
        matches!(&frames[1], Frame::Event(event) if event.name() == "HEARTBEAT" && event.body() == Some(b"x"))
    );
    assert_eq!(frames[2], reply("+OK"));
}

#[test]
fn lengths_that_are_no_numbers_are_refused() {
    for bad in ["-1", "abc", "", "1x", "+5", "99999999999999999999999"] {
        let bytes = format!("Content-Type: api/response\nContent-Length: {bad}\n\n");
        let error = error_of(bytes.as_bytes());
        assert!(error.contains("expected a number"), "{bad}: {error}");
    }
}

#[test]
fn limits_hold() {
    let limits = Limits {
        header_block: 100,
        body: 10,
        api_body: 20,
    };
    let error = |bytes: &[u8]| decode_with(limits, bytes).1.unwrap();
    let long = format!("Content-Type: command/reply\nX: {}\n\n", "x".repeat(100));
    assert!(error(long.as_bytes()).contains("header block of more than 100"));
    let api = b"Content-Type: api/response\nContent-Length: 21\n\n";
    assert!(error(api).contains("21 bytes where at most 20"));
    let event = b"Content-Length: 11\nContent-Type: text/event-plain\n\n";
    assert!(error(event).contains("11 bytes where at most 10"));
    let glued = format!(
        "Content-Type: command/reply\nx{}Content-Type: api/response\n",
        "y".repeat(60)
    );
    assert!(error(glued.as_bytes()).contains("header block"));
}

#[test]
fn peers_that_are_no_freeswitch_are_named_at_once() {
    let cases: [(&[u8], &str); 10] = [
        (b"HTTP/1.1 400 Bad Request\r\n", "HTTP"),
        (b"GET / HTTP/1.1\r\n", "HTTP"),
        (b"SIP/2.0 400 Bad Request\r\n", "SIP"),
        (b"OPTIONS sip:a@b SIP/2.0\r\n", "SIP or HTTP"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "SSH"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "TLS"),
        (b"\x16\x03\x01\x02\x00\x01", "TLS"),
        (b"5.5.5-10.11.6-MariaDB\0", "expected a header"),
        (b"\x00\x01\x02\x03", "binary"),
        (b"220 mail.example ESMTP\r\n", "expected a header"),
    ];
    for (bytes, expected) in cases {
        let error = error_of(bytes);
        assert!(error.contains(expected), "{error}");
    }
    let endless = "a".repeat(64);
    assert!(error_of(endless.as_bytes()).contains("expected a header"));
    assert!(error_of(b"Foo: bar\n\n").contains("without Content-Type"));
}

#[test]
fn a_linger_notice_is_not_the_end() {
    let frames = decode(
        b"Content-Type: text/disconnect-notice\nControlled-Session-UUID: u\nContent-Disposition: linger\n\
          Channel-Name: sofia/internal/1001@acme.test\nLinger-Time: -1\nContent-Length: 0\n\n\
          Content-Type: command/reply\nReply-Text: +OK\n\n",
    );
    let Frame::Notice(notice) = &frames[0] else {
        panic!("{frames:?}")
    };
    assert!(notice.linger);
    assert_eq!(notice.linger_s, Some(-1));
    assert_eq!(notice.call.as_deref(), Some("u"));
    assert_eq!(frames[1], reply("+OK"));
}

#[test]
fn a_notice_forced_into_the_middle_of_a_frame_is_still_seen() {
    let event = b"Content-Length: 64\nContent-Type: text/event-plain\n\n\
        Event-Name: HEARTBEAT\nCore-UUID: 0123456789\nUp-Time: 123456789\n\n";
    for at in 1..event.len() {
        let mut bytes = b"Content-Type: auth/request\n\n".to_vec();
        bytes.extend_from_slice(&event[..at]);
        bytes.extend_from_slice(GOODBYE.as_bytes());
        let last = [Frame::AuthRequest, goodbye()];
        // The rest of the frame may come behind the notice or not at all.
        let (frames, error) = feed(Limits::default(), [&bytes[..]]);
        assert_eq!(error, None, "cut at {at}");
        assert_eq!(frames, last, "cut at {at}");
        bytes.extend_from_slice(&event[at..]);
        for size in [1, 7, bytes.len()] {
            let (frames, error) = feed(Limits::default(), bytes.chunks(size));
            assert_eq!((frames.as_slice(), error), (&last[..], None), "cut at {at}");
        }
    }
}

#[test]
fn half_a_frame_at_the_end_is_told() {
    let mut decoder = Decoder::default();
    let mut source = BytesMut::from("Content-Type: api/response\nContent-Length: 9\n\nhalf");
    assert!(decoder.decode(&mut source).unwrap().is_none());
    let error = decoder.decode_eof(&mut source).unwrap_err();
    assert!(
        matches!(error, DecodeError::Truncated { bytes: 50 }),
        "{error}"
    );
    assert!(
        decoder.decode_eof(&mut source).unwrap().is_none(),
        "told once"
    );
    assert!(error_of(b"Content-Type: command/reply\nReply-Te").contains("middle of a frame"));
    assert!(error_of(b"Content-Type: command/reply\n").contains("middle of a frame"));
}

#[test]
fn getvar_replies_are_taken_apart() {
    // A value beginning with `~` loses Reply-Text and blank line (capture 54).
    let frames = decode(
        b"Content-Type: command/reply\nabcContent-Type: api/response\nContent-Length: 2\n\nok\
          Content-Type: command/reply\na\nb: cContent-Length: 21\nContent-Type: text/event-plain\n\nEvent-Name: CUSTOM\n\nx\
          Content-Type: command/reply\nlast",
    );
    assert_eq!(frames[0], reply("~abc"));
    assert_eq!(frames[1], Frame::Api("ok".into()));
    assert!(matches!(&frames[2], Frame::Reply(reply) if reply.text == "~a"));
    assert!(matches!(&frames[3], Frame::Event(event) if event.name() == "CUSTOM"));
    assert_eq!(frames[4], reply("~last"));

    // Line feeds are sent as they are; a blank line ends the reply and the rest belongs to nothing.
    let frames = decode(
        b"Content-Type: command/reply\nReply-Text: one\ntwo\n\nContent-Type: command/reply\nReply-Text: one\n\n\
          Content-Type: fake/injected\n\n\n\nthree\n\nContent-Type: command/reply\nReply-Text: +OK\n\n",
    );
    assert_eq!(frames[0], reply("one\ntwo"));
    assert_eq!(
        frames[2],
        Frame::Spill("Content-Type: fake/injected\n\n".into())
    );
    assert_eq!(frames[3], Frame::Spill("three\n\n".into()));
    assert_eq!(frames[4], reply("+OK"));
}

#[test]
fn a_value_that_looks_like_a_frame_stays_a_value() {
    let frames = decode(
        b"Content-Type: command/reply\nReply-Text: x Content-Type: api/response\nJob-UUID: Content-Length: 5\n\n\
          Content-Type: auth/request\n\n",
    );
    assert!(
        matches!(&frames[0], Frame::Reply(reply) if reply.text == "x Content-Type: api/response")
    );
    assert_eq!(frames[1], Frame::AuthRequest);
}

#[test]
fn userauth_replies_without_blank_line_are_taken_apart() {
    let frames = decode(
        b"Content-Type: command/reply\nReply-Text: +OK accepted\nAllowed-Events: ALL\nAllowed-API: statuContent-Type: command/reply\n\
          Reply-Text: +OK\n\n",
    );
    let Frame::Reply(auth) = &frames[0] else {
        panic!("{frames:?}")
    };
    assert!(auth.is_ok());
    assert_eq!(auth.header("allowed-api"), Some("statu"));
    assert_eq!(frames[1], reply("+OK"));
}

#[test]
fn log_headers_cut_at_their_buffer_lose_the_blank_line() {
    for data in [
        900, 940, 941, 942, 943, 944, 945, 946, 947, 948, 949, 950, 960, 2000,
    ] {
        let mut head = format!(
            "Content-Type: log/data\nContent-Length: 9\nLog-Level: 7\nLog-File: a.c\nUser-Data: {}\n\n",
            "u".repeat(data)
        );
        head.truncate(1023);
        let bytes = format!("{head}the line\nContent-Type: auth/request\n\n");
        let frames = decode(bytes.as_bytes());
        assert!(
            matches!(&frames[0], Frame::Log(log) if log.level == Some(7) && log.text == "the line\n"),
            "{data}"
        );
        assert_eq!(frames[1], Frame::AuthRequest, "{data}");
    }
}

#[test]
fn a_rejected_address() {
    let rejection =
        "Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n";
    let frames = decode(format!("{rejection}{GOODBYE}").as_bytes());
    assert_eq!(
        frames,
        [
            Frame::Rejected("Access Denied, go away.\n".into()),
            goodbye()
        ]
    );
}

#[test]
fn broken_json_and_unknown_types_do_not_end_the_stream() {
    let frames = decode(
        b"Content-Length: 3\nContent-Type: text/event-json\n\n{x}Content-Length: 2\nContent-Type: text/other\n\nhi\
          Content-Type: auth/request\n\n",
    );
    assert!(
        matches!(&frames[0], Frame::Unknown { content_type, .. } if content_type == "text/event-json")
    );
    assert!(matches!(&frames[1], Frame::Unknown { body, .. } if body == "hi"));
    assert_eq!(frames[2], Frame::AuthRequest);
}

proptest! {
    #[test]
    fn any_bytes_give_the_same_however_cut(
        parts in proptest::collection::vec(prop_oneof![
            Just(b"Content-Type: command/reply\n".to_vec()),
            Just(b"Content-Type: api/response\n".to_vec()),
            Just(b"Content-Type: text/event-plain\n".to_vec()),
            Just(b"Content-Type: text/event-json\n".to_vec()),
            Just(b"Content-Type: log/data\n".to_vec()),
            Just(b"Content-Type: text/disconnect-notice\n".to_vec()),
            Just(b"Content-Length: 12\n".to_vec()),
            Just(b"Content-Length: 40\n".to_vec()),
            Just(b"Reply-Text: +OK\n".to_vec()),
            Just(b"Event-Name: CUSTOM\n".to_vec()),
            Just(b"\n".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"{\"a\":\"b\"}".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..12),
        ], 0..16),
        cuts in proptest::collection::vec(1_usize..40, 1..20),
    ) {
        let bytes = parts.concat();
        let limits = Limits { header_block: 200, body: 100, api_body: 100 };
        let whole = feed(limits, [&bytes[..]]);
        prop_assert_eq!(&feed(limits, bytes.chunks(1)), &whole);
        let mut rest = &bytes[..];
        let mut pieces = Vec::new();
        for size in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, behind) = rest.split_at(rest.len().min(*size));
            pieces.push(piece);
            rest = behind;
        }
        prop_assert_eq!(&feed(limits, pieces), &whole);
    }
}
