//! Events a second off the wire, beside the crate freeswitch-esl-tokio on the same bytes, and
//! commands a second on to it. Run with `cargo bench --bench esl`.
//!
//! The crate keeps its decoder to itself, so both sides are driven the way they are used: a thread
//! writes the recorded events of `tests/captures` into a loopback connection, a task reads and decodes
//! them, and hands each event through a channel to a consumer on the same single-threaded runtime.
//! Buffers and channel are of the same size on both sides.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark stops at the first surprise, its helpers included"
)]

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::LazyLock;

use bytes::BytesMut;
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use freeswitch_esl_tokio::{EslClient, EslConnectOptions, EslEvent};
use futures_util::StreamExt as _;
use linefinder::esl::{Command, Decoder, Event, Frame, Line, Message, SendMsg};
use linefinder::types::HangupCause;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_util::codec::{Decoder as _, FramedRead};

fn main() {
    divan::main();
}

/// Read size of freeswitch-esl-tokio, used on both sides.
const READ: usize = 64 << 10;

/// The recorded events of one format, one behind the other, as FreeSWITCH sends them.
struct Events {
    bytes: Vec<u8>,
    count: usize,
}

impl Events {
    fn recorded(content_type: &str) -> Events {
        let mut events = Events {
            bytes: Vec::new(),
            count: 0,
        };
        let mut files = Vec::new();
        let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
        for scenario in std::fs::read_dir(captures).unwrap() {
            let scenario = scenario.unwrap().path();
            if scenario.is_dir() {
                let entries = std::fs::read_dir(scenario).unwrap();
                files.extend(entries.map(|entry| entry.unwrap().path()));
            }
        }
        files.retain(|file| file.to_string_lossy().ends_with("rx.bin"));
        files.sort();
        let wanted = format!("Content-Type: {content_type}\n\n");
        for file in files {
            let bytes = std::fs::read(file).unwrap();
            let mut source = BytesMut::from(&bytes[..]);
            let mut decoder = Decoder::default();
            let mut begin = 0;
            while let Some(frame) = decoder.decode(&mut source).unwrap() {
                let end = bytes.len() - source.len();
                let raw = &bytes[begin..end];
                begin = end;
                let head = raw.windows(wanted.len()).take(64);
                if matches!(frame, Frame::Event(_))
                    && head.into_iter().any(|w| w == wanted.as_bytes())
                {
                    events.bytes.extend_from_slice(raw);
                    events.count += 1;
                }
            }
        }
        assert!(
            events.count > 10,
            "{} events of {content_type}",
            events.count
        );
        // Few json events are recorded; a run should take much longer than opening its connection.
        let times = 800_usize.div_ceil(events.count);
        Events {
            bytes: events.bytes.repeat(times),
            count: events.count * times,
        }
    }

    /// A connection into which a thread writes the events and then closes it.
    fn connection(&'static self) -> tokio::net::TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            socket.write_all(&self.bytes).unwrap();
        });
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nonblocking(true).unwrap();
        tokio::net::TcpStream::from_std(socket).unwrap()
    }
}

static PLAIN: LazyLock<Events> = LazyLock::new(|| Events::recorded("text/event-plain"));
static JSON: LazyLock<Events> = LazyLock::new(|| Events::recorded("text/event-json"));

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// How much of an event the consumer looks at.
#[derive(Debug, Clone, Copy)]
enum Look {
    /// Name and call, which is what routes an event to its call.
    Route,
    /// Every header's value, decoded.
    All,
}

fn look_at_ours(event: &Event, look: Look) -> usize {
    match look {
        Look::Route => event.name().len() + event.unique_id().map_or(0, |id| id.len()),
        Look::All => event
            .headers()
            .map(|(name, value)| name.len() + value.len())
            .sum(),
    }
}

fn look_at_theirs(event: &EslEvent, look: Look) -> usize {
    match look {
        Look::Route => {
            let name = event.header_str("Event-Name").map_or(0, str::len);
            name + event.header_str("Unique-ID").map_or(0, str::len)
        }
        Look::All => event
            .headers()
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum(),
    }
}

async fn ours(events: &'static Events, look: Look) -> usize {
    let socket = events.connection();
    let (sender, mut receiver) = mpsc::channel(events.count + 1);
    tokio::spawn(async move {
        let mut frames = FramedRead::with_capacity(socket, Decoder::default(), READ);
        while let Some(frame) = frames.next().await {
            if let Frame::Event(event) = frame.unwrap() {
                sender.send(event).await.unwrap();
            }
        }
    });
    let (mut seen, mut sum) = (0, 0);
    while let Some(event) = receiver.recv().await {
        sum += look_at_ours(&event, look);
        seen += 1;
    }
    assert_eq!(seen, events.count);
    sum
}

