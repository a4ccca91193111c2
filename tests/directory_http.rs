//! The directory as FreeSWITCH meets it: recorded and hand-made look-ups over real connections.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod directory_support;

use std::time::Duration;

use directory_support::{Directory, device, put, recorded, request, sip_auth, start, store};
use linefinder::directory::{Credentials, Form, Settings};
use md5::{Digest as _, Md5};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

fn md5(text: &str) -> String {
    let digest = Md5::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn open() -> Directory {
    start(store(), Settings::default())
}

/// Beginning of the body.
fn body(request: &[u8]) -> usize {
    request
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4
}

#[tokio::test]
async fn recorded_look_ups_are_answered() {
    let directory = open();
    let scenarios = [
        "70-xmlcurl-startup",
        "71-xmlcurl-register",
        "73-xmlcurl-directory-purposes",
        "74-xmlcurl-answer-shapes",
        "75-xmlcurl-slow-server",
    ];
    let (mut users, mut others) = (0, 0);
    for scenario in scenarios {
        for (path, request) in recorded(scenario) {
            if !request.starts_with(b"POST /v1/directory ") {
                continue; // requests for the redirects and other methods that were tried there
            }
            let reply = directory.exchange(&request).await;
            assert_eq!(reply.status, 200, "{}: {}", path.display(), reply.body);
            let form = Form::parse(&request[body(&request)..]);
            let asked = |name: &str| form.last(name).unwrap_or_default().into_owned();
            let action = asked("action");
            let ours = form.first("section").as_deref() == Some("directory")
                && ["", "sip_auth", "user_call"].contains(&action.as_str())
                && asked("purpose").is_empty()
                && asked("key") == "id"
                && asked("user") == "1001"
                && asked("domain") == "acme.test";
            if ours {
                users += 1;
                let a1 = reply.named("a1-hash").unwrap();
                assert_eq!(a1, md5("1001:acme.test:secret1234"), "{}", path.display());
                assert_eq!(
                    reply.named("allow-empty-password").as_deref(),
                    Some("false")
                );
            } else if asked("purpose") == "network-list" {
                assert!(
                    reply
                        .body
                        .contains("<user id=\"fax\" cidr=\"127.0.0.88/32\"/>"),
                    "{}",
                    reply.body
                );
            } else if form.first("key_value").as_deref() == Some("acl.conf") {
                assert!(reply.body.contains("linefinder-devices"), "{}", reply.body);
            } else {
                others += 1;
                assert!(reply.is_not_found(), "{}: {}", path.display(), reply.body);
            }
        }
    }
    assert!(users > 50 && others > 50, "{users} {others}");
}

#[tokio::test]
async fn the_hash_proves_the_recorded_digest() {
    let directory = open();
    let mut proven = 0;
    for (path, request) in recorded("71-xmlcurl-register") {
        let form = Form::parse(&request[body(&request)..]);
        let field = |name: &str| form.last(name).unwrap_or_default().into_owned();
        // The scenario also tries a wrong password; the right one is that of its first registration.
        if field("sip_auth_response").is_empty() || !path.ends_with("001.request.bin") {
            continue;
        }
        let reply = directory.exchange(&request).await;
        let a1 = reply.named("a1-hash").unwrap();
        let a2 = md5(&format!(
            "{}:{}",
            field("sip_auth_method"),
            field("sip_auth_uri")
        ));
        let expected = md5(&format!(
            "{a1}:{}:{}:{}:{}:{a2}",
            field("sip_auth_nonce"),
            field("sip_auth_nc"),
            field("sip_auth_cnonce"),
            field("sip_auth_qop")
        ));
        assert_eq!(expected, field("sip_auth_response"), "{}", path.display());
        proven += 1;
    }
    assert_eq!(proven, 1);
}

#[tokio::test]
async fn a_user_is_written_whole() {
    let directory = open();
    let reply = directory
        .post(&sip_auth("INVITE", "1001", "acme.test", ""))
        .await;
    assert!(
        reply.head.contains("content-type: text/xml"),
        "{}",
        reply.head
    );
    assert!(
        reply
            .body
            .starts_with("<document type=\"freeswitch/xml\">\n"),
        "{}",
        reply.body
    );
    assert!(reply.body.contains("<user id=\"1001\">"));
    assert!(reply.body.contains("<domain name=\"acme.test\">"));
    assert!(!reply.body.contains("secret1234"));
    let named = |name: &str| reply.named(name).unwrap_or_default();
    assert_eq!(named("user_context"), "from-device");
    assert_eq!(named("lf_account_id"), "acme");
    assert_eq!(named("lf_device_id"), "desk1");
    assert_eq!(named("lf_owner_id"), "alice");
    assert_eq!(named("dial-string"), "sofia/internal/1001%acme.test");
}

#[tokio::test]
async fn who_is_not_found() {
    let directory = open();
    for (user, domain) in [
        ("4711", "acme.test"),
        ("1001", "other.test"),
        ("1003", "acme.test"),
        ("1004", "acme.test"),
        ("fax", "acme.test"),
        ("1001", "gone.test"),
        ("", "acme.test"),
        ("1001", ""),
    ] {
        for method in ["REGISTER", "INVITE", "SUBSCRIBE"] {
            let reply = directory.post(&sip_auth(method, user, domain, "")).await;
            assert!(
                reply.is_not_found(),
                "{user}@{domain} {method}: {}",
                reply.body
            );
        }
    }
    // A device with an address that gives a password all the same.
    let reply = directory
        .post(&sip_auth("INVITE", "fixed", "acme.test", ""))
        .await;
    assert_eq!(
        reply.named("a1-hash").unwrap(),
        md5("fixed:acme.test:secret-fixed")
    );
}

#[tokio::test]
async fn a_registration_is_for_oneself_only() {
    let directory = open();
    for other in [
        "&sip_to_user=1002",
        "&sip_to_host=gone.test",
        "&sip_to_user=",
        "&sip_to_host=",
        "&sip_to_user=10010",
    ] {
        let reply = directory
            .post(&sip_auth("REGISTER", "1001", "acme.test", other))
            .await;
        assert!(reply.is_not_found(), "{other}: {}", reply.body);
        let reply = directory
            .post(&sip_auth("INVITE", "1001", "acme.test", other))
            .await;
        assert!(reply.named("a1-hash").is_some(), "{other}: {}", reply.body);
    }
    let reply = directory
        .post(&sip_auth(
            "REGISTER",
            "bob",
            "acme.test",
            "&sip_to_user=BOB&sip_to_host=Acme.Test",
        ))
        .await;
    assert!(reply.named("a1-hash").is_some(), "{}", reply.body);
}

#[tokio::test]
async fn the_hash_follows_the_phones_spelling() {
    let directory = open();
    for user in ["Bob", "bob", "BOB"] {
        let reply = directory
            .post(&sip_auth("REGISTER", user, "acme.test", ""))
            .await;
        let expected = md5(&format!("{user}:acme.test:secret-bob"));
        assert_eq!(reply.named("a1-hash").unwrap(), expected);
        assert!(reply.body.contains(&format!("<user id=\"{user}\">")));
    }
    let spelled = "&sip_auth_username=bOb&sip_auth_realm=ACME.test";
    let reply = directory
        .post(&sip_auth("INVITE", "bob", "acme.test", spelled))
        .await;
    assert_eq!(
        reply.named("a1-hash").unwrap(),
        md5("bOb:ACME.test:secret-bob")
    );
    // Another realm is the peer's own choice and gets no hash of its own.
    let reply = directory
        .post(&sip_auth(
            "INVITE",
            "bob",
            "acme.test",
            "&sip_auth_realm=evil.test",
        ))
        .await;
    assert_eq!(
        reply.named("a1-hash").unwrap(),
        md5("bob:acme.test:secret-bob")
    );
    let reply = directory
        .post(&sip_auth(
            "INVITE",
            "bob",
            "acme.test",
            "&sip_auth_username=1001",
        ))
        .await;
    assert!(reply.is_not_found());
}

#[tokio::test]
async fn fields_in_a_realm_change_nothing() {
    let directory = open();
    for injected in [
        "x&user=1001&domain=acme.test",
        "x&section=configuration&key_value=acl.conf",
        "x&purpose=network-list",
    ] {
        let body = format!(
            "hostname=fs1&section=directory&tag_name=domain&key_name=name&key_value={injected}&Event-Name=REQUEST_PARAMS\
             &action=sip_auth&sip_auth_username=4711&sip_auth_method=INVITE&key=id&user=4711&domain=x"
        );
        let reply = directory.post(&body).await;
        assert!(reply.is_not_found(), "{injected}: {}", reply.body);
    }
}

#[tokio::test]
async fn other_look_ups_never_let_anybody_in() {
    let directory = open();
    let ask = |user: &str| {
        format!(
            "section=directory&Event-Name=REQUEST_PARAMS&action=user_call&as_channel=true&key=id&user={user}&domain=acme.test"
        )
    };
    let reply = directory.post(&ask("1001")).await;
    assert_eq!(
        reply.named("dial-string").unwrap(),
        "sofia/internal/1001%acme.test"
    );
    let (first, second) = (
        directory.post(&ask("fax")).await,
        directory.post(&ask("fax")).await,
    );
    let hash = first.named("a1-hash").unwrap();
    assert_eq!(
        (hash.len(), first.named("lf_device_id").as_deref()),
        (32, Some("fax"))
    );
    assert_ne!(hash, md5("fax:acme.test:secret-fax"));
    assert_ne!(hash, second.named("a1-hash").unwrap());
    assert_eq!(first.named("dial-string"), None);
    assert_eq!(
        directory
            .post(&ask("1004"))
            .await
            .named("a1-hash")
            .unwrap()
            .len(),
        32
    );
    assert!(directory.post(&ask("1003")).await.is_not_found());
}

#[tokio::test]
async fn addresses() {
    let directory = open();
    let ask = |domain: &str| {
        format!("section=directory&Event-Name=GENERAL&domain={domain}&purpose=network-list")
    };
    let acme = directory.post(&ask("acme.test")).await;
    let users: Vec<_> = acme
        .body
        .lines()
        .filter(|line| line.contains("<user "))
        .map(str::trim)
        .collect();
    assert_eq!(users, ["<user id=\"fax\" cidr=\"127.0.0.88/32\"/>"]);
    let lifts = directory.post(&ask("lifts.test")).await;
    assert!(
        lifts
            .body
            .contains("<user id=\"lift\" cidr=\"2001:db8::5/128\"/>"),
        "{}",
        lifts.body
    );
    assert!(directory.post(&ask("other.test")).await.is_not_found());
    assert!(directory.post(&ask("a$${b}")).await.is_not_found());
    let lists = directory
        .post("section=configuration&tag_name=configuration&key_name=name&key_value=acl.conf")
        .await;
    let nodes: Vec<_> = lists
        .body
        .lines()
        .filter(|line| line.contains("<node "))
        .map(str::trim)
        .collect();
    let expected = [
        "<node type=\"allow\" domain=\"acme.test\"/>",
        "<node type=\"allow\" domain=\"lifts.test\"/>",
        "<node type=\"allow\" cidr=\"127.0.0.90/32\"/>",
    ];
    assert_eq!(nodes, expected);
}

#[tokio::test]
async fn changes_are_seen_at_once() {
    let store = store();
    let directory = start(
        store.clone(),
        Settings {
            cacheable_ms: 60_000,
            ..Settings::default()
        },
    );
    let question = sip_auth("REGISTER", "1001", "acme.test", "");
    assert!(
        directory
            .post(&question)
            .await
            .body
            .contains("cacheable=\"60000\"")
    );
    let change = device(
        "desk1",
        json!({"name": "1001", "enabled": false, "sip": {"username": "1001", "password": "x1234"}}),
    );
    tokio::task::spawn_blocking(move || put(&store, vec![change]))
        .await
        .unwrap();
    assert!(directory.post(&question).await.is_not_found());
}

#[tokio::test]
async fn credentials_are_asked_for() {
    let credentials = Credentials::new("fsuser", &"fspass".to_owned().into());
    let settings = Settings {
        credentials: Some(credentials),
        ..Settings::default()
    };
    let directory = start(store(), settings);
    let question = sip_auth("INVITE", "1001", "acme.test", "");
    let reply = directory.post(&question).await;
    assert_eq!(reply.status, 401);
    assert!(
        reply.head.contains("www-authenticate: basic"),
        "{}",
        reply.head
    );
    let wrong = request(&question, "Authorization: Basic ZnN1c2VyOmZzcGFzcg==\r\n");
    assert_eq!(directory.exchange(&wrong).await.status, 401);
    let right = request(&question, "Authorization: Basic ZnN1c2VyOmZzcGFzcw==\r\n");
    assert_eq!(directory.exchange(&right).await.status, 200);
}

#[tokio::test]
async fn bad_requests_are_told_so() {
    let directory = open();
    let cases: [(&str, u16); 6] = [
        ("GET /v1/directory HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (
            "POST /fs HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
            404,
        ),
        (
            "POST /v1/directory HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Type: text/xml\r\n\r\n{}",
            415,
        ),
        (
            "POST /v1/directory HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
            415,
        ),
        (
            "PUT /v1/directory HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
            405,
        ),
        ("nonsense\r\n\r\n", 400),
    ];
    for (request, status) in cases {
        let reply = directory.exchange(request.as_bytes()).await;
        assert_eq!(reply.status, status, "{request}");
    }
    let fits = directory.post(&"a".repeat(256 * 1024)).await;
    assert!(fits.is_not_found());
    // The body need not be read for the answer: only its length is too much.
    let long = "POST /v1/directory HTTP/1.1\r\nHost: x\r\nContent-Length: 262145\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\n";
    let long = [long.as_bytes(), "a".repeat(262_145).as_bytes()].concat();
    let mut stream = TcpStream::connect(directory.address).await.unwrap();
    stream.write_all(&long).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn nobody_holds_a_connection() {
    let directory = open();
    let mut stream = TcpStream::connect(directory.address).await.unwrap();
    stream.write_all(b"POST /v1/directory HT").await.unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(9), stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "half a request held its connection");
}

#[tokio::test]
async fn a_stopping_directory_closes_its_port() {
    let directory = open();
    assert!(directory.post("section=phrases").await.is_not_found());
    let Directory {
        address,
        shutdown,
        task,
    } = directory;
    shutdown.cancel();
    task.await.unwrap();
    let error = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_taken_port_is_told() {
    let directory = open();
    let again =
        linefinder::directory::Server::bind(directory.address, store(), Settings::default());
    let error = again.err().unwrap().to_string();
    assert!(error.contains(&directory.address.to_string()), "{error}");
}
