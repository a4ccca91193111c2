//! `linefinder history`, through the real binary.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::process::Command;

/// Standard output, standard error and the exit code.
fn linefinder(arguments: &[&str], store: &Path) -> (String, String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_linefinder"))
        .args(arguments)
        .arg("--store")
        .arg(store)
        .env_remove("LINEFINDER_CONFIG")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        text(&output.stdout),
        text(&output.stderr),
        output.status.code(),
    )
}

fn import(folder: &Path, store: &Path, name: &str, password: &str) {
    let lines = format!(
        "{{\"type\":\"account\",\"id\":\"acme\",\"name\":\"Acme\",\"realm\":\"acme.example\"}}\n\
         {{\"type\":\"device\",\"account_id\":\"acme\",\"id\":\"desk\",\"name\":\"{name}\",\
         \"sip\":{{\"username\":\"1001\",\"password\":\"{password}\"}}}}\n"
    );
    let file = folder.join("lines.jsonl");
    std::fs::write(&file, lines).unwrap();
    let (_, error, code) = linefinder(&["import", file.to_str().unwrap()], store);
    assert_eq!(code, Some(0), "{error}");
}

#[test]
fn a_change_is_shown_without_its_secrets_and_undone() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    import(folder.path(), &store, "Desk", "first-secret");
    let (text, ..) = linefinder(&["history", "device", "desk"], &store);
    assert!(text.contains("has no history"), "{text}");
    import(folder.path(), &store, "Table", "second-secret");
    let (text, _, code) = linefinder(&["history", "device", "desk"], &store);
    assert_eq!(code, Some(0));
    assert!(text.contains("changed by import"), "{text}");
    assert!(text.contains("name: \"Desk\" -> \"Table\""), "{text}");
    assert!(text.contains("sip.password: changed"), "{text}");
    assert!(!text.contains("secret"), "{text}");
    let undo = ["history", "device", "desk", "--undo", "1"];
    let (text, error, code) = linefinder(&undo, &store);
    assert_eq!(code, Some(0), "{error}");
    assert!(text.contains("that is revision 3"), "{text}");
    let (lines, ..) = linefinder(&["export"], &store);
    assert!(lines.contains("first-secret") && !lines.contains("second-secret"));
    let (text, ..) = linefinder(
        &["history", "device", "desk", "--account", "acme", "--json"],
        &store,
    );
    let rows: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(rows.pointer("/0/revision"), Some(&serde_json::json!(3)));
    assert_eq!(
        rows.pointer("/0/author/via"),
        Some(&serde_json::json!("cli"))
    );
}

#[test]
fn what_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    import(folder.path(), &store, "Desk", "secret");
    let (_, error, code) = linefinder(&["history", "device", "nobody"], &store);
    assert_eq!(code, Some(65));
    assert!(error.contains("--account"), "{error}");
    let undo = ["history", "device", "desk", "--undo", "9"];
    let (_, error, code) = linefinder(&undo, &store);
    assert_eq!(code, Some(65));
    assert!(
        error.contains("a revision that the history still has"),
        "{error}"
    );
    let (_, _, code) = linefinder(&["history", "teapot", "desk"], &store);
    assert_eq!(code, Some(64));
}
