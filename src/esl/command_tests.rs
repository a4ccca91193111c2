//! Commands as they go out, read back the way FreeSWITCH reads them.

use bytes::BytesMut;
use proptest::prelude::*;
use tokio_util::codec::Decoder as _;

use super::server::{Request, ServerDecoder};
use super::{Command, CommandError, EVENT_NAMES, Line, Message, SendMsg};
use crate::types::HangupCause;

fn line(text: &str) -> Line {
    Line::new("test", text).unwrap()
}

fn lines(texts: &[&str]) -> Vec<Line> {
    texts.iter().map(|text| line(text)).collect()
}

fn encoded(command: &Command) -> String {
    let mut out = BytesMut::new();
    command.encode(&mut out).unwrap();
    String::from_utf8(out.to_vec()).unwrap()
}

fn refused(command: &Command) -> CommandError {
    let mut out = BytesMut::from("before");
    let error = command.encode(&mut out).unwrap_err();
    assert_eq!(out, "before", "nothing is appended");
    error
}

fn read_back(bytes: &[u8]) -> Vec<Request> {
    let mut source = BytesMut::from(bytes);
    let mut decoder = ServerDecoder::new();
    let requests: Vec<_> = std::iter::from_fn(|| decoder.decode(&mut source).unwrap()).collect();
    assert!(source.is_empty());
    requests
}

fn execute(argument: &str) -> SendMsg {
    SendMsg {
        call: None,
        message: Message::Execute {
            application: line("playback"),
            argument: argument.to_owned(),
            event_uuid: Some(line("e-1")),
            argument_by_body: false,
        },
        event_lock: true,
    }
}

#[test]
fn every_command_has_its_form() {
    let api = |argument: Option<&str>| Command::Api {
        command: line("uuid_getvar"),
        argument: argument.map(line),
    };
    let cases = [
        (
            Command::Auth {
                password: line("Clue Con"),
            },
            "auth Clue Con\n\n",
        ),
        (
            Command::UserAuth {
                user: line("1001"),
                domain: line("acme.test"),
                password: line("a:b@c"),
            },
            "userauth 1001@acme.test:a:b@c\n\n",
        ),
        (Command::Connect, "connect\n\n"),
        (Command::MyEvents, "myevents plain\n\n"),
        (Command::Linger { seconds: None }, "linger\n\n"),
        (Command::Linger { seconds: Some(10) }, "linger 10\n\n"),
        (Command::NoLinger, "nolinger\n\n"),
        (Command::Exit, "exit\n\n"),
        (Command::Resume, "resume\n\n"),
        (
            Command::Events {
                names: lines(&["HEARTBEAT", "CHANNEL_PARK"]),
                subclasses: lines(&["sofia::register", "sofia::expire"]),
            },
            "event plain HEARTBEAT CHANNEL_PARK CUSTOM sofia::register sofia::expire\n\n",
        ),
        (
            Command::Events {
                names: lines(&["ALL"]),
                subclasses: vec![],
            },
            "event plain ALL\n\n",
        ),
        (
            Command::NixEvents {
                names: vec![],
                subclasses: lines(&["a::b"]),
            },
            "nixevent CUSTOM a::b\n\n",
        ),
        (Command::NoEvents, "noevents\n\n"),
        (
            Command::FilterAdd {
                header: line("Unique-ID"),
                value: line("/a b/"),
            },
            "filter add Unique-ID /a b/\n\n",
        ),
        (
            Command::FilterDelete {
                header: line("Unique-ID"),
                value: None,
            },
            "filter delete Unique-ID\n\n",
        ),
        (
            Command::FilterDelete {
                header: line("Unique-ID"),
                value: Some(line("u")),
            },
            "filter delete Unique-ID u\n\n",
        ),
        (Command::FilterDeleteAll, "filter delete all\n\n"),
        (Command::DivertEvents { on: true }, "divert_events on\n\n"),
        (Command::DivertEvents { on: false }, "divert_events off\n\n"),
        (api(None), "api uuid_getvar\n\n"),
        (api(Some("u x")), "api uuid_getvar u x\n\n"),
        (
            Command::BgApi {
                command: line("originate"),
                argument: Some(line("user/1001 &park")),
                job: line("j-1"),
            },
            "bgapi originate user/1001 &park\nJob-UUID: j-1\n\n",
        ),
        (
            Command::SendEvent {
                name: line("CUSTOM"),
                headers: vec![
                    (line("Event-Subclass"), line("lf::note")),
                    (line("X"), line("a%20b: c")),
                    (line("Content-Length"), line("99")),
                ],
                body: Some(b"two\n\nlines".to_vec()),
            },
            "sendevent CUSTOM\nEvent-Subclass: lf::note\nX: a%20b: c\ncontent-length: 10\n\ntwo\n\nlines",
        ),
        (
            Command::SendMsg(execute("tone_stream://%(200,0,500)")),
            "sendmsg\ncall-command: execute\nexecute-app-name: playback\n\
             execute-app-arg: tone_stream://%(200,0,500)\nevent-uuid: e-1\nevent-lock: true\n\n",
        ),
        (
            Command::SendMsg(SendMsg {
                call: Some(line("u-1")),
                message: Message::Hangup {
                    cause: HangupCause::UserBusy,
                },
                event_lock: false,
            }),
            "sendmsg u-1\ncall-command: hangup\nhangup-cause: USER_BUSY\n\n",
        ),
        (Command::Log { level: 7 }, "log 7\n\n"),
        (Command::NoLog, "nolog\n\n"),
    ];
    for (command, expected) in cases {
        assert_eq!(encoded(&command), expected);
    }
}

