//! Commands that are typed while the daemon runs, through the real binary on both sides.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod cli_support;

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};

use cli_support::{Bench, Ran, mode};

const GOOD: &str = r#"{"type":"account","account_id":"acme","id":"acme","name":"Acme","realm":"acme.example"}
{"type":"device","account_id":"acme","id":"desk","name":"Desk","sip":{"username":"1001","password":"secret-1001"}}
{"type":"device","account_id":"acme","id":"bob","name":"Bob","sip":{"username":"1002","password":"secret-1002","invite_format":"route","route":"sip:bob@127.0.0.1:5099"}}
{"type":"callflow","account_id":"acme","id":"ext","numbers":["1002"],"flow":{"module":"device","data":{"id":"bob"},"children":{}}}
{"type":"number","account_id":"acme","id":"+12125550100","state":"in_service","used_by":"callflow"}
"#;

/// Thousands of documents, for files that are larger than what a socket holds.
fn many(count: usize) -> String {
    let mut text = GOOD.to_owned();
    for n in 0..count {
        let filler = "x".repeat(300);
        writeln!(text, r#"{{"type":"device","account_id":"acme","id":"d{n}","name":"D{n}","note":"{filler}","sip":{{"username":"u{n}","password":"secret"}}}}"#).unwrap();
    }
    text
}

#[test]
fn every_command_about_the_store_is_done_while_the_daemon_runs() {
    let bench = Bench::new("");
    let daemon = bench.serve();
    bench.file("good.jsonl", GOOD);
    // nothing is there yet
    assert_eq!(bench.run(&["export"]).good(), "");
    let told = bench.run(&["import", "good.jsonl"]).good();
    assert!(told.contains("good.jsonl: 5 documents imported"), "{told}");

    assert_eq!(
        bench.run(&["registrations"]).good(),
        "nobody is registered\n"
    );
    let told = bench
        .run(&["route", "--from", "1001", "--to", "1002"])
        .good();
    assert!(told.contains("bob@127.0.0.1:5099"), "{told}");
    let told = bench
        .run(&["route", "--inbound", "+12125550100", "--json"])
        .json();
    assert_eq!(told["account_id"], "acme");
    let told = bench
        .run(&["numbers", "who", "2125550100", "--json"])
        .json();
    assert_eq!(told["account_id"], "acme");
    assert_eq!(told["state"], "in_service");

    let changed = GOOD.lines().nth(1).unwrap().replace("Desk", "Table");
    let told = bench.feed(&["import", "-"], &changed).good();
    assert!(told.starts_with("-: 1 document imported"), "{told}");
    let told = bench.run(&["history", "device", "desk"]).good();
    assert!(told.contains(r#"name: "Desk" -> "Table""#), "{told}");
    bench
        .run(&["history", "device", "desk", "--undo", "1"])
        .good();
    let told = bench.run(&["export"]).good();
    assert!(
        told.contains(r#""Desk""#) && !told.contains("Table"),
        "{told}"
    );

    let made = bench.run(&["backup", "create", "--json"]).json();
    assert!(made["documents"].as_u64() >= Some(5), "{made}");
    let file = made["file"].as_str().unwrap();
    bench.run(&["backup", "verify", file]).good();
    let told = bench.run(&["check"]).good();
    assert!(told.contains("nothing wrong was found"), "{told}");

    bench.file("password", "open sesame\n");
    let create = [
        "account",
        "create",
        "Globex",
        "--realm",
        "globex.example",
        "--parent",
        "acme",
        "--admin",
        "joe",
        "--password-file",
        "password",
        "--json",
    ];
    let made = bench.run(&create).json();
    assert!(made["api_key"].as_str().unwrap().len() > 20, "{made}");
    let account = made["id"].as_str().unwrap();
    let told = bench.run(&["history", "account", account]);
    assert_eq!(told.code, 0, "{told:?}");

    // What it was asked is in the log, and no secret.
    let log = bench.log();
    for command in ["import", "route", "numbers", "history", "backup", "account"] {
        assert!(
            log.contains(&format!("\"command\":\"{command}\"")),
            "{command}: {log}"
        );
    }
    assert!(!log.contains("sesame"), "{log}");
    assert_eq!(daemon.stop(), 0, "{}", bench.log());
    // and it is all there afterwards
    let told = bench.run(&["export"]).good();
    assert!(told.contains("globex.example"), "{told}");
}

#[test]
fn mistakes_are_told_as_they_are_without_a_daemon() {
    let bench = Bench::new("");
    let commands: &[&[&str]] = &[
        &["import", "bad.jsonl"],
        &["import", "missing.jsonl"],
        &["import", "."],
        &["export", "no/such/folder.jsonl"],
        &["history", "device", "nobody"],
        &["history", "device", "desk", "--undo", "99"],
        &[
            "route",
            "--from",
            "1001",
            "--to",
            "1002",
            "--realm",
            "no.example",
        ],
        &["route", "--trunk", "nowhere", "+12125550100"],
        &["account", "create", "Other", "--parent", "nobody"],
        &[
            "account",
            "create",
            "Other",
            "--admin",
            "joe",
            "--password-file",
            "missing",
        ],
        &["check"],
    ];
    bench.file(
        "bad.jsonl",
        "{\"type\":\"teapot\",\"account_id\":\"acme\",\"id\":\"b\"}\n\nnonsense\n",
    );
    let flow = r#"{"type":"callflow","account_id":"acme","id":"odd","patterns":["((("],"flow":{"module":"teapot","data":{},"children":{}}}"#;
    bench
        .feed(&["import", "-"], &format!("{GOOD}{flow}\n"))
        .good();
    let run = |bench: &Bench| -> Vec<(i32, String, String)> {
        let all = commands.iter().map(|command| bench.run(command));
        all.map(|ran| (ran.code, ran.out, ran.err)).collect()
    };
    let without = run(&bench);
    let daemon = bench.serve();
    let with = run(&bench);
    daemon.stop();
    for ((command, without), with) in commands.iter().zip(without).zip(with) {
        assert_ne!(without.0, 0, "{command:?}");
        assert_eq!(with, without, "{command:?}");
    }
}

#[test]
fn files_are_those_of_who_typed_the_command() {
    let bench = Bench::new("");
    let daemon = bench.serve();
    let text = many(5_000);
    let folder = bench.folder.path();
    std::fs::create_dir(folder.join("elsewhere")).unwrap();
    std::fs::write(folder.join("elsewhere/many.jsonl"), &text).unwrap();
    let mut import = bench.command(&["import", "many.jsonl"]);
    let imported = import.current_dir(folder.join("elsewhere")).output();
    let told = Ran::of(imported.unwrap()).good();
    assert!(told.contains("5005 documents"), "{told}");

    let mut export = bench.command(&["export", "copy.jsonl"]);
    let exported = export.current_dir(folder.join("elsewhere")).output();
    let exported = Ran::of(exported.unwrap());
    assert!(
        exported.err.contains("copy.jsonl: 5005 documents"),
        "{exported:?}"
    );
    let copy = folder.join("elsewhere/copy.jsonl");
    assert_eq!(mode(&copy), Some(0o600));
    let streamed = bench.run(&["export"]).good();
    assert_eq!(std::fs::read_to_string(copy).unwrap(), streamed);
    assert_eq!(streamed.lines().count(), 5_005);
    // one that can't be written: nothing of it is left in the store's folder either
    let refused = bench.run(&["export", "missing/copy.jsonl"]);
    assert_eq!(refused.code, 73, "{refused:?}");
    daemon.stop();
    let names = std::fs::read_dir(bench.store()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    let left = names.iter().filter(|name| {
        let name = name.to_string_lossy();
        name.contains("spool") || name.contains("control")
    });
    assert_eq!(left.count(), 0, "{names:?}");
}

#[test]
fn who_goes_away_in_the_middle_disturbs_nobody() {
    let bench = Bench::new("");
    let daemon = bench.serve();
    bench.feed(&["import", "-"], &many(5_000)).good();
    let all = bench.run(&["export"]).good();
    for _ in 0..3 {
        let mut export = bench.spawn(&["export"]);
        let mut beginning = [0; 1000];
        let out = export.stdout.as_mut().unwrap();
        out.read_exact(&mut beginning).unwrap();
        export.kill().unwrap();
        export.wait().unwrap();
        // a pipe that is closed, as by `head`
        let mut export = bench.spawn(&["export"]);
        export
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut beginning)
            .unwrap();
        drop(export.stdout.take());
        let ended = Ran::of(export.wait_with_output().unwrap());
        assert_eq!((ended.code, ended.err.as_str()), (74, ""));
        // half an import is none
        let mut import = bench.spawn(&["import", "-"]);
        let line = r#"{"type":"device","account_id":"acme","id":"half","name":"Half"}"#;
        let stdin = import.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
        import.kill().unwrap();
        import.wait().unwrap();
    }
    assert_eq!(bench.run(&["export"]).good(), all);
    assert_eq!(daemon.stop(), 0, "{}", bench.log());
}

#[test]
fn nobody_waits_for_a_slow_import() {
    let bench = Bench::new("");
    let daemon = bench.serve();
    let mut slow = bench.spawn(&["import", "-"]);
    let mut stdin = slow.stdin.take().unwrap();
    stdin.write_all(GOOD.as_bytes()).unwrap();
    stdin.flush().unwrap();
    let other = r#"{"type":"account","account_id":"globex","id":"globex","name":"Globex"}"#;
    for _ in 0..3 {
        bench.feed(&["import", "-"], other).good();
        let told = bench.run(&["export"]).good();
        assert!(told.contains("Globex") && !told.contains("Acme"), "{told}");
    }
    drop(stdin);
    Ran::of(slow.wait_with_output().unwrap()).good();
    assert!(bench.run(&["export"]).good().contains("Acme"));
    daemon.stop();
}

#[test]
fn many_at_once() {
    let bench = Bench::new("");
    let daemon = bench.serve();
    bench.feed(&["import", "-"], &many(2_000)).good();
    let all = bench.run(&["export"]).good();
    std::thread::scope(|scope| {
        let exports: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| bench.run(&["export"])))
            .collect();
        let routes: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| bench.run(&["route", "--from", "1001", "--to", "1002"])))
            .collect();
        for export in exports {
            assert_eq!(export.join().unwrap().good(), all);
        }
        for route in routes {
            route.join().unwrap().good();
        }
    });
    // more than there are places are told so, and lose nothing
    let waiting: Vec<_> = (0..12).map(|_| bench.spawn(&["import", "-"])).collect();
    let mut codes = Vec::new();
    for mut import in waiting {
        let mut stdin = import.stdin.take().unwrap();
        // One that was turned away reads nothing any more.
        let _ = stdin.write_all(GOOD.as_bytes());
        drop(stdin);
        codes.push(Ran::of(import.wait_with_output().unwrap()).code);
    }
    assert!(codes.contains(&0), "{codes:?}");
    assert!(codes.iter().all(|code| [0, 75].contains(code)), "{codes:?}");
    daemon.stop();
}

