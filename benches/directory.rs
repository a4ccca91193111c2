//! How long FreeSWITCH waits for a look-up: `cargo bench --bench directory`.
//!
//! The directory listens on a real port over a store of 10,000 devices. As mod_xml_curl does, each look-up opens a
//! connection, posts the recorded fields of a REGISTER, and reads to the end. Look-ups start by the clock at 500 a
//! second whether or not earlier ones are answered, so that a pause of the server shows in all that fall into it; the
//! time counts from opening the connection. One in ten asks for nobody we know.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unreachable,
    reason = "a benchmark prints its report and ends at the first surprise"
)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use linefinder::directory::{Credentials, Server, Settings};
use linefinder::documents::{Document, DocumentKey, DocumentType};
use linefinder::store::{Store, StoreSettings, Write};
use linefinder::types::{AccountId, DocumentId};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

const ACCOUNTS: usize = 100;
const DEVICES: usize = 100;
const RATE: u32 = 500;
const SECONDS: u32 = 20;

fn write(kind: DocumentType, account: &str, id: &str, body: Value) -> Write {
    let Value::Object(body) = body else {
        unreachable!("written as an object below")
    };
    let key = DocumentKey {
        kind,
        account: AccountId::new(account).unwrap(),
        id: DocumentId::new(id).unwrap(),
    };
    Write::Put(Document { key, body })
}

/// On disk, and opened again, so that nothing is decoded yet.
fn store(folder: &std::path::Path) -> Store {
    let settings = StoreSettings {
        path: folder.join("store"),
        ..StoreSettings::default()
    };
    let store = Store::open(&settings).unwrap();
    for a in 0..ACCOUNTS {
        let account = format!("account{a}");
        let realm = json!({"name": format!("Account {a}"), "realm": format!("a{a}.test")});
        let mut writes = vec![write(DocumentType::Account, &account, &account, realm)];
        writes.extend((0..DEVICES).map(|d| {
            let body = json!({"name": format!("Phone {d}"), "owner_id": format!("{d:032}"),
                "sip": {"username": format!("{}", 1000 + d), "password": format!("secret-{d}")}});
            write(DocumentType::Device, &account, &format!("device{d}"), body)
        }));
        store.apply_blocking(writes.into()).unwrap();
    }
    drop(store);
    Store::open(&settings).unwrap()
}

fn request(number: usize) -> Vec<u8> {
    let realm = format!("a{}.test", number % ACCOUNTS);
    let user = match number % 10 {
        9 => "4711".to_owned(),
        _ => format!("{}", 1000 + number / ACCOUNTS % DEVICES),
    };
    // The fields of a recorded REGISTER.
    let body = format!(
        "hostname=fs1&section=directory&tag_name=domain&key_name=name&key_value={realm}&Event-Name=REQUEST_PARAMS\
         &Core-UUID=c8b62ac9-94b3-4668-a7e9-b07f680a8339&FreeSWITCH-Hostname=fs1.example&FreeSWITCH-Switchname=fs1\
         &FreeSWITCH-IPv4=127.0.0.1&FreeSWITCH-IPv6=%3A%3A1&Event-Date-Local=2026-11-21%2019%3A45%3A44\
         &Event-Date-GMT=Sat,%2021%20Nov%202026%2019%3A45%3A44%20GMT&Event-Date-Timestamp=1795290344245786\
         &Event-Calling-File=sofia_reg.c&Event-Calling-Function=sofia_reg_parse_auth&Event-Calling-Line-Number=3124\
         &Event-Sequence=541&action=sip_auth&sip_profile=internal&sip_user_agent=TestPhone/1.0\
         &sip_auth_username={user}&sip_auth_realm={realm}&sip_auth_nonce=122f4783-cd74-48d4-ae11-97e7be59a69e\
         &sip_auth_uri=sip%3A{realm}&sip_contact_user={user}&sip_contact_host=127.0.0.1&sip_to_user={user}\
         &sip_to_host={realm}&sip_via_protocol=udp&sip_from_user={user}&sip_from_host={realm}\
         &sip_call_id=iwtysbukb9jp&sip_request_host={realm}&sip_auth_qop=auth&sip_auth_cnonce=sm8lxt6p\
         &sip_auth_nc=00000001&sip_auth_response=304afd6ee88631dfe929cfe8ab60f67b&sip_auth_method=REGISTER\
         &client_port=5071&key=id&user={user}&domain={realm}&ip=127.0.0.1"
    );
    format!(
        "POST /v1/directory HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic ZnN1c2VyOmZzcGFzcw==\r\n\
         User-Agent: freeswitch-xml/1.0\r\nAccept: */*\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

async fn look_up(address: SocketAddr, number: usize) -> Duration {
    let request = request(number);
    let begin = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&request).await.unwrap();
    let mut answer = Vec::with_capacity(2048);
    stream.read_to_end(&mut answer).await.unwrap();
    let took = begin.elapsed();
    let text = String::from_utf8(answer).unwrap();
    let known = text.contains("a1-hash");
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    assert_eq!(known, number % 10 != 9, "{text}");
    took
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let settings = Settings {
        credentials: Some(Credentials::new("fsuser", &"fspass".to_owned().into())),
        ..Settings::default()
    };
    // The server has its own threads, as in the daemon; the clients share one.
    let serving = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let shutdown = CancellationToken::new();
    let address = serving.block_on(async {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::bind(free, store, settings).unwrap();
        let address = server.address();
        tokio::spawn(server.run(shutdown.clone()));
        address
    });
    let asking = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut times = asking.block_on(async {
        let begin = Instant::now();
        let total = RATE * SECONDS;
        let mut asked = Vec::new();
        for number in 0..total {
            let due = begin + Duration::from_secs(1) * number / RATE;
            tokio::time::sleep_until(due.into()).await;
            asked.push(tokio::spawn(look_up(address, number as usize)));
        }
        let mut times = Vec::new();
        for one in asked {
            times.push(one.await.unwrap());
        }
        times
    });
    times.sort();
    let at = |share: f64| {
        let index = (share * times.len() as f64) as usize;
        times[index.min(times.len() - 1)].as_secs_f64() * 1000.0
    };
    println!(
        "{} look-ups at {RATE}/s, {} devices: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, longest {:.2} ms",
        times.len(),
        ACCOUNTS * DEVICES,
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
    shutdown.cancel();
}