#[test]
fn arguments_that_a_header_would_change_travel_in_the_body() {
    let by_body = [
        "Zoë",
        "a\nb",
        "a\r\nb",
        " blank",
        "blank ",
        "tab\t",
        "ARRAY::a|:b",
        "reload mod_event_socket",
        "\u{1b}",
    ];
    for argument in by_body {
        let text = encoded(&Command::SendMsg(execute(argument)));
        let request = read_back(text.as_bytes()).remove(0);
        assert_eq!(request.header("execute-app-arg"), None, "{argument}");
        assert_eq!(request.header("content-type"), Some("text/plain"));
        assert_eq!(request.body, argument.as_bytes());
    }
    let text = encoded(&Command::SendMsg(execute("")));
    assert!(!text.contains("arg") && !text.contains("content"), "{text}");
    let mut forced = execute("plain");
    if let Message::Execute {
        argument_by_body, ..
    } = &mut forced.message
    {
        *argument_by_body = true;
    }
    assert!(encoded(&Command::SendMsg(forced)).ends_with("content-length: 5\n\nplain"));
}

#[test]
fn nothing_that_ends_a_line_gets_in() {
    for (text, at) in [("a\nb", 1), ("\r", 0), ("ab\0", 2)] {
        let refused = Line::new("caller name", text).unwrap_err();
        assert_eq!(
            refused,
            CommandError::LineBreak {
                field: "caller name",
                at
            }
        );
    }
    let nul = CommandError::LineBreak {
        field: "application argument",
        at: 1,
    };
    assert_eq!(refused(&Command::SendMsg(execute("a\0b"))), nul);
    let event = Command::SendEvent {
        name: line("CUSTOM"),
        headers: vec![],
        body: Some(vec![0]),
    };
    assert_eq!(
        refused(&event),
        CommandError::LineBreak {
            field: "event body",
            at: 0
        }
    );
}

