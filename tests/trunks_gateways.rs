//! A node's gateways are what the documents say: made, replaced, removed, and made anew on a FreeSWITCH that comes back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod support;

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use linefinder::documents::{Document, DocumentKey, DocumentType};
use linefinder::esl::server::ServerFrame;
use linefinder::store::{Store, Write};
use linefinder::trunks::carriers::{Resolve, ResolverSettings};
use linefinder::trunks::gateways::{GatewaySettings, Wanted, keep};
use linefinder::trunks::health::{HealthSettings, State};
use linefinder::trunks::{Carriers, Health};
use linefinder::types::{AccountId, DocumentId};
use serde_json::{Value, json};
use support::peer::{Peer, api, event, event_with_body, soon};
use support::scenes::{EMPTY, Stage, brisk, greet, with_node};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Profile and name of each gateway.
type Rows = BTreeSet<(String, String)>;

/// A FreeSWITCH with a SIP profile that asks the directory.
struct Node {
    rows: watch::Sender<Rows>,
    /// State and status that its table shows of each.
    shown: watch::Sender<(&'static str, &'static str)>,
    commands: mpsc::UnboundedSender<String>,
    wanted: Wanted,
    /// It takes no gateways in.
    deaf: bool,
}

impl Node {
    async fn serve(self, mut peer: Peer) {
        while let Some(request) = peer.next().await {
            let _ = self.commands.send(request.line.clone());
            let words: Vec<&str> = request.line.split(' ').collect();
            let mut frames = Vec::new();
            match words[..] {
                ["api", "sofia", "xmlstatus", "gateway"] => frames.push(api(&self.table())),
                ["api", "sofia", "profile", profile, "killgw", name] => {
                    self.rows.send_modify(|rows| {
                        rows.remove(&(profile.to_owned(), name.to_owned()));
                    });
                    frames.push(api("+OK gateway marked for deletion.\n"));
                    frames.push(told("sofia::gateway_delete", name, &[]));
                }
                ["bgapi", ..] => {
                    let job = request.header("Job-UUID").unwrap().to_owned();
                    frames.push(ServerFrame::job(&job));
                    if let ["bgapi", "sofia", "profile", profile, "rescan"] = words[..] {
                        frames.extend(self.rescan(profile));
                    }
                    let headers = [("Event-Name", "BACKGROUND_JOB"), ("Job-UUID", &*job)];
                    frames.push(event_with_body(&headers, "+OK scan complete\n"));
                }
                ["api", "show", ..] => frames.push(api(EMPTY)),
                ["api", ..] => frames.push(api("")),
                _ => frames.push(ServerFrame::reply("+OK")),
            }
            peer.send(&frames).await;
        }
    }

    fn table(&self) -> String {
        let (state, status) = *self.shown.borrow();
        let row = |(profile, name): &(String, String)| {
            format!(
                "<gateway><name>{name}</name><profile>{profile}</profile><state>{state}</state><status>{status}</status></gateway>\n"
            )
        };
        let rows: String = self.rows.borrow().iter().map(row).collect();
        format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<gateways>\n{rows}</gateways>\n")
    }

    /// Takes in what it does not know by name, and changes nothing else.
    fn rescan(&self, profile: &str) -> Vec<ServerFrame> {
        let mut frames = Vec::new();
        if self.deaf {
            return frames;
        }
        for gateway in self.wanted.gateways(Some(profile)) {
            let row = (profile.to_owned(), gateway.name.clone());
            let mut new = false;
            self.rows.send_modify(|rows| new = rows.insert(row));
            if new {
                frames.push(told("sofia::gateway_add", &gateway.name, &[]));
            }
        }
        frames
    }
}

fn told(subclass: &str, name: &str, more: &[(&str, &str)]) -> ServerFrame {
    let mut headers = vec![
        ("Event-Name", "CUSTOM"),
        ("Event-Subclass", subclass),
        ("Gateway", name),
    ];
    headers.extend_from_slice(more);
    event(&headers)
}

struct NoNames;

