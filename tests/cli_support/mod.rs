//! A daemon as a service manager runs it, and commands typed beside it.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise, its helpers included; not every test needs every helper"
)]

use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Far longer than anything here takes; only a daemon that hangs gets there.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a store and a configuration, and a service manager who listens.
pub struct Bench {
    pub folder: tempfile::TempDir,
    manager: UnixDatagram,
    settings: String,
}

impl Bench {
    /// `settings` go behind those of the store.
    pub fn new(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manager = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        let bench = Self {
            folder,
            manager,
            settings: settings.to_owned(),
        };
        let text = format!(
            "[store]\npath = '{}'\n[handoff]\nlisten = '127.0.0.1:0'\ndrain_s = 1\n{}",
            bench.store().display(),
            bench.settings
        );
        std::fs::write(bench.config(), text).unwrap();
        bench
    }

    pub fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("linefinder.toml")
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_linefinder"));
        command
            .env_clear()
            .env("LINEFINDER_CONFIG", self.config())
            .current_dir(self.folder.path())
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    pub fn feed(&self, arguments: &[&str], text: &str) -> Ran {
        let mut child = self.spawn(arguments);
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        drop(stdin);
        Ran::of(child.wait_with_output().unwrap())
    }

    /// With all three streams in the test's hands.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Starts the daemon, in another folder than the commands', and waits until it is ready.
    pub fn serve(&self) -> Running {
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let mut command = self.command(&["serve"]);
        let child = command
            .current_dir("/")
            .env("NOTIFY_SOCKET", self.folder.path().join("notify"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let running = Running(child);
        let end = Instant::now() + PATIENCE;
        let mut buffer = [0; 4096];
        while Instant::now() < end {
            let length = self
                .manager
                .recv(&mut buffer)
                .unwrap_or_else(|_| panic!("the daemon is silent: {}", self.log()));
            if String::from_utf8_lossy(buffer.get(..length).unwrap()).contains("READY=1") {
                return running;
            }
        }
        panic!("the daemon is not ready: {}", self.log());
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// What came of a command.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Panics unless it went well.
    #[track_caller]
    pub fn good(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// As JSON, if it went well.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.good()).unwrap()
    }
}

/// A daemon that doesn't outlive its test.
pub struct Running(Child);

impl Running {
    pub fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Asks it to stop, and waits for its end.
    pub fn stop(mut self) -> i32 {
        self.signal("TERM");
        self.0.wait().unwrap().code().unwrap_or(-1)
    }

    /// As a power failure ends it.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a file is there, with these rights.
pub fn mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let found = std::fs::symlink_metadata(path).ok()?;
    Some(found.permissions().mode() & 0o777)
}
