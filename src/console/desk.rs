//! Where somebody sits who types commands.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Standard output and error, and the files that were named on the command line.
pub trait Desk {
    fn stdout(&mut self) -> Box<dyn Write + '_>;

    fn stderr(&mut self) -> Box<dyn Write + '_>;

    /// Opens a file that was named on the command line; `-` is standard input.
    ///
    /// # Errors
    /// It can't be read, or was not named.
    fn open(&mut self, file: &Path) -> io::Result<Box<dyn Read + '_>>;

    /// Makes a file that was named on the command line, for its owner's eyes only. One that is there already is cut, and
    /// keeps the rights that it was given.
    ///
    /// # Errors
    /// It can't be made, or was not named.
    fn create(&mut self, file: &Path) -> io::Result<Box<dyn Sink + '_>>;

    /// Columns of the terminal; None: any number.
    fn width(&self) -> Option<usize>;
}

/// A file that is being written.
pub trait Sink: Write {
    /// Returns when all of it is on the disk.
    ///
    /// # Errors
    /// It is not.
    fn keep(self: Box<Self>) -> io::Result<()>;
}

/// This process's own.
pub struct Here {
    pub width: Option<usize>,
}

impl Desk for Here {
    fn stdout(&mut self) -> Box<dyn Write + '_> {
        Box::new(io::stdout().lock())
    }

    fn stderr(&mut self) -> Box<dyn Write + '_> {
        Box::new(io::stderr().lock())
    }

    fn open(&mut self, file: &Path) -> io::Result<Box<dyn Read + '_>> {
        open_file(file)
    }

    fn create(&mut self, file: &Path) -> io::Result<Box<dyn Sink + '_>> {
        let file = create_file(file)?;
        Ok(Box::new(Kept(BufWriter::with_capacity(1 << 16, file))))
    }

    fn width(&self) -> Option<usize> {
        self.width
    }
}

struct Kept(BufWriter<File>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Sink for Kept {
    fn keep(self: Box<Self>) -> io::Result<()> {
        let file = self
            .0
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.sync_all()
    }
}

pub(super) fn open_file(file: &Path) -> io::Result<Box<dyn Read>> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(File::open(file)?))
}

pub(super) fn create_file(file: &Path) -> io::Result<File> {
    File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)
}
