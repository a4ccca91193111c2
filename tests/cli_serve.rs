//! The daemon as systemd runs it: ready, watched, told to stop; and what stops it from starting.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Far longer than anything here takes; only a daemon that hangs gets there.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service manager, a folder for the store, and the daemon if it was started.
struct Bench {
    folder: tempfile::TempDir,
    socket: UnixDatagram,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { folder, socket }
    }

    fn command(&self, settings: &str) -> Command {
        let config: PathBuf = self.folder.path().join("linefinder.toml");
        let store = self.folder.path().join("store");
        let text = format!("[store]\npath = '{}'\n{settings}", store.display());
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_linefinder"));
        command
            .env_clear()
            .env("NOTIFY_SOCKET", self.folder.path().join("notify"))
            .arg("--config")
            .arg(config)
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Waits for a message of the daemon that holds the text.
    fn told(&self, wanted: &str) -> String {
        let end = Instant::now() + PATIENCE;
        let mut buffer = [0; 4096];
        while Instant::now() < end {
            let length = self.socket.recv(&mut buffer).expect("the daemon is silent");
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.contains(wanted) {
                return text;
            }
        }
        panic!("nobody said {wanted}");
    }

    /// Waits until the daemon is ready and returns where it listens.
    fn ready(&self) -> SocketAddr {
        let text = self.told("READY=1");
        let words = text.split(|c: char| c.is_whitespace() || c == ',');
        let mut addresses = words.filter_map(|word| word.parse().ok());
        addresses.next().expect("the status names no address")
    }
}

/// A daemon that doesn't outlive its test.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for the end; code and log.
    fn end(&mut self) -> (i32, String) {
        let status = self.0.wait().unwrap();
        let mut log = String::new();
        self.0
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        (status.code().unwrap_or(-1), log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const ANY_PORT: &str = "[handoff]\nlisten = '127.0.0.1:0'\n";

#[test]
fn it_says_when_it_is_ready_and_stops_cleanly_when_told() {
    for signal in ["TERM", "INT"] {
        let bench = Bench::new();
        let mut daemon = Running::start(&mut bench.command(ANY_PORT));
        let address = bench.ready();
        TcpStream::connect(address).expect("it says that it is ready and isn't");
        daemon.signal(signal);
        bench.told("STOPPING=1");
        let (code, log) = daemon.end();
        assert_eq!(code, 0, "{log}");
        assert!(TcpStream::connect(address).is_err());
    }
}

#[test]
fn a_hangup_that_asks_for_new_settings_ends_no_calls() {
    let bench = Bench::new();
    let mut daemon = Running::start(&mut bench.command(ANY_PORT));
    let address = bench.ready();
    daemon.signal("HUP");
    // Signals of different kinds may overtake each other: the second is sent when the first was heard.
    let mut log = std::io::BufReader::new(daemon.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("SIGHUP") {
        line.clear();
        let read = std::io::BufRead::read_line(&mut log, &mut line).unwrap();
        assert_ne!(read, 0, "the daemon is gone");
    }
    TcpStream::connect(address).expect("it stopped listening");
    daemon.signal("TERM");
    assert_eq!(daemon.0.wait().unwrap().code(), Some(0));
}

#[test]
fn the_watchdog_is_fed() {
    let bench = Bench::new();
    let mut command = bench.command(ANY_PORT);
    command.env("WATCHDOG_USEC", "300000");
    let daemon = Running::start(&mut command);
    bench.ready();
    bench.told("WATCHDOG=1");
    bench.told("WATCHDOG=1");
    drop(daemon);
}

#[test]
fn a_port_that_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let bench = Bench::new();
    let settings = format!("[handoff]\nlisten = '{address}'\n");
    let output = bench.command(&settings).output().unwrap();
    assert_eq!(output.status.code(), Some(69), "{}", text(&output));
    let told = text(&output);
    assert!(told.contains("[handoff] listen"), "{told}");
    assert!(told.contains(&address.to_string()), "{told}");
}

#[test]
fn no_password_reaches_the_log() {
    // A node that greets and hears the password, so that the line with it goes out.
    let node = TcpListener::bind("127.0.0.1:0").unwrap();
    let bench = Bench::new();
    let settings = format!(
        "{ANY_PORT}[log]\nlevel = 'trace'\nformat = 'text'\n[nodes.fs1]\naddress = '{}'\npassword = 'opensesame'\n",
        node.local_addr().unwrap()
    );
    let mut daemon = Running::start(&mut bench.command(&settings));
    let (mut peer, _) = node.accept().unwrap();
    std::io::Write::write_all(&mut peer, b"Content-Type: auth/request\n\n").unwrap();
    let mut heard = Vec::new();
    let mut buffer = [0; 256];
    while !heard.ends_with(b"\n\n") {
        let length = peer.read(&mut buffer).unwrap();
        assert_ne!(length, 0, "it hung up before it gave the password");
        heard.extend_from_slice(&buffer[..length]);
    }
    assert!(String::from_utf8_lossy(&heard).contains("opensesame"));
    let refused = b"Content-Type: command/reply\nReply-Text: -ERR invalid\n\n";
    std::io::Write::write_all(&mut peer, refused).unwrap();
    drop(peer);
    bench.ready();
    daemon.signal("TERM");
    let (code, log) = daemon.end();
    assert_eq!(code, 0, "{log}");
    assert!(
        log.contains("password"),
        "the log does not say what is wrong: {log}"
    );
    assert!(!log.contains("opensesame"), "{log}");
}

#[test]
fn two_daemons_on_one_store() {
    let bench = Bench::new();
    let mut command = bench.command(ANY_PORT);
    let daemon = Running::start(&mut command);
    bench.ready();
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(75), "{}", text(&output));
    assert!(text(&output).contains("[store] path"), "{}", text(&output));
    drop(daemon);
}
