//! The commands that place simulated calls, through the real binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linefinder"));
    command.env_clear().args(arguments).output().unwrap()
}

/// Its standard output; it must succeed.
fn told(arguments: &[&str]) -> String {
    let output = run(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{arguments:?}: {error}\n{text}"
    );
    text
}

/// The table's rows that begin with these cells, each as its cells.
fn row<'a>(text: &'a str, cells: &[&str]) -> Vec<&'a str> {
    let rows = text.lines().map(|line| {
        let found = line.split("  ").map(str::trim);
        found.filter(|cell| !cell.is_empty()).collect::<Vec<_>>()
    });
    let mut matching = rows.filter(|row| row.starts_with(cells));
    matching
        .next()
        .unwrap_or_else(|| panic!("no row {cells:?} in\n{text}"))
}

#[test]
fn the_demo_places_its_calls_and_each_ends_as_it_should() {
    let text = told(&["demo"]);
    let desk = row(&text, &["1001@acme", "1002", "socket"]);
    assert_eq!(
        desk[3..6],
        ["ext-1002", "sip:1002@127.0.0.12:5060", "answered"]
    );
    let parked = row(&text, &["1001@acme", "1002", "park"]);
    assert_eq!(
        parked[3..6],
        ["ext-1002", "sip:1002@127.0.0.12:5060", "answered"]
    );
    let busy = row(&text, &["1001@acme", "1004"]);
    assert_eq!(busy[4..6], ["sip:1004@127.0.0.14:5060", "486 USER_BUSY"]);
    let absent = row(&text, &["1001@acme", "1005"]);
    assert_eq!(
        absent[4..6],
        ["nobody: not_registered", "480 USER_NOT_REGISTERED"]
    );
    let npan = row(&text, &["1001@acme", "+14155550122"]);
    assert_eq!(npan[4..6], ["sip:4155550122@127.0.0.22:5080", "answered"]);
    let pattern = row(&text, &["1001@acme", "*01003"]);
    assert_eq!(pattern[3], "intercom (pattern)");
    let other_tenant = row(&text, &["1001@globex", "1002"]);
    assert_eq!(other_tenant[4..6], ["sip:ivy@127.0.0.42:5060", "answered"]);
    let nobody = row(&text, &["1001@globex", "7777"]);
    assert_eq!(
        nobody[3..6],
        ["no_callflow", "nobody", "404 NO_ROUTE_DESTINATION"]
    );
    assert!(
        text.contains("22 of 22 calls ended as they should"),
        "{text}"
    );
    assert!(text.contains("What to try next:"), "{text}");
}

#[test]
fn what_the_demo_says_to_try_works() {
    let text = told(&["demo", "--full"]);
    // A dial string in full, with its variables; nothing of the hostile name but letters.
    assert!(
        text.contains("origination_caller_id_name=OBrien system rebootabc!"),
        "{text}"
    );
    assert!(!text.contains("${"), "{text}");
    let steps = text.split("What to try next:").nth(1).unwrap();
    let program = env!("CARGO_BIN_EXE_linefinder");
    let mut tried = 0;
    for line in steps.lines().filter(|line| !line.trim().is_empty()) {
        let typed = line.split('#').next().unwrap().trim();
        let typed = typed
            .strip_prefix(program)
            .unwrap_or_else(|| panic!("{line}"));
        told(&typed.split_whitespace().collect::<Vec<_>>());
        tried += 1;
    }
    assert!(tried >= 4, "{steps}");
}

#[test]
fn a_narrow_terminal_gets_a_table_that_fits() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linefinder"));
    let output = command.arg("demo").env("COLUMNS", "80").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let table = text.split("\n\n").nth(1).unwrap();
    assert!(table.lines().count() > 20, "{text}");
    for line in table.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn a_demo_that_is_interrupted_leaves_nothing_behind() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let folder = tempfile::tempdir().unwrap();
        let entries = || std::fs::read_dir(folder.path()).unwrap().count();
        let mut demo = Command::new(env!("CARGO_BIN_EXE_linefinder"))
            .arg("demo")
            .env("TMPDIR", folder.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        while entries() == 0 {
            assert_eq!(demo.try_wait().unwrap(), None);
            std::thread::yield_now();
        }
        let id = demo.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.unwrap().success());
        assert_eq!(demo.wait().unwrap().code(), Some(code));
        assert_eq!(entries(), 0);
    }
}

