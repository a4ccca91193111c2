//! `[directory]`: what is accepted, what is refused and how, and the daemon that serves it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at the first surprise"
)]

use std::net::TcpListener;

use linefinder::config::{Config, ConfigError};
use linefinder::daemon::Daemon;
use linefinder::store::Store;
use tokio_util::sync::CancellationToken;

fn load(settings: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let name = |key: &str| format!("LINEFINDER_{}", key.to_uppercase());
    Config::from_layers(
        None,
        settings
            .iter()
            .map(|(key, value)| (name(key), (*value).to_owned())),
    )
}

const LISTEN: &str = "directory__listen";
const USER: &str = "directory__user";
const PASSWORD: &str = "directory__password";

#[test]
fn nothing_listens_unless_told() {
    assert_eq!(load(&[]).unwrap().directory.listen, None);
}

#[test]
fn what_is_refused() {
    let anywhere = (LISTEN, "192.0.2.1:8085");
    let cases: [(&[(&str, &str)], &str); 6] = [
        (
            &[anywhere],
            "directory.listen: expected a loopback address, or user and password",
        ),
        (
            &[anywhere, (USER, "fs")],
            "directory.password: missing; set password",
        ),
        (
            &[(PASSWORD, "secret-words")],
            "directory.user: missing, as there is a password",
        ),
        (
            &[(USER, "a:b"), (PASSWORD, "x")],
            "directory.user: expected a name without a colon",
        ),
        (
            &[("directory__user_context", "a b")],
            "directory.user_context: expected letters",
        ),
        (
            &[("directory__cacheable_ms", "86400001")],
            "directory.cacheable_ms: expected 0 to",
        ),
    ];
    for (settings, expected) in cases {
        let error = load(settings).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("secret-words"), "{error}");
    }
    assert!(load(&[anywhere, (USER, "fs"), (PASSWORD, "x")]).is_ok());
}

#[test]
fn the_password_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "from-a-file\nnot this\n").unwrap();
    let file = file.to_string_lossy();
    let config = load(&[(USER, "fs"), ("directory__password_file", &file)]).unwrap();
    assert_eq!(
        config.directory.password.as_ref().unwrap().expose(),
        "from-a-file"
    );
    assert!(!config.show().contains("from-a-file"), "{}", config.show());
    assert!(!format!("{config:?}").contains("from-a-file"));
}

#[tokio::test]
async fn a_taken_port_names_the_setting() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = load(&[(LISTEN, &address), ("handoff__listen", "127.0.0.1:0")]).unwrap();
    let shutdown = CancellationToken::new();
    let started = Daemon::start(&config, Store::temporary().unwrap(), &shutdown);
    let error = started.err().unwrap().to_string();
    assert!(
        error.contains(&address) && error.contains("[directory] listen"),
        "{error}"
    );
}

#[tokio::test]
async fn the_daemon_serves_it_and_closes_it_when_told_to_stop() {
    let config = load(&[(LISTEN, "127.0.0.1:0"), ("handoff__listen", "127.0.0.1:0")]).unwrap();
    let shutdown = CancellationToken::new();
    let daemon = Daemon::start(&config, Store::temporary().unwrap(), &shutdown).unwrap();
    let address = daemon.directory().unwrap();
    let systemd = linefinder::daemon::Systemd::from_environment();
    let hurry = CancellationToken::new();
    let running = tokio::spawn(async move { daemon.run(&systemd, &hurry).await });
    tokio::net::TcpStream::connect(address).await.unwrap();
    shutdown.cancel();
    running.await.unwrap();
    let refused = tokio::net::TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}
