//! Every recorded stream of a real FreeSWITCH decodes to its last byte, however TCP cuts it.
//!
//! The recordings lie in `tests/captures`; `LINEFINDER_CAPTURES` names another directory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

use std::path::{Path, PathBuf};

use bytes::BytesMut;
use linefinder::esl::server::{EventFormat, Request, RequestError, ServerDecoder, ServerFrame};
use linefinder::esl::{DecodeError, Decoder, Event, Frame};
use proptest::prelude::*;
use tokio_util::codec::Decoder as _;

/// Streams of up to this many bytes are cut in two at every byte (the work grows with the square).
const CUT_EVERYWHERE: usize = 8 << 10;

/// One direction of one recorded connection.
struct Stream {
    name: String,
    bytes: Vec<u8>,
    /// The sizes of the recorded reads or writes.
    chunks: Vec<usize>,
    /// Who closed the connection, as the recorder noted it.
    closed_by: String,
}

/// What came out of a stream of FreeSWITCH's bytes.
#[derive(Debug, PartialEq, Eq)]
struct Decoded {
    frames: Vec<Frame>,
    /// Bytes of an unfinished frame when the stream ended.
    unfinished: usize,
}

const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures");

fn directory() -> PathBuf {
    std::env::var_os("LINEFINDER_CAPTURES").map_or_else(|| PathBuf::from(OURS), PathBuf::from)
}

/// All streams of the given direction, `rx` or `tx`, in the order of their names.
fn streams(direction: &str) -> Vec<Stream> {
    streams_in(&directory(), direction)
}

fn streams_in(directory: &Path, direction: &str) -> Vec<Stream> {
    let listing = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let mut streams = Vec::new();
    for scenario in listing(directory).into_iter().filter(|path| path.is_dir()) {
        let meta = std::fs::read_to_string(scenario.join("meta.json"))
            .map(|text| parse_meta(&text))
            .unwrap_or_default();
        let files = listing(&scenario);
        let suffix = format!("{direction}.bin");
        for file in files.iter().filter(|file| file.is_file()) {
            let file_name = file.file_name().unwrap().to_str().unwrap();
            let label = match file_name.strip_suffix(&suffix) {
                Some("") => None,
                Some(label) if label.ends_with('.') => Some(label.trim_end_matches('.')),
                _ => continue,
            };
            let connections = meta["connections"].as_array().cloned().unwrap_or_default();
            let connection = connections
                .iter()
                .find(|c| label.is_none() || c["label"].as_str() == label)
                .cloned()
                .unwrap_or_default();
            let chunks = connection["chunks"].as_array().cloned().unwrap_or_default();
            let scenario = scenario.file_name().unwrap().to_str().unwrap();
            streams.push(Stream {
                name: format!("{scenario}/{file_name}"),
                bytes: std::fs::read(file).unwrap(),
                chunks: chunks
                    .iter()
                    .filter(|chunk| chunk["dir"].as_str() == Some(direction))
                    .map(|chunk| usize::try_from(chunk["length"].as_u64().unwrap()).unwrap())
                    .collect(),
                closed_by: connection["closed_by"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            });
        }
    }
    assert!(
        !streams.is_empty(),
        "no {direction}.bin below {}; LINEFINDER_CAPTURES names the directory",
        directory.display()
    );
    streams
}

/// The recorder wrote bytes that are not UTF-8 as lone surrogates, which no JSON parser here takes.
fn parse_meta(text: &str) -> serde_json::Value {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\ud") {
        clean.push_str(&rest[..at]);
        let high = rest.as_bytes()[at + 3];
        clean.push_str(if high.is_ascii_digit() && high < b'8' {
            &rest[at..at + 6]
        } else {
            "\\ufffd"
        });
        rest = &rest[at + 6..];
    }
    clean.push_str(rest);
    serde_json::from_str(&clean).unwrap()
}

/// Feeds the pieces one after the other, as reads from a socket would.
fn decode<'a>(name: &str, pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = Decoder::default();
    let mut source = BytesMut::new();
    let mut frames = Vec::new();
    for piece in pieces {
        source.extend_from_slice(piece);
        while let Some(frame) = decoder
            .decode(&mut source)
            .unwrap_or_else(|e| panic!("{name}: {e}, after {} frames", frames.len()))
        {
            frames.push(frame);
        }
    }
    loop {
        match decoder.decode_eof(&mut source) {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => {
                assert!(source.is_empty(), "{name}: {} bytes left", source.len());
                return Decoded {
                    frames,
                    unfinished: 0,
                };
            }
            Err(DecodeError::Truncated { bytes }) => {
                return Decoded {
                    frames,
                    unfinished: bytes,
                };
            }
            Err(e) => panic!("{name}: {e}, after {} frames", frames.len()),
        }
    }
}

