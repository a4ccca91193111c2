//! One connection, seen from FreeSWITCH's side.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use linefinder::esl::Event;
use linefinder::esl::server::{EventFormat, Request, ServerDecoder, ServerFrame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::Decoder;

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("waited too long for {what}"))
}

pub struct Peer {
    stream: TcpStream,
    buffer: BytesMut,
    decoder: ServerDecoder,
    /// Bytes of each read that brought something.
    pub reads: Vec<usize>,
}

impl Peer {
    pub fn new(stream: TcpStream) -> Peer {
        stream.set_nodelay(true).unwrap();
        Peer {
            stream,
            buffer: BytesMut::new(),
            decoder: ServerDecoder::new(),
            reads: Vec::new(),
        }
    }

    pub async fn accept(listener: &TcpListener) -> Peer {
        let (stream, _) = soon("a connection", listener.accept()).await.unwrap();
        Peer::new(stream)
    }

    pub async fn connect(address: SocketAddr) -> Peer {
        Peer::new(soon("connect", TcpStream::connect(address)).await.unwrap())
    }

    /// The next command; None at the end of the stream.
    pub async fn next(&mut self) -> Option<Request> {
        soon("a command", async {
            loop {
                if let Some(request) = self.decoder.decode(&mut self.buffer).unwrap() {
                    return Some(request);
                }
                self.buffer.reserve(64 * 1024);
                match self.stream.read_buf(&mut self.buffer).await {
                    Ok(0) | Err(_) => return None,
                    Ok(count) => self.reads.push(count),
                }
            }
        })
        .await
    }

    pub async fn request(&mut self) -> Request {
        self.next()
            .await
            .expect("a command, not the end of the stream")
    }

    /// The next command, whose line must be this.
    pub async fn expect(&mut self, line: &str) -> Request {
        let request = self.request().await;
        assert_eq!(request.line, line);
        request
    }

    pub async fn send(&mut self, frames: &[ServerFrame]) {
        let mut bytes = BytesMut::new();
        for frame in frames {
            frame.encode(&mut bytes);
        }
        self.raw(&bytes).await;
    }

    pub async fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    pub async fn reply(&mut self, text: &str) {
        self.send(&[ServerFrame::reply(text)]).await;
    }

    pub async fn api(&mut self, body: &str) {
        self.send(&[api(body)]).await;
    }

    pub async fn event(&mut self, headers: &[(&str, &str)]) {
        self.send(&[event(headers)]).await;
    }

    pub async fn closed(&mut self) {
        while self.next().await.is_some() {}
    }

    /// Closes with a reset instead of an orderly end.
    pub fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}

pub fn api(body: &str) -> ServerFrame {
    ServerFrame::Api(body.to_owned().into())
}

pub fn event(headers: &[(&str, &str)]) -> ServerFrame {
    let event = Event::from_headers(headers.iter().copied(), None);
    ServerFrame::Event(event, EventFormat::Plain)
}

pub fn event_with_body(headers: &[(&str, &str)], body: &str) -> ServerFrame {
    let event = Event::from_headers(headers.iter().copied(), Some(body.as_bytes()));
    ServerFrame::Event(event, EventFormat::Plain)
}
