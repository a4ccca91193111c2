//! After the worst day: logins work as before, and `about`, `status` and the log say what happened.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use linefinder::api::{self, NewAccount, Secrets};
use linefinder::config::Config;
use linefinder::daemon::{Daemon, Systemd};
use linefinder::store::Store;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

fn config(folder: &Path) -> Config {
    let environment = [
        ("STORE__PATH", folder.join("store").display().to_string()),
        ("API__LISTEN", "127.0.0.1:0".to_owned()),
        ("HANDOFF__SOCKET", "false".to_owned()),
    ];
    let named = environment.map(|(name, value)| (format!("LINEFINDER_{name}"), value));
    Config::from_layers(None, named.to_vec()).unwrap()
}

/// A store with an account and a backup. Returns the account's id and key.
fn account(config: &Config) -> (String, String) {
    let store = Store::open(&config.store).unwrap();
    let file = api::secret_file(&config.api, &store);
    let (secrets, _) = Secrets::kept(&file, &store.secret_copy()).unwrap();
    let wanted = NewAccount {
        name: "Acme".into(),
        realm: Some("acme.example".into()),
        admin: None,
        parent: None,
        realm_suffix: "example".into(),
    };
    let created = api::create_account(&store, &secrets, &wanted).unwrap();
    store.backup(&config.store).unwrap();
    (created.account.as_str().to_owned(), created.api_key)
}

fn ask(address: SocketAddr, method: &str, path: &str, token: &str, body: &str) -> Value {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"))
}

/// Starts the daemon over what is there. Returns the token that the key gives (or null), `about` and `status`.
fn serve(config: &Config, account: &str, key: &str) -> (Value, Value, Value) {
    let store = Store::open_for_service(&config.store).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let shutdown = CancellationToken::new();
    let guard = runtime.enter();
    let daemon = Daemon::start(config, store, &shutdown).unwrap();
    drop(guard);
    let address = daemon.api().unwrap();
    let running = runtime.spawn(async move {
        let systemd = Systemd::from_environment();
        daemon.run(&systemd, &CancellationToken::new()).await;
    });
    let body = json!({"data": {"api_key": key}}).to_string();
    let token = ask(address, "PUT", "/v2/api_auth", "", &body)["auth_token"].clone();
    let text = token.as_str().unwrap_or_default();
    let path = format!("/v2/accounts/{account}/about");
    let about = ask(address, "GET", &path, text, "")["data"].clone();
    let status = ask(address, "GET", "/v2/status", "", "")["data"].clone();
    shutdown.cancel();
    runtime.block_on(running).unwrap();
    (token, about, status)
}

#[test]
fn a_store_that_is_well_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let (account, key) = account(&config);
    let (token, about, status) = serve(&config, &account, &key);
    assert!(token.is_string());
    assert_eq!(about["store"], json!({"state": "healthy"}));
    assert!(about.get("notices").is_none() && status.get("store").is_none());
}

#[test]
fn a_store_that_was_built_anew_and_a_secret_that_came_from_its_copy() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let (account, key) = account(&config);
    fs::remove_file(folder.path().join("store/db/db")).unwrap();
    let secret = folder.path().join("store.secret");
    let mut bytes = fs::read(&secret).unwrap();
    bytes[10] ^= 0x80;
    fs::write(&secret, bytes).unwrap();
    fs::write(folder.path().join("store.revoked"), [0xff, 0xfe, b'\n']).unwrap();
    let (token, about, status) = serve(&config, &account, &key);
    assert!(token.is_string(), "the key is still good");
    assert_eq!(about["store"]["state"], "rebuilt", "{about}");
    assert_eq!(about["store"]["from_backup"], 1, "{about}");
    assert!(about["notices"][0].as_str().unwrap().contains("copy"));
    assert_eq!(status["store"], "rebuilt", "{status}");
    let (token, about, status) = serve(&config, &account, &key);
    assert!(token.is_string());
    assert_eq!(about["store"]["state"], "healthy");
    assert!(about.get("notices").is_none() && status.get("store").is_none());
}

#[test]
fn a_damaged_secret_without_a_copy_keeps_no_daemon_down() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let (account, key) = account(&config);
    fs::write(folder.path().join("store.secret"), "short").unwrap();
    for entry in fs::read_dir(folder.path().join("backups")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "secret") {
            fs::remove_file(path).unwrap();
        }
    }
    let (_, _, status) = serve(&config, &account, &key);
    assert_eq!(status["status"], "ok");
    assert!(folder.path().join("store.secret.damaged").exists());
}
