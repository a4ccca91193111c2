//! Log lines: text on a terminal, fields under systemd's journal, JSON for machines.
//!
//! Field names are the same everywhere: `call_id`, `sip_call_id`, `node`, `account_id`, `device_id`, `action`,
//! `attempt`, `cause`, `elapsed_ms`, `error`.

use std::io::{self, IsTerminal as _};
use std::os::unix::fs::MetadataExt as _;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::config::{LogFormat, LogSettings};

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("[log] level: {0}")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    #[error("[log] format = \"journald\": the journal can't be reached: {0}")]
    Journal(io::Error),
    #[error("logs are already set up: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// The database's own chatter below warnings helps nobody; `[log] level` can ask for it by name.
const QUIET: &str = "sled=warn";

/// Sets up logs for the whole process, on standard error or in the journal.
///
/// # Errors
/// A filter that can't be read, a journal that can't be reached.
pub fn start(settings: &LogSettings) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", settings.level))?;
    let lines = lines(settings.format)?;
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init()?;
    log_panics();
    Ok(())
}

fn lines(format: LogFormat) -> Result<Box<dyn Layer<Registry> + Send + Sync>, TelemetryError> {
    Ok(match format {
        LogFormat::Auto if journal_reads_stderr() => return lines(LogFormat::Journald),
        LogFormat::Auto if io::stderr().is_terminal() => return lines(LogFormat::Text),
        LogFormat::Auto | LogFormat::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .with_writer(io::stderr)
            .boxed(),
        LogFormat::Text => fmt::layer()
            .with_ansi(io::stderr().is_terminal())
            .with_writer(io::stderr)
            .boxed(),
        // Without a prefix a field is what it is called: `journalctl CALL_ID=...`.
        LogFormat::Journald => tracing_journald::layer()
            .map_err(TelemetryError::Journal)?
            .with_field_prefix(None)
            .with_syslog_identifier("linefinder".to_owned())
            .boxed(),
    })
}

/// systemd names the device and inode of the stream that it reads; a redirected standard error differs.
fn journal_reads_stderr() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let Ok(stderr) = std::fs::metadata("/dev/stderr") else {
        return false;
    };
    stream == format!("{}:{}", stderr.dev(), stderr.ino())
}

/// A panic ends one task; it must not be missing from the log.
fn log_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string);
        let payload = panic.payload();
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        tracing::error!(place, error = text.unwrap_or("?"), "a task panicked");
        before(panic);
    }));
}
