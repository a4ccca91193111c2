//! The simulated node against the recordings of a real one: the same commands, the same calls; then
//! the replies word for word, each leg's events in their order, and the header names of every event.
//!
//! Expectations are read from the recorded bytes. What may differ is listed in [`ALLOWED`], with the reason.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod sim_support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::BytesMut;
use linefinder::esl::{Decoder, Event, Frame};
use linefinder::sim::{
    CallSpec, Handoff, Node, NodeOptions, Origin, Patience, PhoneScript, Registered,
};
use sim_support::Client;
use tokio::net::TcpListener;
use tokio_util::codec::Decoder as _;

/// Header names in which the simulation may differ, and why.
const ALLOWED: &[(&str, &str)] = &[
    (
        "variable_sip_cseq",
        "comes with the ACK, which the recordings show before and after CHANNEL_BRIDGE",
    ),
    (
        "variable_sip_to_tag",
        "comes with a 180 or with the ACK, like sip_cseq",
    ),
    (
        "Other-Leg-Callee-ID-Name",
        "a phone's copy of the caller's profile has it in recording 22 and not in 57",
    ),
    (
        "Other-Leg-Callee-ID-Number",
        "a phone's copy of the caller's profile has it in recording 22 and not in 57",
    ),
    (
        "variable_tenant",
        "directory entry of the recorder's test user",
    ),
    (
        "variable_user_context",
        "directory entry of the recorder's test user",
    ),
    (
        "variable_effective_caller_id_name",
        "directory entry of the recorder's test user",
    ),
    (
        "variable_effective_caller_id_number",
        "directory entry of the recorder's test user",
    ),
];

fn recorded(scenario: &str, file: &str) -> Vec<Frame> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures");
    let path = format!("{root}/{scenario}/{file}");
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut source = BytesMut::from(&*bytes);
    let mut decoder = Decoder::default();
    std::iter::from_fn(|| decoder.decode(&mut source).unwrap()).collect()
}

/// What the two sides are compared by.
#[derive(Debug, Default)]
struct Story {
    /// Replies and api answers, uuids and clocks taken out.
    replies: Vec<String>,
    /// Notices: disposition, linger time, text.
    notices: Vec<String>,
    /// For each leg, in order of appearance, its events.
    legs: Vec<Vec<(String, Event)>>,
    /// Events of no leg, by name.
    others: BTreeMap<String, Vec<Event>>,
}

fn story(frames: &[Frame]) -> Story {
    let mut story = Story::default();
    let mut known: Vec<String> = Vec::new();
    for frame in frames {
        match frame {
            Frame::Reply(reply) => story.replies.push(plain_reply(&reply.text)),
            Frame::Api(body) => story
                .replies
                .push(plain_reply(&String::from_utf8_lossy(body))),
            Frame::Notice(notice) => story.notices.push(format!(
                "linger={} for {:?} {:?}",
                notice.linger,
                notice.linger_s,
                String::from_utf8_lossy(&notice.text)
            )),
            Frame::Connected(event) | Frame::Event(event) => {
                let name = match frame {
                    Frame::Connected(_) => "connect reply".to_owned(),
                    _ => label(event),
                };
                let Some(uuid) = event.unique_id() else {
                    let name = event
                        .subclass()
                        .map_or(name, |subclass| subclass.into_owned());
                    story.others.entry(name).or_default().push(event.clone());
                    continue;
                };
                let at = known
                    .iter()
                    .position(|leg| **leg == *uuid)
                    .unwrap_or_else(|| {
                        known.push(uuid.into_owned());
                        story.legs.push(Vec::new());
                        known.len() - 1
                    });
                story.legs[at].push((name, event.clone()));
            }
            _ => {}
        }
    }
    story
}

/// The event's name, the application if it is about one, the state it leaves.
fn label(event: &Event) -> String {
    let mut label = event.name().to_owned();
    for header in [
        "Application",
        "Hangup-Cause",
        "Answer-State",
        "Channel-Call-State",
    ] {
        if let Some(value) = event.header(header) {
            label.push(' ');
            label.push_str(&value);
        }
    }
    label
}