impl Resolve for NoNames {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// The daemon's side: a store whose documents are followed, and one node.
struct Scene {
    stage: Stage,
    listener: TcpListener,
    store: Store,
    carriers: Carriers,
    wanted: Wanted,
    health: Health,
    commands: mpsc::UnboundedReceiver<String>,
    sender: mpsc::UnboundedSender<String>,
    keeping: JoinHandle<()>,
}

/// No look of its own comes in between.
fn patient() -> GatewaySettings {
    GatewaySettings {
        profile: "trunk".into(),
        look_every: Duration::from_secs(3600),
        settle: Duration::from_secs(10),
    }
}

async fn scene(settings: GatewaySettings) -> Scene {
    let (stage, listener) = with_node(brisk()).await;
    let store = Store::temporary().unwrap();
    let carriers = Carriers::load(&store).unwrap();
    let health = Health::new(HealthSettings {
        misses: 2,
        answers: 1,
        ..HealthSettings::default()
    });
    let wanted = Wanted::new(carriers.clone(), &settings);
    let followed = carriers.clone();
    let (known, read_to, shutdown) = (store.clone(), store.sequence(), stage.shutdown.clone());
    tokio::spawn(async move {
        let resolver = Arc::new(NoNames);
        let settings = ResolverSettings::default();
        followed
            .follow(known, read_to, resolver, settings, shutdown)
            .await;
    });
    let keeping = tokio::spawn(keep(
        stage.node().clone(),
        wanted.clone(),
        health.clone(),
        settings,
        stage.shutdown.clone(),
    ));
    let (sender, commands) = mpsc::unbounded_channel();
    Scene {
        stage,
        listener,
        store,
        carriers,
        wanted,
        health,
        commands,
        sender,
        keeping,
    }
}

impl Scene {
    /// A FreeSWITCH that has these gateways takes the connection.
    async fn node(&self, rows: Rows, deaf: bool) -> Playing {
        let mut peer = Peer::accept(&self.listener).await;
        greet(&mut peer).await;
        let node = Node {
            rows: watch::Sender::new(rows),
            shown: watch::Sender::new(("NOREG", "UP")),
            commands: self.sender.clone(),
            wanted: self.wanted.clone(),
            deaf,
        };
        let (rows, shown) = (node.rows.clone(), node.shown.clone());
        let task = tokio::spawn(node.serve(peer));
        Playing { rows, shown, task }
    }

    fn carrier(&self, body: Option<Value>) {
        let key = DocumentKey {
            kind: DocumentType::Resource,
            account: AccountId::installation(),
            id: DocumentId::new("main").unwrap(),
        };
        let write = match body {
            Some(Value::Object(body)) => Write::Put(Document { key, body }),
            _ => Write::Delete(key),
        };
        self.store.apply_blocking(vec![write].into()).unwrap();
    }

    async fn command(&mut self, wanted: &str) {
        let found = async {
            while let Some(line) = self.commands.recv().await {
                if line.starts_with(wanted) {
                    return;
                }
            }
        };
        soon(wanted, found).await;
    }