#[test]
fn the_socket_is_its_owners_and_comes_and_goes_with_the_daemon() {
    let bench = Bench::new("");
    let socket = bench.store().join("control.sock");
    let daemon = bench.serve();
    assert_eq!(mode(&socket), Some(0o600));
    daemon.kill();
    // left over, and in nobody's way
    assert!(socket.exists());
    assert_eq!(bench.run(&["registrations"]).code, 0);
    let daemon = bench.serve();
    assert_eq!(mode(&socket), Some(0o600));
    bench.run(&["registrations"]).good();
    assert_eq!(daemon.stop(), 0, "{}", bench.log());
    assert_eq!(mode(&socket), None);
    assert_eq!(bench.run(&["registrations"]).code, 0);
}

#[test]
fn a_daemon_that_stops_ends_commands_that_wait() {
    let bench = Bench::new("");
    let daemon = bench.serve();
    let mut waiting = bench.spawn(&["import", "-"]);
    let mut stdin = waiting.stdin.take().unwrap();
    stdin.write_all(GOOD.as_bytes()).unwrap();
    // It is being served once the daemon has got its first piece: another comes and goes meanwhile.
    bench.run(&["registrations"]).good();
    assert_eq!(daemon.stop(), 0, "{}", bench.log());
    drop(stdin);
    let ended = Ran::of(waiting.wait_with_output().unwrap());
    // Either the daemon was asked and went away, or it came too late to ask.
    assert!([69, 75, 0].contains(&ended.code), "{ended:?}");
    let told = bench.run(&["export"]).good();
    assert_eq!(told.is_empty(), ended.code != 0, "{ended:?}");
}

#[test]
fn without_a_console_the_daemon_has_to_be_stopped() {
    let bench = Bench::new("[console]\nenabled = false\n");
    let daemon = bench.serve();
    assert_eq!(mode(&bench.store().join("control.sock")), None);
    let refused = bench.run(&["registrations"]);
    assert_eq!(refused.code, 75, "{refused:?}");
    assert!(refused.err.contains("[console] off"), "{refused:?}");
    daemon.stop();
}

#[test]
fn what_takes_the_store_itself_still_wants_the_daemon_stopped() {
    let bench = Bench::new("");
    let daemon = bench.serve();
    bench.feed(&["import", "-"], GOOD).good();
    let made = bench.run(&["backup", "create", "--json"]).json();
    let file = made["file"].as_str().unwrap();
    for command in [&["compact"][..], &["backup", "restore", file, "--force"]] {
        let refused = bench.run(command);
        assert_eq!(refused.code, 75, "{refused:?}");
        assert!(refused.err.contains("stop"), "{refused:?}");
    }
    daemon.stop();
    bench.run(&["backup", "restore", file, "--force"]).good();
}