/// A reply without what differs from run to run: uuids, and the figures of `status`.
fn plain_reply(text: &str) -> String {
    if text.starts_with("UP ") {
        return text.chars().filter(|c| !c.is_ascii_digit()).collect();
    }
    let is_uuid =
        |word: &str| word.len() == 36 && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let mut words: Vec<&str> = Vec::new();
    for word in text.split([' ', '[', ']']) {
        words.push(if is_uuid(word) { "UUID" } else { word });
    }
    words.join(" ")
}

fn names(event: &Event) -> BTreeSet<String> {
    event
        .headers()
        .map(|(name, _)| name.into_owned())
        .filter(|name| !ALLOWED.iter().any(|(allowed, _)| allowed == name))
        .collect()
}

/// Lists the headers that one side has and the other lacks.
fn header_differences(what: &str, real: &Event, ours: &Event, found: &mut Vec<String>) {
    let (real, ours) = (names(real), names(ours));
    let missing: Vec<_> = real.difference(&ours).collect();
    let extra: Vec<_> = ours.difference(&real).collect();
    if !missing.is_empty() || !extra.is_empty() {
        found.push(format!(
            "{what}\n    missing {missing:?}\n    extra {extra:?}"
        ));
    }
}

fn compare(scenario: &str, real: &[Frame], ours: &[Frame]) {
    let (real, ours) = (story(real), story(ours));
    let mut found = Vec::new();
    if real.replies != ours.replies {
        found.push(format!(
            "replies\n    real {:?}\n    ours {:?}",
            real.replies, ours.replies
        ));
    }
    if real.notices != ours.notices {
        found.push(format!(
            "notices\n    real {:?}\n    ours {:?}",
            real.notices, ours.notices
        ));
    }
    if real.legs.len() != ours.legs.len() {
        found.push(format!(
            "{} legs, ours {}",
            real.legs.len(),
            ours.legs.len()
        ));
    }
    for (at, (real, ours)) in real.legs.iter().zip(&ours.legs).enumerate() {
        let order = |leg: &[(String, Event)]| -> Vec<String> {
            leg.iter().map(|(name, _)| name.clone()).collect()
        };
        if order(real) != order(ours) {
            found.push(format!(
                "order of events of leg {at}\n    real {:#?}\n    ours {:#?}",
                order(real),
                order(ours)
            ));
            continue;
        }
        for ((name, real), (_, ours)) in real.iter().zip(ours) {
            header_differences(&format!("leg {at} {name}"), real, ours, &mut found);
        }
    }
    for (name, real) in &real.others {
        let Some(ours) = ours.others.get(name) else {
            found.push(format!("no {name} at all"));
            continue;
        };
        header_differences(name, &real[0], &ours[0], &mut found);
    }
    assert!(found.is_empty(), "{scenario}\n{}", found.join("\n"));
}

const MS: Duration = Duration::from_millis(1);

/// The recorder's caller: 1001, whom its node did not ask for a password.
fn caller(to: &str, actions: &[(&str, &str)]) -> CallSpec {
    let actions = actions
        .iter()
        .map(|(application, argument)| ((*application).to_owned(), (*argument).to_owned()))
        .collect();
    CallSpec {
        origin: Origin::Stranger,
        ..CallSpec::device("1001@acme.test", to, Handoff::Actions(actions))
    }
}

const PARK: &[(&str, &str)] = &[("park", "")];

async fn node_with_1002(script: PhoneScript) -> Node {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    node.register(&Registered::phone("1002@acme.test", "127.0.0.1:5072"));
    node.phone("1002@acme.test", script);
    node
}

async fn uuid_of(client: &mut Client, event: &str) -> String {
    let event = client.event_named(event).await;
    event.unique_id().unwrap().into_owned()
}

/// `sendmsg ... execute` without an event-uuid, as the recorder sent `set`.
async fn set(client: &mut Client, uuid: &str, argument: &str) {
    let command = format!(
        "sendmsg {uuid}\ncall-command: execute\nexecute-app-name: set\nexecute-app-arg: {argument}"
    );
    assert_eq!(client.ask(&command).await, "+OK");
}

