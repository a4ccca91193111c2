//! A daemon with a fresh master account on a port of its own, and a client that sends what it is told to.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use linefinder::api::{self, NewAccount, Secrets};
use linefinder::config::Config;
use linefinder::daemon::{self, Systemd};
use linefinder::store::Store;
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const MASTER: &str = "Master Account";
const REALM: &str = "master.example.test";
const ADMIN: &str = "admin@example.test";
const PASSWORD: &str = "ve7yS3cret";

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Daemon {
    address: SocketAddr,
    variables: Map<String, Value>,
    shutdown: CancellationToken,
    _runtime: Runtime,
    folder: tempfile::TempDir,
}

/// A request, byte for byte but for Host and Content-Length.
pub struct Sent {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

pub struct Exchange {
    pub status: u16,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Daemon {
    pub fn start(limited: bool) -> Daemon {
        Daemon::with(limited, &[])
    }

    /// With settings of its own, as environment variables name them.
    pub fn with(limited: bool, settings: &[(&str, &str)]) -> Daemon {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store").display().to_string();
        let mut environment = vec![
            ("LINEFINDER_STORE__PATH".to_owned(), path),
            (
                "LINEFINDER_API__LISTEN".to_owned(),
                "127.0.0.1:0".to_owned(),
            ),
            ("LINEFINDER_HANDOFF__SOCKET".to_owned(), "false".to_owned()),
        ];
        if !limited {
            environment.push(("LINEFINDER_API__RATE_TOKENS".to_owned(), "0".to_owned()));
        }
        let own = settings.iter();
        environment.extend(own.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let config = Config::from_layers(None, environment).unwrap();
        let store = Store::open(&config.store).unwrap();
        let secrets = Secrets::open(&api::secret_file(&config.api, &store)).unwrap();
        let wanted = NewAccount {
            name: MASTER.into(),
            realm: Some(REALM.into()),
            admin: Some((ADMIN.into(), PASSWORD.into())),
            parent: None,
            realm_suffix: config.api.realm_suffix.clone(),
        };
        let created = api::create_account(&store, &secrets, &wanted).unwrap();
        let variables = json!({
            "MASTER_ACCOUNT_ID": created.account.as_str(),
            "MASTER_ACCOUNT_NAME": MASTER,
            "MASTER_REALM": REALM,
            "MASTER_API_KEY": created.api_key,
            "ADMIN_USER": ADMIN,
            "ADMIN_PASSWORD": PASSWORD,
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let shutdown = CancellationToken::new();
        let guard = runtime.enter();
        let daemon = daemon::Daemon::start(&config, store, &shutdown).unwrap();
        let address = daemon.api().expect("the API listens");
        drop(guard);
        runtime.spawn(async move {
            daemon
                .run(&Systemd::from_environment(), &CancellationToken::new())
                .await;
        });
        Daemon {
            address,
            variables: variables.as_object().unwrap().clone(),
            shutdown,
            _runtime: runtime,
            folder,
        }
    }

    #[allow(dead_code, reason = "not every test writes its own bytes")]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the runner supplies to the transcripts.
    pub fn variables(&self) -> Map<String, Value> {
        self.variables.clone()
    }

    /// What the audit log holds, once everything so far is in it: a last line is asked for, and waited for.
    #[allow(dead_code, reason = "the suite has no use for it")]
    pub fn audit_log(&self) -> String {
        let id = "the-last-line";
        self.exchange(&Sent {
            method: "PUT".into(),
            path: "/v2/user_auth".into(),
            headers: vec![("X-Request-ID".into(), id.into())],
            body: b"{\"data\":{}}".to_vec(),
        });
        let path = self.folder.path().join("store.audit.jsonl");
        let end = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < end {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if text.contains(id) {
                return text;
            }
            std::thread::yield_now();
        }
        panic!("the audit log has no line {id}");
    }

    pub fn exchange(&self, sent: &Sent) -> Exchange {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\n",
            sent.method, sent.path, self.address
        );
        for (name, value) in &sent.headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if !sent.body.is_empty() || ["PUT", "POST", "PATCH"].contains(&sent.method.as_str()) {
            request.push_str(&format!("Content-Length: {}\r\n", sent.body.len()));
        }
        request.push_str("Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        // A daemon that has refused already may not read it all.
        let _ = stream.write_all(&sent.body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        parse(&answer)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// The first answer of what was received, with all that follows as its body.
pub fn parse(answer: &[u8]) -> Exchange {
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("an answer has a head");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    Exchange {
        status,
        headers,
        body: answer[end + 4..].to_vec(),
    }
}