#[test]
fn words_that_would_be_cut_or_misread_are_refused() {
    let character = |field, found| CommandError::Character { field, found };
    let api = |command: &str| Command::Api {
        command: line(command),
        argument: Some(line("x")),
    };
    // `api  version` would call a command with an empty name (capture fact 7).
    assert_eq!(refused(&api("")), CommandError::Empty("api command"));
    assert_eq!(refused(&api(" version")), character("api command", ' '));
    let filter = Command::FilterAdd {
        header: line("A B"),
        value: line("c"),
    };
    assert_eq!(refused(&filter), character("filter header", ' '));
    let user = Command::UserAuth {
        user: line("a@b"),
        domain: line("c"),
        password: line("d"),
    };
    assert_eq!(refused(&user), character("user", '@'));
    assert_eq!(
        refused(&Command::Auth { password: line("") }),
        CommandError::Empty("password")
    );
    let event = Command::SendEvent {
        name: line("CUSTOM"),
        headers: vec![(line("a:b"), line("c"))],
        body: None,
    };
    assert_eq!(refused(&event), character("event header", ':'));
}

#[test]
fn event_names_are_checked() {
    let events = |names: &[&str], subclasses: &[&str]| Command::Events {
        names: lines(names),
        subclasses: lines(subclasses),
    };
    for bad in [
        "CHANNEL_ANSWERED",
        "channel_answer",
        "CUSTOM",
        "",
        "HEARTBEAT CUSTOM",
        "plain",
    ] {
        let error = refused(&events(&["HEARTBEAT", bad], &[]));
        assert_eq!(error, CommandError::UnknownEvent(bad.to_owned()));
    }
    assert_eq!(
        refused(&events(&[], &[])),
        CommandError::Empty("event names")
    );
    assert!(matches!(
        refused(&events(&[], &["a b"])),
        CommandError::Character { .. }
    ));
    for name in EVENT_NAMES.iter().filter(|name| **name != "CUSTOM") {
        assert!(encoded(&events(&[name], &[])).contains(name));
    }
}

#[test]
fn module_reload_words_are_refused() {
    let api = |command: &str, argument: &str| Command::Api {
        command: line(command),
        argument: Some(line(argument)),
    };
    for command in [
        api("reload", "mod_event_socket"),
        api("UNLOAD", "-f Mod_Event_Socket"),
        Command::BgApi {
            command: line("echo"),
            argument: Some(line("mod_event_socket")),
            job: line("reload"),
        },
        Command::SendEvent {
            name: line("CUSTOM"),
            headers: vec![
                (line("a"), line("reload")),
                (line("b"), line("mod_event_socket")),
            ],
            body: None,
        },
    ] {
        assert_eq!(refused(&command), CommandError::ModuleReload);
    }
    encoded(&api("reload", "mod_sofia"));
    encoded(&api("module_exists", "mod_event_socket"));
}

proptest! {
    #[test]
    fn what_freeswitch_reads_is_what_was_meant(
        argument in "[^\0]{0,40}",
        application in "[a-z_]{1,12}",
        lock in any::<bool>(),
        password in "[^\r\n\0]{1,20}",
    ) {
        let message = Command::SendMsg(SendMsg {
            call: Some(line("u-1")),
            message: Message::Execute {
                application: line(&application),
                argument: argument.clone(),
                event_uuid: None,
                argument_by_body: false,
            },
            event_lock: lock,
        });
        let mut out = BytesMut::new();
        message.encode(&mut out).unwrap();
        Command::Auth { password: line(&password) }.encode(&mut out).unwrap();
        Command::Exit.encode(&mut out).unwrap();
        let requests = read_back(&out);
        prop_assert_eq!(requests.len(), 3);
        let read = match requests[0].header("execute-app-arg") {
            Some(argument) => argument.as_bytes(),
            None => &requests[0].body[..],
        };
        prop_assert_eq!(read, argument.as_bytes());
        prop_assert_eq!(requests[0].header("execute-app-name"), Some(application.as_str()));
        prop_assert_eq!(requests[0].header("event-lock").is_some(), lock);
        prop_assert_eq!(requests[1].argument(), password);
        prop_assert_eq!(&requests[2].line, "exit");
    }
}
