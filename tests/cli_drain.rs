//! A daemon that is told to stop: no new calls, those that are up go on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

use std::io::Cursor;
use std::net::SocketAddr;
use std::time::Duration;

use linefinder::config::{Config, HostPort, NodeSettings, Secret};
use linefinder::daemon::{Daemon, Systemd};
use linefinder::sim::{CallSpec, Handoff, Node, NodeOptions, PhoneScript, PlacedCall, Stage};
use linefinder::store::Store;
use linefinder::types::NodeName;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);

const DOCUMENTS: &str = r#"{"type":"account","account_id":"acme","id":"acme","name":"Acme","realm":"acme.example"}
{"type":"device","account_id":"acme","id":"a","name":"A","sip":{"username":"1001","password":"secret-1"}}
{"type":"device","account_id":"acme","id":"b","name":"B","sip":{"username":"1002","password":"secret-2","ip":"127.0.0.2:5060"}}
{"type":"callflow","account_id":"acme","id":"f","numbers":["1002"],"flow":{"module":"device","data":{"id":"b"},"children":{}}}
"#;

/// A daemon with one call up.
struct Bench {
    node: Node,
    call: PlacedCall,
    listening: SocketAddr,
    shutdown: CancellationToken,
    daemon: JoinHandle<()>,
}

impl Bench {
    async fn start(drain_s: u64, park: bool) -> Self {
        let store = Store::temporary().unwrap();
        let imported = store.import(&mut Cursor::new(DOCUMENTS), false).unwrap();
        assert_eq!(imported.problems, []);
        let node = Node::start(NodeOptions {
            password: "bench".into(),
            speed: 10.0,
            any_phone: Some(PhoneScript::answers_after(Duration::from_millis(100))),
            ..NodeOptions::default()
        });
        let node = node.await.unwrap();
        let mut config = Config::default();
        config.handoff.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.handoff.drain_s = drain_s;
        let settings = NodeSettings {
            address: HostPort::try_from(node.address().to_string()).unwrap(),
            password: Some(Secret::new("bench".into())),
            ..NodeSettings::default()
        };
        config.nodes.insert(NodeName::new("fs1").unwrap(), settings);
        let shutdown = CancellationToken::new();
        let daemon = Daemon::start(&config, store, &shutdown).unwrap();
        let listening = daemon.listening().unwrap();
        let mut state = daemon.switch().nodes()[0].state();
        let live = timeout(PATIENCE, state.wait_for(|state| state.is_live())).await;
        live.unwrap().unwrap();
        let hurry = CancellationToken::new();
        let daemon = tokio::spawn(async move { daemon.run(&Systemd::none(), &hurry).await });
        let handoff = if park {
            Handoff::Park
        } else {
            Handoff::Socket(listening)
        };
        let call = node.place_call(CallSpec::device("1001@acme.example", "1002", handoff));
        let stage = timeout(PATIENCE, call.reached(Stage::Answered))
            .await
            .unwrap();
        assert_eq!(stage, Stage::Answered);
        Self {
            node,
            call,
            listening,
            shutdown,
            daemon,
        }
    }

    /// Waits until nobody listens any more.
    async fn closed(&self) {
        let refused = async {
            while TcpStream::connect(self.listening).await.is_ok() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, refused)
            .await
            .expect("the listener stays open");
    }
}

#[tokio::test]
async fn it_waits_for_calls_behind_a_closed_door() {
    for park in [false, true] {
        let bench = Bench::start(60, park).await;
        bench.shutdown.cancel();
        bench.closed().await;
        assert!(!bench.daemon.is_finished());
        assert_eq!(bench.call.stage(), Stage::Answered);
        bench.call.hang_up();
        timeout(PATIENCE, bench.daemon)
            .await
            .expect("it waits for nobody")
            .unwrap();
        assert!(bench.call.result().await.answered);
    }
}

#[tokio::test]
async fn past_the_deadline_it_goes_and_the_conversation_stays() {
    for park in [false, true] {
        let bench = Bench::start(0, park).await;
        bench.shutdown.cancel();
        timeout(PATIENCE, bench.daemon)
            .await
            .expect("it does not go")
            .unwrap();
        assert_eq!(bench.call.stage(), Stage::Answered, "park: {park}");
        assert_eq!(bench.node.legs(), 2, "park: {park}");
        bench.call.hang_up();
        assert!(bench.call.result().await.caller_hung_up);
    }
}
