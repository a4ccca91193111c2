//! Beginnings that many tests share.

use std::sync::Arc;
use std::time::Duration;

use linefinder::esl::server::{Request, ServerFrame};
use linefinder::switch::{
    IncomingCall, Node, NodeSettings, NodeState, Pace, Switch, SwitchSettings,
};
use linefinder::types::NodeName;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::keeper::{Told, keeper};
use super::peer::{Peer, soon};

pub const CORE: &str = "d6ebcec1-7a97-4153-bc42-5c5966dadf3f";
pub const EMPTY: &str = "{\"row_count\": 0}\n";

pub struct Stage {
    pub switch: Switch,
    pub calls: mpsc::Receiver<IncomingCall>,
    pub told: mpsc::UnboundedReceiver<Told>,
    pub shutdown: CancellationToken,
}

pub fn start(settings: SwitchSettings) -> Stage {
    let (keeper, told) = keeper();
    let shutdown = CancellationToken::new();
    let (switch, calls) = Switch::start(settings, Arc::new(keeper), &shutdown).unwrap();
    Stage {
        switch,
        calls,
        told,
        shutdown,
    }
}

/// Waits of the real clock, short enough for a test.
pub fn brisk() -> Pace {
    Pace {
        backoff_first: Duration::from_millis(1),
        backoff_most: Duration::from_millis(1),
        refused: Duration::from_millis(300),
        ..Pace::default()
    }
}

pub async fn port() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

pub fn node_settings(address: &str, pace: Pace) -> NodeSettings {
    let name = NodeName::new("fs1").unwrap();
    let mut settings = NodeSettings::new(name, address, SecretString::from("ClueCon"));
    settings.pace = pace;
    settings
}

/// A switch with one node, whose connection the test plays.
pub async fn with_node(pace: Pace) -> (Stage, TcpListener) {
    with_node_of(pace, None).await
}

/// The same for a daemon that knows its own calls by the name `owner`.
pub async fn with_node_of(pace: Pace, owner: Option<&str>) -> (Stage, TcpListener) {
    let (listener, address) = port().await;
    let stage = start(SwitchSettings {
        nodes: vec![node_settings(&address, pace)],
        owner: owner.map(str::to_owned),
        ..SwitchSettings::default()
    });
    (stage, listener)
}

impl Stage {
    pub fn node(&self) -> &Node {
        &self.switch.nodes()[0]
    }

    pub async fn until(&self, what: &str, wanted: impl FnMut(&NodeState) -> bool) -> NodeState {
        let mut state = self.node().state();
        let found = soon(what, state.wait_for(wanted)).await;
        found.unwrap().clone()
    }

    pub async fn live(&self) {
        self.until("a live node", NodeState::is_live).await;
    }

    pub async fn call(&mut self) -> IncomingCall {
        soon("a call", self.calls.recv()).await.unwrap()
    }

    pub async fn told(&mut self) -> Told {
        soon("a registration", self.told.recv()).await.unwrap()
    }
}

/// Plays FreeSWITCH until the node is in step with nothing.
pub async fn greet(peer: &mut Peer) {
    greet_as(peer, CORE, EMPTY, EMPTY).await;
}

pub async fn greet_as(peer: &mut Peer, core: &str, registrations: &str, channels: &str) {
    log_in(peer).await;
    peer.expect("api global_getvar core_uuid").await;
    peer.api(core).await;
    let subscription = peer.request().await;
    assert_eq!(subscription.word(), "event");
    peer.reply("+OK event listener enabled plain").await;
    registrations_are_read(peer, registrations).await;
    peer.expect("api show channels as json").await;
    peer.api(channels).await;
}

/// A FreeSWITCH without mod_sofia: the daemon falls back to the core's table.
pub async fn registrations_are_read(peer: &mut Peer, table: &str) {
    peer.expect("api sofia xmlstatus").await;
    peer.api("-ERR sofia Command not found!\n").await;
    peer.expect("api show registrations as json").await;
    peer.api(table).await;
}

