//! A plain event-socket client for the tests of the simulated node: it sends text and reads frames.

#![allow(dead_code, reason = "each test file uses its part")]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use linefinder::esl::{Decoder, Event, Frame, Notice};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::Decoder as _;

pub struct Client {
    stream: TcpStream,
    input: BytesMut,
    decoder: Decoder,
    /// Everything read, as frames, in order.
    pub frames: Vec<Frame>,
    /// Events that were read while something else was awaited.
    pending: std::collections::VecDeque<Event>,
}

pub const PATIENCE: Duration = Duration::from_secs(20);

impl Client {
    pub fn over(stream: TcpStream) -> Client {
        Client {
            stream,
            input: BytesMut::new(),
            decoder: Decoder::default(),
            frames: Vec::new(),
            pending: std::collections::VecDeque::new(),
        }
    }

    /// Connects and authenticates.
    pub async fn connect(address: SocketAddr) -> Client {
        let mut client = Client::over(TcpStream::connect(address).await.unwrap());
        assert_eq!(client.frame().await, Some(Frame::AuthRequest));
        assert_eq!(client.ask("auth ClueCon").await, "+OK accepted");
        client
    }

    /// Waits for the node to connect (the `socket` application), and answers with `connect`.
    pub async fn accept(listener: &TcpListener) -> (Client, Event) {
        let (stream, _) = listener.accept().await.unwrap();
        let mut client = Client::over(stream);
        client.send("connect").await;
        let Some(Frame::Connected(data)) = client.frame().await else {
            panic!("no connect reply: {:?}", client.frames);
        };
        (client, data)
    }

    /// Sends a command; the blank line is added.
    pub async fn send(&mut self, command: &str) {
        let bytes = format!("{command}\n\n");
        self.stream.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// The next frame; None at the end of the stream.
    pub async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.decoder.decode(&mut self.input).unwrap() {
                self.frames.push(frame.clone());
                return Some(frame);
            }
            let read = self.stream.read_buf(&mut self.input);
            let read = tokio::time::timeout(PATIENCE, read).await.expect("silence");
            if read.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The reply's text; events that come first are kept.
    pub async fn reply(&mut self) -> String {
        loop {
            match self.frame().await {
                Some(Frame::Reply(reply)) => return reply.text,
                Some(Frame::Event(event)) => self.pending.push_back(event),
                Some(Frame::Notice(notice)) if notice.linger => {}
                Some(Frame::Connected(_)) => {}
                other => panic!("expected a reply, got {other:?}"),
            }
        }
    }

    pub async fn ask(&mut self, command: &str) -> String {
        self.send(command).await;
        self.reply().await
    }

    pub async fn api(&mut self, command: &str) -> String {
        self.send(&format!("api {command}")).await;
        loop {
            match self.frame().await {
                Some(Frame::Api(body)) => return String::from_utf8_lossy(&body).into_owned(),
                Some(Frame::Event(event)) => self.pending.push_back(event),
                other => panic!("expected an api response, got {other:?}"),
            }
        }
    }

    /// The next event, oldest first.
    pub async fn event(&mut self) -> Event {
        if let Some(event) = self.pending.pop_front() {
            return event;
        }
        loop {
            match self.frame().await {
                Some(Frame::Event(event)) => return event,
                Some(Frame::Notice(notice)) if notice.linger => {}
                other => panic!("expected an event, got {other:?}"),
            }
        }
    }

    /// The next event of that name; others are skipped.
    pub async fn event_named(&mut self, name: &str) -> Event {
        loop {
            let event = self.event().await;
            if event.name() == name {
                return event;
            }
        }
    }

    /// The completion of an application.
    pub async fn completed(&mut self, application: &str) -> Event {
        loop {
            let event = self.event_named("CHANNEL_EXECUTE_COMPLETE").await;
            if event.header("Application").as_deref() == Some(application) {
                return event;
            }
        }
    }

    /// Tells a leg to run an application.
    pub async fn execute(&mut self, uuid: &str, application: &str, argument: &str, id: &str) {
        let command = format!(
            "sendmsg {uuid}\ncall-command: execute\nexecute-app-name: {application}\n\
             execute-app-arg: {argument}\nevent-uuid: {id}"
        );
        assert_eq!(self.ask(&command).await, "+OK");
    }

    /// Reads to the end of the stream; gives the notices.
    pub async fn rest(&mut self) -> Vec<Notice> {
        let mut notices = Vec::new();
        while let Some(frame) = self.frame().await {
            match frame {
                Frame::Notice(notice) => notices.push(notice),
                Frame::Event(event) => self.pending.push_back(event),
                _ => {}
            }
        }
        notices
    }

    /// What was read as events, in order: those still pending.
    pub fn read_events(&mut self) -> Vec<Event> {
        self.pending.drain(..).collect()
    }
}