#[tokio::test]
async fn capture_22_park_bridge_and_every_way_to_end() {
    let rings = PhoneScript::answers_after(20 * MS);
    let node = node_with_1002(rings.clone().then_hangs_up_after(50 * MS)).await;
    let mut client = Client::connect(node.address()).await;
    client
        .ask("event plain CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_PARK CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP_COMPLETE BACKGROUND_JOB")
        .await;
    // 1: the callee hangs up, park_after_bridge.
    node.place_call(caller("9000", PARK));
    let uuid = uuid_of(&mut client, "CHANNEL_PARK").await;
    set(&mut client, &uuid, "park_after_bridge=true").await;
    client
        .execute(&uuid, "bridge", "user/1002@acme.test", "bridge-1")
        .await;
    client.event_named("CHANNEL_PARK").await;
    client.api(&format!("uuid_exists {uuid}")).await;
    client.api(&format!("uuid_kill {uuid}")).await;
    client.event_named("CHANNEL_HANGUP_COMPLETE").await;
    // 2: the caller hangs up.
    node.phone("1002@acme.test", rings.clone());
    node.place_call(caller("9000", PARK).hanging_up_after(Patience::FromAnswer(60 * MS)));
    let uuid = uuid_of(&mut client, "CHANNEL_PARK").await;
    client
        .execute(&uuid, "bridge", "user/1002@acme.test", "bridge-2")
        .await;
    while uuid_of(&mut client, "CHANNEL_HANGUP_COMPLETE").await != uuid {}
    // 3: the callee hangs up, hangup_after_bridge.
    node.phone("1002@acme.test", rings.then_hangs_up_after(50 * MS));
    node.place_call(caller("9000", PARK));
    let uuid = uuid_of(&mut client, "CHANNEL_PARK").await;
    set(&mut client, &uuid, "hangup_after_bridge=true").await;
    client
        .execute(&uuid, "bridge", "user/1002@acme.test", "bridge-3")
        .await;
    while uuid_of(&mut client, "CHANNEL_HANGUP_COMPLETE").await != uuid {}
    client.api(&format!("uuid_exists {uuid}")).await;
    // 4: the callee hangs up, neither variable.
    node.place_call(caller("9000", PARK));
    let uuid = uuid_of(&mut client, "CHANNEL_PARK").await;
    client
        .execute(&uuid, "bridge", "user/1002@acme.test", "bridge-4")
        .await;
    client.completed("bridge").await;
    client.api(&format!("uuid_exists {uuid}")).await;
    client.api(&format!("uuid_kill {uuid}")).await;
    while uuid_of(&mut client, "CHANNEL_HANGUP_COMPLETE").await != uuid {}
    compare(
        "22",
        &recorded("22-inbound-park-bridge-ok", "rx.bin"),
        &client.frames,
    );
}

/// The result variables of each attempt, as recorded and as simulated.
fn outcomes(frames: &[Frame]) -> Vec<Vec<Option<String>>> {
    let bridges = frames.iter().filter_map(|frame| match frame {
        Frame::Event(event) if label(event).starts_with("CHANNEL_EXECUTE_COMPLETE bridge") => {
            Some(event)
        }
        _ => None,
    });
    let variables = [
        "originate_disposition",
        "DIALSTATUS",
        "originate_failed_cause",
        "last_bridge_hangup_cause",
        "last_bridge_proto_specific_hangup_cause",
        "sip_invite_failure_status",
        "sip_invite_failure_phrase",
    ];
    bridges
        .map(|event| {
            let all = variables.iter().map(|name| event.variable(name));
            all.map(|value| value.map(|text| text.into_owned()))
                .collect()
        })
        .collect()
}

