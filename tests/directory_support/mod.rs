//! A store of a small system, its directory on a free port, and FreeSWITCH's way of asking it.
#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at the first surprise"
)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use linefinder::directory::{Server, Settings};
use linefinder::documents::{Document, DocumentKey, DocumentType};
use linefinder::store::{Store, Write};
use linefinder::types::{AccountId, DocumentId};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub fn document(kind: DocumentType, account: &str, id: &str, body: Value) -> Write {
    let key = DocumentKey {
        kind,
        account: AccountId::new(account).unwrap(),
        id: DocumentId::new(id).unwrap(),
    };
    let Value::Object(body) = body else {
        panic!("a document is an object");
    };
    Write::Put(Document { key, body })
}

pub fn device(id: &str, body: Value) -> Write {
    document(DocumentType::Device, "acme", id, body)
}

pub fn put(store: &Store, writes: Vec<Write>) {
    store.apply_blocking(writes.into()).unwrap();
}

/// Acme with its phones; 1001 has the password of the captures.
pub fn store() -> Store {
    let store = Store::temporary().unwrap();
    let account = |id: &str, body| document(DocumentType::Account, id, id, body);
    put(
        &store,
        vec![
            account("acme", json!({"name": "Acme", "realm": "acme.test"})),
            account(
                "gone",
                json!({"name": "Gone", "realm": "gone.test", "enabled": false}),
            ),
            device(
                "desk1",
                json!({"name": "1001", "owner_id": "alice",
                "sip": {"username": "1001", "password": "secret1234"}}),
            ),
            device(
                "desk2",
                json!({"name": "1002", "sip": {"username": "Bob", "password": "secret-bob"}}),
            ),
            device(
                "off",
                json!({"name": "off", "enabled": false,
                "sip": {"username": "1003", "password": "secret-1003"}}),
            ),
            device("bare", json!({"name": "bare", "sip": {"username": "1004"}})),
            device(
                "fax",
                json!({"name": "fax", "sip": {"username": "fax", "password": "secret-fax",
                "method": "ip", "ip": "127.0.0.88:5080"}}),
            ),
            device(
                "fixed",
                json!({"name": "fixed", "sip": {"username": "fixed", "password": "secret-fixed",
                "ip": "127.0.0.89"}}),
            ),
            device(
                "nameless",
                json!({"name": "nameless", "sip": {"method": "ip", "ip": "127.0.0.90"}}),
            ),
            device(
                "faxoff",
                json!({"name": "faxoff", "enabled": false,
                "sip": {"username": "faxoff", "method": "ip", "ip": "127.0.0.91"}}),
            ),
            device(
                "elsewhere",
                json!({"name": "elsewhere", "sip": {"username": "lift", "realm": "Lifts.test",
                "method": "ip", "ip": "2001:db8::5"}}),
            ),
            document(
                DocumentType::Device,
                "gone",
                "desk",
                json!({"name": "desk",
                "sip": {"username": "1001", "password": "secret1234"}}),
            ),
        ],
    );
    store
}

pub struct Directory {
    pub address: SocketAddr,
    pub shutdown: CancellationToken,
    pub task: JoinHandle<()>,
}

pub fn start(store: Store, settings: Settings) -> Directory {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(free, store, settings).unwrap();
    let shutdown = CancellationToken::new();
    Directory {
        address: server.address(),
        task: tokio::spawn(server.run(shutdown.clone())),
        shutdown,
    }
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn is_not_found(&self) -> bool {
        self.status == 200 && self.body.contains("<result status=\"not found\"/>")
    }

    /// The value of a param or variable.
    pub fn named(&self, name: &str) -> Option<String> {
        let start = format!("name=\"{name}\" value=\"");
        let at = self.body.find(&start)? + start.len();
        self.body[at..].split('"').next().map(str::to_owned)
    }
}

impl Directory {
    /// Sends a request as it is and reads to the end of the connection.
    pub async fn exchange(&self, request: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let text = String::from_utf8(answer).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        Reply {
            status: head
                .get(9..12)
                .and_then(|code| code.parse().ok())
                .unwrap_or(0),
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }

    pub async fn post(&self, body: &str) -> Reply {
        self.exchange(&request(body, "")).await
    }
}

pub fn request(body: &str, headers: &str) -> Vec<u8> {
    format!(
        "POST /v1/directory HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}User-Agent: freeswitch-xml/1.0\r\n\
         Content-Length: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The fields that FreeSWITCH posts when somebody gives a password.
pub fn sip_auth(method: &str, user: &str, domain: &str, more: &str) -> String {
    format!(
        "hostname=fs1&section=directory&tag_name=domain&key_name=name&key_value={domain}&Event-Name=REQUEST_PARAMS\
         &action=sip_auth&sip_profile=internal&sip_auth_username={user}&sip_auth_realm={domain}&sip_to_user={user}\
         &sip_to_host={domain}&sip_auth_method={method}&key=id&user={user}&domain={domain}&ip=127.0.0.1{more}"
    )
}

/// The recorded requests of a scenario, addressed to us.
pub fn recorded(scenario: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/captures")
        .join(scenario);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".request.bin"))
        .collect();
    files.sort();
    assert!(
        !files.is_empty(),
        "nothing recorded in {}",
        folder.display()
    );
    files
        .into_iter()
        .map(|path| {
            let bytes = std::fs::read(&path).unwrap();
            let rest = bytes.strip_prefix(b"POST /fs ");
            let ours = rest.map(|rest| [b"POST /v1/directory ", rest].concat());
            (path, ours.unwrap_or(bytes))
        })
        .collect()
}
