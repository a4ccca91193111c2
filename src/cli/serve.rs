//! `serve`: the daemon in the foreground, as systemd runs it.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Failure, Outcome};
use crate::config::Config;
use crate::daemon::{Daemon, StartError, Systemd};
use crate::store::Store;
use crate::telemetry;

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
    runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let hurry = CancellationToken::new();
        listen_to_signals(&shutdown, &hurry)
            .map_err(|error| Failure::new(Exit::Software, format_args!("signals: {error}")))?;
        let daemon = Daemon::start(config, store, &shutdown)?;
        daemon.run(systemd, &hurry).await;
        Ok(())
    })
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
            StartError::Metrics(_) => Exit::Unavailable,
            StartError::Carriers(_) => Exit::Software,
            StartError::Switch(_) => Exit::Config,
        };
        Failure::new(exit, error)
    }
}