#[tokio::test]
async fn capture_23_every_way_to_fail() {
    let real = recorded("23-inbound-bridge-failures", "rx.bin");
    // The 302 of attempt 19 hangs the caller up in a way of its own, and what follows is another call.
    let end = real
        .iter()
        .position(|frame| matches!(frame, Frame::Event(e) if e.header("Application-UUID").as_deref() == Some("fail-19")))
        .unwrap();
    let real = &real[..end - 2];
    let node = node_with_1002(PhoneScript::rings()).await;
    node.unregister("1002@acme.test", None);
    node.phone("1002@127.0.0.1:5999", PhoneScript::is_unreachable());
    let mut client = Client::connect(node.address()).await;
    client
        .ask("event plain CHANNEL_PARK CHANNEL_BRIDGE CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP_COMPLETE")
        .await;
    node.place_call(caller("9000", PARK));
    let uuid = uuid_of(&mut client, "CHANNEL_PARK").await;
    set(&mut client, &uuid, "continue_on_fail=true").await;
    set(&mut client, &uuid, "park_after_bridge=true").await;
    client.completed("set").await;
    client.completed("set").await;
    let carrier = "sofia/gateway/carrier1/1002";
    let refuse = PhoneScript::refuses;
    let congested = linefinder::types::HangupCause::NormalCircuitCongestion;
    let attempts: Vec<(&str, Option<PhoneScript>)> = vec![
        ("user/1002@acme.test", None),
        ("user/4711@acme.test", None),
        (carrier, Some(PhoneScript::refuses_after(20 * MS, 486))),
        (carrier, Some(PhoneScript::refuses_after(20 * MS, 603))),
        (carrier, Some(refuse(503))),
        (carrier, Some(refuse(480))),
        (carrier, Some(refuse(404))),
        (carrier, Some(refuse(403))),
        (carrier, Some(refuse(408))),
        (carrier, Some(refuse(488))),
        (carrier, Some(refuse(500))),
        (carrier, Some(refuse(600))),
        (carrier, Some(PhoneScript::refuses_for(503, congested))),
        (
            "{originate_timeout=3}sofia/internal/1002@127.0.0.1:5999",
            None,
        ),
        ("sofia/gateway/nope/123", None),
        ("nosuch/123", None),
        ("", None),
        ("error/user_busy", None),
    ];
    for (at, (dial, script)) in attempts.into_iter().enumerate() {
        if let Some(script) = script {
            node.gateway("carrier1", script);
        }
        client
            .execute(&uuid, "bridge", dial, &format!("fail-{}", at + 1))
            .await;
        client.completed("bridge").await;
        client.api(&format!("uuid_exists {uuid}")).await;
    }
    client.ask("sendmsg").await;
    client.frames.pop();
    assert_eq!(outcomes(&client.frames), outcomes(real));
    compare("23", real, &client.frames);
}

#[tokio::test]
async fn capture_40_outbound_async_full() {
    let daemon = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = format!("{} async full", daemon.local_addr().unwrap());
    let node = Node::start(NodeOptions::default()).await.unwrap();
    node.place_call(caller("9001", &[("socket", &socket)]));
    let (mut client, _) = Client::accept(&daemon).await;
    client.ask("myevents").await;
    client.ask("linger 5").await;
    client
        .ask("sendmsg\ncall-command: execute\nexecute-app-name: answer\nevent-uuid: a-1")
        .await;
    client.completed("answer").await;
    client
        .execute("", "playback", "tone_stream://%(400,0,440)", "p-1")
        .await;
    client.completed("playback").await;
    client.api("status").await;
    client.ask("bgapi status").await;
    client.ask("event plain BACKGROUND_JOB").await;
    client.ask("bgapi status\nJob-UUID: job-out-1").await;
    client.event_named("BACKGROUND_JOB").await;
    client.ask("getvar caller_id_number").await;
    client.ask("getvar no_such_variable").await;
    client.send("connect").await;
    client
        .ask("sendmsg\ncall-command: hangup\nhangup-cause: NORMAL_CLEARING")
        .await;
    client.rest().await;
    compare(
        "40",
        &recorded("40-outbound-async-full", "rx.bin"),
        &client.frames,
    );
}

