//! The commands that work on a store, through the real binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use linefinder::store::{Store, StoreSettings};

const GOOD: &str = r#"{"type":"account","account_id":"acme","id":"acme","name":"Acme","realm":"acme.example"}
{"type":"device","account_id":"acme","id":"desk","name":"Desk","sip":{"username":"1001","password":"secret-1001"}}
{"type":"callflow","account_id":"acme","id":"ext","numbers":["1001"],"flow":{"module":"device","data":{"id":"desk"},"children":{}}}
"#;

/// Line 1 is good; each of the others has one mistake.
const BAD: &str = r#"{"type":"account","account_id":"acme","id":"acme","name":"Acme","realm":"acme.example"}
{"type":"device","account_id":"acme","id":"a","name":"A","sip":{"invite_format":"sideways"}}
{"type":"teapot","account_id":"acme","id":"b"}
{"type":"device","account_id":"acme","id":"c"
{"type":"device","account_id":"acme","id":"d","name":"D","sip":{"username":7}}
{"type":"device","account_id":"acme","id":"e/f","name":"E"}
"#;

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_linefinder"));
        command
            .env_clear()
            .env("LINEFINDER_STORE__PATH", self.store())
            .current_dir(self.folder.path())
            .args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn feed(&self, arguments: &[&str], text: &str) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Documents as parsed lines, so that spacing doesn't matter.
fn documents(text: &str) -> Vec<serde_json::Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn what_is_imported_is_exported() {
    let bench = Bench::new();
    bench.file("good.jsonl", GOOD);
    let imported = bench.run(&["import", "good.jsonl"]);
    assert_eq!(code(&imported), 0, "{}", stderr(&imported));
    assert!(
        stdout(&imported).contains("3 documents imported"),
        "{}",
        stdout(&imported)
    );

    let exported = bench.run(&["export"]);
    assert_eq!(code(&exported), 0, "{}", stderr(&exported));
    let mut given = documents(GOOD);
    let mut found = documents(&stdout(&exported));
    assert_eq!(found[0]["type"], "account");
    let by_id = |document: &serde_json::Value| document["id"].to_string();
    given.sort_by_key(by_id);
    found.sort_by_key(by_id);
    assert_eq!(found, given);

    // The export is an import for another store.
    let other = Bench::new();
    let again = other.feed(&["import", "-"], &stdout(&exported));
    assert_eq!(code(&again), 0, "{}", stderr(&again));
    assert_eq!(stdout(&other.run(&["export"])), stdout(&exported));

    let to_file = bench.run(&["export", "copy.jsonl"]);
    assert_eq!(code(&to_file), 0);
    let copy = std::fs::read_to_string(bench.folder.path().join("copy.jsonl")).unwrap();
    assert_eq!(copy, stdout(&exported));
}

/// The line numbers and fields of `FILE:LINE: field: expected`.
fn places<'a>(text: &'a str, file: &str) -> Vec<(usize, &'a str)> {
    let start = format!("{file}:");
    text.lines()
        .filter_map(|line| {
            let (number, rest) = line.strip_prefix(&start)?.split_once(": ")?;
            let (field, expected) = rest.split_once(": ")?;
            assert!(!expected.is_empty());
            Some((number.parse().ok()?, field))
        })
        .collect()
}

#[test]
fn mistakes_are_told_by_file_line_and_field_and_nothing_is_imported() {
    let bench = Bench::new();
    bench.file("bad.jsonl", BAD);
    let output = bench.run(&["import", "bad.jsonl"]);
    assert_eq!(code(&output), 65);
    let told = stderr(&output);
    let places = places(&told, "bad.jsonl");
    let lines: Vec<usize> = places.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6], "{told}");
    assert_eq!(places[0].1, "sip.invite_format", "{told}");
    assert_eq!(places[1].1, "type", "{told}");
    assert_eq!(places[2].1, "line", "{told}");
    assert_eq!(places[3].1, "sip.username", "{told}");
    assert_eq!(places[4].1, "id", "{told}");
    assert_eq!(stdout(&bench.run(&["export"])), "");
}

#[test]
fn keep_going_imports_the_good_lines() {
    let bench = Bench::new();
    let output = bench.feed(&["import", "--keep-going", "-"], BAD);
    assert_eq!(code(&output), 65);
    assert_eq!(places(&stderr(&output), "-").len(), 5);
    assert!(
        stdout(&output).contains("1 document imported"),
        "{}",
        stdout(&output)
    );
    assert_eq!(stdout(&bench.run(&["export"])).lines().count(), 1);
}

#[test]
fn files_that_are_not_there() {
    let bench = Bench::new();
    let output = bench.run(&["import", "missing.jsonl"]);
    assert_eq!(code(&output), 66);
    assert!(
        stderr(&output).contains("missing.jsonl"),
        "{}",
        stderr(&output)
    );

    bench.feed(&["import", "-"], GOOD);
    let output = bench.run(&["export", "no/such/folder.jsonl"]);
    assert_eq!(code(&output), 73);
    assert!(stderr(&output).contains("no/such/folder.jsonl"));
}

