//! Where an import keeps its valid documents until the last line was found good: memory, and for large files one of its own.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes kept in memory before a file is used.
const MEMORY: usize = 16 << 20;

pub(super) struct Spool {
    memory: Vec<u8>,
    file: Option<BufWriter<File>>,
    path: PathBuf,
}

/// One spooled document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Spooled {
    pub line: usize,
    pub key: Vec<u8>,
    pub json: Vec<u8>,
}

impl Spool {
    /// A file, if one is needed, is made in `folder` and has no name there.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            memory: Vec::new(),
            file: None,
            path: folder.join("import.spool"),
        }
    }

    pub(super) fn push(&mut self, line: usize, key: &[u8], json: &[u8]) -> io::Result<()> {
        if self.file.is_none() && self.memory.len() + json.len() > MEMORY {
            let file = File::options()
                .create(true)
                .truncate(true)
                .read(true)
                .write(true)
                .open(&self.path)?;
            std::fs::remove_file(&self.path)?;
            let mut file = BufWriter::with_capacity(1 << 20, file);
            file.write_all(&self.memory)?;
            self.memory = Vec::new();
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => put(file, line, key, json),
            None => put(&mut self.memory, line, key, json),
        }
    }

    /// Everything pushed, in the same order.
    pub(super) fn read(self) -> io::Result<Spooling> {
        let input: Box<dyn Read> = match self.file {
            Some(file) => {
                let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.seek(SeekFrom::Start(0))?;
                Box::new(BufReader::with_capacity(1 << 20, file))
            }
            None => Box::new(io::Cursor::new(self.memory)),
        };
        Ok(Spooling { input })
    }
}

fn put(out: &mut dyn Write, line: usize, key: &[u8], json: &[u8]) -> io::Result<()> {
    for number in [line, key.len(), json.len()] {
        out.write_all(&(number as u64).to_le_bytes())?;
    }
    out.write_all(key)?;
    out.write_all(json)
}

pub(super) struct Spooling {
    input: Box<dyn Read>,
}

impl Spooling {
    pub(super) fn next(&mut self) -> io::Result<Option<Spooled>> {
        let mut number = [0_u8; 8];
        match self.input.read_exact(&mut number) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let line = usize::try_from(u64::from_le_bytes(number)).unwrap_or_default();
        let mut lengths = [0_usize; 2];
        for length in &mut lengths {
            self.input.read_exact(&mut number)?;
            *length = usize::try_from(u64::from_le_bytes(number)).unwrap_or_default();
        }
        let [key, json] = lengths.map(|length| vec![0_u8; length]);
        let (mut key, mut json) = (key, json);
        self.input.read_exact(&mut key)?;
        self.input.read_exact(&mut json)?;
        Ok(Some(Spooled { line, key, json }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_from_memory_and_from_a_file() {
        for size in [10, 1 << 20] {
            let folder = tempfile::tempdir().unwrap();
            let mut spool = Spool::new(folder.path());
            let json = vec![b'x'; size];
            for line in 1..=40 {
                spool.push(line, b"key", &json).unwrap();
            }
            assert_eq!(spool.file.is_some(), size > 10);
            let mut spooled = spool.read().unwrap();
            for line in 1..=40 {
                let found = spooled.next().unwrap().unwrap();
                assert_eq!((found.line, found.json.len()), (line, size));
                assert_eq!(found.key, b"key");
            }
            assert_eq!(spooled.next().unwrap(), None);
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
