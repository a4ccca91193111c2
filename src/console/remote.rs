//! The desk of a client, seen from the daemon.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::desk::{Desk, Sink};
use super::frame::{self, Kind, PIECE, Trouble};

/// Room that stays free on the store's disk when a client's file is kept there for a while: the store's own writes and
/// backups come first.
const LEAVE_FREE: u64 = 256 << 20;

/// A client and the files that were named on its command line.
pub(super) struct Remote {
    /// One frame goes out and one comes in at a time; the streams that a command holds share it.
    stream: RefCell<UnixStream>,
    files: Vec<PathBuf>,
    width: Option<usize>,
    /// Where its files are kept while a command reads them.
    folder: PathBuf,
}

impl Remote {
    pub(super) fn new(
        stream: UnixStream,
        files: Vec<PathBuf>,
        width: Option<usize>,
        folder: PathBuf,
    ) -> Self {
        Self {
            stream: RefCell::new(stream),
            files,
            width,
            folder,
        }
    }

    pub(super) fn into_stream(self) -> UnixStream {
        self.stream.into_inner()
    }

    fn named(&self, file: &Path) -> io::Result<u16> {
        let place = self.files.iter().position(|named| named == file);
        let place = place.and_then(|place| u16::try_from(place).ok());
        place.ok_or_else(|| io::Error::other("the client has not named this file"))
    }

    fn put(&self, kind: Kind, content: &[u8]) -> io::Result<()> {
        frame::put(&mut *self.stream.borrow_mut(), kind, content)
    }

    fn exchange(&self, kind: Kind, content: &[u8]) -> io::Result<frame::Frame> {
        let mut stream = self.stream.borrow_mut();
        frame::put(&mut *stream, kind, content)?;
        let answer = frame::take(&mut *stream)?;
        if answer.kind == Kind::Trouble {
            return Err(answer.json::<Trouble>()?.into());
        }
        Ok(answer)
    }

    /// Has something done with a file.
    fn order(&self, kind: Kind, content: &[u8]) -> io::Result<()> {
        match self.exchange(kind, content)?.kind {
            Kind::Done => Ok(()),
            _ => Err(io::Error::new(ErrorKind::InvalidData, "no answer to that")),
        }
    }

    /// All of a client's file, in one of our own without a name. A client may be slow, or stop in the middle: no writer
    /// of the store waits for it, and nothing is done with half a file.
    fn fetch(&self, file: u16) -> io::Result<File> {
        let mut kept = unnamed(&self.folder)?;
        let (mut room, mut length) = (0_u64, 0_u64);
        loop {
            let answer = self.exchange(Kind::Read, &frame::with_file(file, &[]))?;
            if answer.kind != Kind::Piece {
                return Err(io::Error::new(ErrorKind::InvalidData, "no piece of a file"));
            }
            if answer.content.is_empty() {
                break;
            }
            let piece = answer.content.len() as u64;
            if room < piece {
                room = fs2::available_space(&self.folder)?.saturating_sub(LEAVE_FREE);
            }
            room = room.checked_sub(piece).ok_or_else(|| {
                let mib = length >> 20;
                io::Error::new(
                    ErrorKind::StorageFull,
                    format!("the daemon's disk has no room for it; {mib} MiB were read"),
                )
            })?;
            length += piece;
            kept.write_all(&answer.content)?;
        }
        kept.rewind()?;
        Ok(kept)
    }
}

fn unnamed(folder: &Path) -> io::Result<File> {
    let path = folder.join(format!(".console-{:016x}.spool", fastrand::u64(..)));
    let file = File::options()
        .create_new(true)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

struct Stream<'a> {
    remote: &'a Remote,
    kind: Kind,
}

impl Write for Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = bytes.get(..PIECE).unwrap_or(bytes);
        if !piece.is_empty() {
            self.remote.put(self.kind, piece)?;
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Written<'a> {
    remote: &'a Remote,
    file: u16,
    buffer: Vec<u8>,
}

impl Write for Written<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        let room = PIECE.saturating_sub(self.buffer.len());
        let piece = bytes.get(..room).unwrap_or(bytes);
        self.buffer.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let content = frame::with_file(self.file, &self.buffer);
        self.buffer.clear();
        self.remote.order(Kind::Write, &content)
    }
}

impl Sink for Written<'_> {
    fn keep(mut self: Box<Self>) -> io::Result<()> {
        self.flush()?;
        let file = frame::with_file(self.file, &[]);
        self.remote.order(Kind::Keep, &file)
    }
}

impl Desk for Remote {
    fn stdout(&mut self) -> Box<dyn Write + '_> {
        Box::new(Stream {
            remote: self,
            kind: Kind::Out,
        })
    }

    fn stderr(&mut self) -> Box<dyn Write + '_> {
        Box::new(Stream {
            remote: self,
            kind: Kind::Err,
        })
    }

    fn open(&mut self, file: &Path) -> io::Result<Box<dyn Read + '_>> {
        let place = self.named(file)?;
        Ok(Box::new(self.fetch(place)?))
    }

    fn create(&mut self, file: &Path) -> io::Result<Box<dyn Sink + '_>> {
        let place = self.named(file)?;
        self.order(Kind::Create, &frame::with_file(place, &[]))?;
        Ok(Box::new(Written {
            remote: self,
            file: place,
            buffer: Vec::with_capacity(PIECE),
        }))
    }

    fn width(&self) -> Option<usize> {
        self.width
    }
}
