//! Whatever a peer sends: no panic, and the same frames however TCP cuts the stream.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use linefinder::esl::server::{Request, ServerDecoder};
use linefinder::esl::{Decoder, Event, Frame, Limits, percent_decode, percent_encode};
use tokio_util::codec::Decoder as _;

fuzz_target!(|input: (u8, &[u8])| {
    let (cut, bytes) = input;
    let whole = frames(bytes.chunks(bytes.len().max(1)));
    assert_eq!(whole, frames(bytes.chunks(usize::from(cut).max(1))));
    assert_eq!(whole, frames(bytes.chunks(1)));
    for frame in &whole.0 {
        if let Frame::Event(event) | Frame::Connected(event) = frame {
            read_all(event);
        }
    }

    let whole = requests(bytes.chunks(bytes.len().max(1)));
    assert_eq!(whole, requests(bytes.chunks(usize::from(cut).max(1))));

    let mut encoded = BytesMut::new();
    percent_encode(bytes, &mut encoded);
    if !bytes.contains(&b'%') {
        assert_eq!(percent_decode(&encoded), bytes);
    }
    let _ = percent_decode(bytes);
});

/// Small limits, so that the fuzzer reaches them.
const LIMITS: Limits = Limits {
    header_block: 4096,
    body: 4096,
    api_body: 8192,
};

/// All frames and how the stream ended.
fn frames<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Frame>, String) {
    let mut decoder = Decoder::new(LIMITS);
    let mut source = BytesMut::new();
    let mut frames = Vec::new();
    for piece in pieces {
        source.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut source) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, error.to_string()),
            }
        }
    }
    loop {
        match decoder.decode_eof(&mut source) {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => {
                assert!(source.is_empty(), "{} bytes left over", source.len());
                return (frames, String::new());
            }
            Err(error) => return (frames, error.to_string()),
        }
    }
}

fn requests<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Request>, String) {
    let mut decoder = ServerDecoder::new();
    let mut source = BytesMut::new();
    let mut requests = Vec::new();
    for piece in pieces {
        source.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut source) {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => break,
                Err(error) => return (requests, error.to_string()),
            }
        }
    }
    (requests, String::new())
}

/// Every accessor, and a second pass through our own writer: it must come back as the same event.
fn read_all(event: &Event) {
    let headers: Vec<_> = event.headers().collect();
    let _ = (event.name(), event.subclass(), event.unique_id(), event.variable("x"));
    let _ = (event.value("X"), event.body(), format!("{event:?}"));
    assert_eq!(event.detached(), *event);
    for (name, _) in &headers {
        // Names that are not UTF-8 can't be asked for.
        assert!(event.header(name).is_some() || name.contains('\u{fffd}'));
    }
    let mut written = BytesMut::new();
    event.write_plain(&mut written);
}
