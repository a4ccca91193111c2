//! The side of who typed the command.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::desk::{create_file, open_file};
use super::frame::{self, Frame, Hello, Kind, PIECE, Trouble};
use super::{Ask, Ended, PROTOCOL, socket};

/// For the daemon to greet; it does so before it does anything else.
const GREETING: Duration = Duration::from_secs(10);

/// What is asked, and which files may be used for it.
#[derive(Debug, Default)]
pub struct Errand {
    pub width: Option<usize>,
    pub command: serde_json::Value,
    pub reads: Vec<PathBuf>,
    pub writes: Vec<PathBuf>,
}

/// Why the daemon could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("nobody listens on its console: {0}")]
    NobodyThere(#[source] io::Error),
    #[error(
        "the daemon that has the store open is linefinder {theirs}, this is {}, and their consoles do not understand each \
         other: use the daemon's own binary, or restart the daemon after an update",
        env!("CARGO_PKG_VERSION")
    )]
    Version { theirs: String },
    #[error(
        "the daemon ended the connection before the command was done ({0}): it may be stopping; its log says more"
    )]
    Lost(#[source] io::Error),
    #[error("standard output: {0}")]
    Output(#[source] io::Error),
    #[error("the command can't be sent: {0}")]
    Unsendable(#[source] io::Error),
}

/// Has the daemon that has this store open do something, and does for it what has to do with this side's terminal and
/// files.
///
/// # Errors
/// No daemon, another version, one that stops in the middle; a standard output that nobody reads any more.
pub fn ask(store: &Path, errand: Errand) -> Result<Ended, AskError> {
    let stream = socket::connect(store).map_err(AskError::NobodyThere)?;
    converse(stream, errand)
}

pub(super) fn converse(mut stream: UnixStream, errand: Errand) -> Result<Ended, AskError> {
    let readable = errand.reads.len();
    let mut files = errand.reads;
    files.extend(errand.writes);
    let ask = Ask {
        width: errand.width,
        files: files.clone(),
        command: errand.command,
    };
    // Tried now: a name that is no UTF-8 can't be sent.
    serde_json::to_vec(&ask).map_err(|error| AskError::Unsendable(error.into()))?;
    greet(&mut stream)?;
    let sent = frame::put_json(&mut stream, Kind::Ask, &ask);
    if let Err(error) = sent
        && !is_hangup(&error)
    {
        return Err(AskError::Unsendable(error));
    }
    let mut desk = Client {
        files,
        readable,
        reading: HashMap::new(),
        writing: HashMap::new(),
    };
    loop {
        let frame = frame::take(&mut stream).map_err(AskError::Lost)?;
        match frame.kind {
            Kind::Out => print(&frame.content).map_err(AskError::Output)?,
            Kind::Err => {
                // Nobody is left to tell when standard error is closed.
                let _ = io::stdout().flush();
                let _ = io::stderr().write_all(&frame.content);
            }
            Kind::Ended => {
                io::stdout().flush().map_err(AskError::Output)?;
                return frame.json().map_err(AskError::Lost);
            }
            _ => {
                let (kind, content) = match desk.obey(&frame) {
                    Ok(answer) => answer,
                    Err(error) => {
                        let trouble = serde_json::to_vec(&Trouble::from(&error));
                        let trouble = trouble.map_err(|error| AskError::Lost(error.into()))?;
                        (Kind::Trouble, trouble)
                    }
                };
                match frame::put(&mut stream, kind, &content) {
                    Err(error) if !is_hangup(&error) => return Err(AskError::Lost(error)),
                    _ => {}
                }
            }
        }
    }
}

fn is_hangup(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
    )
}

fn greet(stream: &mut UnixStream) -> Result<(), AskError> {
    let greeted = (|| {
        stream.set_read_timeout(Some(GREETING))?;
        match frame::put_json(stream, Kind::Hello, &Hello::ours()) {
            // If it hung up at once, it has said why.
            Err(error) if !is_hangup(&error) => return Err(error),
            _ => {}
        }
        let hello = frame::take(stream)?;
        // A command may think as long as it likes.
        stream.set_read_timeout(None)?;
        hello.json::<Hello>()
    })();
    let theirs = greeted.map_err(AskError::Lost)?;
    if theirs.protocol == PROTOCOL {
        return Ok(());
    }
    Err(AskError::Version {
        theirs: theirs.version,
    })
}

fn print(bytes: &[u8]) -> io::Result<()> {
    io::stdout().lock().write_all(bytes)
}

/// Does what the daemon says with the files of the command line, and with no others.
struct Client {
    files: Vec<PathBuf>,
    /// So many of them, the first ones, are to be read, the others to be written.
    readable: usize,
    reading: HashMap<usize, Box<dyn Read>>,
    writing: HashMap<usize, File>,
}

impl Client {
    fn obey(&mut self, frame: &Frame) -> io::Result<(Kind, Vec<u8>)> {
        let (file, bytes) = frame::file_of(&frame.content)?;
        match frame.kind {
            Kind::Read => Ok((Kind::Piece, self.read(file)?)),
            Kind::Create => {
                let path = self.writable(file)?;
                let made = create_file(path)?;
                self.writing.insert(file, made);
                Ok((Kind::Done, Vec::new()))
            }
            Kind::Write => {
                self.made(file)?.write_all(bytes)?;
                Ok((Kind::Done, Vec::new()))
            }
            Kind::Keep => {
                self.made(file)?.sync_all()?;
                self.writing.remove(&file);
                Ok((Kind::Done, Vec::new()))
            }
            _ => Err(io::Error::other("the client does not know how to do that")),
        }
    }

    /// The next piece; after the last one the file is closed.
    fn read(&mut self, file: usize) -> io::Result<Vec<u8>> {
        let path = self.files.get(file).filter(|_| file < self.readable);
        let path = path.ok_or_else(not_named)?;
        let open = match self.reading.entry(file) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(unopened) => unopened.insert(open_file(path)?),
        };
        let mut piece = Vec::new();
        open.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
        if piece.is_empty() {
            self.reading.remove(&file);
        }
        Ok(piece)
    }

    fn writable(&self, file: usize) -> io::Result<&Path> {
        let path = self.files.get(file).filter(|_| file >= self.readable);
        Ok(path.ok_or_else(not_named)?)
    }

    fn made(&mut self, file: usize) -> io::Result<&mut File> {
        self.writing.get_mut(&file).ok_or_else(not_named)
    }
}

fn not_named() -> io::Error {
    io::Error::other("no file of the command line")
}