#[test]
fn a_call_shows_its_events_and_its_path() {
    let text = told(&[
        "call",
        "--demo",
        "--from",
        "1001@acme.example",
        "--to",
        "1004",
    ]);
    let position = |wanted: &str| {
        text.find(wanted)
            .unwrap_or_else(|| panic!("no {wanted:?} in\n{text}"))
    };
    assert!(position("CHANNEL_CREATE") < position("CHANNEL_PARK"));
    assert!(position("CHANNEL_PARK") < position("CHANNEL_ANSWER"));
    assert!(position("CHANNEL_ANSWER") < position("CHANNEL_HANGUP_COMPLETE"));
    let path = position("The path it took");
    assert!(path < position("callflow ext-1004, found by number"));
    assert!(path < position("rings sip:1004@127.0.0.14:5060: USER_BUSY (SIP 486)"));
    assert!(path < position("USER_BUSY: device"));
    assert!(path < position("rings sip:1000@127.0.0.10:5060: answered"));
    assert!(text.contains("SIP 200; NORMAL_CLEARING"), "{text}");
}

#[test]
fn a_decision_explained_is_the_decision_made() {
    let question = [
        "--demo",
        "--from",
        "1003@acme.example",
        "--to",
        "1002",
        "--by",
    ];
    for (by, name) in [("socket", "O'Brien, ]${x}"), ("park", "Zoë")] {
        let mut explain = vec!["route", "--json", "--caller-name", name];
        explain.extend(&question[..5]);
        let explained: serde_json::Value = serde_json::from_str(&told(&explain)).unwrap();
        assert_eq!(explained["account_id"], "acme");
        assert_eq!(explained["callflow_id"], "ext-1002");
        let result = &explained["result"];
        assert_eq!(result["legs"][0]["device_id"], "bob-desk");
        let dial = result["dial_string"].as_str().unwrap();

        let mut live = vec!["call", "--full", "--caller-name", name];
        live.extend(question);
        live.push(by);
        let text = told(&live);
        assert!(
            text.contains(&format!("rings {dial}: answered")),
            "{dial}\n{text}"
        );
        for variable in result["aleg_variables"].as_array().unwrap() {
            let (name, value) = (variable[0].as_str().unwrap(), variable[1].as_str().unwrap());
            assert!(
                text.contains(&format!("set {name}={value}")),
                "{name}: {text}"
            );
        }
    }
}

#[test]
fn a_call_leaves_the_store_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store").display().to_string();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/demo/globex.jsonl");
    told(&["import", "--store", &store, file]);
    let before = told(&["export", "--store", &store]);
    let question = ["--store", &store, "--from", "hank-desk", "--to", "1002"];
    for (phones, end) in [("answer", "answered by"), ("busy", "SIP 486; USER_BUSY")] {
        let mut call = vec!["call", "--phones", phones];
        call.extend(question);
        let text = told(&call);
        assert!(
            text.contains("simulated phones stand in: hank-desk, ivy-desk"),
            "{text}"
        );
        assert!(text.contains(end), "{text}");
    }
    assert_eq!(told(&["export", "--store", &store]), before);
    assert_eq!(
        told(&["registrations", "--store", &store]),
        "nobody is registered\n"
    );
    // Without simulated phones nobody is there.
    let mut route = vec!["route"];
    route.extend(question);
    let text = told(&route);
    assert!(text.contains("not_registered"), "{text}");
}

#[test]
fn questions_that_have_no_answer() {
    let output = run(&["route", "--demo", "--from", "1001", "--to", "1002"]);
    assert_eq!(output.status.code(), Some(64));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("--account or --realm"), "{error}");
    let output = run(&[
        "route", "--demo", "--from", "1", "--to", "2", "--realm", "nowhere",
    ]);
    assert_eq!(output.status.code(), Some(65));
}