async fn theirs(events: &'static Events, look: Look) -> usize {
    let options = EslConnectOptions::new().with_event_queue_size(events.count + 1);
    let (client, mut stream) =
        EslClient::adopt_stream_with_options(events.connection(), &[], options).unwrap();
    let (mut seen, mut sum) = (0, 0);
    while let Some(event) = stream.recv().await {
        sum += look_at_theirs(&event.unwrap(), look);
        seen += 1;
    }
    assert_eq!(seen, events.count);
    drop(client);
    sum
}

fn counted<'a, 'b>(bencher: Bencher<'a, 'b>, events: &Events) -> Bencher<'a, 'b> {
    bencher
        .counter(ItemsCount::new(events.count))
        .counter(BytesCount::new(events.bytes.len()))
}

#[divan::bench_group(sample_count = 40, sample_size = 1)]
mod decode_plain {
    use super::*;

    #[divan::bench(args = [Look::Route, Look::All])]
    fn linefinder(bencher: Bencher, look: Look) {
        let runtime = runtime();
        counted(bencher, &PLAIN).bench_local(|| runtime.block_on(ours(&PLAIN, look)));
    }

    #[divan::bench(args = [Look::Route, Look::All])]
    fn freeswitch_esl_tokio(bencher: Bencher, look: Look) {
        let runtime = runtime();
        counted(bencher, &PLAIN).bench_local(|| runtime.block_on(theirs(&PLAIN, look)));
    }
}

#[divan::bench_group(sample_count = 40, sample_size = 1)]
mod decode_json {
    use super::*;

    #[divan::bench(args = [Look::Route, Look::All])]
    fn linefinder(bencher: Bencher, look: Look) {
        let runtime = runtime();
        counted(bencher, &JSON).bench_local(|| runtime.block_on(ours(&JSON, look)));
    }

    #[divan::bench(args = [Look::Route, Look::All])]
    fn freeswitch_esl_tokio(bencher: Bencher, look: Look) {
        let runtime = runtime();
        counted(bencher, &JSON).bench_local(|| runtime.block_on(theirs(&JSON, look)));
    }
}

/// The decoder alone, without socket and channel.
#[divan::bench(args = [Look::Route, Look::All], sample_count = 40, sample_size = 1)]
fn decode_in_memory(bencher: Bencher, look: Look) {
    counted(bencher, &PLAIN)
        .with_inputs(|| BytesMut::from(&PLAIN.bytes[..]))
        .bench_local_values(|mut source| {
            let mut decoder = Decoder::default();
            let (mut seen, mut sum) = (0, 0);
            while let Some(frame) = decoder.decode(&mut source).unwrap() {
                if let Frame::Event(event) = frame {
                    sum += look_at_ours(&event, look);
                    seen += 1;
                }
            }
            assert_eq!(seen, PLAIN.count);
            sum
        });
}

fn line(text: &str) -> Line {
    Line::new("bench", text).unwrap()
}

/// What a call is driven with, one of each.
fn commands() -> Vec<Command> {
    let call = Some(line("8a2b6f1e-7f5a-4a7e-9d53-0e4f8c1a2b3c"));
    let execute = |application: &str, argument: &str| {
        Command::SendMsg(SendMsg {
            call: call.clone(),
            message: Message::Execute {
                application: line(application),
                argument: argument.to_owned(),
                event_uuid: Some(line("0f1d2c3b-4a59-4867-8695-a4b3c2d1e0ff")),
                argument_by_body: false,
            },
            event_lock: true,
        })
    };
    vec![
        execute("answer", ""),
        execute("set", "effective_caller_id_name=Zoë"),
        execute(
            "bridge",
            "{originate_timeout=20,ignore_early_media=true}[leg_timeout=20]sofia/internal/sip:1002@127.0.0.1:5072",
        ),
        Command::SendMsg(SendMsg {
            call,
            message: Message::Hangup {
                cause: HangupCause::UserBusy,
            },
            event_lock: false,
        }),
        Command::BgApi {
            command: line("uuid_kill"),
            argument: Some(line("8a2b6f1e-7f5a-4a7e-9d53-0e4f8c1a2b3c NORMAL_CLEARING")),
            job: line("0f1d2c3b-4a59-4867-8695-a4b3c2d1e0ff"),
        },
        Command::Linger { seconds: Some(10) },
    ]
}

#[divan::bench]
fn encode_commands(bencher: Bencher) {
    let commands = commands();
    let mut out = BytesMut::with_capacity(4096);
    bencher
        .counter(ItemsCount::new(commands.len()))
        .bench_local(|| {
            out.clear();
            for command in black_box(&commands) {
                command.encode(&mut out).unwrap();
            }
            out.len()
        });
}
