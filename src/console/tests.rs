//! Both sides together, over a real socket.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::frame::{self, Hello, Kind};
use super::{Ask, AskError, Desk, Ended, Errand, Operator, PROTOCOL, Server, ask, socket};

/// Copies the file `from` to the file `to`, or does as it is told.
struct Copyist;

impl Operator for Copyist {
    fn perform(&self, ask: &Ask, desk: &mut dyn Desk) -> Ended {
        let file = |key: &str| ask.command.pointer(&format!("/copy/{key}"));
        let file = |key: &str| file(key).and_then(|path| path.as_str()).map(PathBuf::from);
        let (Some(from), Some(to)) = (file("from"), file("to")) else {
            panic!("not what it was asked for");
        };
        let mut copied = || -> std::io::Result<usize> {
            let mut lines = Vec::new();
            let mut reader = BufReader::new(desk.open(&from)?);
            while reader.read_until(b'\n', &mut lines)? > 0 {}
            drop(reader);
            let mut sink = desk.create(&to)?;
            sink.write_all(&lines)?;
            sink.keep()?;
            Ok(lines.len())
        };
        let (code, message) = match copied() {
            Ok(count) => (0, count.to_string()),
            Err(error) => (74, error.to_string()),
        };
        Ended { code, message }
    }
}

struct Bench {
    folder: tempfile::TempDir,
    shutdown: CancellationToken,
    server: tokio::task::JoinHandle<()>,
}

impl Bench {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shutdown = CancellationToken::new();
        let server = Server::bind(folder.path()).unwrap();
        let server = tokio::spawn(server.run(Arc::new(Copyist), shutdown.clone()));
        Self {
            folder,
            shutdown,
            server,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn ask(&self, errand: Errand) -> Result<Ended, AskError> {
        let store = self.folder.path().to_owned();
        tokio::task::spawn_blocking(move || ask(&store, errand))
            .await
            .unwrap()
    }

    async fn close(self) {
        self.shutdown.cancel();
        self.server.await.unwrap();
    }
}

fn copy(from: &Path, to: &Path) -> Errand {
    Errand {
        width: None,
        command: json!({"copy": {"from": from, "to": to}}),
        reads: vec![from.to_owned()],
        writes: vec![to.to_owned()],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_travel_both_ways_whole() {
    let bench = Bench::open();
    let (from, to) = (bench.path("from"), bench.path("to"));
    for size in [0, 1, frame::PIECE, 5 * frame::PIECE + 17] {
        let text: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        std::fs::write(&from, &text).unwrap();
        let ended = bench.ask(copy(&from, &to)).await.unwrap();
        assert_eq!((ended.code, ended.message), (0, size.to_string()));
        assert_eq!(std::fs::read(&to).unwrap(), text);
    }
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_used_is_told_as_the_client_knows_it() {
    let bench = Bench::open();
    let ended = bench
        .ask(copy(&bench.path("missing"), &bench.path("to")))
        .await
        .unwrap();
    assert_eq!(ended.code, 74);
    assert!(ended.message.contains("No such file"), "{}", ended.message);
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_touches_no_file_that_it_was_not_given() {
    let bench = Bench::open();
    let (from, to) = (bench.path("from"), bench.path("to"));
    std::fs::write(&from, "text").unwrap();
    // named in the command, and not among the files: as a daemon that can't be trusted might
    for (reads, writes) in [
        (vec![], vec![to.clone()]),
        (vec![from.clone()], vec![]),
        (vec![to.clone()], vec![from.clone()]),
        (vec![from.clone(), to.clone()], vec![]),
    ] {
        let errand = Errand {
            reads,
            writes,
            ..copy(&from, &to)
        };
        let ended = bench.ask(errand).await.unwrap();
        assert_eq!(ended.code, 74, "{}", ended.message);
        assert!(!to.exists());
    }
    assert_eq!(std::fs::read(&from).unwrap(), b"text");
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_one_command_ends_that_command_alone() {
    let bench = Bench::open();
    let ended = bench.ask(Errand::default()).await.unwrap();
    assert_eq!(ended.code, 70);
    let (from, to) = (bench.path("from"), bench.path("to"));
    std::fs::write(&from, "text").unwrap();
    assert_eq!(bench.ask(copy(&from, &to)).await.unwrap().code, 0);
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_are_told_to_come_again_and_a_stop_waits_for_nobody() {
    let bench = Bench::open();
    // so many that say nothing
    let silent: Vec<UnixStream> = (0..8)
        .map(|_| {
            let mut stream = socket::connect(bench.folder.path()).unwrap();
            frame::put_json(&mut stream, Kind::Hello, &Hello::ours()).unwrap();
            frame::take(&mut stream).unwrap();
            stream
        })
        .collect();
    let ended = bench.ask(Errand::default()).await.unwrap();
    assert_eq!(ended.code, 75);
    assert!(ended.message.contains("try again"), "{}", ended.message);
    bench.close().await;
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_a_command_that_waits_for_its_client() {
    let bench = Bench::open();
    let mut stream = socket::connect(bench.folder.path()).unwrap();
    frame::put_json(&mut stream, Kind::Hello, &Hello::ours()).unwrap();
    frame::take(&mut stream).unwrap();
    let asked = Ask {
        width: None,
        files: vec!["a".into(), "b".into()],
        command: json!({"copy": {"from": "a", "to": "b"}}),
    };
    frame::put_json(&mut stream, Kind::Ask, &asked).unwrap();
    assert_eq!(frame::take(&mut stream).unwrap().kind, Kind::Read);
    bench.close().await;
    assert!(frame::take(&mut stream).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_is_told_so() {
    let bench = Bench::open();
    let mut stream = socket::connect(bench.folder.path()).unwrap();
    let later = Hello {
        protocol: PROTOCOL + 1,
        version: "9.9.9".to_owned(),
    };
    frame::put_json(&mut stream, Kind::Hello, &later).unwrap();
    let hello: Hello = frame::take(&mut stream).unwrap().json().unwrap();
    assert_eq!(hello, Hello::ours());
    assert!(frame::take(&mut stream).is_err());
    bench.close().await;

    // the same from the other side
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    frame::put_json(&mut theirs, Kind::Hello, &later).unwrap();
    let error = super::client::converse(ours, Errand::default()).unwrap_err();
    assert!(error.to_string().contains("9.9.9"), "{error}");
    assert!(error.to_string().contains("restart"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_goes_away_in_the_middle() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    frame::put_json(&mut theirs, Kind::Hello, &Hello::ours()).unwrap();
    frame::put(&mut theirs, Kind::Err, b"").unwrap();
    drop(theirs);
    let error = super::client::converse(ours, Errand::default()).unwrap_err();
    assert!(matches!(error, AskError::Lost(_)), "{error:?}");
}
