//! Puts a daemon under load: a simulated FreeSWITCH node places calls at a steady rate, hands them
//! over, lets simulated phones answer, and reports what became of them.
//!
//! ```text
//! cargo run --release --example load -- --daemon 127.0.0.1:8084 --pid $(pidof linefinder) --calls 10000 --rate 200 --hold 60
//! cargo run --release --example load -- --bare --calls 10000 --rate 500 --hold 30
//! ```
//!
//! The daemon must know the caller (`--from`) and have something that rings behind `--to`; every
//! address that it dials answers. `--bare` drives the calls by the simplest daemon possible, which shows what
//! the simulation alone costs. With `--park` the daemon has to be connected to the node, whose address is printed.

#![allow(
    clippy::print_stdout,
    reason = "a program for the terminal prints its report"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::BytesMut;
use clap::Parser;
use linefinder::esl::{Decoder, Frame};
use linefinder::sim::{
    CallResult, CallSpec, Handoff, Node, NodeOptions, Patience, PhoneScript, PlacedCall,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::Decoder as _;

#[derive(Debug, Parser)]
struct Options {
    /// The daemon's outbound-socket listener
    #[arg(long, required_unless_present_any = ["bare", "park"])]
    daemon: Option<SocketAddr>,
    /// Hand over by park instead; the daemon connects to the node
    #[arg(long)]
    park: bool,
    /// Drive the calls by a bare-bones daemon within this program
    #[arg(long)]
    bare: bool,
    /// Where the node listens for event-socket clients
    #[arg(long, default_value = "127.0.0.1:0")]
    node: SocketAddr,
    /// Calls to place
    #[arg(long, default_value_t = 1000)]
    calls: usize,
    /// Calls per second
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// Seconds that each answered call lasts
    #[arg(long, default_value_t = 10.0)]
    hold: f64,
    /// Milliseconds that a phone rings
    #[arg(long, default_value_t = 200)]
    ring: u64,
    #[arg(long, default_value = "1001@acme.test")]
    from: String,
    #[arg(long, default_value = "1002")]
    to: String,
    /// Milliseconds between a queued command and its start, as in FreeSWITCH
    #[arg(long, default_value_t = 20)]
    tick: u64,
    /// The daemon's process, to report its memory
    #[arg(long)]
    pid: Option<u32>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let node = Node::start(NodeOptions {
        listen: options.node,
        tick: Duration::from_millis(options.tick),
        any_phone: Some(PhoneScript::answers_after(Duration::from_millis(
            options.ring,
        ))),
        ..NodeOptions::default()
    })
    .await
    .with_context(|| format!("the node can't listen on {}", options.node))?;
    println!("node {} on {}", node.name(), node.address());
    let handoff = if options.bare {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(bare_daemon(listener));
        Handoff::Socket(address)
    } else {
        options.daemon.map_or(Handoff::Park, Handoff::Socket)
    };
    let idle = resident(options.pid);
    let (calls, most, busy) = place(&node, &options, handoff).await;
    let mut results = Vec::with_capacity(calls.len());
    for call in &calls {
        results.push(call.result().await);
    }
    report(&results, most);
    if let (Some(idle), Some(busy)) = (idle, busy) {
        let each = busy.saturating_sub(idle) as f64 / (most.max(1) as f64);
        println!("daemon memory    {idle} kB idle, {busy} kB at the most, {each:.1} kB a call");
    }
    Ok(())
}

/// Places the calls; gives them, how many were up at once, and the daemon's memory then.
async fn place(
    node: &Node,
    options: &Options,
    handoff: Handoff,
) -> (Vec<PlacedCall>, usize, Option<u64>) {
    let mut spec = CallSpec::device(&options.from, &options.to, handoff);
    spec.keep_events = false;
    spec.patience = Some(Patience::FromAnswer(Duration::from_secs_f64(
        options.hold.max(0.0),
    )));
    let started = Instant::now();
    let mut calls = Vec::with_capacity(options.calls);
    let (mut most, mut busy) = (0, None);
    let mut clock = tokio::time::interval(Duration::from_millis(10));
    while calls.len() < options.calls {
        clock.tick().await;
        let due = (started.elapsed().as_secs_f64() * options.rate) as usize;
        while calls.len() < due.min(options.calls) {
            calls.push(node.place_call(spec.clone()));
        }
        most = most.max(node.legs() / 2);
        busy = busy.max(resident(options.pid));
    }
    // Until the last ones have been answered, or have failed.
    for _ in 0..300 {
        let waiting = calls
            .iter()
            .any(|call| call.stage() < linefinder::sim::Stage::Answered);
        most = most.max(node.legs() / 2);
        busy = busy.max(resident(options.pid));
        if !waiting {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (calls, most, busy)
}

fn report(results: &[CallResult], most: usize) {
    let answered = results.iter().filter(|result| result.answered).count();
    println!("placed           {}", results.len());
    println!("answered         {answered}");
    println!("lost             {}", results.len() - answered);
    println!("up at once       {most}");
    let mut causes: BTreeMap<String, usize> = BTreeMap::new();
    for result in results.iter().filter(|result| !result.answered) {
        let key = match result.sip_status {
            Some(status) => format!("{status} {}", result.cause),
            None => "the node died".to_owned(),
        };
        *causes.entry(key).or_default() += 1;
    }
    for (cause, count) in causes {
        println!("  {count:6} {cause}");
    }
    let mut setups: Vec<Duration> = results.iter().filter_map(|r| r.answered_after).collect();
    setups.sort_unstable();
    let at = |share: f64| {
        let index = ((setups.len() as f64) * share) as usize;
        setups
            .get(index.min(setups.len().saturating_sub(1)))
            .copied()
    };
    if let (Some(half), Some(most), Some(last)) = (at(0.5), at(0.99), setups.last()) {
        println!(
            "set-up           p50 {half:.1?}  p99 {most:.1?}  longest {last:.1?}  (ringing included)"
        );
    }
}

/// Resident memory of a process in kB, from its status file.
fn resident(pid: Option<u32>) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid?)).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

async fn bare_daemon(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            // A call that breaks shows up in the report.
            let _ = drive(stream).await;
        });
    }
}

/// Claims the call, dials a phone, leaves when it is over.
async fn drive(mut stream: TcpStream) -> anyhow::Result<()> {
    let mut decoder = Decoder::default();
    let mut input = BytesMut::new();
    stream
        .write_all(b"connect\n\nlinger 5\n\nmyevents\n\n")
        .await?;
    loop {
        while let Some(frame) = decoder.decode(&mut input)? {
            match frame {
                Frame::Connected(data) => {
                    let task = data.variable("last_sched_id").unwrap_or_default();
                    let orders = format!(
                        "api sched_del {task}\n\nsendmsg\ncall-command: execute\n\
                         execute-app-name: bridge\nexecute-app-arg: sofia/internal/sip:1002@127.0.0.1:5072\n\n"
                    );
                    stream.write_all(orders.as_bytes()).await?;
                }
                Frame::Event(event) if event.name() == "CHANNEL_HANGUP_COMPLETE" => {
                    stream.write_all(b"exit\n\n").await?;
                }
                _ => {}
            }
        }
        if input.is_empty() {
            input = BytesMut::new();
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}
