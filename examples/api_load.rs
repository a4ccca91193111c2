//! Asks a daemon's REST API the same over and over on kept connections, and tells how many answers a second came and
//! how long they took.
//!
//! `cargo run --release --example api_load -- ADDRESS PATH TOKEN [CLIENTS] [SECONDS] [create]`: reads PATH, as
//! `/v2/accounts/ID/devices/ID` or `/v2/accounts/ID/devices?page_size=50`; with `create` it puts a device of its own
//! there with each request, PATH being `/v2/accounts/ID/devices`. The daemon should have `[api] rate_tokens = 0`.
#![allow(
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a program for the terminal"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What is asked.
struct Load {
    address: String,
    path: String,
    token: String,
    creates: bool,
    /// Names of created devices differ from those of other runs.
    run: u128,
    wrong: AtomicU64,
    stop: AtomicBool,
}

impl Load {
    fn request(&self, client: u64, number: u64) -> String {
        let Load {
            address,
            path,
            token,
            run,
            ..
        } = self;
        let head = format!("{path} HTTP/1.1\r\nHost: {address}\r\nX-Auth-Token: {token}\r\n");
        if !self.creates {
            return format!("GET {head}\r\n");
        }
        let body = format!(
            "{{\"data\":{{\"name\":\"Load {client} {number}\",\"sip\":{{\"username\":\"{run:x}-{client}-{number}\",\"password\":\"0123456789\"}}}}}}"
        );
        let length = body.len();
        format!(
            "PUT {head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, path, token, rest @ ..] = arguments.as_slice() else {
        anyhow::bail!("expected ADDRESS PATH TOKEN [CLIENTS] [SECONDS] [create]");
    };
    let number = |at: usize, default: u64| match rest.get(at) {
        Some(text) => text.parse::<u64>(),
        None => Ok(default),
    };
    let (clients, seconds) = (number(0, 64)?, number(1, 10)?);
    let run = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let load = Arc::new(Load {
        address: address.clone(),
        path: path.clone(),
        token: token.clone(),
        creates: rest.get(2).is_some_and(|word| word == "create"),
        run: run.as_millis() % 0xFFFF_FFFF,
        wrong: AtomicU64::default(),
        stop: AtomicBool::default(),
    });
    let mut running = Vec::new();
    for number in 0..clients {
        let stream = TcpStream::connect(address.as_str()).await?;
        stream.set_nodelay(true)?;
        let load = Arc::clone(&load);
        running.push(tokio::spawn(
            async move { client(stream, number, &load).await },
        ));
    }
    let begin = Instant::now();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    load.stop.store(true, Ordering::Relaxed);
    let mut took = Vec::new();
    for one in running {
        took.extend(one.await??);
    }
    let passed = begin.elapsed().as_millis().max(1);
    took.sort_unstable();
    let at = |hundredth: usize| took.get(took.len() * hundredth / 100).copied();
    println!(
        "{clients} clients, {} answers, {} a second; {} not as wanted; median {} us, 99th percentile {} us, slowest {} us",
        took.len(),
        took.len() as u128 * 1000 / passed,
        load.wrong.load(Ordering::Relaxed),
        at(50).unwrap_or_default(),
        at(99).unwrap_or_default(),
        took.last().copied().unwrap_or_default(),
    );
    Ok(())
}

/// Microseconds that each answer took.
async fn client(mut stream: TcpStream, client: u64, load: &Load) -> anyhow::Result<Vec<u64>> {
    let wanted: &[u8] = if load.creates { b"201" } else { b"200" };
    let mut buffer = vec![0; 512 * 1024];
    let mut took = Vec::new();
    let mut number = 0;
    while !load.stop.load(Ordering::Relaxed) {
        number += 1;
        let request = load.request(client, number);
        let asked = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        let mut filled = 0;
        loop {
            let read = stream.read(&mut buffer[filled..]).await?;
            anyhow::ensure!(read > 0, "the daemon closed a connection");
            filled += read;
            if let Some(whole) = whole(&buffer[..filled]) {
                anyhow::ensure!(whole <= filled, "an answer with something behind it");
                break;
            }
        }
        if &buffer[9..12] != wanted {
            load.wrong.fetch_add(1, Ordering::Relaxed);
        }
        took.push(u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    Ok(took)
}

/// Bytes of the answer once all of it is there.
fn whole(text: &[u8]) -> Option<usize> {
    let end = text.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&text[..end]).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    let whole = end + length.unwrap_or(0);
    (text.len() >= whole).then_some(whole)
}