#[test]
fn a_name_that_is_mistyped_imports_nothing_and_makes_no_store() {
    let bench = Bench::new();
    bench.file("good.jsonl", GOOD);
    for wrong in ["missing.jsonl", "."] {
        let output = bench.run(&["import", "good.jsonl", wrong]);
        assert_eq!(code(&output), 66, "{}", stderr(&output));
        assert!(stderr(&output).contains(&format!("linefinder: {wrong}: ")));
        assert!(!bench.store().exists());
    }
}

#[test]
fn an_export_with_its_passwords_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    bench.feed(&["import", "-"], GOOD);
    let output = bench.run(&["export", "backup.jsonl"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let file = bench.file("probe", "").with_file_name("backup.jsonl");
    let mode = file.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

#[test]
fn a_pattern_that_never_matches_is_found() {
    let bench = Bench::new();
    let flow = r#"{"type":"callflow","account_id":"acme","id":"odd","patterns":["^1","((("],"flow":{"module":"noop","data":{},"children":{}}}"#;
    bench.feed(&["import", "-"], &format!("{GOOD}{flow}\n"));
    let output = bench.run(&["check"]);
    assert_eq!(code(&output), 65, "{}", stdout(&output));
    let told = stdout(&output);
    assert!(told.contains("patterns.1: \"(((\" never matches"), "{told}");
    assert!(!told.contains("patterns.0"), "{told}");
}

#[test]
fn a_store_in_use_by_another_process() {
    let bench = Bench::new();
    let settings = StoreSettings {
        path: bench.store(),
        ..StoreSettings::default()
    };
    let held = Store::open(&settings).unwrap();
    for arguments in [&["export"][..], &["import", "-"], &["check"], &["serve"]] {
        let output = bench.run(arguments);
        assert_eq!(code(&output), 75, "{arguments:?}: {}", stderr(&output));
        let told = stderr(&output);
        assert!(told.contains("in use by another process"), "{told}");
        assert!(told.contains("[store] path"), "{told}");
    }
    drop(held);
    assert_eq!(code(&bench.run(&["check"])), 0);
}

#[test]
fn a_path_that_can_be_no_store() {
    let bench = Bench::new();
    let file = bench.file("plain", "not a folder");
    let output = bench.run(&["import", "--store", &shown(&file), "-"]);
    assert!([73, 74].contains(&code(&output)), "{}", stderr(&output));
    assert!(stderr(&output).contains("plain"), "{}", stderr(&output));
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn check_reads_the_store_back() {
    let bench = Bench::new();
    bench.feed(&["import", "-"], GOOD);
    let output = bench.run(&["check"]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    assert!(stdout(&output).contains("nothing wrong was found"));
    let output = bench.run(&["check", "--json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["store"], serde_json::json!([]));
}

#[test]
fn nobody_is_registered() {
    let bench = Bench::new();
    bench.feed(&["import", "-"], GOOD);
    let output = bench.run(&["registrations"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output), "nobody is registered\n");
    let output = bench.run(&["registrations", "--json"]);
    assert_eq!(stdout(&output).trim(), "[]");
}

/// The one backup of a bench.
fn backup_of(bench: &Bench) -> PathBuf {
    let output = bench.run(&["backup", "list", "--json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["documents"], 3);
    PathBuf::from(list[0]["file"].as_str().unwrap())
}

#[test]
fn a_backup_is_made_verified_and_restored() {
    let bench = Bench::new();
    assert_eq!(
        stdout(&bench.run(&["backup", "list"])),
        "there are no backups\n"
    );
    bench.feed(&["import", "-"], GOOD);
    let before = stdout(&bench.run(&["export"]));
    let made = bench.run(&["backup", "create"]);
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    assert!(stdout(&made).contains("3 documents"), "{}", stdout(&made));
    let file = backup_of(&bench);
    assert!(file.starts_with(bench.folder.path().join("backups")));
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
    let verified = bench.run(&["backup", "verify", &shown(&file)]);
    assert_eq!(code(&verified), 0, "{}", stderr(&verified));

    bench.feed(
        &["import", "-"],
        r#"{"type":"device","account_id":"acme","id":"new","name":"New"}"#,
    );
    let refused = bench.run(&["backup", "restore", &shown(&file)]);
    assert_eq!(code(&refused), 73, "{}", stderr(&refused));
    assert!(stderr(&refused).contains("--force"), "{}", stderr(&refused));
    let restored = bench.run(&["backup", "restore", &shown(&file), "--force"]);
    assert_eq!(code(&restored), 0, "{}", stderr(&restored));
    assert!(stdout(&restored).contains("3 documents restored"));
    assert_eq!(stdout(&bench.run(&["export"])), before);
    assert_eq!(code(&bench.run(&["check"])), 0);
    // the store that was there is kept, whole
    let told = stdout(&restored);
    let kept = told.split_whitespace().last().unwrap();
    let old = stdout(&bench.run(&["export", "--store", kept]));
    assert!(old.contains("\"new\""), "{old}");

    // where there is no store, nothing has to be forced; and a backup is an import too
    let other = Bench::new();
    let restored = other.run(&["backup", "restore", &shown(&file)]);
    assert_eq!(code(&restored), 0, "{}", stderr(&restored));
    assert_eq!(stdout(&other.run(&["export"])), before);
    let third = Bench::new();
    let imported = third.run(&["import", &shown(&file)]);
    assert_eq!(code(&imported), 0, "{}", stderr(&imported));
    assert_eq!(stdout(&third.run(&["export"])), before);
}

#[test]
fn a_backup_that_is_not_whole_is_refused() {
    let bench = Bench::new();
    bench.feed(&["import", "-"], GOOD);
    bench.run(&["backup", "create"]);
    let file = backup_of(&bench);
    let good = std::fs::read(&file).unwrap();
    let export = stdout(&bench.run(&["export"]));
    let lines = good.split_inclusive(|byte| *byte == b'\n');
    let without_footer: Vec<u8> = lines.clone().take(4).flatten().copied().collect();
    let mut changed = good.clone();
    let at = good.windows(4).position(|part| part == b"Desk").unwrap();
    changed[at] ^= 1;
    for (bad, why) in [
        (without_footer, "cut"),
        (changed, "checksum"),
        (GOOD.as_bytes().to_vec(), "no backup"),
        (Vec::new(), "cut"),
    ] {
        let path = bench.folder.path().join("bad.jsonl");
        std::fs::write(&path, bad).unwrap();
        for arguments in [&["backup", "verify"][..], &["backup", "restore", "--force"]] {
            let mut arguments = arguments.to_vec();
            arguments.push("bad.jsonl");
            let output = bench.run(&arguments);
            assert_eq!(code(&output), 65, "{why}: {}", stderr(&output));
            assert!(stderr(&output).contains(why), "{}", stderr(&output));
        }
    }
    assert_eq!(code(&bench.run(&["backup", "verify", "gone.jsonl"])), 66);
    assert_eq!(stdout(&bench.run(&["export"])), export);
}

#[test]
fn compacting_keeps_everything_and_makes_the_file_smaller() {
    let bench = Bench::new();
    bench.feed(&["import", "-"], GOOD);
    for round in 0..15 {
        let flows: Vec<String> = (0..10)
            .map(|n| {
                let text = format!("{round}").repeat(3_000);
                format!(
                    r#"{{"type":"callflow","account_id":"acme","id":"f{n}","numbers":["2{n}"],"flow":{{"module":"noop","data":{{"t":"{text}"}},"children":{{}}}}}}"#
                )
            })
            .collect();
        let output = bench.feed(&["import", "-"], &flows.join("\n"));
        assert_eq!(code(&output), 0, "{}", stderr(&output));
    }
    let before = stdout(&bench.run(&["export"]));
    let output = bench.run(&["compact", "--json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let sizes: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let size = |name: &str| sizes[name].as_u64().unwrap();
    assert!(size("bytes_after") < size("bytes_before"), "{sizes}");
    assert_eq!(stdout(&bench.run(&["export"])), before);
    assert_eq!(code(&bench.run(&["check"])), 0);
    assert!(!bench.store().join("old").exists() && !bench.store().join("fresh").exists());
    assert_eq!(code(&Bench::new().run(&["compact"])), 66);
}

#[test]
fn who_holds_the_store_is_told() {
    let bench = Bench::new();
    let settings = StoreSettings {
        path: bench.store(),
        ..StoreSettings::default()
    };
    let _held = Store::open(&settings).unwrap();
    for arguments in [&["backup", "create"][..], &["compact"], &["export"]] {
        let output = bench.run(arguments);
        assert_eq!(code(&output), 75, "{arguments:?}: {}", stderr(&output));
        let pid = format!("pid {}", std::process::id());
        assert!(stderr(&output).contains(&pid), "{}", stderr(&output));
    }
}

#[test]
fn a_backup_brings_along_the_secret_that_its_passwords_need() {
    let bench = Bench::new();
    let made = bench.run(&["account", "create", "Acme", "--realm", "acme.example"]);
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    let made = bench.run(&["backup", "create", "--json"]);
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let file = PathBuf::from(made["file"].as_str().unwrap());
    let secret = std::fs::read(bench.folder.path().join("store.secret")).unwrap();
    // another machine, with an account of its own
    let other = Bench::new();
    other.run(&["account", "create", "Other", "--realm", "other.example"]);
    let restored = other.run(&["backup", "restore", &shown(&file), "--force"]);
    assert_eq!(code(&restored), 0, "{}", stderr(&restored));
    assert!(stdout(&restored).contains("store.secret.replaced"));
    let path = other.folder.path().join("store.secret");
    assert_eq!(std::fs::read(&path).unwrap(), secret);
    // once more: it is there already
    let restored = other.run(&["backup", "restore", &shown(&file), "--force"]);
    assert!(!stdout(&restored).contains("store.secret.replaced"));
    assert_eq!(std::fs::read(&path).unwrap(), secret);
}
