//! Reads a device over and over from a daemon's REST API, over kept connections, and tells how many answers a second came.
//!
//! `cargo run --release --example api_load -- ADDRESS PATH TOKEN [CLIENTS] [SECONDS]`, with PATH as
//! `/v2/accounts/ID/devices/ID`. The daemon should have `[api] rate_tokens = 0`.
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

#[derive(Default)]
struct Count {
    answers: AtomicU64,
    wrong: AtomicU64,
    slowest_us: AtomicU64,
    stop: AtomicBool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, path, token, rest @ ..] = arguments.as_slice() else {
        anyhow::bail!("expected ADDRESS PATH TOKEN [CLIENTS] [SECONDS]");
    };
    let number = |at: usize, default: u64| match rest.get(at) {
        Some(text) => text.parse::<u64>(),
        None => Ok(default),
    };
    let (clients, seconds) = (number(0, 64)?, number(1, 10)?);
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nX-Auth-Token: {token}\r\n\r\n");
    let count = Arc::new(Count::default());
    let mut running = Vec::new();
    for _ in 0..clients {
        let stream = TcpStream::connect(address.as_str()).await?;
        stream.set_nodelay(true)?;
        let (request, count) = (request.clone(), Arc::clone(&count));
        running.push(tokio::spawn(async move {
            client(stream, &request, &count).await
        }));
    }
    let begin = Instant::now();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    count.stop.store(true, Ordering::Relaxed);
    for one in running {
        one.await??;
    }
    let answers = count.answers.load(Ordering::Relaxed);
    let passed = begin.elapsed().as_millis().max(1);
    println!(
        "{clients} clients, {answers} answers, {} a second; {} not 200; slowest {} us",
        u128::from(answers) * 1000 / passed,
        count.wrong.load(Ordering::Relaxed),
        count.slowest_us.load(Ordering::Relaxed)
    );
    Ok(())
}

async fn client(mut stream: TcpStream, request: &str, count: &Count) -> anyhow::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    while !count.stop.load(Ordering::Relaxed) {
        let asked = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        let mut filled = 0;
        let status = loop {
            let read = stream.read(&mut buffer[filled..]).await?;
            anyhow::ensure!(read > 0, "the daemon closed a connection");
            filled += read;
            if let Some(whole) = whole(&buffer[..filled]) {
                anyhow::ensure!(whole <= filled, "an answer with something behind it");
                break buffer[9..12].to_vec();
            }
        };
        if status != b"200" {
            count.wrong.fetch_add(1, Ordering::Relaxed);
        }
        count.answers.fetch_add(1, Ordering::Relaxed);
        let took = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        count.slowest_us.fetch_max(took, Ordering::Relaxed);
    }
    Ok(())
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
