//! The configuration: layers, mistakes, secrets, and the file that is shipped.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

use std::path::{Path, PathBuf};

use linefinder::config::{Config, ConfigError, Origin, Problem};
use linefinder::types::NodeName;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = pairs.iter();
    owned
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

fn load(text: &str, pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let folder = Folder::new();
    let file = folder.file("linefinder.toml", text);
    Config::from_layers(Some(&file), environment(pairs))
}

fn problems(text: &str, pairs: &[(&str, &str)]) -> Vec<Problem> {
    match load(text, pairs) {
        Err(ConfigError::Invalid(problems)) => problems,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was accepted"),
    }
}

/// The only problem: where (line or variable), setting, text.
fn problem(text: &str, pairs: &[(&str, &str)]) -> (String, String, String) {
    let found = problems(text, pairs);
    assert_eq!(found.len(), 1, "{found:?}");
    let at = match &found[0].origin {
        Origin::File { line, .. } => format!("line {line}"),
        other => other.to_string(),
    };
    (at, found[0].setting.clone(), found[0].expected.clone())
}

#[test]
fn an_empty_file_and_none_at_all_serve_a_single_machine() {
    for config in [
        load("", &[]).unwrap(),
        Config::from_layers(None, Vec::new()).unwrap(),
    ] {
        assert!(config.nodes.is_empty());
        assert!(config.handoff.socket);
        assert_eq!(config.handoff.listen.to_string(), "127.0.0.1:8084");
        assert_eq!(config.store.path, Path::new("/var/lib/linefinder/store"));
        assert_eq!(config.routing.bridge_timeout_s, 20);
    }
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = "[routing]\nbridge_timeout_s = 30\nsip_profile = 'a'\n[nodes.fs-1]\npassword = 'from file'\n";
    let config = load(
        text,
        &[
            ("LINEFINDER_ROUTING__BRIDGE_TIMEOUT_S", "25"),
            ("LINEFINDER_ROUTING__LOOPBACK_CODECS", "[PCMU, OPUS]"),
            ("LINEFINDER_NODES__FS_1__PASSWORD", "007"),
            ("LINEFINDER_NODES__FS2__PASSWORD", "true"),
            ("LINEFINDER_NODES__FS2__SIP", "10.0.0.6:5060"),
            ("LINEFINDER_HANDOFF__PARK", "false"),
            // No section, so no settings.
            ("LINEFINDER_LIVE", "/opt/freeswitch"),
            ("LINEFINDER_CONFIG", "elsewhere"),
        ],
    )
    .unwrap();
    assert_eq!(config.routing.bridge_timeout_s, 25);
    assert_eq!(config.routing.sip_profile, "a");
    assert_eq!(config.routing.loopback_codecs, ["PCMU", "OPUS"]);
    assert!(!config.handoff.park);
    let password = |name: &str| {
        let node = &config.nodes[&NodeName::new(name).unwrap()];
        node.password.as_ref().unwrap().expose().to_owned()
    };
    // Digits and words stay the text that they are.
    assert_eq!(password("fs-1"), "007");
    assert_eq!(password("fs2"), "true");
    assert_eq!(
        config.routing.nodes[&NodeName::new("fs2").unwrap()],
        "10.0.0.6:5060"
    );
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_name() {
    let (at, setting, expected) = problem("[handoff]\n\nlisen = '127.0.0.1:1'\n", &[]);
    assert_eq!((at.as_str(), setting.as_str()), ("line 3", "handoff.lisen"));
    assert_eq!(expected, "unknown key; did you mean listen?");

    let (at, setting, expected) = problem("", &[("LINEFINDER_LOG__LEVLE", "info")]);
    assert_eq!(
        (at.as_str(), setting.as_str()),
        ("LINEFINDER_LOG__LEVLE", "log.levle")
    );
    assert_eq!(expected, "unknown key; did you mean level?");

    let (_, _, expected) = problem("[log]\ncolour = 1\n", &[]);
    assert_eq!(expected, "unknown key; there are format, level");

    let (_, _, expected) = problem("[routing.nodes]\nfs1 = 'x:1'\n", &[]);
    assert!(expected.contains("[nodes.NAME]"), "{expected}");
    let (_, _, expected) = problem("[routing]\nrecording_dir = '/x'\n", &[]);
    assert!(expected.contains("no effect"), "{expected}");
}

#[test]
fn unknown_sections_too() {
    let (at, setting, expected) = problem("[rooting]\nsip_profile = 'a'\n", &[]);
    assert_eq!((at.as_str(), setting.as_str()), ("line 1", "rooting"));
    assert_eq!(expected, "unknown section; did you mean routing?");

    let (at, setting, expected) = problem("", &[("LINEFINDER_STOER__PATH", "/x")]);
    assert_eq!(
        (at.as_str(), setting.as_str()),
        ("LINEFINDER_STOER__PATH", "stoer")
    );
    assert_eq!(expected, "unknown section; did you mean store?");
}

#[test]
fn a_single_underscore_before_the_key_is_pointed_out() {
    let (at, _, expected) = problem("", &[("LINEFINDER_STORE_PATH", "/x")]);
    assert_eq!(at, "LINEFINDER_STORE_PATH");
    assert!(expected.contains("LINEFINDER_STORE__PATH"), "{expected}");
}

#[test]
fn every_mistake_is_reported_at_once() {
    let text = "\
[store]
path = 7
[handoff]
listen = 'nowhere'
max_calls = 0
allow = ['10.0.0.0/99']
[nodes.fs1]
adress = '10.0.0.1:8021'
password = 'x'
[nodes.fs2]
address = '10.0.0.1'
[log]
format = 'xml'
level = 'linefinder=loud'
";
    let found = problems(text, &[("LINEFINDER_ROUTING__BRIDGE_TIMEOUT_S", "soon")]);
    let told: Vec<String> = found
        .iter()
        .map(|p| match &p.origin {
            Origin::File { line, .. } => format!("{line}: {}: {}", p.setting, p.expected),
            other => format!("{other}: {}: {}", p.setting, p.expected),
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn not_toml() {
    let (at, setting, expected) = problem("[store]\npath = /var\n", &[]);
    assert_eq!((at.as_str(), setting.as_str()), ("line 2", ""));
    assert!(expected.starts_with("not TOML: "), "{expected}");
}

#[test]
fn a_file_that_cannot_be_read() {
    let folder = Folder::new();
    let missing = folder.0.path().join("missing.toml");
    let error = Config::from_layers(Some(&missing), Vec::new()).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }));
    assert!(error.to_string().contains("missing.toml"), "{error}");

    let binary = folder.0.path().join("binary.toml");
    std::fs::write(&binary, b"# caf\xe9\n").unwrap();
    let error = Config::from_layers(Some(&binary), Vec::new()).unwrap_err();
    assert!(error.to_string().contains("byte 5 is not UTF-8"), "{error}");

    // A folder is no file either.
    assert!(Config::from_layers(Some(folder.0.path()), Vec::new()).is_err());
}

#[test]
fn passwords_from_files_and_credentials() {
    let folder = Folder::new();
    let secret = folder.file("fs1.password", "from a file\nsecond line\n");
    folder.file("nodes.fs2.password", "from systemd\n");
    let text = format!(
        "[nodes.fs1]\npassword_file = '{}'\n[nodes.fs2]\n",
        secret.display()
    );
    let file = folder.file("linefinder.toml", &text);
    let credentials = folder.0.path().display().to_string();
    let config = Config::from_layers(
        Some(&file),
        environment(&[("CREDENTIALS_DIRECTORY", &credentials)]),
    )
    .unwrap();
    let passwords: Vec<_> = config
        .nodes
        .values()
        .map(|node| node.password.as_ref().unwrap().expose())
        .collect();
    assert_eq!(passwords, ["from a file", "from systemd"]);
    let shown = config.show();
    assert!(shown.contains("credential nodes.fs2.password"), "{shown}");
    assert!(
        !shown.contains("from systemd") && !shown.contains("from a file"),
        "{shown}"
    );
}

#[test]
fn passwords_that_are_refused() {
    let (_, _, missing) = problem("[nodes.fs1]\n", &[]);
    assert!(missing.contains("nodes.fs1.password"), "{missing}");
    let (at, _, default) = problem("[nodes.fs1]\npassword = 'ClueCon'\n", &[]);
    assert_eq!(at, "line 2");
    assert!(default.contains("allow_default_password"), "{default}");
    let allowed = "[nodes.fs1]\npassword = 'ClueCon'\nallow_default_password = true\n";
    assert!(load(allowed, &[]).is_ok());
    let (_, _, both) = problem("[nodes.a]\npassword = 'x'\npassword_file = '/y'\n", &[]);
    assert!(both.contains("not both"), "{both}");
    let (_, _, lines) = problem("[nodes.a]\npassword = \"x\\ny\"\n", &[]);
    assert!(lines.contains("control character"), "{lines}");
    let (_, _, empty) = problem("[nodes.a]\npassword = ''\n", &[]);
    assert_eq!(empty, "is empty");
    // A number is a likely slip, and its digits must not be echoed.
    let (_, _, number) = problem("[nodes.a]\npassword = 31337\n", &[]);
    assert!(
        number.contains("text in quotes") && !number.contains("31337"),
        "{number}"
    );
}

#[test]
fn neither_debug_nor_show_tells_a_password() {
    let config = load("[nodes.a]\npassword = 'open sesame'\n", &[]).unwrap();
    for text in [
        format!("{config:?}"),
        config.show(),
        config.show_json().to_string(),
    ] {
        assert!(!text.contains("sesame"), "{text}");
        assert!(text.contains("(hidden)"), "{text}");
    }
}

#[test]
fn what_is_shown_can_be_read_back() {
    let config = load(
        "[handoff]\nlisten = '127.0.0.2:9000'\nallow = ['10.0.0.0/8']\n",
        &[],
    )
    .unwrap();
    let shown = config.show();
    let again = load(&shown, &[]).unwrap();
    assert_eq!(again.handoff, config.handoff);
    assert_eq!(again.routing, config.routing);
    assert_eq!(again.store, config.store);
    assert!(shown.contains("linefinder.toml:2"), "{shown}");
}

/// The shipped file as it is, and with its commented keys put in force.
fn shipped() -> (String, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/linefinder.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let is_key = |line: &str| {
        let name = line.split(" = ").next().unwrap();
        let bare = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        line.contains(" = ") && (bare || name.starts_with('"'))
    };
    let active: Vec<&str> = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if is_key(rest) || rest.starts_with('[') => rest,
            _ => line,
        })
        .filter(|line| !line.starts_with("password_file"))
        .collect();
    (text.clone(), active.join("\n"))
}