#[tokio::test]
async fn capture_44_outbound_linger() {
    let daemon = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = format!("{} async full", daemon.local_addr().unwrap());
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let call = node.place_call(caller("9001", &[("socket", &socket)]));
    let (mut client, _) = Client::accept(&daemon).await;
    client.ask("linger 3").await;
    client.ask("myevents").await;
    client
        .ask("sendmsg\ncall-command: execute\nexecute-app-name: answer")
        .await;
    client
        .execute("", "playback", "tone_stream://%(10000,0,440)", "p-1")
        .await;
    loop {
        let event = client.event_named("CHANNEL_EXECUTE").await;
        if event.header("Application").as_deref() == Some("playback") {
            break;
        }
    }
    call.hang_up();
    client.event_named("CHANNEL_HANGUP_COMPLETE").await;
    client.ask("getvar hangup_cause").await;
    client
        .ask("sendmsg\ncall-command: execute\nexecute-app-name: answer")
        .await;
    client.api("version").await;
    client.send("connect").await;
    client.rest().await;
    compare(
        "44",
        &recorded("44-outbound-linger-hangup", "rx.bin"),
        &client.frames,
    );
}

/// The three calls of recording 57: a daemon's script for each.
async fn bridged_by_socket(node: &Node, daemon: &TcpListener, spec: CallSpec) -> (Client, String) {
    node.place_call(spec);
    let (client, data) = Client::accept(daemon).await;
    let uuid = data.unique_id().unwrap().into_owned();
    (client, uuid)
}

#[tokio::test]
async fn capture_57_bridge_from_a_socket() {
    let scenario = "57-outbound-b-leg-events";
    let daemon = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = format!("{} async full", daemon.local_addr().unwrap());
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let rings = PhoneScript::answers_after(20 * MS);
    node.phone("goodphone@127.0.0.1:5091", rings.clone());
    let spec = caller("9001", &[("socket", &socket)]);
    let dial = "sofia/internal/goodphone@127.0.0.1:5091";
    // 1: without linger the end of a bridged call is lost.
    let call = node.place_call(spec.clone());
    let (mut client, _) = Client::accept(&daemon).await;
    client.ask("myevents").await;
    client.execute("", "bridge", dial, "b-1").await;
    client.event_named("CHANNEL_BRIDGE").await;
    call.press("5");
    client.event_named("DTMF").await;
    call.hang_up();
    client.rest().await;
    compare("57 o1", &recorded(scenario, "o1.rx.bin"), &client.frames);
    // 2: filters show both legs.
    node.phone(
        "goodphone@127.0.0.1:5091",
        rings
            .clone()
            .then_presses(30 * MS, "7")
            .then_hangs_up_after(30 * MS),
    );
    let (mut client, uuid) = bridged_by_socket(&node, &daemon, spec.clone()).await;
    client.ask("linger 2").await;
    client.ask(&format!("filter Unique-ID {uuid}")).await;
    client
        .ask(&format!("filter Other-Leg-Unique-ID {uuid}"))
        .await;
    client
        .ask("event plain CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP_COMPLETE DTMF")
        .await;
    client.execute("", "bridge", dial, "b-2").await;
    client.completed("bridge").await;
    client.ask("sendmsg\ncall-command: hangup").await;
    client.rest().await;
    compare("57 o2", &recorded(scenario, "o2.rx.bin"), &client.frames);
    // 3: like the first, with linger.
    node.phone("goodphone@127.0.0.1:5091", rings);
    let (mut client, _) = bridged_by_socket(
        &node,
        &daemon,
        spec.hanging_up_after(Patience::FromAnswer(60 * MS)),
    )
    .await;
    client.ask("linger 2").await;
    client.ask("myevents").await;
    client.execute("", "bridge", dial, "b-3").await;
    client.rest().await;
    compare("57 o3", &recorded(scenario, "o3.rx.bin"), &client.frames);
}

#[tokio::test]
async fn heartbeats_and_jobs() {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let mut client = Client::connect(node.address()).await;
    client.ask("event plain HEARTBEAT").await;
    node.heartbeat();
    client.event_named("HEARTBEAT").await;
    let real = recorded("20-inbound-heartbeat", "plain.rx.bin");
    compare("20", &real, &client.frames);

    let mut client = Client::connect(node.address()).await;
    client.ask("event plain BACKGROUND_JOB").await;
    client.ask("bgapi status\nJob-UUID: my-own-id").await;
    let ours = client.event().await;
    let real = recorded("10-inbound-bgapi", "rx.bin");
    let real = real.iter().find_map(|frame| match frame {
        Frame::Event(event) if event.name() == "BACKGROUND_JOB" => Some(event),
        _ => None,
    });
    let mut found = Vec::new();
    header_differences("BACKGROUND_JOB", real.unwrap(), &ours, &mut found);
    assert!(found.is_empty(), "{found:?}");
    assert!(ours.body().unwrap().starts_with(b"UP 0 years"));
}