    async fn end(self) {
        self.stage.shutdown.cancel();
        soon("the end", self.keeping).await.unwrap();
    }
}

struct Playing {
    rows: watch::Sender<Rows>,
    shown: watch::Sender<(&'static str, &'static str)>,
    task: JoinHandle<()>,
}

impl Playing {
    async fn until(&self, what: &str, wanted: impl FnMut(&Rows) -> bool) -> Rows {
        let mut rows = self.rows.subscribe();
        let found = soon(what, rows.wait_for(wanted)).await;
        found.unwrap().clone()
    }
}

fn by_hand() -> (String, String) {
    ("trunk".to_owned(), "by-hand".to_owned())
}

fn registering(password: &str) -> Value {
    json!({"name": "main", "rules": [r"^\+1(\d+)$"], "gateways": [
        {"server": "192.0.2.1", "register": true, "username": "u", "password": password}]})
}

#[tokio::test]
async fn made_replaced_and_removed_as_the_document_says() {
    let mut scene = scene(patient()).await;
    let node = scene.node(Rows::from([by_hand()]), false).await;
    scene.command("api sofia xmlstatus gateway").await;

    scene.carrier(Some(registering("a")));
    let first = node.until("a gateway", |rows| rows.len() == 2).await;
    let ours = |rows: &Rows| {
        let mut rows = rows.clone();
        assert!(rows.remove(&by_hand()), "somebody else's is gone");
        rows
    };
    let first = ours(&first);
    let (profile, name) = first.first().unwrap();
    assert!(name.starts_with("lf.installation.main.0."), "{name}");
    assert_eq!(profile, "trunk");

    // FreeSWITCH changes none that it knows: the old one goes, then the new one comes.
    scene.carrier(Some(registering("b")));
    let mut least = 2;
    let second = node
        .until("another gateway", |rows| {
            least = least.min(rows.len());
            rows.len() == 2 && rows.is_disjoint(&first)
        })
        .await;
    scene
        .command(&format!("api sofia profile trunk killgw {name}"))
        .await;
    scene.command("bgapi sofia profile trunk rescan").await;
    assert_ne!(ours(&second), first);

    // Another profile.
    let mut moved = registering("b");
    moved["gateways"][0]["custom_sip_interface"] = "second".into();
    scene.carrier(Some(moved));
    let moved = node
        .until("it on the other profile", |rows| {
            rows.len() == 2 && rows.iter().any(|(profile, _)| profile == "second")
        })
        .await;
    ours(&moved);

    scene.carrier(None);
    let left = node.until("none of ours", |rows| rows.len() == 1).await;
    assert!(ours(&left).is_empty());
    scene.end().await;
}

#[tokio::test]
async fn a_freeswitch_that_comes_back_gets_them_again() {
    let mut scene = scene(patient()).await;
    scene.carrier(Some(registering("a")));
    let node = scene.node(Rows::new(), false).await;
    let first = node.until("a gateway", |rows| rows.len() == 1).await;

    // Restarted: it has none, and its address lists are of before we answered.
    node.task.abort();
    while scene.commands.try_recv().is_ok() {}
    let node = scene.node(Rows::new(), false).await;
    assert_eq!(node.until("it again", |rows| rows.len() == 1).await, first);
    scene.command("bgapi reloadacl").await;

    // Not restarted: what was changed meanwhile is caught up with, the rest stays.
    node.task.abort();
    scene.carrier(Some(registering("b")));
    let stale = first.clone();
    let node = scene.node(stale, false).await;
    let now = node
        .until("the new one alone", |rows| {
            rows.len() == 1 && rows.is_disjoint(&first)
        })
        .await;
    node.task.abort();
    while scene.commands.try_recv().is_ok() {}
    let node = scene.node(now.clone(), false).await;
    scene.command("api sofia xmlstatus gateway").await;
    assert_eq!(*node.rows.borrow(), now);
    scene.end().await;
}

#[tokio::test]
async fn what_options_say_is_counted_at_each_look_and_told_at_once() {
    let settings = GatewaySettings {
        look_every: Duration::from_millis(20),
        ..patient()
    };
    let scene = scene(settings).await;
    let asked = json!({"name": "main", "rules": [r"^\+1(\d+)$"], "gateways": [{"server": "192.0.2.1", "ping": 5}]});
    scene.carrier(Some(asked));
    let node = scene.node(Rows::new(), false).await;
    node.until("a gateway", |rows| rows.len() == 1).await;
    scene.health.keep(&scene.carriers.resources());
    let until = async |wanted: State| {
        let mut look = tokio::time::interval(Duration::from_millis(5));
        loop {
            look.tick().await;
            if scene.health.snapshot()[0].state == wanted {
                return;
            }
        }
    };
    node.shown.send_replace(("NOREG", "DOWN"));
    soon("it to be left out", until(State::Open)).await;
    assert_eq!(scene.health.snapshot()[0].options.get("fs1"), Some(&false));
    node.shown.send_replace(("NOREG", "UP"));
    soon("it to be back", until(State::Closed)).await;
    assert_eq!(scene.health.snapshot()[0].options.get("fs1"), Some(&true));
    scene.end().await;
}

/// One profile that takes nothing in holds up nobody for ever.
#[tokio::test]
async fn a_profile_that_is_not_there_is_tried_again() {
    let settings = GatewaySettings {
        look_every: Duration::from_millis(20),
        settle: Duration::from_millis(10),
        ..patient()
    };
    let mut scene = scene(settings).await;
    scene.carrier(Some(registering("a")));
    let node = scene.node(Rows::new(), true).await;
    for _ in 0..3 {
        scene.command("bgapi sofia profile trunk rescan").await;
    }
    assert!(node.rows.borrow().is_empty());
    scene.carrier(None);
    while scene.commands.try_recv().is_ok() {}
    scene.command("api sofia xmlstatus gateway").await;
    scene.end().await;
}
