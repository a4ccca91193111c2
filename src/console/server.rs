//! The daemon's side: takes clients, a bounded number at a time, each on a thread that may block.

use std::fs;
use std::io;
use std::net::Shutdown;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::unix::UCred;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::frame::{self, Hello, Kind};
use super::remote::Remote;
use super::socket::{Bound, ConsoleError};
use super::{Ask, Ended, Operator, PROTOCOL};

/// Commands at once; calls have the machine's time first.
const CLIENTS: usize = 8;

/// For a client to say what it wants.
const GREETING: Duration = Duration::from_secs(10);

/// For a client's next piece of a file, or for it to read what it is sent: somebody may be reading it in a pager.
const PATIENCE: Duration = Duration::from_secs(600);

/// After a client could not be accepted, for want of file handles most likely.
const PAUSE: Duration = Duration::from_millis(200);

/// As sysexits.h numbers "try again" and "a fault of ours".
const TRY_AGAIN: u8 = 75;
const FAULT: u8 = 70;

/// A bound console, which takes clients once it is run. Its socket is removed with it.
pub struct Server {
    bound: Bound,
    store: PathBuf,
}

#[derive(Clone)]
struct Room {
    store: Arc<Path>,
    operator: Arc<dyn Operator>,
}

impl Server {
    /// Listens in the folder of a store that this process has open.
    ///
    /// # Errors
    /// The folder can't be written.
    pub fn bind(store: &Path) -> Result<Self, ConsoleError> {
        Ok(Self {
            bound: Bound::bind(store)?,
            store: store.to_owned(),
        })
    }

    /// Takes clients until `shutdown` is cancelled; their connections are closed then, and their commands waited for.
    pub async fn run(self, operator: Arc<dyn Operator>, shutdown: CancellationToken) {
        let owner = fs::metadata(&self.store).map(|found| found.uid());
        let listener = self
            .bound
            .listener()
            .and_then(tokio::net::UnixListener::from_std);
        let (listener, owner) = match (listener, owner) {
            (Ok(listener), Ok(owner)) => (listener, owner),
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!(%error, "no console; commands need the daemon stopped");
                return;
            }
        };
        let room = Room {
            store: self.store.as_path().into(),
            operator,
        };
        let places = Arc::new(Semaphore::new(CLIENTS));
        let clients = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let accepted = accepted.and_then(|(stream, _)| {
                let who = stream.peer_cred()?;
                Ok((stream.into_std()?, who))
            });
            let (stream, who) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a client of the console was not accepted");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            // The socket's own rights say so already.
            if who.uid() != owner && who.uid() != 0 {
                tracing::warn!(uid = who.uid(), "the console is not for this user");
                continue;
            }
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                turn_away(stream);
                continue;
            };
            let (room, shutdown) = (room.clone(), shutdown.clone());
            clients.spawn(async move {
                room.receive(stream, who, &shutdown).await;
                drop(place);
            });
        }
        clients.close();
        clients.wait().await;
    }
}

/// Tells a client that there is no place. What it is told fits into the socket's buffer, so nothing waits.
fn turn_away(mut stream: UnixStream) {
    let ended = Ended {
        code: TRY_AGAIN,
        message: format!("the daemon does {CLIENTS} commands already; try again"),
    };
    let told = frame::put_json(&mut stream, Kind::Hello, &Hello::ours())
        .and_then(|()| frame::put_json(&mut stream, Kind::Ended, &ended));
    if let Err(error) = told {
        tracing::debug!(%error, "a client of the console was not told that there is no place");
    }
}

impl Room {
    async fn receive(&self, stream: UnixStream, who: UCred, shutdown: &CancellationToken) {
        let room = self.clone();
        let interrupt = stream.try_clone();
        let mut served = tokio::task::spawn_blocking(move || room.serve(stream, who));
        let served = tokio::select! {
            served = &mut served => served,
            () = shutdown.cancelled() => {
                // Whatever it reads or writes next fails.
                if let Ok(stream) = interrupt {
                    let _ = stream.shutdown(Shutdown::Both);
                }
                served.await
            }
        };
        match served {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a client of the console is gone"),
            Err(error) => tracing::error!(%error, "a client of the console was not served"),
        }
    }

    fn serve(&self, mut stream: UnixStream, who: UCred) -> io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(GREETING))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let hello: Hello = frame::take(&mut stream)?.json()?;
        frame::put_json(&mut stream, Kind::Hello, &Hello::ours())?;
        if hello.protocol != PROTOCOL {
            tracing::warn!(
                client = hello.version,
                protocol = hello.protocol,
                "a client of another version came to the console"
            );
            return Ok(());
        }
        let ask: Ask = frame::take(&mut stream)?.json()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let since = Instant::now();
        let files = ask.files.clone();
        let mut desk = Remote::new(stream, files, ask.width, self.store.to_path_buf());
        let perform = std::panic::AssertUnwindSafe(|| self.operator.perform(&ask, &mut desk));
        let ended = std::panic::catch_unwind(perform).unwrap_or_else(|_| Ended {
            code: FAULT,
            message: "the command failed by a fault of linefinder; the daemon's log says where"
                .to_owned(),
        });
        tracing::info!(
            command = name(&ask),
            uid = who.uid(),
            pid = who.pid(),
            code = ended.code,
            elapsed_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
            "a command from the console"
        );
        frame::put_json(&mut desk.into_stream(), Kind::Ended, &ended)
    }
}

/// What serde calls the subcommand.
fn name(ask: &Ask) -> Option<&str> {
    let of_object = ask.command.as_object();
    let key = of_object.and_then(|object| object.keys().next());
    key.map(String::as_str).or_else(|| ask.command.as_str())
}
