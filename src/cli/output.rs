//! What a subcommand tells its user, on standard output; logs go elsewhere.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::exit::{Exit, Failure, Outcome};
use crate::console::Desk;

/// What is buffered of standard output; as much as the console carries at once.
const BUFFER: usize = 64 << 10;

/// Standard output, buffered until [`Output::finish`] or drop.
pub struct Output<'a> {
    out: BufWriter<Box<dyn Write + 'a>>,
}

impl<'a> Output<'a> {
    /// This process's own.
    #[must_use]
    pub fn new() -> Self {
        Self::to(Box::new(io::stdout().lock()))
    }

    /// That of who sits there.
    #[must_use]
    pub fn at(desk: &'a mut dyn Desk) -> Self {
        Self::to(desk.stdout())
    }

    fn to(out: Box<dyn Write + 'a>) -> Self {
        Self {
            out: BufWriter::with_capacity(BUFFER, out),
        }
    }

    /// One line, or several. What would move a terminal's cursor is spelled out.
    ///
    /// # Errors
    /// Standard output is closed or full.
    pub fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.out, "{}", visible(&text.to_string()))
    }

    /// # Errors
    /// Standard output is closed or full.
    pub fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// An answer, for people or for machines.
///
/// # Errors
/// Nobody reads it any more.
pub fn print<T: Serialize + Display>(desk: &mut dyn Desk, answer: &T, json: bool) -> Outcome {
    let text = match json {
        true => serde_json::to_string_pretty(answer)
            .map_err(|error| Failure::new(Exit::Software, error))?,
        false => answer.to_string(),
    };
    let mut out = Output::at(desk);
    out.line(text.trim_end())?;
    Ok(out.finish()?)
}

impl Default for Output<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for Output<'_> {
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
    terminal().unwrap_or(NO_TERMINAL)
}

/// Columns of the terminal; None without one, unless the environment says how many.
#[must_use]
pub fn terminal() -> Option<usize> {
    let told = std::env::var("COLUMNS")
        .ok()
        .and_then(|text| text.parse().ok());
    let terminal =
        || terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0.into());
    told.or_else(terminal).map(|width: usize| width.max(40))
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

/// Control characters other than line feeds as JSON writes them: a caller's name or a phone's contact must not be able
/// to paint over what a terminal shows.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    let hidden = |c: char| c.is_control() && c != '\n';
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if hidden(c) {
            // A string takes whatever is written to it.
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// The error of a subcommand, on standard error.
pub fn complain(message: &str) {
    complain_to(&mut io::stderr(), message);
}

/// The same at another desk.
pub fn complain_to(stderr: &mut dyn Write, message: &str) {
    if !message.is_empty() {
        // Nobody is left to tell when standard error itself is closed.
        let _ = writeln!(stderr, "linefinder: {}", visible(message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_paint_on_a_terminal_is_spelled_out() {
        assert_eq!(visible("Zoë\n→ \u{1f600}"), "Zoë\n→ \u{1f600}");
        assert_eq!(
            visible("\u{1b}[31mred\r\u{9b}0m"),
            "\\u001b[31mred\\u000d\\u009b0m"
        );
    }
}