/// The commands of a stream, how many bytes are left, and whether FreeSWITCH would refuse to go on.
fn requests<'a>(
    name: &str,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Request>, usize, bool) {
    let mut decoder = ServerDecoder::new();
    let mut source = BytesMut::new();
    let mut requests = Vec::new();
    for piece in pieces {
        source.extend_from_slice(piece);
        // A length that FreeSWITCH refuses ends the connection (capture fact 6).
        loop {
            match decoder.decode(&mut source) {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => break,
                Err(RequestError::BodyLength(_)) => return (requests, source.len(), true),
                Err(e) => panic!("{name}: {e}"),
            }
        }
    }
    (requests, source.len(), false)
}

/// The stream cut at the given sizes, over and over; what they don't cover is one last piece.
fn pieces<'a>(bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut rest = bytes;
    for size in sizes {
        let (piece, behind) = rest.split_at(rest.len().min(*size));
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    pieces
}

#[test]
fn every_stream_decodes_to_its_last_byte() {
    let streams = streams("rx");
    let (mut frames, mut events, mut bytes, mut unfinished) = (0, 0, 0, 0);
    for stream in &streams {
        let name = &stream.name;
        let decoded = decode(name, [&stream.bytes[..]]);
        for frame in &decoded.frames {
            assert!(!matches!(frame, Frame::Unknown { .. }), "{name}: {frame:?}");
        }
        let goodbye = decoded
            .frames
            .iter()
            .any(|frame| matches!(frame, Frame::Notice(notice) if !notice.linger));
        if decoded.unfinished > 0 {
            // Half a frame is what a reader keeps who closes while FreeSWITCH is writing, and what a
            // process leaves that is killed; one that says goodbye has written all it had to.
            let cut_off = stream.closed_by.starts_with("client") || !goodbye;
            assert!(
                cut_off && !stream.closed_by.is_empty(),
                "{name}: {} bytes left, closed by {:?}",
                decoded.unfinished,
                stream.closed_by
            );
            unfinished += 1;
        }
        frames += decoded.frames.len();
        events += decoded
            .frames
            .iter()
            .filter(|frame| matches!(frame, Frame::Event(_) | Frame::Connected(_)))
            .count();
        bytes += stream.bytes.len();
    }
    assert!(frames > 0, "no frame in {} streams", streams.len());
    println!(
        "captures: {} streams, {frames} frames ({events} events), {bytes} bytes, {unfinished} streams cut off in a frame",
        streams.len()
    );
}

#[test]
fn cut_as_recorded_gives_the_same_frames() {
    for stream in streams("rx") {
        let whole = decode(&stream.name, [&stream.bytes[..]]);
        let cut = decode(&stream.name, pieces(&stream.bytes, &stream.chunks));
        assert!(whole == cut, "{}", stream.name);
    }
}

#[test]
fn byte_by_byte_gives_the_same_frames() {
    for stream in streams("rx") {
        let whole = decode(&stream.name, [&stream.bytes[..]]);
        let cut = decode(&stream.name, stream.bytes.chunks(1));
        assert!(whole == cut, "{}", stream.name);
    }
}

#[test]
fn cut_in_two_at_every_byte_gives_the_same_frames() {
    for stream in streams("rx") {
        if stream.bytes.len() > CUT_EVERYWHERE {
            continue;
        }
        let whole = decode(&stream.name, [&stream.bytes[..]]);
        for at in 0..=stream.bytes.len() {
            let cut = decode(&stream.name, <[_; 2]>::from(stream.bytes.split_at(at)));
            assert!(whole == cut, "{} at {at}", stream.name);
        }
    }
}

#[test]
fn commands_decode_to_their_last_byte() {
    let mut commands = 0;
    for stream in streams("tx") {
        let name = &stream.name;
        let (whole, left, refused) = requests(name, [&stream.bytes[..]]);
        // A client may leave in the middle of a command; FreeSWITCH leaves after one it refuses.
        let expected = match refused {
            true => stream.closed_by == "freeswitch",
            false => left == 0 || stream.closed_by.starts_with("client"),
        };
        assert!(
            expected,
            "{name}: {left} bytes left, closed by {:?}",
            stream.closed_by
        );
        let (cut, ..) = requests(name, stream.bytes.chunks(1));
        assert_eq!(whole, cut, "{name}");
        let (cut, ..) = requests(name, pieces(&stream.bytes, &stream.chunks));
        assert_eq!(whole, cut, "{name}");
        commands += whole.len();
    }
    println!("captures: {commands} commands");
}

