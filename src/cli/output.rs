//! What a subcommand tells its user, on standard output; logs go elsewhere.

use std::fmt::Display;
use std::io::{self, BufWriter, StdoutLock, Write};

/// Standard output, locked and buffered until [`Output::finish`] or drop.
pub struct Output {
    out: BufWriter<StdoutLock<'static>>,
}

impl Output {
    #[must_use]
    pub fn new() -> Self {
        Self {
            out: BufWriter::new(io::stdout().lock()),
        }
    }

    /// One line.
    ///
    /// # Errors
    /// Standard output is closed or full.
    pub fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// # Errors
    /// Standard output is closed or full.
    pub fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Default for Output {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Columns for readers who are no terminal: a file, a pipe, a build's log.
const NO_TERMINAL: usize = 160;

/// Columns that a line may have.
#[must_use]
pub fn width() -> usize {
    let told = std::env::var("COLUMNS")
        .ok()
        .and_then(|text| text.parse().ok());
    let terminal =
        || terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0.into());
    told.or_else(terminal).unwrap_or(NO_TERMINAL).max(40)
}

/// How this program was called, for lines to type.
#[must_use]
pub fn program() -> String {
    // cargo sets this for what it runs.
    if std::env::var_os("CARGO_MANIFEST_DIR").is_some() {
        return "cargo run --release --".to_owned();
    }
    let called = std::env::args().next();
    called.unwrap_or_else(|| "linefinder".to_owned())
}

/// The error of a subcommand, on standard error.
pub fn complain(message: &str) {
    if !message.is_empty() {
        // Nobody is left to tell when standard error itself is closed.
        let _ = writeln!(io::stderr(), "linefinder: {message}");
    }
}
