//! Resources of the API over HTTP, against a daemon on a port: transcripts in `api_resources/`, in the form of the API's
//! vectors (`tests/vectors/api.rs`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, its helpers included"
)]

#[path = "vectors/api.rs"]
mod api;
#[path = "vectors/api_daemon.rs"]
mod api_daemon;
#[path = "vectors/api_matchers.rs"]
#[allow(
    dead_code,
    reason = "the suites try their matchers before they use them"
)]
mod api_matchers;
#[path = "vectors/suite.rs"]
#[allow(
    dead_code,
    reason = "the suites count their cases; here each file is a test"
)]
mod suite;

use serde_json::Value;

#[test]
fn transcripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api_resources");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let (mut steps, mut wrong) = (0, Vec::new());
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let file: Value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for case in api::cases(&file) {
            steps += 1;
            let name = case["name"].as_str().unwrap().to_owned();
            wrong.extend(
                api::run(&file, &case)
                    .into_iter()
                    .map(|line| format!("{name}: {line}")),
            );
        }
        // the next file starts with a daemon of its own
        api::end();
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(steps > 50, "{steps}");
}
