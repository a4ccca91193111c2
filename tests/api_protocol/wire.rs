//! What comes over the wire that is no plain request of a well-behaved client.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::api_daemon::{Daemon, Exchange, parse};

/// The answers to these bytes, until the daemon closes the connection.
fn said(daemon: &Daemon, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(daemon.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    // One that has refused already may not read it all.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn one(daemon: &Daemon, bytes: &[u8]) -> (Exchange, Value) {
    let answer = parse(&said(daemon, bytes));
    let told = serde_json::from_slice(&answer.body).expect("every answer is JSON");
    (answer, told)
}

#[test]
fn heads_that_cant_be_read_are_refused_in_json() {
    let daemon = Daemon::start(false);
    let many: String = (0..101).map(|n| format!("X-{n}: 1\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "a".repeat(200_000));
    let cases = [
        ("rubbish".to_owned(), 400),
        ("GET /v2/status HTTP/9.9\r\n\r\n".to_owned(), 400),
        (
            "GET /v2/sta tus HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            400,
        ),
        ("GET /v2/status HTTP/1.1\r\nHost x\r\n\r\n".to_owned(), 400),
        ("G\u{e9}T / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (format!("GET /v2/status HTTP/1.1\r\n{many}\r\n"), 431),
        (format!("GET /v2/status HTTP/1.1\r\n{long}\r\n"), 431),
        (
            "PUT /v2/api_auth HTTP/1.1\r\nContent-Length: x\r\n\r\n".to_owned(),
            400,
        ),
    ];
    for (request, status) in cases {
        let request = match request.contains("\r\n\r\n") {
            true => request,
            false => format!("{request}\r\n\r\n"),
        };
        let named = request.chars().take(60).collect::<String>();
        let (answer, told) = one(&daemon, request.as_bytes());
        assert_eq!(answer.status, status, "{named}");
        assert_eq!(told["status"], "error", "{named}");
        assert_eq!(told["error"], status.to_string(), "{named}");
        assert!(told["data"]["message"].is_string(), "{named}: {told}");
        assert!(told["node"].is_string() && told["timestamp"].is_string());
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(told["request_id"], answer.headers["x-request-id"].as_str());
    }
}

#[test]
fn a_refusal_follows_the_answers_before_it() {
    let daemon = Daemon::start(false);
    let both = b"GET /v2/status HTTP/1.1\r\nHost: x\r\n\r\nrubbish\r\n\r\n";
    let answers = String::from_utf8(said(&daemon, both)).unwrap();
    assert!(answers.starts_with("HTTP/1.1 200 OK\r\n"), "{answers}");
    let (_, second) = answers.split_once("HTTP/1.1 400").expect("a second answer");
    assert!(second.contains("\"parse_error\""), "{answers}");
}

#[test]
fn older_and_rarer_forms_of_requests_work() {
    let daemon = Daemon::start(false);
    let key = daemon.variables()["MASTER_API_KEY"]
        .as_str()
        .unwrap()
        .to_owned();
    let login = format!("{{\"data\":{{\"api_key\":\"{key}\"}}}}");
    let length = login.len();
    let (first, rest) = login.split_at(10);
    let chunks = format!(
        "{:x}\r\n{first}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n",
        first.len(),
        rest.len()
    );
    let cases = [
        ("GET /v2/status HTTP/1.0\r\n\r\n".to_owned(), 200),
        (
            "GET http://host/v2/status HTTP/1.1\r\nHost: host\r\nConnection: close\r\n\r\n"
                .to_owned(),
            200,
        ),
        (
            format!("PUT /v2/api_auth HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{login}"),
            201,
        ),
        (
            format!(
                "PUT /v2/api_auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{chunks}"
            ),
            201,
        ),
        (
            "get /v2/schemas HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(),
            405,
        ),
    ];
    for (request, status) in cases {
        let (answer, told) = one(&daemon, request.as_bytes());
        assert_eq!(answer.status, status, "{request} {told}");
    }
}

#[test]
fn a_body_without_a_length_is_bounded_as_well() {
    let daemon = Daemon::start(false);
    let mut request =
        b"PUT /v2/api_auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n".to_vec();
    let chunk = [b"10000\r\n", &[b'x'; 0x10000][..], b"\r\n"].concat();
    for _ in 0..130 {
        request.extend_from_slice(&chunk);
    }
    request.extend_from_slice(b"0\r\n\r\n");
    let (answer, told) = one(&daemon, &request);
    assert_eq!(answer.status, 413);
    assert_eq!(told["data"]["file"]["maxSize"]["target"], 8_000_000);
}

#[test]
fn a_client_that_asks_first_is_told_to_go_on() {
    let daemon = Daemon::start(false);
    let request = b"PUT /v2/api_auth HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    let answers = String::from_utf8(said(&daemon, request)).unwrap();
    assert!(
        answers.starts_with("HTTP/1.1 100 Continue\r\n\r\n"),
        "{answers}"
    );
    assert!(answers.contains("HTTP/1.1 400 "), "{answers}");
}
