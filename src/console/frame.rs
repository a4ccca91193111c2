//! Frames: one byte that says what it is, four that say how long, and the content. The first frame of each side has
//! this form in every version, so that two versions understand that they don't understand each other.

use std::io::{self, ErrorKind, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::PROTOCOL;

/// The most that one frame carries of a file or of standard output.
pub(super) const PIECE: usize = 64 << 10;

/// Longer than any command line that a shell passes on.
const CONTENT_MAX: usize = 4 << 20;

/// The first frame of each side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) protocol: u32,
    pub(super) version: String,
}

impl Hello {
    pub(super) fn ours() -> Self {
        Self {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Why the client could not do what the daemon asked with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trouble {
    /// The system's number of the error, if it has one.
    pub(super) os: Option<i32>,
    pub(super) text: String,
}

impl From<&io::Error> for Trouble {
    fn from(error: &io::Error) -> Self {
        Self {
            os: error.raw_os_error(),
            text: error.to_string(),
        }
    }
}

impl From<Trouble> for io::Error {
    fn from(trouble: Trouble) -> io::Error {
        match trouble.os {
            Some(number) => io::Error::from_raw_os_error(number),
            None => io::Error::other(trouble.text),
        }
    }
}

/// What a frame is. The numbers are part of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Both ways, [`Hello`].
    Hello = 1,
    /// To the daemon, [`super::Ask`].
    Ask = 2,
    /// To the client: for its standard output, or error.
    Out = 3,
    Err = 4,
    /// To the client: give me the next piece of the file. Answered by `Piece`, empty at the end, or `Trouble`.
    Read = 5,
    /// To the client: make the file. Answered by `Done` or `Trouble`.
    Create = 6,
    /// To the client: write this to the file. Answered by `Done` or `Trouble`.
    Write = 7,
    /// To the client: bring the file to the disk and close it. Answered by `Done` or `Trouble`.
    Keep = 8,
    Piece = 9,
    Done = 10,
    Trouble = 11,
    /// To the client, the last: [`super::Ended`].
    Ended = 12,
}

impl Kind {
    const ALL: [Kind; 12] = [
        Kind::Hello,
        Kind::Ask,
        Kind::Out,
        Kind::Err,
        Kind::Read,
        Kind::Create,
        Kind::Write,
        Kind::Keep,
        Kind::Piece,
        Kind::Done,
        Kind::Trouble,
        Kind::Ended,
    ];

    fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) content: Vec<u8>,
}

fn nonsense(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.to_string())
}

impl Frame {
    /// # Errors
    /// The content is not this, though the frame is.
    pub(super) fn json<T: DeserializeOwned>(&self) -> io::Result<T> {
        serde_json::from_slice(&self.content).map_err(nonsense)
    }
}

/// # Errors
/// The stream's.
pub(super) fn put(stream: &mut impl Write, kind: Kind, content: &[u8]) -> io::Result<()> {
    let length = u32::try_from(content.len()).map_err(nonsense)?;
    let mut head = [kind as u8, 0, 0, 0, 0];
    if let Some(place) = head.get_mut(1..) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    let mut frame = Vec::with_capacity(head.len() + content.len());
    frame.extend_from_slice(&head);
    frame.extend_from_slice(content);
    stream.write_all(&frame)
}

/// # Errors
/// The stream's.
pub(super) fn put_json<T: Serialize>(
    stream: &mut impl Write,
    kind: Kind,
    content: &T,
) -> io::Result<()> {
    let content = serde_json::to_vec(content)?;
    if content.len() > CONTENT_MAX {
        return Err(nonsense("the command is too long"));
    }
    put(stream, kind, &content)
}

/// The next frame. Nothing is allocated before it has come.
///
/// # Errors
/// The stream's, its end included; no frame of this protocol.
pub(super) fn take(stream: &mut impl Read) -> io::Result<Frame> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let [kind, length @ ..] = head;
    let kind = Kind::of(kind).ok_or_else(|| nonsense("no frame of the console"))?;
    let length = u64::from(u32::from_be_bytes(length));
    if length > CONTENT_MAX as u64 {
        return Err(nonsense("a frame that is too long"));
    }
    let mut content = Vec::new();
    stream.by_ref().take(length).read_to_end(&mut content)?;
    if content.len() as u64 != length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(Frame { kind, content })
}

/// A file of the command line, by its place there, and bytes for it.
pub(super) fn with_file(file: u16, bytes: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(2 + bytes.len());
    content.extend_from_slice(&file.to_be_bytes());
    content.extend_from_slice(bytes);
    content
}

/// # Errors
/// No file is named.
pub(super) fn file_of(content: &[u8]) -> io::Result<(usize, &[u8])> {
    let (file, bytes) = content
        .split_first_chunk::<2>()
        .ok_or_else(|| nonsense("a frame without a file"))?;
    Ok((usize::from(u16::from_be_bytes(*file)), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_taken() {
        for kind in Kind::ALL {
            let mut wire = Vec::new();
            put(&mut wire, kind, b"content").unwrap();
            put(&mut wire, kind, b"").unwrap();
            let mut wire = wire.as_slice();
            let frame = take(&mut wire).unwrap();
            assert_eq!(
                (frame.kind, frame.content.as_slice()),
                (kind, &b"content"[..])
            );
            assert_eq!(take(&mut wire).unwrap().content, b"");
            let end = take(&mut wire).unwrap_err();
            assert_eq!(end.kind(), ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn what_is_no_frame_is_refused_before_anything_is_allocated() {
        for (bytes, kind) in [
            (&b"\xff\0\0\0\0"[..], ErrorKind::InvalidData),
            (b"\x03\xff\xff\xff\xff", ErrorKind::InvalidData),
            (b"\x03\0\0\0\x09short", ErrorKind::UnexpectedEof),
            (b"\x03\0", ErrorKind::UnexpectedEof),
            (b"", ErrorKind::UnexpectedEof),
        ] {
            let error = take(&mut &bytes[..]).unwrap_err();
            assert_eq!(error.kind(), kind, "{bytes:?}");
        }
        assert!(file_of(b"\0").is_err());
        assert_eq!(file_of(&with_file(7, b"x")).unwrap(), (7, &b"x"[..]));
    }

    #[test]
    fn an_error_keeps_its_number_or_its_words() {
        let denied = io::Error::from_raw_os_error(13);
        let back: io::Error = Trouble::from(&denied).into();
        assert_eq!(back.kind(), ErrorKind::PermissionDenied);
        let own: io::Error = Trouble::from(&io::Error::other("it rains")).into();
        assert_eq!(own.to_string(), "it rains");
    }
}
