//! What a subcommand tells its user, on standard output; logs go elsewhere.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write};

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

/// Columns that a line may have: the terminal's, or no bound when a program or file reads.
#[must_use]
pub fn width() -> usize {
    let told = std::env::var("COLUMNS").ok();
    match told.and_then(|text| text.parse().ok()) {
        Some(columns) if columns >= 40 => columns,
        _ if io::stdout().is_terminal() => 120,
        _ => 160,
    }
}

/// The error of a subcommand, on standard error.
pub fn complain(message: &str) {
    if !message.is_empty() {
        // Nobody is left to tell when standard error itself is closed.
        let _ = writeln!(io::stderr(), "linefinder: {message}");
    }
}