/// What the simulated node would have written for a frame; None for what it never writes.
fn as_written(frame: &Frame) -> Option<ServerFrame> {
    Some(match frame {
        Frame::AuthRequest => ServerFrame::AuthRequest,
        Frame::Reply(reply) => ServerFrame::Reply {
            text: reply.text.clone(),
            headers: reply.headers.clone(),
        },
        Frame::Api(body) => ServerFrame::Api(body.clone()),
        Frame::Rejected(_) => ServerFrame::Rejected,
        Frame::Notice(notice) if notice.linger => ServerFrame::Linger {
            call: notice.call.clone()?,
            channel: "sofia/internal/1001@acme.test".to_owned(),
            seconds: notice.linger_s.and_then(|s| u32::try_from(s).ok()),
        },
        Frame::Notice(notice) if notice.text.starts_with(b"The system") => {
            ServerFrame::ShuttingDown
        }
        Frame::Notice(notice) => ServerFrame::Disconnect {
            call: notice.call.clone(),
        },
        Frame::Connected(call) => {
            let added = ["content-type", "reply-text", "socket-mode", "control"];
            let headers: Vec<_> = call
                .headers()
                .filter(|(name, _)| !added.contains(&name.to_ascii_lowercase().as_str()))
                .collect();
            let headers = headers.iter().map(|(name, value)| (&**name, &**value));
            ServerFrame::Connected {
                data: Event::from_headers(headers, None),
                async_mode: call.header("Socket-Mode")? == "async",
                full: call.header("Control")? == "full",
            }
        }
        Frame::Event(event) => ServerFrame::Event(event.clone(), EventFormat::Plain),
        _ => return None,
    })
}

#[test]
fn frames_are_written_as_freeswitch_writes_them() {
    let mut compared = 0;
    for stream in streams_in(Path::new(OURS), "rx") {
        let mut decoder = Decoder::default();
        let mut source = BytesMut::from(&stream.bytes[..]);
        loop {
            let before = stream.bytes.len() - source.len();
            let Some(frame) = decoder.decode(&mut source).unwrap() else {
                break;
            };
            let mut recorded = &stream.bytes[before..stream.bytes.len() - source.len()];
            // What a `getvar` value spilled: line feeds before the frame, a reply without its text.
            while let Some(rest) = recorded.strip_prefix(b"\n") {
                recorded = rest;
            }
            if matches!(&frame, Frame::Reply(reply) if reply.text.starts_with('~')) {
                continue;
            }
            let mut written = BytesMut::new();
            let Some(out) = as_written(&frame) else {
                continue;
            };
            let out = match out {
                ServerFrame::Event(event, _) if recorded.starts_with(b"Content-Length") => {
                    let head = String::from_utf8_lossy(&recorded[..60.min(recorded.len())]);
                    match () {
                        () if head.contains("event-json") => {
                            ServerFrame::Event(event, EventFormat::Json)
                        }
                        () if head.contains("event-plain") => {
                            ServerFrame::Event(event, EventFormat::Plain)
                        }
                        () => continue,
                    }
                }
                out => out,
            };
            out.encode(&mut written);
            assert!(
                written == recorded,
                "{}: recorded\n{}\nwritten\n{}",
                stream.name,
                String::from_utf8_lossy(recorded),
                String::from_utf8_lossy(&written)
            );
            compared += 1;
        }
    }
    println!("captures: {compared} frames written as recorded");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cut_at_random_gives_the_same_frames(
        which in any::<prop::sample::Index>(),
        sizes in proptest::collection::vec(prop_oneof![1_usize..8, 1_usize..300, 1_usize..20_000], 1..60),
    ) {
        let streams = streams("rx");
        let stream = &streams[which.index(streams.len())];
        let whole = decode(&stream.name, [&stream.bytes[..]]);
        let sizes: Vec<_> = sizes.iter().copied().cycle().take(stream.bytes.len()).collect();
        let cut = decode(&stream.name, pieces(&stream.bytes, &sizes));
        prop_assert!(whole == cut, "{} cut at {:?}", stream.name, sizes);
    }
}
