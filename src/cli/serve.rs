//! `serve`: the daemon in the foreground, as systemd runs it.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Failure, Outcome};
use super::perform::Clerk;
use super::premises::Premises;
use crate::config::Config;
use crate::console;
use crate::daemon::{Daemon, StartError, Systemd};
use crate::store::Store;
use crate::telemetry;

/// For commands of operators to notice that their connection is closed.
const CLOSING: Duration = Duration::from_secs(5);

pub fn serve(file: Option<&Path>) -> Outcome {
    let config = Config::load(file)?;
    telemetry::start(&config.log).map_err(|error| Failure::new(Exit::Config, error))?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        config = config.file.as_ref().map(|path| path.display().to_string()),
        store = %config.store.path.display(),
        "linefinder starts"
    );
    let systemd = Systemd::from_environment();
    // a damaged store is built anew
    let outcome = systemd
        .patiently(|| Store::open_for_service(&config.store))
        .map_err(Failure::from)
        .and_then(|store| {
            let outcome = run(&config, store.clone(), &systemd);
            // the last one: makes a backup
            systemd.patiently(|| drop(store));
            outcome
        });
    if let Err(failure) = &outcome {
        tracing::error!(error = failure.message, "linefinder can't serve");
    }
    outcome
}

fn run(config: &Config, store: Store, systemd: &Systemd) -> Outcome {
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Software, format_args!("no runtime: {error}")))?;
    let outcome = runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let hurry = CancellationToken::new();
        listen_to_signals(&shutdown, &hurry)
            .map_err(|error| Failure::new(Exit::Software, format_args!("signals: {error}")))?;
        let daemon = Daemon::start(config, store, &shutdown)?;
        let console = Console::open(config, &daemon);
        daemon.run(systemd, &hurry).await;
        if let Some(console) = console {
            console.close().await;
        }
        Ok(())
    });
    // Commands that don't wait for their client any more, but for the disk, end first.
    systemd.patiently(|| drop(runtime));
    outcome
}

/// Commands of operators, as long as the daemon runs: also while it waits for its calls.
struct Console {
    closed: CancellationToken,
    task: JoinHandle<()>,
}

impl Console {
    /// None: it is switched off, or there is no place for its socket, which is no reason not to take calls.
    fn open(config: &Config, daemon: &Daemon) -> Option<Self> {
        if !config.console.enabled {
            return None;
        }
        let premises = Premises::of_daemon(config, daemon);
        let server = match console::Server::bind(premises.store.path()) {
            Ok(server) => server,
            Err(error) => {
                tracing::error!(%error, "commands about the store need the daemon stopped");
                return None;
            }
        };
        let closed = CancellationToken::new();
        let task = server.run(Arc::new(Clerk(premises)), closed.clone());
        Some(Self {
            task: tokio::spawn(task),
            closed,
        })
    }

    async fn close(self) {
        self.closed.cancel();
        match timeout(CLOSING, self.task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the console failed"),
            Err(_) => tracing::warn!("a command from the console is still at work; waiting for it"),
        }
    }
}

/// The first SIGTERM or SIGINT asks to stop, the second to hurry. SIGHUP means that the terminal is gone; without one
/// somebody expects the settings to be read anew, and is told that they are not.
fn listen_to_signals(shutdown: &CancellationToken, hurry: &CancellationToken) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let on_terminal = io::stderr().is_terminal();
    let (shutdown, hurry) = (shutdown.clone(), hurry.clone());
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hangup.recv() => {
                    if !on_terminal {
                        tracing::warn!(
                            "SIGHUP changes nothing: settings are read at the start only; restart for new ones"
                        );
                        continue;
                    }
                }
            }
            if shutdown.is_cancelled() {
                hurry.cancel();
            }
            shutdown.cancel();
        }
    });
    Ok(())
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let exit = match &error {
            StartError::Listen(listen)
                if listen.error.kind() == io::ErrorKind::PermissionDenied =>
            {
                Exit::NoPermission
            }
            StartError::Directory(listen)
                if listen.error.kind() == io::ErrorKind::PermissionDenied =>
            {
                Exit::NoPermission
            }
            StartError::Api(listen) if listen.error.kind() == io::ErrorKind::PermissionDenied => {
                Exit::NoPermission
            }
            StartError::Listen(_) | StartError::Directory(_) | StartError::Api(_) => {
                Exit::Unavailable
            }
            StartError::ApiFiles(_) => Exit::CantCreate,
            StartError::FirstAccount(_) => Exit::Config,
            StartError::Metrics(_) => Exit::Unavailable,
            StartError::Carriers(_) => Exit::Software,
            StartError::Switch(_) => Exit::Config,
        };
        Failure::new(exit, error)
    }
}