#[test]
fn the_shipped_file_is_valid_and_documents_every_key() {
    let (text, active) = shipped();
    load(&text, &[]).unwrap();
    let config = load(&active, &[]).unwrap();
    for setting in &config.settings {
        let key = &setting.key;
        if key == "password_file" {
            assert!(text.contains("#password_file = "));
            continue;
        }
        assert!(
            matches!(setting.origin, Origin::File { .. }),
            "[{}] {key} is not in conf/linefinder.toml",
            setting.section
        );
    }
}

#[test]
fn the_shipped_file_tells_the_defaults() {
    let (_, active) = shipped();
    let told = load(&active, &[]).unwrap();
    let defaults = load("[nodes.fs1]\npassword = 'x'\n", &[]).unwrap();
    for (told, default) in told.settings.iter().zip(&defaults.settings) {
        assert_eq!((&told.section, &told.key), (&default.section, &default.key));
        // The file goes with the shipped dialplan, and says so.
        if told.key == "forward_context" {
            assert_eq!(told.value, "linefinder-forward");
            continue;
        }
        // It does not ring a busy callee twice.
        if told.key == "hunt_policy" {
            assert_eq!(told.value, "definitive");
            continue;
        }
        // An example, where the default is nothing.
        if default.value.is_null() || default.value == serde_json::json!({}) {
            continue;
        }
        assert_eq!(told.value, default.value, "[{}] {}", told.section, told.key);
    }
}

#[test]
fn each_key_of_the_shipped_file_has_a_comment_above_it() {
    let (text, _) = shipped();
    let mut commented = false;
    for line in text.lines() {
        if line.starts_with("# ") {
            commented = true;
        } else if line.is_empty() || line.starts_with('[') || line.starts_with("#[") {
            commented = line.starts_with("#[") && commented;
        } else if line.starts_with('#') && line.len() > 1 {
            assert!(commented, "no comment above {line}");
        }
    }
}
