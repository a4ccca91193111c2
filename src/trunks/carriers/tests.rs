use std::collections::HashMap;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::resolver::Resolving;
use super::*;
use crate::documents::{Document, DocumentType};
use crate::routing::Silent;
use crate::routing::carriers::{Origin, Wanted};
use crate::store::Write;
use crate::types::{AccountId, DocumentId};

fn key(kind: DocumentType, account: &str, id: &str) -> DocumentKey {
    let account = match account {
        "" => AccountId::installation(),
        id => AccountId::new(id).unwrap(),
    };
    let id = DocumentId::new(id).unwrap();
    DocumentKey { kind, account, id }
}

fn put(kind: DocumentType, account: &str, id: &str, body: Value) -> Write {
    let Value::Object(body) = body else {
        panic!("{body}")
    };
    Write::Put(Document {
        key: key(kind, account, id),
        body,
    })
}

fn resource(id: &str, server: &str) -> Write {
    let body = json!({"name": id, "rules": [r"^\+1(\d+)$"], "gateways": [{"server": server}]});
    put(DocumentType::Resource, "", id, body)
}

fn trunk(account: &str, ip: &str) -> [Write; 2] {
    let realm = json!({"name": account, "realm": format!("{account}.test")});
    let server =
        json!({"name": "pbx", "DIDs": {}, "auth": {"auth_method": "IP", "ip": ip}, "options": {}});
    [
        put(DocumentType::Account, account, account, realm),
        put(
            DocumentType::Connectivity,
            account,
            "trunk",
            json!({"account": {}, "servers": [server]}),
        ),
    ]
}

fn chosen(carriers: &Carriers) -> Vec<String> {
    let account = AccountId::new("x").unwrap();
    let wanted = Wanted {
        number: "+16465558888",
        class: "did_us",
        flags: &[],
        account: &account,
        ancestors: &[],
        hunt_account: None,
        caller_number: "",
        except: None,
        seed: 1,
    };
    let candidates = carriers.table().select(&wanted, &mut Silent);
    candidates
        .iter()
        .map(|candidate| candidate.resource.id.to_string())
        .collect()
}

fn sender(carriers: &Carriers, ip: &str) -> Option<String> {
    let origin = Origin {
        ip: ip.parse().unwrap(),
        port: 5060,
        from_host: None,
        account: None,
    };
    Some(carriers.table().sender(&origin)?.id.to_string())
}

/// Answers from a table; a name that is not in it fails.
#[derive(Default)]
struct Book(Mutex<HashMap<&'static str, &'static str>>);

impl Resolve for Book {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        let found = self.0.lock().unwrap().get(host).copied();
        Box::pin(async move {
            match found {
                Some(address) => Ok(vec![address.parse().unwrap()]),
                None => Err(io::Error::other("no such name")),
            }
        })
    }
}

struct World {
    store: Store,
    carriers: Carriers,
    book: Arc<Book>,
    stop: CancellationToken,
    changes: watch::Receiver<u64>,
}

impl World {
    async fn start(writes: Vec<Write>) -> Self {
        let store = Store::temporary().unwrap();
        store.apply(writes.into()).await.unwrap();
        let read_to = store.sequence();
        let carriers = Carriers::load(&store).unwrap();
        let book = Arc::new(Book::default());
        let stop = CancellationToken::new();
        let (follower, followed) = (carriers.clone(), store.clone());
        let (resolver, until) = (Arc::clone(&book), stop.clone());
        tokio::spawn(async move {
            let settings = ResolverSettings::default();
            follower
                .follow(followed, read_to, resolver, settings, until)
                .await;
        });
        let changes = carriers.changes();
        Self {
            store,
            carriers,
            book,
            stop,
            changes,
        }
    }

    async fn write(&mut self, writes: Vec<Write>) {
        self.store.apply(writes.into()).await.unwrap();
        self.changed().await;
    }

    async fn changed(&mut self) {
        tokio::time::timeout(Duration::from_secs(3600), self.changes.changed())
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test]
async fn the_table_follows_the_documents() {
    let mut world = World::start(vec![resource("b", "192.0.2.1")]).await;
    assert_eq!(chosen(&world.carriers), ["b"]);
    let before = world.carriers.table();
    world.write(vec![resource("a", "192.0.2.2")]).await;
    assert_eq!(chosen(&world.carriers), ["a", "b"]);
    assert_eq!(sender(&world.carriers, "192.0.2.2").as_deref(), Some("a"));
    assert!(
        before
            .sender(&Origin {
                ip: "192.0.2.2".parse().unwrap(),
                port: 1,
                from_host: None,
                account: None
            })
            .is_none()
    );
    world
        .write(vec![Write::Delete(key(DocumentType::Resource, "", "b"))])
        .await;
    assert_eq!(chosen(&world.carriers), ["a"]);
    world.stop.cancel();
}

#[tokio::test(start_paused = true)]
async fn names_are_resolved_and_keep_their_last_address() {
    let mut world = World::start(vec![]).await;
    world
        .book
        .0
        .lock()
        .unwrap()
        .insert("gw.example", "192.0.2.9");
    world.write(vec![resource("a", "GW.example")]).await;
    while sender(&world.carriers, "192.0.2.9").is_none() {
        world.changed().await;
    }
    assert_eq!(
        world.carriers.trusted(),
        ["192.0.2.9".parse::<IpAddr>().unwrap()]
    );
    // Another address at the next round.
    world
        .book
        .0
        .lock()
        .unwrap()
        .insert("gw.example", "192.0.2.10");
    world.changed().await;
    assert_eq!(sender(&world.carriers, "192.0.2.9"), None);
    assert_eq!(sender(&world.carriers, "192.0.2.10").as_deref(), Some("a"));
    // The name server is away: nothing changes.
    world.book.0.lock().unwrap().clear();
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    assert_eq!(sender(&world.carriers, "192.0.2.10").as_deref(), Some("a"));
    world.stop.cancel();
}

#[tokio::test]
async fn customers_by_their_address() {
    let mut world = World::start(trunk("alpha", "192.0.2.50").into()).await;
    let at = |carriers: &Carriers, ip: &str| -> Vec<String> {
        let found = carriers.servers_at(ip.parse().unwrap());
        found
            .iter()
            .map(|(key, place)| format!("{}/{place}", key.account))
            .collect()
    };
    assert_eq!(at(&world.carriers, "::ffff:192.0.2.50"), ["alpha/0"]);
    assert_eq!(world.carriers.trusted().len(), 1);
    // Of two accounts: nobody knows whom to bill.
    world
        .store
        .apply(crate::store::Change::imported(
            trunk("beta", "192.0.2.50").into(),
        ))
        .await
        .unwrap();
    world.changed().await;
    assert_eq!(at(&world.carriers, "192.0.2.50"), [""; 0]);
    world.write(trunk("beta", "192.0.2.51").into()).await;
    assert_eq!(at(&world.carriers, "192.0.2.50"), ["alpha/0"]);
    assert_eq!(at(&world.carriers, "192.0.2.51"), ["beta/0"]);
    assert_eq!(at(&world.carriers, "192.0.2.52"), [""; 0]);
    world.stop.cancel();
}