#[tokio::test]
async fn the_life_of_a_registration() {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let mut client = Client::connect(node.address()).await;
    client
        .ask("event plain CUSTOM sofia::register sofia::unregister sofia::expire")
        .await;
    let phone = Registered {
        variables: [
            "tenant",
            "user_context",
            "effective_caller_id_name",
            "effective_caller_id_number",
        ]
        .map(|name| (name.to_owned(), "x".to_owned()))
        .to_vec(),
        ..Registered::phone("1001@acme.test", "127.0.0.1:5071")
    };
    node.register(&phone);
    node.unregister("1001@acme.test", None);
    node.register(&phone);
    node.expire("1001@acme.test");
    for _ in 0..4 {
        client.event().await;
    }
    let real = story(&recorded("19-inbound-sofia-registration", "rx.bin"));
    let ours = story(&client.frames);
    let mut found = Vec::new();
    for subclass in ["sofia::register", "sofia::unregister", "sofia::expire"] {
        let (real, ours) = (&real.others[subclass][0], &ours.others[subclass][0]);
        header_differences(subclass, real, ours, &mut found);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Sends every command of a recording whose name is asked for, and compares the replies.
#[tokio::test]
async fn replies_word_for_word() {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    for (scenario, commands) in [
        ("03-inbound-command-before-auth", None),
        ("12-inbound-api-replies", Some(API_COMMANDS)),
        ("14-inbound-filter-nixevent-noevents", None),
    ] {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures");
        let sent = std::fs::read_to_string(format!("{root}/{scenario}/tx.bin")).unwrap();
        let sent: Vec<&str> = sent
            .split("\n\n")
            .filter(|command| !command.is_empty())
            .collect();
        let answers = recorded(scenario, "rx.bin");
        let answers: Vec<String> = story(&answers).replies;
        assert_eq!(sent.len(), answers.len(), "{scenario}");
        let stream = tokio::net::TcpStream::connect(node.address())
            .await
            .unwrap();
        let mut client = Client::over(stream);
        client.frame().await;
        for (command, expected) in sent.into_iter().zip(answers) {
            let asked = command.split('\n').next().unwrap();
            let api = asked
                .to_ascii_lowercase()
                .strip_prefix("api ")
                .map(str::to_owned);
            if let (Some(api), Some(list)) = (api, commands)
                && !list.contains(&&*api)
            {
                continue;
            }
            client.send(command).await;
            let ours = match client.frame().await {
                Some(Frame::Reply(reply)) => plain_reply(&reply.text),
                Some(Frame::Api(body)) => plain_reply(&String::from_utf8_lossy(&body)),
                other => panic!("{scenario}: {command}: {other:?}"),
            };
            assert_eq!(ours, expected, "{scenario}: {command:?}");
        }
    }
}

/// Api commands that the simulation answers; the recording asks for more.
const API_COMMANDS: &[&str] = &[
    "no_such_command",
    "version",
    "uuid_kill",
    "uuid_kill 00000000-0000-0000-0000-000000000000",
    "uuid_exists 00000000-0000-0000-0000-000000000000",
    "uuid_getvar 00000000-0000-0000-0000-000000000000 x",
    "global_getvar no_such_variable",
    "hostname",
    "switchname",
    "show channels",
    "show channels as json",
    "show calls count",
    "sofia_contact 1001@acme.test",
    "sofia_contact nobody@acme.test",
    "user_exists id 4711 acme.test",
    "create_uuid",
    " version",
    "version   ",
    "reloadxml",
    "status",
];

#[tokio::test]
async fn capture_45_without_linger_and_a_caller_who_cancels() {
    let scenario = "45-outbound-no-linger-hangup";
    let daemon = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = format!("{} async full", daemon.local_addr().unwrap());
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let spec = caller("9001", &[("socket", &socket)]);
    let answer = "sendmsg\ncall-command: execute\nexecute-app-name: answer";
    // 2: linger without a number never ends by itself.
    let call = node.place_call(spec.clone());
    let (mut client, _) = Client::accept(&daemon).await;
    client.ask("myevents").await;
    client.ask("linger").await;
    client.ask(answer).await;
    client.completed("answer").await;
    call.hang_up();
    client.event_named("CHANNEL_HANGUP_COMPLETE").await;
    client.ask("exit").await;
    client.rest().await;
    compare("45 o2", &recorded(scenario, "o2.rx.bin"), &client.frames);
    // 3: the caller cancels before the answer. The recorded daemon asked for events after the park.
    let call = node.place_call(spec);
    let (mut client, _) = Client::accept(&daemon).await;
    client.ask("linger 2").await;
    wait_until_parked(&node, call.uuid()).await;
    client.ask("myevents").await;
    client
        .ask("sendmsg\ncall-command: execute\nexecute-app-name: ring_ready")
        .await;
    client.completed("ring_ready").await;
    call.hang_up();
    client.rest().await;
    let mut real = recorded(scenario, "o3.rx.bin");
    // The order of the first two commands is the only thing that differs.
    real.swap(1, 2);
    compare("45 o3", &real, &client.frames);
}

/// Until CHANNEL_PARK has been fired: the leg answers `uuid_exists` from the start, so a leg that is
/// parked is told by what a second connection sees.
async fn wait_until_parked(node: &Node, uuid: &str) {
    let mut client = Client::connect(node.address()).await;
    loop {
        let dump = client.api(&format!("uuid_dump {uuid}")).await;
        if dump.contains("variable_current_application: socket") {
            break;
        }
    }
    tokio::time::sleep(50 * MS).await;
}

#[tokio::test]
async fn capture_50_messages_nest_without_event_lock() {
    let daemon = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = format!("{} async full", daemon.local_addr().unwrap());
    let node = Node::start(NodeOptions::default()).await.unwrap();
    node.place_call(caller("9001", &[("socket", &socket)]));
    let (mut client, _) = Client::accept(&daemon).await;
    client.ask("myevents").await;
    client
        .ask("sendmsg\ncall-command: execute\nexecute-app-name: answer")
        .await;
    client.completed("answer").await;
    for (lock, prefix) in [("", "nolock"), ("\nevent-lock: true", "lock")] {
        let all: Vec<String> = (0..5)
            .map(|at| {
                let hertz = 300 + at * 50;
                format!(
                    "sendmsg\ncall-command: execute\nexecute-app-name: playback\n\
                     execute-app-arg: tone_stream://%(300,0,{hertz})\nevent-uuid: {prefix}-{at}{lock}"
                )
            })
            .collect();
        client.send(&all.join("\n\n")).await;
        for _ in 0..5 {
            assert_eq!(client.reply().await, "+OK");
        }
        for _ in 0..5 {
            client.completed("playback").await;
        }
    }
    client.ask("sendmsg\ncall-command: hangup").await;
    client.rest().await;
    compare(
        "50",
        &recorded("50-outbound-event-lock", "rx.bin"),
        &client.frames,
    );
}

#[tokio::test]
async fn capture_07_every_event_of_a_call() {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let mut client = Client::connect(node.address()).await;
    client.ask("event plain ALL").await;
    let call = node.place_call(caller("9101", &[("answer", ""), ("park", "")]));
    client.event_named("CHANNEL_PARK").await;
    call.press("123");
    for _ in 0..3 {
        client.event_named("DTMF").await;
    }
    call.hang_up();
    client.event_named("CHANNEL_DESTROY").await;
    client.event_named("CHANNEL_STATE").await;
    // The simulation has no media, hence no CODEC events.
    let mut real = recorded("07-inbound-event-plain-call", "rx.bin");
    real.retain(|frame| !matches!(frame, Frame::Event(event) if event.name() == "CODEC"));
    compare("07", &real, &client.frames);
}