pub async fn log_in(peer: &mut Peer) {
    peer.send(&[ServerFrame::AuthRequest]).await;
    peer.expect("auth ClueCon").await;
    peer.reply("+OK accepted").await;
}

/// The headers of a call that was handed over, on either way.
pub fn channel<'a>(uuid: &'a str, timer: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("Core-UUID", CORE),
        ("FreeSWITCH-Switchname", "fs1"),
        ("Unique-ID", uuid),
        ("Call-Direction", "inbound"),
        ("Answer-State", "ringing"),
        ("Caller-Destination-Number", "1002"),
        ("Caller-Caller-ID-Number", "1001"),
        ("Caller-Caller-ID-Name", "Alice"),
        ("Caller-Network-Addr", "127.0.0.1"),
        ("variable_sip_call_id", "abc@phone"),
        ("variable_sofia_profile_name", "internal"),
        ("variable_user_name", "1001"),
        ("variable_lf_handoff", "true"),
        ("variable_last_sched_id", timer),
    ]
}

/// CHANNEL_PARK of such a call.
pub fn parked<'a>(uuid: &'a str, timer: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut headers = vec![("Event-Name", "CHANNEL_PARK")];
    headers.extend(channel(uuid, timer));
    headers
}

/// Parks a call and lets the claim succeed.
pub async fn park(stage: &mut Stage, peer: &mut Peer, uuid: &str, timer: &str) -> IncomingCall {
    peer.event(&parked(uuid, timer)).await;
    peer.expect(&format!("api sched_del {timer}")).await;
    peer.api("+OK Deleted: 1\n").await;
    stage.call().await
}

/// Opens an outbound connection up to the claim, as `socket ... async full` does.
pub async fn hand_over(stage: &Stage, uuid: &str, timer: &str) -> Peer {
    let mut peer = Peer::connect(stage.switch.listening().unwrap()).await;
    opening(&mut peer, uuid, timer).await;
    peer
}

pub async fn opening(peer: &mut Peer, uuid: &str, timer: &str) {
    peer.expect("connect").await;
    let linger = peer.request().await;
    assert_eq!(linger.line, "linger 10");
    assert_eq!(peer.request().await.word(), "myevents");
    peer.send(&[
        connected(uuid, timer),
        ServerFrame::reply("+OK will linger 10 seconds"),
        ServerFrame::reply("+OK Events Enabled"),
    ])
    .await;
}

pub fn connected(uuid: &str, timer: &str) -> ServerFrame {
    let mut headers = vec![("Event-Name", "CHANNEL_DATA")];
    headers.extend(channel(uuid, timer));
    ServerFrame::Connected {
        data: linefinder::esl::Event::from_headers(headers, None),
        async_mode: true,
        full: true,
    }
}

/// `execute-app-name` and the argument, wherever it travelled.
pub fn application(request: &Request) -> (String, String) {
    assert_eq!(request.word(), "sendmsg");
    assert_eq!(request.header("event-lock"), Some("true"));
    let name = request.header("execute-app-name").unwrap().to_owned();
    let argument = match request.header("execute-app-arg") {
        Some(argument) => argument.to_owned(),
        None => String::from_utf8(request.body.to_vec()).unwrap(),
    };
    (name, argument)
}

/// The CHANNEL_EXECUTE_COMPLETE of a sendmsg.
pub fn complete<'a>(
    uuid: &'a str,
    request: &'a Request,
    extra: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let mut headers = vec![
        ("Event-Name", "CHANNEL_EXECUTE_COMPLETE"),
        ("Unique-ID", uuid),
        ("Application", request.header("execute-app-name").unwrap()),
        ("Application-Response", "_none_"),
        ("Application-UUID", request.header("event-uuid").unwrap()),
    ];
    headers.extend_from_slice(extra);
    headers
}

pub fn hangup<'a>(name: &'a str, uuid: &'a str, cause: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("Event-Name", name),
        ("Unique-ID", uuid),
        ("Answer-State", "hangup"),
        ("Hangup-Cause", cause),
    ]
}
