//! The rooms' order: a room uses only the rooms beneath it. The arrow points one way.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Room to the rooms that it may use; the same table as in the library's documentation.
fn allowed() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("types", &[][..]),
        ("esl", &["types"][..]),
        ("http", &[][..]),
        ("console", &[][..]),
        ("switch", &["esl", "types"][..]),
        ("documents", &["types"][..]),
        ("store", &["documents", "types"][..]),
        ("routing", &["documents", "types", "esl"][..]),
        (
            "trunks",
            &["routing", "store", "switch", "documents", "types", "esl"][..],
        ),
        (
            "callflow",
            &[
                "trunks",
                "routing",
                "store",
                "switch",
                "documents",
                "types",
                "esl",
            ][..],
        ),
        (
            "api",
            &[
                "http",
                "trunks",
                "routing",
                "store",
                "switch",
                "documents",
                "types",
                "esl",
            ][..],
        ),
        (
            "directory",
            &["http", "routing", "store", "documents", "types", "esl"][..],
        ),
        ("sim", &["esl", "types"][..]),
    ])
}

/// Rooms at the top, which wire the others together and may use all.
const TOP: &[&str] = &["cli", "config", "daemon", "telemetry", "lib", "main"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The rooms named behind `crate::` in a source text, comments left out. `use crate::{a::B, c}` names a and c.
fn rooms_used(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""))
        .collect::<Vec<_>>()
        .join("\n");
    let mut used = Vec::new();
    for (at, marker) in code.match_indices("crate::") {
        let rest = &code[at + marker.len()..];
        if let Some(list) = rest.strip_prefix('{') {
            used.extend(first_names(list));
        } else {
            used.push(name_at(rest));
        }
    }
    used
}

fn name_at(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// First names of a brace list, nested braces skipped.
fn first_names(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut item = String::new();
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name_at(std::mem::take(&mut item).trim())),
            _ => {}
        }
        if depth == 0 && c != ',' && c != '}' {
            item.push(c);
        }
    }
    names.push(name_at(item.trim()));
    names.retain(|name| !name.is_empty());
    names
}

fn room_of(path: &Path, root: &Path) -> String {
    let inside = path.strip_prefix(root).unwrap();
    let first = inside.components().next().unwrap();
    let name = first.as_os_str().to_string_lossy();
    name.trim_end_matches(".rs").to_owned()
}

#[test]
fn the_arrow_points_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 20, "no sources found in {}", root.display());
    let allowed = allowed();
    let mut wrong = Vec::new();
    for file in &files {
        let room = room_of(file, &root);
        if TOP.contains(&room.as_str()) {
            continue;
        }
        let Some(may_use) = allowed.get(room.as_str()) else {
            wrong.push(format!(
                "{}: the room {room} is not in the table",
                file.display()
            ));
            continue;
        };
        for used in rooms_used(&std::fs::read_to_string(file).unwrap()) {
            let known = allowed.contains_key(used.as_str()) || TOP.contains(&used.as_str());
            if known && used != room && !may_use.contains(&used.as_str()) {
                wrong.push(format!("{}: {room} may not use {used}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_store_names_sled() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let elsewhere: Vec<String> = files
        .iter()
        .filter(|file| room_of(file, &root) != "store")
        .filter(|file| std::fs::read_to_string(file).unwrap().contains("sled::"))
        .map(|file| file.display().to_string())
        .collect();
    assert!(elsewhere.is_empty(), "sled is named in {elsewhere:?}");
}

#[test]
fn the_reader_sees_what_it_should() {
    assert_eq!(rooms_used("use crate::esl::Event;"), ["esl"]);
    assert_eq!(
        rooms_used("use crate::{esl::{Event, Frame}, types::CallId, switch};"),
        ["esl", "types", "switch"]
    );
    assert_eq!(
        rooms_used("let x = crate::store::Store::open();"),
        ["store"]
    );
    assert!(rooms_used("// use crate::cli;").is_empty());
}
